"""One attempt at one delivery: a line of stages with one signature, assembled once.

``begin`` writes the attempt down -> ``send`` makes it -> ``record`` writes down what came of it

Killed after the first, the attempt is repeated under the same id: it may have arrived or not. Nothing is sent that is not
written down, so that it repeats at most once a kill.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, NamedTuple

import structlog

from events.dates import FAR_PAST, Instant
from projections.store.database import Database, StoreUnavailable
from services.clock.time_source import Clock
from services.dispatcher import attempts
from services.dispatcher.channels.port import Channel, Message, Outcome
from services.dispatcher.delivery import Delivery
from services.dispatcher.observer import Observer
from services.dispatcher.pace import back_off_seconds, clock_span
from services.dispatcher.recipients import Recipients
from services.dispatcher.routing import Directory

#: How long we wait before we try to write again what could not be written (real seconds).
WRITE_AGAIN_SECONDS: Final = 1.0
#: How long an attempt may last beyond its channel's timeout: to say goodbye, and to be written down.
BEYOND_TIMEOUT_SECONDS: Final = 5.0

log = structlog.get_logger()


class Attempt(NamedTuple):
    """An attempt on its way through the stages."""

    delivery: Delivery
    number: int = 0
    thread: str | None = None
    outcome: Outcome | None = None


Stage = Callable[[Attempt], Awaitable[Attempt | None]]


class Sender:
    """Takes a delivery through the stages."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        recipients: Recipients,
        channels: Mapping[str, Channel],
        link: Callable[[str], str],
        observer: Observer,
        passing: Callable[[str], None],
        *,
        is_alone: bool,
    ) -> None:
        self._database = database
        self._clock = clock
        self._recipients = recipients
        self._directory = Directory(recipients)
        self._channels = channels
        self._link = link
        self._observer = observer
        self._passing = passing
        #: Alone on the database, whatever was begun before us has ended, one way or the other.
        self._others_ended_at = clock.now() if is_alone else FAR_PAST
        self._stages: Final[tuple[Stage, ...]] = (self._begin, self._send, self._record)

    def under_way_since(self, channel: str, now: Instant) -> Instant:
        """Of attempts over the channel that have no outcome, those begun after this instant may be under way elsewhere."""
        lasting = clock_span(self._clock, self._recipients.channels[channel].timeout + BEYOND_TIMEOUT_SECONDS)
        return max(now - lasting, self._others_ended_at)

    async def attempt(self, delivery: Delivery) -> None:
        """Try once. What the receiver or the database does raises nothing here."""
        going = Attempt(delivery)
        for stage in self._stages:
            after = await stage(going)
            if after is None:
                return
            going = after

    async def _begin(self, attempt: Attempt) -> Attempt | None:
        try:
            begun = await asyncio.to_thread(self._write_beginning, attempt.delivery)
        except StoreUnavailable as error:
            log.warning("delivery_not_begun", delivery=attempt.delivery.id, error=error)
            await asyncio.sleep(WRITE_AGAIN_SECONDS)
            return None
        self._passing("delivery.begun")
        return attempt._replace(number=begun.number, thread=begun.thread) if begun is not None else None

    async def _send(self, attempt: Attempt) -> Attempt:
        delivery = attempt.delivery
        message = Message(
            delivery.id,
            delivery.notice,
            self._directory.person(delivery.recipient),
            self._link(delivery.alert_id),
            attempt.thread,
        )
        try:
            outcome = await self._channels[delivery.channel].send(message)
        except Exception as error:  # whatever a channel raises, the alert has to be tried again
            log.error("channel_broke", delivery=delivery.id, channel=delivery.channel, exc_info=error)
            outcome = Outcome("failed", f"it failed with {type(error).__name__}")
        self._passing("delivery.sent")
        return attempt._replace(outcome=outcome)

    async def _record(self, attempt: Attempt) -> Attempt:
        outcome = attempt.outcome
        assert outcome is not None, "it was sent"
        said = {"delivery": attempt.delivery.id, "channel": attempt.delivery.channel, "attempt": attempt.number}
        if outcome.kind == "delivered":
            log.info("alert_delivered", **said)
        else:
            log.warning("alert_not_delivered", **said, outcome=outcome.kind, trouble=outcome.error)
        self._observer.deliveries_total(attempt.delivery.channel, outcome.kind)
        # Unwritten, a success would be sent again: it stays in hand until the database takes it.
        while True:
            try:
                await asyncio.to_thread(self._write_outcome, attempt, outcome)
                break
            except StoreUnavailable as error:
                log.warning("outcome_not_recorded", **said, error=error)
                await asyncio.sleep(WRITE_AGAIN_SECONDS)
        self._passing("delivery.recorded")
        return attempt

    def _write_beginning(self, delivery: Delivery) -> attempts.Begun | None:
        now = self._clock.now()
        # Should we be killed in the attempt, the wait is as after a failure: what kills us is not tried in a tight loop.
        again = now + self._pause(delivery, delivery.attempts + 1, None)
        with self._database.writing() as connection:
            begun = attempts.begin(connection, delivery, now, again, self.under_way_since(delivery.channel, now))
            self._passing("delivery.beginning-written")
        return begun

    def _write_outcome(self, attempt: Attempt, outcome: Outcome) -> None:
        now = self._clock.now()
        delivery = attempt.delivery
        again = now + self._pause(delivery, attempt.number, outcome)
        with self._database.writing() as connection:
            attempts.record(connection, delivery, attempt.number, outcome, now, again)
            if outcome.kind == "gone":
                fingerprint = self._recipients.fingerprint(delivery.channel)
                attempts.disable(connection, delivery.channel, fingerprint, now, outcome.error or "")
            self._passing("delivery.outcome-written")

    def _pause(self, delivery: Delivery, number: int, outcome: Outcome | None) -> Instant:
        return clock_span(self._clock, back_off_seconds(delivery.id, number, outcome))
