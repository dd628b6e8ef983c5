"""The ledger in the database: who is to be told what, and what came of it. Statements only; the rules are elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    exists,
    func,
    literal_column,
    or_,
    select,
    update,
)

from events.alert import AlertData
from events.dates import Instant
from projections.folds.system_alerts import UNDELIVERED
from projections.store.engine.database import insert_new, pieces
from projections.store.engine.tables import (
    alert_events,
    alerts,
    deadlines,
    deliveries,
    delivery_attempts,
    disabled_channels,
    generations,
    grouped_messages,
)
from projections.store.rows.outbox import OPEN
from services.dispatcher.delivery import CHANNEL_DISABLED, STARTED, Delivery, State
from services.dispatcher.notice import GROUPED_RANK, QUIET_RANK, Notice

EXAMPLES_MAX: Final = 5
# As a literal: an index over the waiting rows serves only a statement that says "waiting" itself.
_IS_WAITING: Final = deliveries.c.state == literal_column("'waiting'")


class AlertStep(NamedTuple):
    """One step in an alert's history."""

    revision: int
    kind: str
    urgency: str
    detected_at: Instant


def known_of(connection: Connection, alert_ids: Iterable[str]) -> dict[str, list[Delivery]]:
    """Every row about these alerts, locked until the transaction ends: a sender may be about to write."""
    found: dict[str, list[Delivery]] = {alert_id: [] for alert_id in alert_ids}
    for chunk in pieces(found):
        wanted = select(deliveries).where(deliveries.c.alert_id.in_(chunk)).order_by(deliveries.c.revision)
        for row in connection.execute(wanted.with_for_update()):
            found[row.alert_id].append(_delivery(row))
    return found


def history_of(connection: Connection, alert_ids: Iterable[str]) -> dict[str, list[AlertStep]]:
    """The history of these alerts, in order."""
    found: dict[str, list[AlertStep]] = {alert_id: [] for alert_id in alert_ids}
    columns = (alert_events.c.revision, alert_events.c.kind, alert_events.c.urgency, alert_events.c.detected_at)
    for chunk in pieces(found):
        wanted = select(alert_events.c.alert_id, *columns).where(alert_events.c.alert_id.in_(chunk))
        for alert_id, *step in connection.execute(wanted.order_by(alert_events.c.revision)):
            found[alert_id].append(AlertStep(*step))
    return found


def on_line(delivery: Delivery) -> tuple[ColumnElement[bool], ...]:
    """The rows of its line: of the same alert, to the same recipient over the same channel."""
    return (
        deliveries.c.alert_id == delivery.alert_id,
        deliveries.c.recipient == delivery.recipient,
        deliveries.c.channel == delivery.channel,
    )


def add(connection: Connection, rows: Iterable[Delivery]) -> None:
    """Write new rows; those that are there stay."""
    written = [{**row._asdict(), "error": None, "notice": row.notice.model_dump_json()} for row in rows]
    insert_new(connection, deliveries, written)


def close(connection: Connection, ended: Mapping[str, State]) -> None:
    """End rows that are not to be sent any more, by their ids."""
    for state in sorted(set(ended.values())):
        for chunk in pieces([row for row, end in ended.items() if end == state]):
            connection.execute(update(deliveries).where(deliveries.c.id.in_(chunk)).values(state=state))


def unfinished(connection: Connection) -> list[Delivery]:
    """Every row that waits or whose channel is disabled."""
    wanted = select(deliveries).where(or_(_IS_WAITING, deliveries.c.state == CHANNEL_DISABLED))
    return [_delivery(row) for row in connection.execute(wanted.with_for_update())]


def due(
    connection: Connection,
    channel: str,
    now: Instant,
    limit: int,
    busy: Sequence[str],
    under_way_since: Instant,
    grouped_since: Instant,
) -> list[Delivery]:
    """What is to be sent over a channel now, by rank, save the rows that are ``busy`` already.

    An attempt of another dispatcher that began after ``under_way_since`` may not have ended: nothing else goes on its line.
    Where a message that is not urgent went to a recipient after ``grouped_since``, the next one waits; a repeat does not.
    """
    wanted = (
        select(deliveries)
        .where(_IS_WAITING, deliveries.c.next_attempt_at <= now, deliveries.c.channel == channel)
        .where(or_(deliveries.c.rank < GROUPED_RANK, deliveries.c.attempts > 0, ~_came_after_a_group(grouped_since)))
        .where(~may_be_under_way(under_way_since))
        .order_by(deliveries.c.rank, deliveries.c.next_attempt_at, deliveries.c.id)
        .limit(limit)
    )
    if busy:
        wanted = wanted.where(deliveries.c.id.not_in(busy))
    return [_delivery(row) for row in connection.execute(wanted)]


def going_with(
    connection: Connection, row: Delivery, now: Instant, limit: int, under_way_since: Instant
) -> list[Delivery]:
    """What goes with a row that is not urgent in one message, the row among it, by rank.

    What was sent together, and may have arrived, is repeated together and under the same id: nothing joins it.
    """
    c = deliveries.c
    wanted = (
        select(deliveries)
        .where(_IS_WAITING, c.channel == row.channel, c.recipient == row.recipient)
        .where(c.rank >= GROUPED_RANK, c.not_before <= now)
        .where(c.digest == row.digest if row.digest is not None else c.digest.is_(None))
        .where(~may_be_under_way(under_way_since))
        .order_by(c.rank, c.not_before, c.id)
        .limit(limit)
    )
    return [_delivery(found) for found in connection.execute(wanted)]


