"""When a distributed deployment has nothing left to do, seen from outside."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import func, select

from events.dates import MINUTE
from projections.store.engine.database import Database
from projections.store.engine.generation import current_generation, next_offset
from projections.store.engine.tables import alert_events, dead_letters, deadlines, deliveries
from services.dispatcher.alert_entries import CONSUMER as DISPATCHER
from services.log import topics
from services.log.kafka import KafkaLog
from services.monitor.monitor import CONSUMER as MONITOR
from services.platform import time_source
from tests.crash.deployment import eventually
from tests.distributed.fleet import Fleet

SETTLE_SECONDS_MAX = 180.0


def await_settled(fleet: Fleet, seconds: float = SETTLE_SECONDS_MAX, *, due: bool = True) -> None:
    """Wait until nothing is left to do, deadlines of the next minute included unless ``due`` is False."""
    until = time_source.now() + MINUTE
    clinical = KafkaLog(fleet.cluster, topics.clinical(fleet.prefix), "clinical")
    alerts = KafkaLog(fleet.cluster, topics.alerts(fleet.prefix), "alerts")
    try:
        with fleet.database() as database:

            def left() -> list[str]:
                return list(_left(database, {MONITOR: clinical, DISPATCHER: alerts}, until, due))

            eventually(lambda: not left(), seconds, left)
    finally:
        clinical.close()
        alerts.close()


def _left(database: Database, logs: dict[str, KafkaLog], until: int, with_due: bool) -> Iterator[str]:
    # In the order of the flow: what is found to be done stays done unless something comes from before it.
    with database.reading() as connection:
        due = connection.scalar(
            select(func.count()).where(
                deadlines.c.generation == current_generation(connection),
                ~deadlines.c.is_fired,
                deadlines.c.due <= until,
            )
        )
        if due and with_due:
            yield f"{due} deadlines are to fire"
    for consumer, log in logs.items():
        for partition, end in log.ends().items():
            with database.reading() as connection:
                reached = next_offset(connection, consumer, partition)
            if reached != end:
                yield f"the {consumer} is at {reached} of {end} in partition {partition}"
    with database.reading() as connection:
        unsent = connection.scalar(select(func.count()).where(alert_events.c.sent_offset.is_(None)))
        if unsent:
            yield f"{unsent} alert events wait for the relay"
        letters = connection.scalar(
            select(func.count()).select_from(dead_letters).where(dead_letters.c.sent_offset.is_(None))
        )
        if letters:
            yield f"{letters} letters wait for theirs"
        waiting = connection.scalar(
            select(func.count()).where(deliveries.c.state == "waiting", deliveries.c.not_before <= until)
        )
        if waiting:
            yield f"{waiting} deliveries wait"
