"""What is read of parked input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, func, select

from events.dates import Instant
from projections.store.engine.tables import dead_letters


class DeadLetterRow(NamedTuple):
    """One parked message. ``raw`` is None once it was erased, and where it was not asked for.

    ``site`` is the sender's; ``subject`` is set only where it is an id of the trial's pattern.
    """

    id: int
    origin: str
    reason: str
    error: str
    field: str
    sender: str | None
    site: str | None
    subject: str | None
    source: str | None
    event_id: str | None
    is_severe: bool
    partition: int | None
    offset: int | None
    headers: str | None
    received_at: Instant
    last_seen_at: Instant
    times: int
    state: str
    closed_at: Instant | None
    closed_by: str | None
    closed_why: str | None
    raw: bytes | None = None


#: Everything but the bytes, which may be many.
_LISTED = [dead_letters.c[name] for name in DeadLetterRow._fields if name != "raw"]


def letters_after(
    connection: Connection,
    after: int,
    limit: int,
    *,
    sites: Sequence[str] | None = None,
    sender: str | None = None,
    state: str | None = None,
    reason: str | None = None,
) -> list[DeadLetterRow]:
    """Up to ``limit`` parked messages behind the one numbered ``after``, in order, without their bytes."""
    wanted = select(*_LISTED).where(dead_letters.c.id > after).order_by(dead_letters.c.id).limit(limit)
    c = dead_letters.c
    for column, value in ((c.sender, sender), (c.state, state), (c.reason, reason)):
        if value is not None:
            wanted = wanted.where(column == value)
    if sites is not None:
        wanted = wanted.where(c.site.in_(sites))
    return [DeadLetterRow(*row) for row in connection.execute(wanted)]


def letter_of(
    connection: Connection, letter_id: int, sites: Sequence[str] | None = None, sender: str | None = None
) -> DeadLetterRow | None:
    """One parked message with its bytes; with ``sites`` or ``sender``, only where it came from there."""
    wanted: Select[Any] = select(*_LISTED, dead_letters.c.raw).where(dead_letters.c.id == letter_id)
    if sites is not None:
        wanted = wanted.where(dead_letters.c.site.in_(sites))
    if sender is not None:
        wanted = wanted.where(dead_letters.c.sender == sender)
    row = connection.execute(wanted).one_or_none()
    return None if row is None else DeadLetterRow(*row)


class DeadLetterCount(NamedTuple):
    """How many parked messages there are of a reason in a state."""

    reason: str
    state: str
    letters: int


def dead_letter_counts(connection: Connection) -> list[DeadLetterCount]:
    """How many messages are parked, by reason and state."""
    key = (dead_letters.c.reason, dead_letters.c.state)
    wanted = select(*key, func.count()).group_by(*key).order_by(*key)
    return [DeadLetterCount(*row) for row in connection.execute(wanted)]
