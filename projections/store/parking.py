"""Parked input: what was refused, kept with its bytes until somebody has dealt with it (RULES 6).

A letter that says grade 3 or more, serious or fatal is an alert until a valid event for its record arrives. The same bytes from
the same sender again are the same letter: it is counted, and nobody is told twice.
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
from events.identity import derived_id
from events.triage import readable_revision
from projections.folds.alert_transition import AlertTransition, Standing
from projections.folds.system_alerts import INTAKE, system_transition
from projections.rules.protocol import Protocol
from projections.rules.truth import EventRef
from projections.store.database import Turn, insert_new, pieces, rows_of, take_turn
from projections.store.tables import IS_URGENT, dead_letters
from projections.store.told import tell, told_of

PARKED: Final = "parked"
SETTLED: Final = "settled"
DELETED: Final = "deleted"
REPLAYED: Final = "replayed"

#: The reason under which a report is kept that is in the log and changes nothing, because a higher revision was known.
LOWER_REVISION: Final = "lower-revision"
#: The reason under which events of a subject that is not watched are parked.
NOT_WATCHED: Final = "not-watched"

GATEWAY: Final = "gateway"
MONITOR: Final = "monitor"

#: What an index is made of.
_IN_A_KEY: Final = ("subject", "source", "event_id", "record_kind", "record_id")

#: Longer ids are cut: they are shown, and the bytes have the whole.
TEXT_CHARS_MAX: Final = 2000


class NewLetter(NamedTuple):
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
    def fingerprint(self) -> str:
        """The same for the same bytes from the same sender (or at the same position for one reason), and for nothing else."""
        why = self.reason if self.offset is not None else None
        where = json.dumps([self.origin, self.sender, self.partition, self.offset, why, self.headers])
        return hashlib.sha256(where.encode() + b"\0" + self.raw).hexdigest()


class Arrival(NamedTuple):
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


class LetterError(ToxwatchError):
    """There is no such letter, or nothing of it left."""


def park(connection: Connection, protocol: Protocol, source: str, letters: Sequence[NewLetter], now: Instant) -> int:
    """Keep what was refused, and tell of what is severe; ``source`` is the deployment's. Gives how many were told of.

    What was closed, in whatever way, and is refused again, is opened again, with its bytes, and told of again.
    """
    if not letters:
        return 0
    take_turn(connection, Turn.OUTBOX)
    times: dict[str, int] = {}
    by_fingerprint: dict[str, NewLetter] = {}
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
    ids = {key: row.id for key, row in _known(connection, severe).items()}
    steps = _told_of_severe(connection, protocol, source, {ids[key]: letter for key, letter in severe.items()}, now)
    tell(connection, protocol, source, steps)
    return len(steps)


def unknown(connection: Connection, letters: Sequence[NewLetter]) -> list[NewLetter]:
    """Those of these letters that were never parked, whatever became of the others."""
    known = _known(connection, [letter.fingerprint for letter in letters])
    return [letter for letter in letters if letter.fingerprint not in known]


def settle(connection: Connection, protocol: Protocol, source: str, arrived: Sequence[Arrival], now: Instant) -> int:
    """Close the severe letters whose record, or whose event itself, has arrived since, and withdraw their alerts.

    Only what came before an arrival is closed by it, and nothing of a higher revision: an older one says nothing of a later one.
    Where nothing severe is parked, that is found in one look at an index.
    """
    if not arrived or connection.scalar(select(dead_letters.c.id).where(IS_URGENT).limit(1)) is None:
        return 0
    # First of all: whoever tells of a letter and whoever closes it would wait for each other.
    take_turn(connection, Turn.OUTBOX)
    by_record: dict[tuple[str, str, str], list[Arrival]] = {}
    by_event: dict[tuple[str, str], list[Arrival]] = {}
    for arrival in arrived:
        by_record.setdefault((arrival.subject, arrival.kind, arrival.record_id), []).append(arrival)
        by_event.setdefault((arrival.source, arrival.event_id), []).append(arrival)
    settled: dict[int, Arrival] = {}
    for letter in _urgent_letters(connection, by_record, by_event):
        record = (letter.subject or "", letter.record_kind or "", letter.record_id or "")
        event = (letter.source or "", letter.event_id or "")
        for found in (*by_record.get(record, ()), *by_event.get(event, ())):
            if found.settles(letter):
                settled[letter.id] = found
    why = "a valid event for the record has arrived"
    closed: list[dict[str, object]] = [
        {"letter_id": number, "state": SETTLED, "at": now, "by": None, "why": why} for number in settled
    ]
    _close(connection, closed)
    causes = {number: EventRef(arrival.source, arrival.event_id) for number, arrival in settled.items()}
    _withdraw(connection, protocol, source, causes, now)
    return len(settled)


def delete(
    connection: Connection, protocol: Protocol, source: str, letter_id: int, by: str, why: str, now: Instant
) -> None:
    """Erase the bytes of a letter, and what was quoted of them; that it was there, who erased it and why is kept.

    Raises :class:`LetterError`.
    """
    take_turn(connection, Turn.OUTBOX)
    letter = connection.execute(
        select(dead_letters.c.state, dead_letters.c.is_severe, dead_letters.c.source).where(
            dead_letters.c.id == letter_id
        )
    ).one_or_none()
    if letter is None:
        raise LetterError(f"there is no dead letter {letter_id}")
    if letter.state == DELETED:
        raise LetterError(f"dead letter {letter_id} was deleted before")
    if (letter.source or "").startswith(OWN_SOURCES):
        raise LetterError(f"dead letter {letter_id} is Toxwatch's own, and holds nobody's text: replay it")
    _close(
        connection, [{"letter_id": letter_id, "state": DELETED, "at": now, "by": _storable(by), "why": _storable(why)}]
    )
    erased = {"raw": None, "headers": None, "error": "(deleted)", "event_id": None, "record_id": None}
    connection.execute(update(dead_letters).where(dead_letters.c.id == letter_id).values(**erased))
    if letter.is_severe:
        _withdraw(connection, protocol, source, {letter_id: _reference(source, letter_id)}, now)


def close_replayed(
    connection: Connection, protocol: Protocol, source: str, letter_ids: Sequence[int], by: str, now: Instant
) -> None:
    """Close letters that were taken after all, and withdraw their alerts."""
    take_turn(connection, Turn.OUTBOX)
    why = "replayed, and taken"
    rows = [
        {"letter_id": number, "state": REPLAYED, "at": now, "by": _storable(by), "why": why} for number in letter_ids
    ]
    _close(connection, rows)
    _withdraw(connection, protocol, source, {number: _reference(source, number) for number in letter_ids}, now)


_QUESTIONS: Final = ("Have the dead letter read, and its sender mend and send it again.",)


def _reasons(letter: NewLetter) -> list[str]:
    """Sentences without anything that the sender wrote, save the ids of its subject and record."""
    about = letter.subject or "an unreadable subject"
    if letter.record_kind is not None and letter.record_id is not None:
        about += f", {letter.record_kind} {_storable(letter.record_id)}"
    return [
        f"a refused event about {about} says grade 3 or more, serious or fatal",
        f"it was refused as {letter.reason}" + (f" from site {letter.site}" if letter.site is not None else ""),
    ]


def _case(letter_id: int) -> str:
    return f"{INTAKE}{letter_id}"


def _reference(source: str, letter_id: int) -> EventRef:
    """What caused the alert is no event of the log."""
    return EventRef(source, f"dead-letter:{letter_id}")


def _known(connection: Connection, fingerprints: Iterable[str]) -> dict[str, Any]:
    """The letters of these fingerprints: their numbers and states."""
    columns = (dead_letters.c.fingerprint, dead_letters.c.id, dead_letters.c.state)
    found: dict[str, Any] = {}
    for asked in pieces(fingerprints):
        wanted = select(*columns).where(dead_letters.c.fingerprint.in_(asked))
        for row in connection.execute(wanted):
            found[row.fingerprint] = row
    return found


def _open_again(connection: Connection, letters: dict[int, NewLetter], now: Instant) -> None:
    for number, letter in letters.items():
        values = _row(letter.fingerprint, letter, 0, now)
        del values["times"]
        closed: dict[str, object] = {"closed_at": None, "closed_by": None, "closed_why": None, "sent_offset": None}
        connection.execute(update(dead_letters).where(dead_letters.c.id == number).values(**values, **closed))


def _told_of_severe(
    connection: Connection, protocol: Protocol, source: str, letters: dict[int, NewLetter], now: Instant
) -> list[AlertTransition]:
    alert_ids = {number: derived_id(protocol.trial, _case(number)) for number in letters}
    told = told_of(connection, alert_ids.values()) if letters else {}
    steps = [
        system_transition(
            protocol,
            _case(number),
            told.get(alert_ids[number]),
            _reasons(letter),
            _reference(source, number),
            now,
            questions=_QUESTIONS,
        )
        for number, letter in letters.items()
    ]
    return [step for step in steps if step is not None]


def _row(fingerprint: str, letter: NewLetter, times: int, now: Instant) -> dict[str, object]:
    values = {name: _storable(value) if isinstance(value, str) else value for name, value in letter._asdict().items()}
    values["headers"] = letter.headers
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
    wanted = select(
        columns.id, columns.received_at, columns.partition, columns.offset, columns.raw, *record, *event
    ).where(IS_URGENT)
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


def _withdraw(
    connection: Connection, protocol: Protocol, source: str, causes: dict[int, EventRef], now: Instant
) -> None:
    """Withdraw the alerts of letters, each for its cause."""
    alert_ids = {number: derived_id(protocol.trial, _case(number)) for number in causes}
    told: dict[str, Standing] = {}
    for asked in pieces(alert_ids.values()):
        told.update(told_of(connection, asked))
    steps = [
        system_transition(protocol, _case(number), told.get(alert_ids[number]), None, cause, now)
        for number, cause in causes.items()
    ]
    tell(connection, protocol, source, [step for step in steps if step is not None])
