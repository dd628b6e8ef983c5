"""What is read of alerts: how each stands, its whole history, whom it reached, and what is new since a place in the outbox.

The place of a revision in the outbox (``seq``) is what readers go by. An alert that changes gets the place of its new revision,
the last of all: so a reader who goes on from the last place it saw misses nothing, and sees no revision twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal, NamedTuple, cast

from sqlalchemy import Connection, Select, func, select

from events.alert import AlertData, Verdict
from events.dates import Instant
from projections.store.engine.generation import NoGenerationError, current_generation
from projections.store.engine.tables import NOBODY, alert_events, alerts, deliveries, delivery_attempts
from projections.store.rows.charts import bodies_of
from projections.store.rows.outbox import OPEN, WITHDRAWN, State

#: No more than so many alerts, letters or events are read at once.
PAGE_MAX: Final = 500

Kind = Literal["raised", "revised", "withdrawn"]


class PublishedAlert(NamedTuple):
    """An alert as it stands. ``changed_at`` is when its newest revision was made, ``seq`` that revision's place."""

    seq: int
    subject: str | None
    state: State
    raised_at: Instant
    changed_at: Instant
    data: AlertData


class PublishedEvent(NamedTuple):
    """One alert event. ``body`` is the event as it stands in the alert log."""

    seq: int
    kind: Kind
    subject: str | None
    body: bytes


class StoredAttempt(NamedTuple):
    """One attempt to deliver."""

    attempt: int
    at: Instant
    outcome: str
    error: str | None


class StoredDelivery(NamedTuple):
    """What became of one revision of an alert on its way to one recipient over one channel."""

    id: str
    revision: int
    recipient: str
    channel: str
    state: str
    not_before: Instant
    delivered_at: Instant | None
    error: str | None
    attempts: list[StoredAttempt]


def alerts_after(
    connection: Connection,
    after: int,
    limit: int,
    *,
    subject: str | None = None,
    verdict: Verdict | None = None,
    state: State | None = None,
) -> list[PublishedAlert]:
    """Up to ``limit`` alerts whose newest revision stands behind ``after``, in the order in which they changed."""
    wanted = _newest().where(alert_events.c.seq > after).order_by(alert_events.c.seq).limit(limit)
    for column, value in ((alerts.c.subject, subject), (alerts.c.verdict, verdict), (alerts.c.state, state)):
        if value is not None:
            wanted = wanted.where(column == value)
    return [_alert(row) for row in connection.execute(wanted)]


def alert_of(connection: Connection, alert_id: str) -> PublishedAlert | None:
    """One alert as it stands."""
    row = connection.execute(_newest().where(alerts.c.alert_id == alert_id)).one_or_none()
    return None if row is None else _alert(row)


def history_of(connection: Connection, alert_id: str) -> list[PublishedEvent]:
    """Every event of one alert, in order."""
    return _events(connection, select(alert_events).where(alert_events.c.alert_id == alert_id))


def events_after(connection: Connection, after: int, limit: int) -> list[PublishedEvent]:
    """Up to ``limit`` alert events behind ``after``, in order."""
    return _events(connection, select(alert_events).where(alert_events.c.seq > after).limit(limit))


def newest_seq(connection: Connection) -> int:
    """The place of the newest alert event; 0 where there is none."""
    return connection.scalar(select(func.max(alert_events.c.seq))) or 0


def evidence_of(connection: Connection, alert: PublishedAlert) -> list[bytes | None]:
    """The events that the alert rests on, as its data lists them; None for one that is on no chart."""
    subject = alert.subject or NOBODY
    try:
        generation = current_generation(connection)
    except NoGenerationError:
        return [None] * len(alert.data.evidence)
    found = bodies_of(connection, generation, [(subject, ref.source, ref.id) for ref in alert.data.evidence])
    return [found.get((subject, ref.source, ref.id)) for ref in alert.data.evidence]


def deliveries_of(connection: Connection, alert_id: str) -> list[StoredDelivery]:
    """What became of every revision of an alert on its way to each recipient, with every attempt."""
    attempts: dict[str, list[StoredAttempt]] = {}
    of_alert = delivery_attempts.join(deliveries, deliveries.c.id == delivery_attempts.c.delivery_id)
    tried = select(delivery_attempts).select_from(of_alert).where(deliveries.c.alert_id == alert_id)
    for row in connection.execute(tried.order_by(delivery_attempts.c.delivery_id, delivery_attempts.c.attempt)):
        attempts.setdefault(row.delivery_id, []).append(StoredAttempt(row.attempt, row.at, row.outcome, row.error))
    order = (deliveries.c.revision, deliveries.c.recipient, deliveries.c.channel)
    rows = connection.execute(select(deliveries).where(deliveries.c.alert_id == alert_id).order_by(*order))
    return [
        StoredDelivery(
            row.id,
            row.revision,
            row.recipient,
            row.channel,
            row.state,
            row.not_before,
            row.delivered_at,
            row.error,
            attempts.get(row.id, []),
        )
        for row in rows
    ]


def counts_of_alerts(connection: Connection) -> dict[State, int]:
    """How many alerts are open, and how many were withdrawn."""
    by_state = select(alerts.c.state, func.count()).group_by(alerts.c.state)
    found: dict[str, int] = dict(connection.execute(by_state).all())
    return {OPEN: found.get(OPEN, 0), WITHDRAWN: found.get(WITHDRAWN, 0)}


def _newest() -> Select[Any]:
    """Each alert beside its newest revision's place."""
    newest = alerts.join(
        alert_events,
        (alert_events.c.alert_id == alerts.c.alert_id) & (alert_events.c.revision == alerts.c.revision),
    )
    return select(alert_events.c.seq, alerts).select_from(newest)


def _alert(row: Any) -> PublishedAlert:
    return PublishedAlert(
        row.seq,
        row.subject or None,
        cast("State", row.state),
        row.raised_at,
        row.changed_at,
        AlertData.model_validate_json(row.data),
    )


def _events(connection: Connection, wanted: Select[Any]) -> list[PublishedEvent]:
    rows: Sequence[Any] = connection.execute(wanted.order_by(alert_events.c.seq)).all()
    return [PublishedEvent(row.seq, row.kind, row.subject, row.body) for row in rows]
