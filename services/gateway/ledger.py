"""What was taken before, as far as the events of one batch need to know it: read in bulk, written in bulk, in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from sqlalchemy import Connection, select

from events.catalog import AnyEvent, subject_of
from events.dates import Instant
from events.envelope import SubjectEvent
from events.errors import IdConflict
from events.faults import show
from events.stamp import unstamped
from projections.folds.event_ledger import id_conflict, owner_conflict, repeats
from projections.rules.protocol import Protocol
from projections.store.database import ASKED_MAX, insert_all, pieces, rows_of, upsert
from projections.store.tables import NOBODY, record_owners, source_sites, subject_sites, taken_events
from services.gateway.authority import outside
from services.gateway.caller import Caller, Role
from services.log.port import EventLog, Position

#: Entries of the log that nobody asked for are read with the others where the gap is no larger.
GAP_MAX: Final = 16

Identity = tuple[str, str]
Record = tuple[str, str, str]


class Taken(NamedTuple):
    """An event that was taken. ``position`` is None while it is not appended: then it is ``new``, by its number.

    ``superseded_by`` is the higher revision of its record that was known, where there is one: the event changes nothing.
    """

    subject: str
    body: bytes
    position: Position | None
    new: int
    superseded_by: int | None = None


class IntakeLedger:
    """Identities, owners of records, and whose the sources and subjects are."""

    def __init__(self, connection: Connection, log: EventLog, protocol: Protocol, subject_names_site: bool) -> None:
        self._connection = connection
        self._log = log
        self._protocol = protocol
        self._subject_names_site = subject_names_site
        self._taken: dict[Identity, Taken] = {}
        self._owners: dict[Record, str] = {}
        self._revisions: dict[Record, int] = {}
        self._sites: dict[str, str] = {}
        self._subjects: dict[str, str] = {}
        self._new: list[AnyEvent] = []
        self._moved: set[Record] = set()
        self._new_subjects: dict[str, str] = {}
        self._used: set[str] = set()

    def load(self, events: Sequence[AnyEvent]) -> None:
        """Read what is known of these events."""
        self._load_taken({(event.source, event.id) for event in events})
        self._load_owners({_record(event) for event in events})
        wanted = select(source_sites.c.source, source_sites.c.site)
        for asked in pieces({event.source for event in events}):
            for row in self._connection.execute(wanted.where(source_sites.c.source.in_(asked))):
                self._sites[row.source] = row.site
        if not self._subject_names_site:
            of = select(subject_sites.c.subject, subject_sites.c.site)
            for asked in pieces({subject_of(event) or NOBODY for event in events}):
                for row in self._connection.execute(of.where(subject_sites.c.subject.in_(asked))):
                    self._subjects[row.subject] = row.site

    def take(self, caller: Caller, event: AnyEvent, raw: bytes) -> tuple[bool, Taken]:
        """Take an event, or find that it was taken: whether it is new, and the one that stands.

        Raises ``EventRefused`` where it contradicts what stands, or is not the caller's to write.
        """
        if caller.role == Role.SITE:
            self._check_site(caller, event)
        subject = subject_of(event) or NOBODY
        first = self._taken.get((event.source, event.id))
        if first is not None:
            self._check_repeats(event, subject, raw, first)
            self._used.add(event.source)
            return False, first._replace(superseded_by=self._superseded_by(event))
        record = _record(event)
        owner = self._owners.get(record, event.source)
        if not self._protocol.same_system(owner, event.source):
            raise owner_conflict(event, owner)
        if record not in self._owners:
            self._owners[record] = event.source
            self._moved.add(record)
        if caller.role == Role.SITE and caller.site is not None:
            self._claim(caller.site, event.source, subject)
        taken = Taken(subject, raw, None, len(self._new), self._superseded_by(event))
        if taken.superseded_by is None and _revision(event) != self._revisions.get(record):
            self._revisions[record] = _revision(event)
            self._moved.add(record)
        self._new.append(event)
        self._taken[(event.source, event.id)] = taken
        self._used.add(event.source)
        return True, taken

    def write(self, positions: Sequence[Position], now: Instant) -> None:
        """Put in what was taken; ``positions`` are those of the new events, in their order."""
        if self._new:
            rows = [
                {
                    "source": event.source,
                    "event_id": event.id,
                    "subject": subject_of(event) or NOBODY,
                    **place._asdict(),
                }
                for event, place in zip(self._new, positions, strict=True)
            ]
            insert_all(self._connection, taken_events, rows)
        owners = [
            {
                "subject": record[0],
                "kind": record[1],
                "record_id": record[2],
                "source": self._owners[record],
                "revision": self._revisions.get(record),
            }
            for record in sorted(self._moved)
        ]
        upsert(self._connection, record_owners, owners, keep=["source"])
        if self._new_subjects:
            sites = [{"subject": subject, "site": site} for subject, site in self._new_subjects.items()]
            insert_all(self._connection, subject_sites, sites)
        used = [
            {"source": source, "site": self._sites[source], "first_used_at": now, "last_used_at": now}
            for source in sorted(self._used & self._sites.keys())
        ]
        upsert(self._connection, source_sites, used, keep=["site", "first_used_at"])

    def _check_site(self, caller: Caller, event: AnyEvent) -> None:
        """A source belongs to the site that used it first; so does a subject, where its id does not name the site."""
        if self._sites.get(event.source, caller.site) != caller.site:
            raise outside(event, f"source: {show(event.source)} belongs to another site")
        if self._subjects.get(subject_of(event) or NOBODY, caller.site) != caller.site:
            raise outside(event, "subject: it belongs to another site")

    def _check_repeats(self, event: AnyEvent, subject: str, raw: bytes, first: Taken) -> None:
        if first.subject != subject:
            raise IdConflict(
                f"id: {event.id!r} of source {event.source!r} was used for another subject",
                field="id",
                event_id=event.id,
                subject=subject,
            )
        if not repeats(event, raw, unstamped(first.body)):
            raise id_conflict(event)

    def _claim(self, site: str, source: str, subject: str) -> None:
        self._sites.setdefault(source, site)
        if not self._subject_names_site and subject not in self._subjects:
            self._subjects[subject] = self._new_subjects[subject] = site

    def _load_taken(self, identities: Iterable[Identity]) -> None:
        columns = taken_events.c
        key = (columns.source, columns.event_id)
        rows = rows_of(self._connection, select(taken_events), key, identities)
        bodies = self._bodies(sorted(Position(row.partition, row.offset) for row in rows))
        for row in rows:
            position = Position(row.partition, row.offset)
            self._taken[(row.source, row.event_id)] = Taken(row.subject, bodies[position], position, -1)

    def _bodies(self, positions: Sequence[Position]) -> dict[Position, bytes]:
        """What stands at these positions; those that lie close together are read together."""
        found: dict[Position, bytes] = {}
        runs: list[tuple[Position, int]] = []
        for position in positions:
            start, last = runs[-1] if runs else (position, -GAP_MAX)
            if (
                runs
                and start.partition == position.partition
                and position.offset - last <= GAP_MAX
                and position.offset - start.offset < ASKED_MAX
            ):
                runs[-1] = (start, position.offset)
            else:
                runs.append((position, position.offset))
        for start, last in runs:
            entries = self._log.read(start.partition, start.offset, last - start.offset + 1)
            found.update({entry.position: entry.body for entry in entries})
        return found

    def _load_owners(self, records: Iterable[Record]) -> None:
        columns = record_owners.c
        key = (columns.subject, columns.kind, columns.record_id)
        for row in rows_of(self._connection, select(record_owners), key, records):
            record = (row.subject, row.kind, row.record_id)
            self._owners[record] = row.source
            if row.revision is not None:
                self._revisions[record] = row.revision

    def _superseded_by(self, event: AnyEvent) -> int | None:
        known = self._revisions.get(_record(event))
        return known if known is not None and _revision(event) < known else None


def _record(event: AnyEvent) -> Record:
    return (subject_of(event) or NOBODY, event.record_kind, event.record_id)


def _revision(event: AnyEvent) -> int:
    assert isinstance(event, SubjectEvent), "the gateway takes nothing else"
    revision: int = event.data.revision
    return revision
