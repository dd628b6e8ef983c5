"""When a deployment has nothing left to do, seen from outside."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, func, select

from events.dates import MINUTE, Instant
from projections.folds.system_alerts import UNDELIVERED
from projections.store.engine.database import Database
from projections.store.engine.generation import current_generation, next_offset
from projections.store.engine.tables import alert_events, alerts, deadlines, deliveries, log_ends
from projections.store.rows.outbox import OPEN
from services.dispatcher.alert_entries import CONSUMER as DISPATCHER
from services.monitor.monitor import CONSUMER as MONITOR
from services.platform import time_source
from tests.crash.deployment import Deployment, eventually

SETTLE_SECONDS_MAX = 180.0


def await_settled(deployment: Deployment, seconds: float = SETTLE_SECONDS_MAX) -> None:
    """Wait until nothing is left to do, deadlines of the next minute included."""
    with deployment.database() as database:
        until = time_source.now() + MINUTE
        eventually(lambda: not unsettled(database, until), seconds, lambda: unsettled(database, until))


def unsettled(database: Database, until: Instant) -> list[str]:
    """What is left to do, in sentences. Deadlines after ``until`` are none of it, nor routine alerts that still wait."""
    with database.reading() as connection:
        return list(_unsettled(connection, until))


def _unsettled(connection: Connection, until: Instant) -> Iterator[str]:
    for topic, consumer in (("clinical", MONITOR), ("alerts", DISPATCHER)):
        end = connection.scalar(select(log_ends.c.next_offset).where(log_ends.c.topic == topic)) or 0
        position = next_offset(connection, consumer, 0)
        if position != end:
            yield f"the {consumer} is at {position} of {end} in the {topic} log"
    unsent = connection.scalar(select(func.count()).where(alert_events.c.sent_offset.is_(None)))
    if unsent:
        yield f"{unsent} alert events wait for the relay"
    waiting = connection.scalars(
        select(deliveries.c.id).where(
            deliveries.c.state.in_(("waiting", "channel-disabled")), deliveries.c.not_before <= until
        )
    ).all()
    if waiting:
        yield f"{len(waiting)} deliveries wait: {', '.join(waiting[:5])}"
    still = connection.scalars(
        select(alerts.c.case_name).where(alerts.c.state == OPEN, alerts.c.case_name.startswith(UNDELIVERED))
    ).all()
    if still:
        yield f"everything is delivered, and {', '.join(still)} is yet to be withdrawn"
    due = connection.execute(
        select(deadlines.c.subject, deadlines.c.case_name).where(
            deadlines.c.generation == current_generation(connection),
            ~deadlines.c.is_fired,
            deadlines.c.due <= until,
        )
    ).all()
    if due:
        yield f"{len(due)} deadlines are to fire: {', '.join(f'{row.subject} {row.case_name}' for row in due[:5])}"
