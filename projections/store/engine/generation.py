"""Which generation of the projections is read and written: a rebuild makes the next one beside it (see ``rebuild``)."""

from __future__ import annotations

from sqlalchemy import Connection, select, update

from events.dates import Instant
from events.errors import ToxwatchError
from projections.store.engine.database import insert_new
from projections.store.engine.life import begin_life
from projections.store.engine.tables import generations, positions


class NoGenerationError(ToxwatchError):
    """The database holds no projections yet."""


def current_generation(connection: Connection) -> int:
    """The generation in use. Raises :class:`NoGenerationError` in a database that was never run on."""
    found = connection.scalar(select(generations.c.generation).where(generations.c.is_current))
    if found is None:
        raise NoGenerationError("the database holds no projections yet: start `toxwatch run` on it once")
    return int(found)


def begin_first_generation(connection: Connection, now: Instant) -> None:
    """Make the first generation in a new database, and let its life begin; leaves any other as it is."""
    begin_life(connection, now)
    if connection.scalar(select(generations.c.generation).limit(1)) is None:
        insert_new(connection, generations, [{"generation": 1, "is_current": True, "started_at": now}])


def next_offset(connection: Connection, consumer: str, partition: int) -> int:
    """How far a consumer has come in a partition."""
    wanted = select(positions.c.next_offset).where(positions.c.consumer == consumer, positions.c.partition == partition)
    return connection.scalar(wanted) or 0


def move_position(connection: Connection, consumer: str, partition: int, expected: int, to: int) -> bool:
    """Compare and set a consumer's position; False where another has moved it: this one is fenced."""
    if expected == 0:
        start = {"consumer": consumer, "partition": partition, "next_offset": 0}
        insert_new(connection, positions, [start])
    moved = connection.execute(
        update(positions)
        .where(
            positions.c.consumer == consumer,
            positions.c.partition == partition,
            positions.c.next_offset == expected,
        )
        .values(next_offset=to)
    )
    return moved.rowcount == 1


def begin_positions(connection: Connection, consumer: str, partitions: int) -> None:
    """Have a position for every partition, so that it can be locked before anything was read."""
    rows = [{"consumer": consumer, "partition": partition, "next_offset": 0} for partition in range(partitions)]
    insert_new(connection, positions, rows)


def hold_positions(connection: Connection, consumer: str) -> None:
    """Keep the consumer, however many processes it is, from moving on until this transaction ends."""
    held = select(positions.c.partition).where(positions.c.consumer == consumer).order_by(positions.c.partition)
    connection.execute(held.with_for_update()).all()
