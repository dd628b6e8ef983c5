"""What was taken before, as far as the events of one batch need to know it: read in bulk, written in bulk, in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from sqlalchemy import Connection, func, select

from events.catalog import AnyEvent, subject_of
from events.dates import Instant
from events.envelope import SubjectEvent
from events.errors import BadField, IdConflict
from events.faults import show
from events.stamp import unstamped
from events.subject import SubjectEnrolled
from projections.folds.event_ledger import id_conflict, owner_conflict, repeats
from projections.rules.logic.trial_protocol import TrialProtocol
from projections.store.engine.database import ASKED_MAX, insert_all, pieces, rows_of, upsert
from projections.store.engine.tables import NOBODY, record_owners, source_sites, subject_sites, taken_events
from services.gateway.authority import NOT_THIS_KEYS, outside
from services.gateway.sources import any_matches
from services.http.caller import Caller, Role
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


class _SubjectSite(NamedTuple):
    """Whose a subject is, and whether that site has enrolled it, or was only the first to write."""

    site: str
    is_enrolled: bool


class IntakeLedger:
    """Identities, owners of records, and whose the sources and subjects are."""

    def __init__(
        self, connection: Connection, log: EventLog, protocol: TrialProtocol, subject_names_site: bool
    ) -> None:
        self._connection = connection
        self._log = log
        self._protocol = protocol
        self._subject_names_site = subject_names_site
        self._taken: dict[Identity, Taken] = {}
        self._owners: dict[Record, str] = {}
        self._revisions: dict[Record, int] = {}
        self._alike: dict[str, set[str]] = {}
        self._subjects: dict[str, _SubjectSite] = {}
        self._new: list[AnyEvent] = []
        self._moved: set[Record] = set()
        self._enrolled: set[str] = set()
        self._used: set[tuple[str, str]] = set()

    def load(self, events: Sequence[AnyEvent]) -> None:
        """Read what is known of these events."""
        self._load_taken({(event.source, event.id) for event in events})
        self._load_owners({_record(event) for event in events})
        source = source_sites.c.source
        for asked in pieces({event.source.lower() for event in events}):
            for known in self._connection.scalars(select(source).distinct().where(func.lower(source).in_(asked))):
                self._alike.setdefault(known.lower(), set()).add(known)
        if not self._subject_names_site:
            for asked in pieces({subject_of(event) or NOBODY for event in events}):
                for row in self._connection.execute(select(subject_sites).where(subject_sites.c.subject.in_(asked))):
                    self._subjects[row.subject] = _SubjectSite(row.site, row.is_enrolled)

    def take(self, caller: Caller, event: AnyEvent, raw: bytes) -> tuple[bool, Taken]:
        """Take an event, or find that it was taken: whether it is new, and the one that stands.

        Raises ``EventRefused`` where it contradicts what is on record, or is not the caller's to write.
        """
        if caller.role == Role.SITE:
            self._check_site(event)
        subject = subject_of(event) or NOBODY
        first = self._taken.get((event.source, event.id))
        if first is not None:
            self._check_repeats(event, subject, raw, first)
            self._heard(caller, event)
            return False, first._replace(superseded_by=self._superseded_by(event))
        record = _record(event)
        owner = self._owners.get(record, event.source)
        if not self._protocol.same_system(owner, event.source):
            # A site that learned the owner's name here would learn whose the record is.
            is_ours = caller.role == Role.SPONSOR or any_matches(caller.patterns, owner)
            raise owner_conflict(event, owner if is_ours else "another source")
        if record not in self._owners:
            self._owners[record] = event.source
            self._moved.add(record)
        if isinstance(event, SubjectEnrolled) and caller.role == Role.SITE and not self._subject_names_site:
            self._subjects[subject] = _SubjectSite(event.site, True)
            self._enrolled.add(subject)
        taken = Taken(subject, raw, None, len(self._new), self._superseded_by(event))
        if taken.superseded_by is None and _revision(event) != self._revisions.get(record):
            self._revisions[record] = _revision(event)
            self._moved.add(record)
        self._new.append(event)
        self._taken[(event.source, event.id)] = taken
        self._heard(caller, event)
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
        enrolled = [
            {"subject": subject, "site": self._subjects[subject].site, "is_enrolled": True}
            for subject in sorted(self._enrolled)
        ]
        upsert(self._connection, subject_sites, enrolled)
        used = [
            {"source": source, "site": site, "first_used_at": now, "last_used_at": now}
            for source, site in sorted(self._used)
        ]
        upsert(self._connection, source_sites, used, keep=["first_used_at"])

    def _check_site(self, event: AnyEvent) -> None:
        """A source is written in one way; a subject whose id does not name the site is of the site that enrolled it."""
        assert isinstance(event, SubjectEvent), "the gateway takes nothing else"
        alike = self._alike.get(event.source.lower(), set())
        if alike and event.source not in alike:
            raise BadField(
                f"source: {show(event.source)} differs by capital letters alone from one that is known; write it as before",
                field="source",
                event_id=event.id,
                subject=event.subject,
            )
        if not self._subject_names_site and not self._is_of(event, event.site):
            raise outside(event, f"subject: {NOT_THIS_KEYS}")

    def _is_of(self, event: SubjectEvent, site: str) -> bool:
        configured = self._protocol.site_of_subject(event.subject)
        if configured is not None:
            return configured == site
        known = self._subjects.get(event.subject)
        if known is None or known.site == site:
            return True
        return isinstance(event, SubjectEnrolled) and not known.is_enrolled

    def _heard(self, caller: Caller, event: AnyEvent) -> None:
        if caller.role == Role.SITE and isinstance(event, SubjectEvent):
            self._used.add((event.source, event.site))
            self._alike.setdefault(event.source.lower(), set()).add(event.source)

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

    def _load_taken(self, identities: Iterable[Identity]) -> None:
        columns = taken_events.c
        key = (columns.source, columns.event_id)
        rows = rows_of(self._connection, select(taken_events), key, identities)
        bodies = self._bodies(sorted(Position(row.partition, row.offset) for row in rows))
        for row in rows:
            position = Position(row.partition, row.offset)
            self._taken[(row.source, row.event_id)] = Taken(row.subject, bodies[position], position, -1)

    def _bodies(self, positions: Sequence[Position]) -> dict[Position, bytes]:
        """The entries at these positions; those that lie close together are read together."""
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
