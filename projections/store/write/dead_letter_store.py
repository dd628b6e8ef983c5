"""Parked input: what was refused, kept with its bytes until somebody has dealt with it (rules.md §6).

Letters that say grade 3 or more, serious or fatal are counted in one alert for each site and reason, until a valid event for
every such record has arrived. The same bytes from the same sender again are the same letter: it is counted, and nobody is told
twice.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Row, bindparam, select, update

from events.acceptance import OWN_SOURCES
from events.bounds import IDENTIFIER_BYTES_MAX
from events.dates import Instant
from events.errors import ToxwatchError
from events.triage import readable_revision
from projections.folds.system_alerts import LOWER_REVISION as LOWER_REVISION
from projections.folds.system_alerts import intake_case
from projections.folds.trial import Trial
from projections.rules.logic.truth import EventKey
from projections.store.engine.database import Lock, insert_new, pieces, rows_of, take_lock
from projections.store.engine.tables import IS_URGENT, dead_letters
from projections.store.write.intake_alerts import tell_of_severe

PARKED: Final = "parked"
SETTLED: Final = "settled"
DELETED: Final = "deleted"
REPLAYED: Final = "replayed"

#: The reason under which events of a subject that is not watched are parked.
NOT_WATCHED: Final = "not-watched"

GATEWAY: Final = "gateway"
MONITOR: Final = "monitor"

#: What an index is made of.
_IN_A_KEY: Final = ("subject", "source", "event_id", "record_kind", "record_id")

#: Longer ids are cut: they are shown, and the bytes have the whole.
TEXT_CHARS_MAX: Final = 2000


class NewDeadLetter(NamedTuple):
    """Input to be parked. ``sender`` is the key that it came with; ``site`` that key's; ``headers`` those that are part of it.

    ``subject`` is given only where it is an id of the trial's pattern: anything else may be a name.
    """

    origin: str
    reason: str
    error: str
    field: str
    raw: bytes
    is_severe: bool
    sender: str | None = None
    site: str | None = None
    subject: str | None = None
    source: str | None = None
    event_id: str | None = None
    record_kind: str | None = None
    record_id: str | None = None
    partition: int | None = None
    offset: int | None = None
    headers: str | None = None

    @property
    def alert_case(self) -> str | None:
        """The case of the alert in which it is counted; None where it is not severe."""
        return intake_case(self.site, self.reason) if self.is_severe else None

    @property
    def fingerprint(self) -> str:
        """The same for the same bytes from the same sender (or at the same position for one reason), and for nothing else."""
        why = self.reason if self.offset is not None else None
        where = json.dumps([self.origin, self.sender, self.partition, self.offset, why, self.headers])
        return hashlib.sha256(where.encode() + b"\0" + self.raw).hexdigest()


class ArrivedEvent(NamedTuple):
    """A valid event that arrived, and counts: no higher ``revision`` of its record was known.

    ``received`` is its stamp; ``place`` where it stands, once it was read from the log.
    """

    subject: str
    kind: str
    record_id: str
    source: str
    event_id: str
    received: Instant
    place: tuple[int, int] | None = None
    revision: int | None = None

    def settles(self, letter: Row[Any]) -> bool:
        """Whether it answers a letter: it came after it, and is the event itself, or no lower a revision of its record."""
        if not self.is_behind(letter):
            return False
        if (letter.source, letter.event_id) == (self.source, self.event_id):
            return True
        refused = readable_revision(letter.raw or b"")
        return refused is None or self.revision is None or self.revision >= refused

    def is_behind(self, letter: Row[Any]) -> bool:
        """Whether it came after a letter: what was parked from the log goes by its place, the rest by when it was received."""
        if letter.offset is not None:
            return self.place is not None and self.place[0] == letter.partition and self.place[1] > letter.offset
        return bool(letter.received_at < self.received)


class DeadLetterError(ToxwatchError):
    """There is no such letter, or nothing of it left."""


def park(connection: Connection, trial: Trial, letters: Sequence[NewDeadLetter], now: Instant) -> int:
    """Keep what was refused, and tell of what is severe; ``source`` is the deployment's. Gives how many were told of.

    What was closed, in whatever way, and is refused again, is opened again, with its bytes, and told of again.
    """
    if not letters:
        return 0
    take_lock(connection, Lock.OUTBOX)
    times: dict[str, int] = {}
    by_fingerprint: dict[str, NewDeadLetter] = {}
    for letter in letters:
        key = letter.fingerprint
        times[key] = times.get(key, 0) + 1
        by_fingerprint.setdefault(key, letter)
    known = _known(connection, by_fingerprint)
    again = (
        update(dead_letters)
        .where(dead_letters.c.id == bindparam("letter_id"))
        .values(times=dead_letters.c.times + bindparam("more"), last_seen_at=now)
    )
    if known:
        connection.execute(again, [{"letter_id": row.id, "more": times[key]} for key, row in known.items()])
    new = {key: letter for key, letter in by_fingerprint.items() if key not in known}
    insert_new(connection, dead_letters, [_row(key, letter, times[key], now) for key, letter in new.items()])
    opened = {key: by_fingerprint[key] for key, row in known.items() if row.state != PARKED}
    _open_again(connection, {known[key].id: letter for key, letter in opened.items()}, now)
    severe = {key: letter for key, letter in {**new, **opened}.items() if letter.is_severe}
    numbers = sorted((row.id, key) for key, row in _known(connection, severe).items())
    causes = {severe[key].alert_case or "": _reference(trial.source, number) for number, key in numbers}
    return tell_of_severe(connection, trial, causes, now)


def unknown(connection: Connection, letters: Sequence[NewDeadLetter]) -> list[NewDeadLetter]:
    """Those of these letters that were never parked, whatever became of the others."""
    known = _known(connection, [letter.fingerprint for letter in letters])
    return [letter for letter in letters if letter.fingerprint not in known]


def settle(connection: Connection, trial: Trial, arrived: Sequence[ArrivedEvent], now: Instant) -> int:
    """Close the severe letters whose record, or whose event itself, has arrived since, and tell of it.

    Only what came before an arrival is closed by it, and nothing of a higher revision: an older one says nothing of a later one.
    Where nothing severe is parked, that is found in one look at an index.
    """
    if not arrived or connection.scalar(select(dead_letters.c.id).where(IS_URGENT).limit(1)) is None:
        return 0
    # First of all: one who publishes about a dead letter and one who closes it would deadlock.
    take_lock(connection, Lock.OUTBOX)
    by_record: dict[tuple[str, str, str], list[ArrivedEvent]] = {}
    by_event: dict[tuple[str, str], list[ArrivedEvent]] = {}
    for arrival in arrived:
        by_record.setdefault((arrival.subject, arrival.kind, arrival.record_id), []).append(arrival)
        by_event.setdefault((arrival.source, arrival.event_id), []).append(arrival)
    settled: dict[int, ArrivedEvent] = {}
    causes: dict[str, EventKey] = {}
    for letter in _urgent_letters(connection, by_record, by_event):
        record = (letter.subject or "", letter.record_kind or "", letter.record_id or "")
        event = (letter.source or "", letter.event_id or "")
        for found in (*by_record.get(record, ()), *by_event.get(event, ())):
            if found.settles(letter):
                settled[letter.id] = found
                causes[letter.alert_case] = EventKey(found.source, found.event_id)
    why = "a valid event for the record has arrived"
    closed: list[dict[str, object]] = [
        {"letter_id": number, "state": SETTLED, "at": now, "by": None, "why": why} for number in settled
    ]
    _close(connection, closed)
    tell_of_severe(connection, trial, causes, now)
    return len(settled)


def delete(connection: Connection, trial: Trial, letter_id: int, by: str, why: str, now: Instant) -> None:
    """Erase the bytes of a letter, and what was quoted of them; that it was there, who erased it and why is kept.

    Raises :class:`DeadLetterError`.
    """
    take_lock(connection, Lock.OUTBOX)
    letter = connection.execute(
        select(dead_letters.c.state, dead_letters.c.alert_case, dead_letters.c.source).where(
            dead_letters.c.id == letter_id
        )
    ).one_or_none()
    if letter is None:
        raise DeadLetterError(f"there is no dead letter {letter_id}")
    if letter.state == DELETED:
        raise DeadLetterError(f"dead letter {letter_id} was deleted before")
    if (letter.source or "").startswith(OWN_SOURCES):
        raise DeadLetterError(f"dead letter {letter_id} is Toxwatch's own, and holds nobody's text: replay it")
    # The bytes first: or the row would be written once more with them, for which a full disk has no room.
    erased = {"raw": None, "headers": None, "error": "(deleted)", "event_id": None, "record_id": None}
    connection.execute(update(dead_letters).where(dead_letters.c.id == letter_id).values(**erased))
    _close(
        connection, [{"letter_id": letter_id, "state": DELETED, "at": now, "by": _storable(by), "why": _storable(why)}]
    )
    if letter.alert_case is not None:
        tell_of_severe(connection, trial, {letter.alert_case: _reference(trial.source, letter_id)}, now)


def close_replayed(connection: Connection, trial: Trial, letter_ids: Sequence[int], by: str, now: Instant) -> None:
    """Close letters that were taken after all, and tell of it."""
    take_lock(connection, Lock.OUTBOX)
    why = "replayed, and taken"
    rows = [
        {"letter_id": number, "state": REPLAYED, "at": now, "by": _storable(by), "why": why} for number in letter_ids
    ]
    _close(connection, rows)
    causes: dict[str, EventKey] = {}
    for asked in pieces(letter_ids):
        counted = select(dead_letters.c.id, dead_letters.c.alert_case).where(
            dead_letters.c.id.in_(asked), dead_letters.c.alert_case.is_not(None)
        )
        causes |= {row.alert_case: _reference(trial.source, row.id) for row in connection.execute(counted)}
    tell_of_severe(connection, trial, causes, now)


def _reference(source: str, letter_id: int) -> EventKey:
    """What caused the alert is no event of the log."""
    return EventKey(source, f"dead-letter:{letter_id}")


def _known(connection: Connection, fingerprints: Iterable[str]) -> dict[str, Any]:
    """The letters of these fingerprints: their numbers and states."""
    columns = (dead_letters.c.fingerprint, dead_letters.c.id, dead_letters.c.state)
    found: dict[str, Any] = {}
    for asked in pieces(fingerprints):
        wanted = select(*columns).where(dead_letters.c.fingerprint.in_(asked))
        for row in connection.execute(wanted):
            found[row.fingerprint] = row
    return found


def _open_again(connection: Connection, letters: dict[int, NewDeadLetter], now: Instant) -> None:
    for number, letter in letters.items():
        values = _row(letter.fingerprint, letter, 0, now)
        del values["times"]
        closed: dict[str, object] = {"closed_at": None, "closed_by": None, "closed_why": None, "sent_offset": None}
        connection.execute(update(dead_letters).where(dead_letters.c.id == number).values(**values, **closed))


def _row(fingerprint: str, letter: NewDeadLetter, times: int, now: Instant) -> dict[str, object]:
    values = {name: _storable(value) if isinstance(value, str) else value for name, value in letter._asdict().items()}
    values["headers"], values["alert_case"] = letter.headers, letter.alert_case
    for name in _IN_A_KEY:
        values[name] = _cut(values[name])
    seen = {"received_at": now, "last_seen_at": now, "times": times, "state": PARKED}
    return {"fingerprint": fingerprint, **values, **seen}


def _storable(text: str) -> str:
    """Half characters and U+0000, which no database takes, as escapes."""
    cut = text[:TEXT_CHARS_MAX].replace("\0", "\\x00")
    return cut.encode("utf-8", "backslashreplace").decode()


def _cut(text: object) -> object:
    """An identifier as long as an index takes; a valid one is no longer, so that it still settles its letter."""
    return text.encode()[:IDENTIFIER_BYTES_MAX].decode(errors="ignore") if isinstance(text, str) else text


def _urgent_letters(
    connection: Connection, records: Iterable[tuple[str, str, str]], events: Iterable[tuple[str, str]]
) -> list[Row[Any]]:
    columns = dead_letters.c
    record = (columns.subject, columns.record_kind, columns.record_id)
    event = (columns.source, columns.event_id)
    about = (columns.id, columns.alert_case, columns.received_at, columns.partition, columns.offset, columns.raw)
    wanted = select(*about, *record, *event).where(IS_URGENT)
    return rows_of(connection, wanted, record, records) + rows_of(connection, wanted, event, events)


def _close(connection: Connection, rows: Sequence[dict[str, object]]) -> None:
    if not rows:
        return
    closing = (
        update(dead_letters)
        .where(dead_letters.c.id == bindparam("letter_id"))
        .values(
            state=bindparam("state"), closed_at=bindparam("at"), closed_by=bindparam("by"), closed_why=bindparam("why")
        )
    )
    connection.execute(closing, list(rows))
