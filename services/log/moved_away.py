"""That a deployment was moved away is written in its own database, so that it is not started again by mistake.

Two that go on from the same events would tell the same people twice, and each would miss what the other is told. The mark is a
position of the log: the move is a consumer that has read it to the end.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, delete, select

from events.errors import ToxwatchError
from projections.store.engine.database import insert_new
from projections.store.engine.tables import positions

CONSUMER: Final = "migrate-log"

_IS_MARK: Final = positions.c.consumer == CONSUMER


class MovedAway(ToxwatchError):  # noqa: N818 - reads better where it is caught
    """What was here goes on elsewhere."""


def mark_moved(connection: Connection, end: int) -> None:
    """From here on nothing is started on this database. ``end``: of its clinical log."""
    insert_new(connection, positions, [{"consumer": CONSUMER, "partition": 0, "next_offset": end}])


def take_back(connection: Connection) -> bool:
    """Let it be started again; say whether it was marked."""
    return connection.execute(delete(positions).where(_IS_MARK)).rowcount > 0


def is_moved(connection: Connection) -> bool:
    """Whether it is marked."""
    return _moved_with(connection) is not None


def require_not_moved(connection: Connection) -> None:
    """Raises :class:`MovedAway`."""
    end = _moved_with(connection)
    if end is not None:
        raise MovedAway(
            f"this deployment was moved to Kafka with its {end} entries (`toxwatch migrate-log`), and goes on there: started here"
            " too, it would alert the same people twice. Should it go on here instead, `toxwatch migrate-log --take-back`"
        )


def _moved_with(connection: Connection) -> int | None:
    """How many entries it had when it was moved; None where it was not."""
    end: int | None = connection.scalar(select(positions.c.next_offset).where(_IS_MARK))
    return end
