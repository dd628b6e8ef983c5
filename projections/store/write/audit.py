"""Who did what: entries that are added and never changed, in the transaction of what they tell of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Row, func, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from events.dates import Instant
from projections.store.engine.tables import audit, key_uses

TEXT_CHARS_MAX: Final = 500
#: What a key was used for, or why it was refused.
USED: Final = "used"


class UseKey(NamedTuple):
    """What is counted together: the requests of one hour with one key on one route that came to the same."""

    hour: Instant
    key_id: str
    route: str
    outcome: str


class UseCount(NamedTuple):
    """How many they were, and when the first and the last came."""

    times: int
    first_at: Instant
    last_at: Instant


def record(
    connection: Connection, at: Instant, actor: str, action: str, about: str = "", reason: str | None = None
) -> None:
    """Add what somebody did; ``action`` is a word of the documentation, ``about`` what it was done to."""
    texts = {"actor": actor, "action": action, "object": about, "reason": reason}
    row = {name: None if text is None else _line(text) for name, text in texts.items()}
    connection.execute(insert(audit).values(at=at, **row))


def entries(
    connection: Connection, since: Instant | None = None, until: Instant | None = None, actor: str | None = None
) -> Sequence[Row[Any]]:
    """What was done, in order."""
    c = audit.c
    wanted = select(audit).order_by(c.id)
    for bound in (
        None if since is None else c.at >= since,
        None if until is None else c.at < until,
        None if actor is None else c.actor == actor,
    ):
        if bound is not None:
            wanted = wanted.where(bound)
    return connection.execute(wanted).all()


def uses(
    connection: Connection, since: Instant | None = None, until: Instant | None = None, key_id: str | None = None
) -> Sequence[Row[Any]]:
    """How often keys were used or refused, by the hour and the route."""
    c = key_uses.c
    wanted = select(key_uses).order_by(c.hour, c.key_id, c.route, c.outcome)
    for bound in (
        None if since is None else c.last_at >= since,
        None if until is None else c.first_at < until,
        None if key_id is None else c.key_id == key_id,
    ):
        if bound is not None:
            wanted = wanted.where(bound)
    return connection.execute(wanted).all()


def add_uses(connection: Connection, counts: Mapping[UseKey, UseCount]) -> None:
    """Add to what was counted before, also by others at the same time."""
    made = postgresql.insert(key_uses) if connection.dialect.name == "postgresql" else sqlite.insert(key_uses)
    adding = made.on_conflict_do_update(
        index_elements=list(key_uses.primary_key),
        set_={"count": key_uses.c.count + made.excluded.count, "last_at": made.excluded.last_at},
    )
    # In one order, or two that write the same rows would wait for each other.
    rows = [
        {**key._asdict(), "count": found.times, "first_at": found.first_at, "last_at": found.last_at}
        for key, found in sorted(counts.items())
    ]
    connection.execute(adding, rows)


def counts_by_outcome(connection: Connection) -> dict[str, int]:
    """How many requests there were of each outcome."""
    c = key_uses.c
    return {
        outcome: int(count)
        for outcome, count in connection.execute(select(c.outcome, func.sum(c.count)).group_by(c.outcome))
    }


def first_and_last_use(connection: Connection) -> dict[str, tuple[Instant, Instant]]:
    """When each key was first and last used, of those that were."""
    c = key_uses.c
    wanted = select(c.key_id, func.min(c.first_at), func.max(c.last_at)).where(c.outcome == USED).group_by(c.key_id)
    return {key_id: (first, last) for key_id, first, last in connection.execute(wanted)}


def _line(text: str) -> str:
    """On one line, without what no database takes, and not longer than is read."""
    shown = "".join(char if char.isprintable() else " " for char in text)
    return shown[:TEXT_CHARS_MAX]
