"""The ledger's side of sending: an attempt is written down before it is made, and what came of it after."""

from __future__ import annotations

from typing import Final, NamedTuple

from sqlalchemy import Connection, exists, insert, literal_column, select, update

from events.dates import Instant
from projections.store.engine.database import upsert
from projections.store.engine.tables import deliveries, delivery_attempts, disabled_channels, grouped_messages
from services.dispatcher import ledger
from services.dispatcher.channels.port import SendOutcome
from services.dispatcher.delivery import CHANNEL_DISABLED, DELIVERED, STARTED, WAITING, Delivery, Heard
from services.dispatcher.parcel import Parcel

_HEARD: Final[tuple[Heard, ...]] = ("no", "perhaps", "yes")


class Begun(NamedTuple):
    """An attempt that is written down. ``thread`` is the delivery that was told of this alert first on this route."""

    number: int
    thread: str | None


def begin(
    connection: Connection,
    delivery: Delivery,
    message: str,
    now: Instant,
    next_attempt_at: Instant,
    under_way_since: Instant,
) -> Begun | None:
    """Write down that it is tried now, in the message of that id.

    None: it is no longer waiting, or another dispatcher tries it or its neighbour.
    """
    line = select(deliveries.c.id).where(*ledger.on_line(delivery)).order_by(deliveries.c.id)
    # Two that begin two revisions at the same moment would not see each other.
    connection.execute(line.with_for_update())
    if connection.scalar(select(ledger.may_be_under_way(under_way_since)).where(deliveries.c.id == delivery.id)):
        return None
    number = delivery.attempts + 1
    counted = connection.execute(
        update(deliveries)
        .where(
            deliveries.c.id == delivery.id,
            deliveries.c.state == WAITING,
            deliveries.c.attempts == delivery.attempts,
        )
        # Until we know better: we may be stopped as soon as it has arrived.
        .values(attempts=number, next_attempt_at=next_attempt_at, heard=later_heard(delivery.heard, "perhaps"))
    )
    if counted.rowcount != 1:
        return None
    connection.execute(
        insert(delivery_attempts).values(
            delivery_id=delivery.id, attempt=number, message=message, at=now, outcome=STARTED, error=None
        )
    )
    first = (
        select(deliveries.c.id)
        .where(
            *ledger.on_line(delivery),
            deliveries.c.revision < delivery.revision,
            deliveries.c.attempts > literal_column("0"),
        )
        .order_by(deliveries.c.revision)
        .limit(1)
    )
    return Begun(number, connection.scalar(first))


def renew(connection: Connection, delivery: Delivery, now: Instant) -> None:
    """Write down that the attempt that ``delivery`` was read before is still under way."""
    is_it = (delivery_attempts.c.delivery_id == delivery.id, delivery_attempts.c.attempt == delivery.attempts + 1)
    connection.execute(
        update(delivery_attempts).where(*is_it, delivery_attempts.c.outcome == STARTED).values(renewed_at=now)
    )


def record(
    connection: Connection, delivery: Delivery, outcome: SendOutcome, now: Instant, next_attempt_at: Instant
) -> None:
    """Write down what came of the attempt that ``delivery`` was read before.

    What was superseded in the meantime is not tried again, but may be delivered.
    """
    number = delivery.attempts + 1
    connection.execute(
        update(delivery_attempts)
        .where(delivery_attempts.c.delivery_id == delivery.id, delivery_attempts.c.attempt == number)
        .values(outcome=outcome.kind, error=outcome.error)
    )
    row = update(deliveries).where(deliveries.c.id == delivery.id)
    heard = later_heard(delivery.heard, outcome.heard)
    if outcome.kind == "delivered":
        connection.execute(row.values(state=DELIVERED, delivered_at=now, error=None, heard=heard))
    else:
        failed: dict[str, object] = {"error": outcome.error, "next_attempt_at": next_attempt_at, "heard": heard}
        if heard == "no":
            # It has not arrived, and may go with others. What may have arrived is repeated under the id that it went under.
            failed["digest"] = None
        connection.execute(row.values(**failed))


def later_heard(before: Heard, now: Heard) -> Heard:
    """Whether a receiver has it after another attempt: what may have arrived before stays so."""
    return before if _HEARD.index(before) > _HEARD.index(now) else now


def group(connection: Connection, parcel: Parcel, now: Instant) -> None:
    """Note that a message that is not urgent begins, and which deliveries are in it."""
    upsert(connection, grouped_messages, [{**parcel.first.route._asdict(), "at": now}])
    ids = [each.id for each in parcel.deliveries]
    connection.execute(update(deliveries).where(deliveries.c.id.in_(ids)).values(digest=parcel.id))


def ungroup(connection: Connection, parcel: Parcel) -> None:
    """The message has not arrived: the next one need not wait for its time."""
    c = grouped_messages.c
    route = parcel.first.route
    connection.execute(grouped_messages.delete().where(c.recipient == route.recipient, c.channel == route.channel))


def release(connection: Connection, channel: str, now: Instant) -> None:
    """The channel works: what failed over it before is tried again at once, in the order of its queue."""
    failed = exists().where(
        delivery_attempts.c.delivery_id == deliveries.c.id,
        delivery_attempts.c.attempt == deliveries.c.attempts,
        delivery_attempts.c.outcome == "failed",
    )
    c = deliveries.c
    waits = (c.state == literal_column("'waiting'"), c.channel == channel, c.next_attempt_at > now, c.not_before <= now)
    connection.execute(update(deliveries).where(*waits, failed).values(next_attempt_at=now))


def disable(connection: Connection, channel: str, fingerprint: str, now: Instant, reason: str) -> None:
    """A receiver wants nothing any more: what waits for it waits until the channel is configured otherwise."""
    row = {"channel": channel, "fingerprint": fingerprint, "disabled_at": now, "reason": reason}
    upsert(connection, disabled_channels, [row])
    connection.execute(
        update(deliveries)
        .where(deliveries.c.channel == channel, deliveries.c.state == WAITING)
        .values(state=CHANNEL_DISABLED)
    )


def enable(connection: Connection, channel: str, now: Instant) -> None:
    """The channel may be tried again, with everything that waited for it."""
    connection.execute(disabled_channels.delete().where(disabled_channels.c.channel == channel))
    connection.execute(
        update(deliveries)
        .where(deliveries.c.channel == channel, deliveries.c.state == CHANNEL_DISABLED)
        .values(state=WAITING, next_attempt_at=now)
    )
