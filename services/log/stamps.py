"""``receivedtime``: the present, but never before that of an earlier entry. The latest of each log stands in the database.

Stamping locks the row until the transaction ends: what is taken is taken by one at a time, however many gateways there
are, and stands in the order of its stamps.
"""

from __future__ import annotations

from sqlalchemy import Connection, func, update

from events.dates import FAR_PAST, Instant
from projections.store.engine.database import insert_new
from projections.store.engine.tables import log_ends


def stamp(topic: str, now: Instant, transaction: Connection) -> Instant:
    """``now``, or the latest stamp given before, should the clock have been set back."""
    make_end(topic, transaction)
    later = func.max if transaction.dialect.name == "sqlite" else func.greatest
    moved = (
        update(log_ends)
        .where(log_ends.c.topic == topic)
        .values(last_received=later(log_ends.c.last_received, now))
        .returning(log_ends.c.last_received)
    )
    stamped: int = transaction.execute(moved).scalar_one()
    return stamped


def make_end(topic: str, transaction: Connection) -> None:
    """Have a row for the log."""
    insert_new(transaction, log_ends, [{"topic": topic, "next_offset": 0, "last_received": FAR_PAST}])
