"""One attempt at one message: a line of stages with one signature, assembled once.

``begin`` writes the attempt down -> ``send`` makes it -> ``record`` writes down what came of it

Killed after the first, the attempt is repeated under the same id: it may have arrived or not. Nothing is sent that is not
written down, so that it repeats at most once a kill.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Final, NamedTuple

import structlog

from events.dates import FAR_PAST, Instant
from projections.store.engine.database import Database, StoreUnavailable
from services.dispatcher import attempts
from services.dispatcher.backoff import back_off_seconds, clock_span
from services.dispatcher.channels.port import Channel, GroupedAlert, Message, SendOutcome
from services.dispatcher.lease import lease_seconds, renewed
from services.dispatcher.parcel import Parcel
from services.dispatcher.recipients import Recipients
from services.dispatcher.routing import Directory
from services.platform.metrics import TrialMetrics
from services.platform.time_source import Clock

#: How long we wait before we try to write again what could not be written (real seconds).
WRITE_AGAIN_SECONDS: Final = 1.0

log = structlog.get_logger()


class SendingAttempt(NamedTuple):
    """An attempt on its way through the stages."""

    parcel: Parcel
    number: int = 0
    thread: str | None = None
    outcome: SendOutcome | None = None


Stage = Callable[[SendingAttempt], Awaitable[SendingAttempt | None]]


class Sender:
    """Takes a message through the stages."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        recipients: Recipients,
        channels: Mapping[str, Channel],
        link: Callable[[str], str],
        metrics: TrialMetrics,
        fail_point: Callable[[str], None],
        *,
        is_alone: bool,
    ) -> None:
        self._database = database
        self._clock = clock
        self._recipients = recipients
        self._directory = Directory(recipients)
        self._channels = channels
        self._link = link
        self._metrics = metrics
        self._fail_point = fail_point
        #: Alone on the database, whatever was begun before us has ended, one way or the other.
        self._others_ended_at = clock.now() if is_alone else FAR_PAST
        self._stages: Final[tuple[Stage, ...]] = (self._begin, self._send, self._record)

    def under_way_since(self, channel: str, now: Instant) -> Instant:
        """Of attempts over the channel that have no outcome, those begun or renewed after this may be under way elsewhere."""
        lasting = clock_span(self._clock, lease_seconds(self._recipients.channels[channel].timeout))
        return max(now - lasting, self._others_ended_at)

    async def attempt(self, parcel: Parcel) -> None:
        """Try once. What the receiver or the database does raises nothing here."""
        going = SendingAttempt(parcel)
        for stage in self._stages:
            after = await stage(going)
            if after is None:
                return
            going = after

    async def _begin(self, attempt: SendingAttempt) -> SendingAttempt | None:
        try:
            begun = await asyncio.to_thread(self._write_beginning, attempt.parcel)
        except StoreUnavailable as error:
            log.warning("delivery_not_begun", delivery=attempt.parcel.id, error=error)
            await asyncio.sleep(WRITE_AGAIN_SECONDS)
            return None
        self._fail_point("delivery.begun")
        return begun

    async def _send(self, attempt: SendingAttempt) -> SendingAttempt:
        parcel = attempt.parcel
        parts = tuple(GroupedAlert(each.notice, self._link(each.alert_id)) for each in parcel.deliveries)
        first = parts[0]
        recipient = self._directory.person(parcel.first.recipient)
        listed = parts if len(parts) > 1 else ()
        message = Message(parcel.id, first.notice, recipient, first.link, attempt.thread, listed)
        timeout = self._recipients.channels[parcel.channel].timeout
        try:
            async with renewed(timeout, partial(self._write_renewal, parcel)):
                outcome = await self._channels[parcel.channel].send(message)
        except Exception as error:  # whatever a channel raises, the alert has to be tried again
            log.error("channel_broke", delivery=parcel.id, channel=parcel.channel, exc_info=error)
            outcome = SendOutcome("failed", f"it failed with {type(error).__name__}", may_have_arrived=True)
        self._fail_point("delivery.sent")
        return attempt._replace(outcome=outcome)

    async def _record(self, attempt: SendingAttempt) -> SendingAttempt:
        outcome = attempt.outcome
        assert outcome is not None, "it was sent"
        parcel = attempt.parcel
        said: dict[str, Any] = {"delivery": parcel.id, "channel": parcel.channel, "attempt": attempt.number}
        if len(parcel.deliveries) > 1:
            said["alerts"] = len(parcel.deliveries)
        if outcome.kind == "delivered":
            log.info("alert_delivered", **said)
        else:
            log.warning("alert_not_delivered", **said, outcome=outcome.kind, trouble=outcome.error)
        self._metrics.deliveries_total(parcel.channel, outcome.kind)
        # Unwritten, a success would be sent again: it stays in hand until the database takes it.
        while True:
            try:
                await asyncio.to_thread(self._write_outcome, attempt, outcome)
                break
            except StoreUnavailable as error:
                log.warning("outcome_not_recorded", **said, error=error)
                await asyncio.sleep(WRITE_AGAIN_SECONDS)
        self._fail_point("delivery.recorded")
        return attempt

    def _write_beginning(self, parcel: Parcel) -> SendingAttempt | None:
        now = self._clock.now()
        since = self.under_way_since(parcel.channel, now)
        number = max(delivery.attempts for delivery in parcel.deliveries) + 1
        # Should we be killed in the attempt, the wait is as after a failure: what kills us is not tried in a tight loop.
        again = now + self._pause(parcel, number, None)
        with self._database.writing() as connection:
            # In the order of their ids: two dispatchers that lock the same rows must not wait for each other.
            begun = {
                delivery.id: attempts.begin(connection, delivery, parcel.id, now, again, since)
                for delivery in sorted(parcel.deliveries, key=lambda each: each.id)
            }
            going = tuple(delivery for delivery in parcel.deliveries if begun[delivery.id] is not None)
            if going and parcel.is_grouped:
                attempts.group(connection, Parcel(going, parcel.id), now)
            self._fail_point("delivery.beginning-written")
        if not going:
            return None
        only = begun[going[0].id] if len(going) == 1 else None
        return SendingAttempt(Parcel(going, parcel.id), number, only.thread if only is not None else None)

    def _write_renewal(self, parcel: Parcel) -> None:
        with self._database.writing() as connection:
            for delivery in sorted(parcel.deliveries, key=lambda each: each.id):
                attempts.renew(connection, delivery, self._clock.now())

    def _write_outcome(self, attempt: SendingAttempt, outcome: SendOutcome) -> None:
        now = self._clock.now()
        parcel = attempt.parcel
        again = now + self._pause(parcel, attempt.number, outcome)
        with self._database.writing() as connection:
            for delivery in sorted(parcel.deliveries, key=lambda each: each.id):
                attempts.record(connection, delivery, outcome, now, again)
            if outcome.kind == "delivered":
                attempts.release(connection, parcel.channel, now)
            elif parcel.is_grouped:
                attempts.ungroup(connection, parcel)
            if outcome.kind == "gone":
                fingerprint = self._recipients.fingerprint(parcel.channel)
                attempts.disable(connection, parcel.channel, fingerprint, now, outcome.error or "")
            self._fail_point("delivery.outcome-written")

    def _pause(self, parcel: Parcel, number: int, outcome: SendOutcome | None) -> Instant:
        return clock_span(self._clock, back_off_seconds(parcel.id, number, outcome))
