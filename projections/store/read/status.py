"""How the deployment stands, for those who run it: positions and counts, nothing clinical."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, func, select

from events.dates import Instant
from projections.store.engine.tables import alert_events, deliveries, parked_subjects, positions
from projections.store.read.alerts import counts_of_alerts
from projections.store.read.dead_letters import DeadLetterCount, dead_letter_counts
from projections.store.rows.outbox import State


class ConsumerPosition(NamedTuple):
    """How far a consumer has come in one partition of its log."""

    consumer: str
    partition: int
    next_offset: int


class ParkedSubjects(NamedTuple):
    """How many subjects are not being watched, and since when."""

    subjects: int
    since: Instant | None


class Counts(NamedTuple):
    """What there is. ``unsent``: alert events that wait for the relay."""

    positions: list[ConsumerPosition]
    alerts: dict[State, int]
    unsent: int
    deliveries: dict[str, int]
    letters: list[DeadLetterCount]
    parked_subjects: ParkedSubjects


def counts(connection: Connection) -> Counts:
    """Positions and counts at one moment."""
    where = select(positions.c.consumer, positions.c.partition, positions.c.next_offset)
    rows = connection.execute(where.order_by(positions.c.consumer, positions.c.partition))
    by_state = select(deliveries.c.state, func.count()).group_by(deliveries.c.state).order_by(deliveries.c.state)
    parked = connection.execute(select(func.count(), func.min(parked_subjects.c.parked_at))).one()
    unsent = select(func.count()).select_from(alert_events).where(alert_events.c.sent_offset.is_(None))
    return Counts(
        [ConsumerPosition(*row) for row in rows],
        counts_of_alerts(connection),
        connection.scalar(unsent) or 0,
        dict(connection.execute(by_state).all()),
        dead_letter_counts(connection),
        ParkedSubjects(*parked),
    )