def _came_after_a_group(since: Instant) -> ColumnElement[bool]:
    """Whether a row was planned after a message that is not urgent, and that one went after an instant.

    What waited before that message, and could not go in it, does not wait for another minute.
    """
    c, row = grouped_messages.c, deliveries.c
    return exists().where(c.recipient == row.recipient, c.channel == row.channel, c.at > since, c.at <= row.created_at)


def may_be_under_way(since: Instant) -> ColumnElement[bool]:
    """Whether a delivery has to wait for an attempt on its line that has no outcome, and may be under way.

    One that began after ``since`` keeps back every revision. One that only was renewed after it, because a mail server scans,
    keeps back itself and what is no news: news overtakes it, but a withdrawal must not be read before what it withdraws.
    """
    other = deliveries.alias()
    is_slow = and_(
        delivery_attempts.c.renewed_at > since, or_(other.c.id == deliveries.c.id, deliveries.c.rank >= QUIET_RANK)
    )
    return exists().where(
        other.c.alert_id == deliveries.c.alert_id,
        other.c.recipient == deliveries.c.recipient,
        other.c.channel == deliveries.c.channel,
        delivery_attempts.c.delivery_id == other.c.id,
        delivery_attempts.c.outcome == STARTED,
        or_(delivery_attempts.c.at > since, is_slow),
    )


def next_due(connection: Connection, now: Instant) -> Instant | None:
    """When the next row that waits comes due."""
    wanted = select(func.min(deliveries.c.next_attempt_at)).where(_IS_WAITING, deliveries.c.next_attempt_at > now)
    found: Instant | None = connection.scalar(wanted)
    return found


class Late(NamedTuple):
    """What a channel has not delivered in time: how many alerts, the oldest since when."""

    number: int
    since: Instant


def late(connection: Connection, since: Instant) -> dict[str, Late]:
    """The channels over which something should have been delivered by ``since`` and still is not; what tells of that aside."""
    c = deliveries.c
    counted = _late(connection, (c.channel, func.count(c.alert_id.distinct()), func.min(c.not_before)), since)
    return {channel: Late(count, oldest) for channel, count, oldest in connection.execute(counted.group_by(c.channel))}


def examples_of_late(connection: Connection, channel: str, since: Instant) -> list[str]:
    """The headlines of some of what a channel has not delivered in time, the gravest first."""
    c = deliveries.c
    named = _late(connection, (c.notice,), since).where(c.channel == channel)
    rows = connection.scalars(named.order_by(c.rank, c.not_before, c.id).limit(EXAMPLES_MAX))
    return [Notice.model_validate_json(row).headline for row in rows]


def _late(connection: Connection, columns: Sequence[ColumnElement[Any]], since: Instant) -> Select[Any]:
    joined = deliveries.join(alerts, alerts.c.alert_id == deliveries.c.alert_id)
    wanted = select(*columns).select_from(joined)
    is_late = (deliveries.c.not_before <= since, alerts.c.case_name.not_like(f"{UNDELIVERED}%"))
    return _unfinished(connection, wanted.where(*is_late))


def told_late(connection: Connection) -> dict[str, int]:
    """The channels that an open alert says do not deliver, with how many alerts it says wait.

    A name with a sign that no channel's has is an entry of the log that cannot be read, which people have to put right.
    """
    wanted = select(alerts.c.case_name, alerts.c.data).where(
        alerts.c.case_name.like(f"{UNDELIVERED}%"), alerts.c.state == OPEN
    )
    rows = [(row.case_name.removeprefix(UNDELIVERED), row.data) for row in connection.execute(wanted)]
    return {
        name: AlertData.model_validate_json(data).count or 0
        for name, data in rows
        if "/" not in name and "@" not in name
    }


def overdue_subjects(connection: Connection, subjects: Iterable[str], now: Instant) -> set[str]:
    """Those of these subjects about whom time alone has already changed a verdict that is not judged yet."""
    c = deadlines.c
    found: set[str] = set()
    current = select(generations.c.generation).where(generations.c.is_current)
    for asked in pieces(subjects):
        wanted = select(c.subject).where(c.generation.in_(current), c.subject.in_(asked), c.due <= now)
        found |= set(connection.scalars(wanted))
    return found


def disabled(connection: Connection) -> dict[str, str]:
    """The channels that are disabled, each with the fingerprint of the configuration under which it was."""
    columns = (disabled_channels.c.channel, disabled_channels.c.fingerprint)
    return {row.channel: row.fingerprint for row in connection.execute(select(*columns))}


def _unfinished(connection: Connection, wanted: Select[Any]) -> Select[Any]:
    """With no channel disabled, as nearly always, only the rows of the index are looked at."""
    names = list(disabled(connection))
    unfinished: ColumnElement[bool] = _IS_WAITING
    if names:
        unfinished = or_(unfinished, and_(deliveries.c.state == CHANNEL_DISABLED, deliveries.c.channel.in_(names)))
    return wanted.where(unfinished)


def _delivery(row: Row[Any]) -> Delivery:
    values = {name: getattr(row, name) for name in Delivery._fields}
    return Delivery(**{**values, "notice": Notice.model_validate_json(row.notice)})
