"""The dispatcher: follows the alert log, and does not rest until everybody who has to be told has been."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import Final, NamedTuple, TextIO

import structlog
from sqlalchemy import Connection

from events.dates import SECOND, Instant
from projections.folds.trial import Trial
from projections.store.engine.database import Database, StoreUnavailable
from services.dispatcher import ledger
from services.dispatcher.alert_reader import AlertReader
from services.dispatcher.channels.opening import open_channels
from services.dispatcher.delivery import Delivery
from services.dispatcher.direct import DirectSender
from services.dispatcher.intake_watch import IntakeWatch
from services.dispatcher.judging_anew import is_judging_anew
from services.dispatcher.lease import lease_seconds
from services.dispatcher.notice import Notice
from services.dispatcher.parcel import LISTED_MAX, Busy, Parcel, parcels
from services.dispatcher.planner import Planner
from services.dispatcher.recipients import Recipients
from services.dispatcher.reconciling import reconcile
from services.dispatcher.sending import Sender
from services.dispatcher.undelivered import UndeliveredWatch
from services.log.port import EventLog
from services.platform import time_source
from services.platform.fail_points import nothing
from services.platform.links import link_of_alert
from services.platform.metrics import TrialMetrics, unmeasured
from services.platform.time_source import Clock

#: How often we look, if nobody wakes us (real seconds).
POLL_SECONDS: Final = 0.5
#: The pause after a failure of our own; doubled up to the last.
TROUBLE_SECONDS: Final = (0.5, 1.0, 2.0, 5.0)
#: How long attempts under way may take to end once we are to stop.
STOPPING_SECONDS_MAX: Final = 10.0
#: How many slow attempts a channel may have under way beside those that take turns: mail servers count our connections.
LASTING_MAX: Final = 32

log = structlog.get_logger()


class SendingMessage(NamedTuple):
    """A message that is being sent, and since when (seconds of ``elapsed_seconds``)."""

    parcel: Parcel
    since: float


def free_turns(concurrency: int, timeout: float, lasting: Sequence[float]) -> int:
    """How many more may be sent at once over a channel on which attempts have been under way for so many seconds.

    One that lasts longer than the timeout waits for a slow receiver (a mail server that scans), and takes no turn from others.
    """
    taking = sum(seconds < timeout for seconds in lasting)
    return min(concurrency - taking, concurrency + LASTING_MAX - len(lasting))


class Dispatcher:
    """One task of the process; its database work is done in threads. Tries again whatever fails, and never gives up.

    Several may work on one database; ``is_alone`` says that no other does, so that what a crash has cut off is repeated at once.
    ``problem`` says what keeps it from working now, for those who ask whether it is ready.
    """

    def __init__(
        self,
        database: Database,
        alert_log: EventLog,
        trial: Trial,
        clock: Clock,
        recipients: Recipients,
        public_url: str,
        metrics: TrialMetrics | None = None,
        fail_point: Callable[[str], None] = nothing,
        *,
        console: TextIO | None = None,
        is_alone: bool = False,
    ) -> None:
        self._database = database
        self._clock = clock
        self._recipients = recipients
        self._apart = int(recipients.grouping.seconds * SECOND)
        self._fail_point = fail_point
        self._link = partial(link_of_alert, public_url)
        planner = Planner(trial, recipients)
        self._reader = AlertReader(database, alert_log, planner, clock, fail_point)
        self._watch = UndeliveredWatch(database, trial, clock, fail_point)
        self._intake = IntakeWatch(database, trial, clock)
        self._channels = open_channels(recipients, console or sys.stderr, time_source.now)
        self._sender = Sender(
            database,
            clock,
            recipients,
            self._channels,
            self._link,
            metrics or unmeasured(trial.id),
            fail_point,
            is_alone=is_alone,
        )
        self._direct = DirectSender(recipients, self._channels)
        self._under_way: dict[asyncio.Task[None], SendingMessage] = {}
        self._woken = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._reconciled = False
        self._died: BaseException | None = None
        self.problem: str | None = None

    def wake(self) -> None:
        """There is news in the alert log. From any thread; without it, we look twice a second."""
        loop = self._loop
        if loop is not None:
            with suppress(RuntimeError):  # it has ended this moment
                loop.call_soon_threadsafe(self._woken.set)

    async def tell_directly(self, notice: Notice) -> int:
        """Send past the ledger, over every channel of those concerned, and say how many took it.

        For what the ledger cannot carry, since it cannot be written: nothing is noted, so it may come again after a restart.
        """
        return await self._direct.send(notice, self._link(notice.alert_id))

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until ``stop``, and then let what is under way come to its end."""
        self._loop = asyncio.get_running_loop()
        stopping = asyncio.create_task(stop.wait())
        stopping.add_done_callback(lambda _: self._woken.set())
        failures = 0
        try:
            while not stop.is_set():
                try:
                    pause = await self._turn()
                    failures, self.problem = 0, None
                except Exception as error:  # noqa: BLE001 - nothing is lost by trying again, and everything by giving up
                    pause = TROUBLE_SECONDS[min(failures, len(TROUBLE_SECONDS) - 1)]
                    failures, self.problem = failures + 1, _problem(error)
                    self._complain(error)
                await self._rest(pause)
            if self._under_way:
                await asyncio.wait(self._under_way, timeout=STOPPING_SECONDS_MAX)
            self._raise_what_ended_an_attempt()
        finally:
            self._loop = None
            stopping.cancel()
            await self._close()

    async def _turn(self) -> float:
        """Everything that can be done now; gives the seconds until there may be more to do."""
        self._raise_what_ended_an_attempt()
        if not self._reconciled:
            await asyncio.to_thread(self._reconcile)
            self._reconciled = True
        try:
            more = await asyncio.to_thread(self._reader.catch_up)
            await asyncio.to_thread(self._watch.look)
            await asyncio.to_thread(self._intake.look)
        except Exception:
            # Whatever keeps us from planning, what is planned already is sent.
            await self._start_what_is_due()
            raise
        pause = await self._start_what_is_due()
        return 0.0 if more else pause

    async def _start_what_is_due(self) -> float:
        due, pause = await asyncio.to_thread(self._due, list(self._under_way.values()), time_source.elapsed_seconds())
        for parcel in due:
            self._start(parcel)
        return pause

    def _reconcile(self) -> None:
        with self._database.writing() as connection:
            reconcile(connection, self._recipients, self._clock.now())
            self._fail_point("reconciled")

    def _due(self, under_way: Sequence[SendingMessage], elapsed: float) -> tuple[list[Parcel], float]:
        """The messages that can be started now, and the seconds until something comes due."""
        now = self._clock.now()
        found: list[Parcel] = []
        with self._database.reading() as connection:
            disabled = ledger.disabled(connection)
            for channel, config in self._recipients.channels.items():
                here = [each for each in under_way if each.parcel.channel == channel]
                free = free_turns(config.concurrency, config.timeout, [elapsed - each.since for each in here])
                if free > 0 and channel not in disabled:
                    slow_since = elapsed - lease_seconds(config.timeout)
                    busy = Busy(
                        [each.parcel for each in here if each.since > slow_since],
                        [each.parcel for each in here if each.since <= slow_since],
                    )
                    found += islice(self._parcels(connection, channel, now, busy, free), free)
            upcoming = ledger.next_due(connection, now)
        pause = POLL_SECONDS if upcoming is None else min(POLL_SECONDS, self._clock.seconds_until(upcoming))
        return found, pause

    def _parcels(self, connection: Connection, channel: str, now: Instant, busy: Busy, free: int) -> Iterator[Parcel]:
        """What can go over a channel now, by rank."""
        others_since = self._sender.under_way_since(channel, now)
        # Each one under way holds back at most one newer revision of the same alert, and what is not urgent goes together.
        limit = free + len(busy.ids) + LISTED_MAX
        rows = ledger.due(connection, channel, now, limit, busy.ids, others_since, now - self._apart)
        if any(_may_wait(row) for row in rows) and is_judging_anew(connection, now):
            # One amendment is one message, and not as many as there are transactions in which it is judged.
            rows = [row for row in rows if not _may_wait(row)]
        return parcels(connection, rows, busy, now, others_since)

    def _start(self, parcel: Parcel) -> None:
        task = asyncio.create_task(self._sender.attempt(parcel), name=f"delivery {parcel.id}")
        self._under_way[task] = SendingMessage(parcel, time_source.elapsed_seconds())
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._under_way[task]
        if not task.cancelled() and (error := task.exception()) is not None:
            if isinstance(error, Exception):
                # We look again in our own time, lest what cannot be written is tried in a tight loop.
                self._complain(error)
                return
            self._died = error
        self._woken.set()

    def _raise_what_ended_an_attempt(self) -> None:
        """What is no ordinary exception, such as an exit, ends the whole, not one task that nobody looks at."""
        if self._died is not None:
            raise self._died

    def _complain(self, error: Exception) -> None:
        if isinstance(error, StoreUnavailable):
            log.warning("dispatcher_waits_for_the_database", error=error)
        else:
            log.error("dispatcher_failed", exc_info=error)

    async def _rest(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        self._woken.clear()

    async def _close(self) -> None:
        for task in list(self._under_way):
            task.cancel()
        await asyncio.gather(*self._under_way, self._direct.close(), return_exceptions=True)
        for channel in self._channels.values():
            await channel.close()


def _may_wait(row: Delivery) -> bool:
    """Whether a delivery goes with others, and was not tried yet."""
    return row.is_grouped and not row.attempts


def _problem(error: Exception) -> str:
    """For people; what an unforeseen error says may quote what we were working on."""
    if isinstance(error, StoreUnavailable):
        return f"dispatcher: waiting for the database ({error})"
    return f"dispatcher: failed with {type(error).__name__}, and tries again"
