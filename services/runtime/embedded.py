"""Everything in one process on the embedded log: put together here, and nowhere else (design.md)."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Final, TextIO

import structlog
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from events.dates import SECOND, format_instant
from projections.folds.trial import Trial
from projections.store.engine.database import Database
from projections.store.engine.generation import begin_first_generation, next_offset
from projections.store.engine.schema import SchemaState, migrate, require_current, schema_state
from services.api.alert_feed import AlertFeed
from services.clock.deadlines import DeadlineClock
from services.clock.doubt_alert import clock_is_doubted
from services.clock.watch import ClockWatch
from services.dispatcher.dispatcher import Dispatcher
from services.dispatcher.recipients import Recipients, load_recipients
from services.gateway.app import create_app
from services.gateway.keys import KeyRing
from services.gateway.writer import nobody, not_behind
from services.http.connection_limits import ConnectionLimits
from services.http.descriptors import connections_within
from services.http.health import clock_is_believed, database_answers, log_is_not_ahead, write_the_time
from services.http.metrics_server import serve_health
from services.http.servers import address_of, listening, port_of, server_of, warn_of_plain_http
from services.log.embedded import EmbeddedLog
from services.log.moved_away import require_not_moved
from services.log.port import EventLog
from services.monitor.activation import activate
from services.monitor.embedded import PARTITION, EmbeddedRunner
from services.monitor.monitor import CONSUMER, Monitor
from services.monitor.observed import MonitorMetrics
from services.monitor.relay import Relay
from services.platform.condition_alert import Condition, ConditionAlert
from services.platform.data_lock import alone_on
from services.platform.disk import disk_check, disk_is_low, disk_of
from services.platform.fail_points import nothing
from services.platform.garbage import spare_what_stays
from services.platform.metrics import Metrics, TrialMetrics
from services.platform.settings import Settings
from services.platform.supervision import Loop, Workers
from services.platform.time_source import Clock
from services.runtime.dead_letter_retention import DeadLetterRetention
from services.runtime.metrics_store import StoreCollector
from services.runtime.reading_router import reading_router
from services.runtime.stalls import Check, Direct, Lasting, StallWatch
from services.trials.trial import trial_of

IDLE_SECONDS: Final = 1.0
#: What one process at a time does with a database: see ``Database.alone``.
PROCESS: Final = "run"
#: How often it is looked whether the store takes writes.
PROBE_SECONDS: Final = 5.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Parts:
    """What the services of one process share."""

    settings: Settings
    database: Database
    trial: Trial
    clock: Clock
    clinical: EventLog
    alerts: EventLog
    metrics: TrialMetrics
    fail_point: Callable[[str], None]
    watch: ClockWatch


class System:
    """One process: gateway, monitor, relay, clock, dispatcher and metrics, on one database."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        clock: Clock,
        fail_point: Callable[[str], None] = nothing,
        console: TextIO | None = None,
    ) -> None:
        trial = trial_of(settings)
        metrics = Metrics(CollectorRegistry()).of(trial.id)
        clinical, alerts = EmbeddedLog(database, "clinical"), EmbeddedLog(database, "alerts")
        parts = Parts(
            settings, database, trial, clock, clinical, alerts, metrics, fail_point, ClockWatch(database, clock)
        )
        recipients = load_recipients(settings.recipients, trial.protocol)
        prepare(parts)
        metrics.process.registry.register(StoreCollector(trial.id, database, clock, clinical, alerts))
        self.stopping = asyncio.Event()
        self._limits = connection_limits(settings)
        self._dispatcher = dispatcher_of(parts, recipients, console, is_alone=True)
        self._relay = relay_loop(parts, self._dispatcher.wake)
        self._monitor = _monitor_loop(parts, self._relay.wake)
        self._clock = clock_loop(parts, self._monitor.wake, self._relay.wake)
        loops = (self._monitor, self._relay, self._clock, store_loop(parts))
        self._workers = Workers(loops)
        feed = AlertFeed(database, self.stopping)
        self._gateway = gateway_of(parts, feed, self._monitor.wake, self._relay.wake, partial(not_judged, parts))
        parts_watched: dict[str, Check] = {
            **{loop.name: loop.stalled for loop in loops},
            "dispatcher": Lasting(lambda: self._dispatcher.problem),
            "gateway": Lasting(self._gateway.state.writer.trouble),
        }
        self._stalls = stall_watch(parts, parts_watched, self._dispatcher.tell_directly, self._relay.wake)
        self._metrics = metrics.process
        self._checks = [
            database_answers(database),
            clock_is_believed(clock),
            log_is_not_ahead(database, clock),
            disk_check(database),
            lambda: self._dispatcher.problem,
            self._gateway.state.writer.trouble,
            *(loop.trouble for loop in loops),
        ]

    async def serve(self, gateway: socket.socket, metrics: socket.socket) -> None:
        """Serve until ``stopping`` is set, then end in order: take nothing more, finish what was taken."""
        self._workers.start()
        server = server_of(self._gateway, self._limits)
        serving = [
            asyncio.create_task(server.serve([gateway])),
            asyncio.create_task(serve_health(self._metrics, self._checks, metrics, self.stopping)),
        ]
        dispatching = asyncio.create_task(self._dispatcher.run(self.stopping))
        watching = asyncio.create_task(self._stalls.run(self.stopping))
        try:
            await self._stopped_or_failed([*serving, dispatching])
        finally:
            self.stopping.set()
            server.should_exit = True
            ends = await asyncio.gather(*serving, return_exceptions=True)
            await asyncio.to_thread(self._workers.stop)
            await asyncio.gather(dispatching, watching)
        for end in ends:
            if end is not None:
                raise end

    async def _stopped_or_failed(self, serving: list[asyncio.Task[None]]) -> None:
        stopped = asyncio.create_task(self.stopping.wait())
        await asyncio.wait([stopped, *serving], return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()


def stall_watch(
    parts: Parts,
    watched: Mapping[str, Check],
    direct: Direct | None = None,
    on_published: Callable[[], None] = nobody,
) -> StallWatch:
    """Tells of parts that stand still."""
    return StallWatch(parts.database, parts.trial, parts.clock, watched, direct, on_published)


def relay_loop(parts: Parts, on_relayed: Callable[[], None] = nobody) -> Loop:
    """Carries the outbox to the alert log."""
    relay = Relay(parts.database, parts.alerts, parts.fail_point)

    def work() -> bool:
        if not relay.relay():
            return False
        on_relayed()
        return True

    return Loop("relay", work, lambda: IDLE_SECONDS, parts.metrics.store_unavailable_total)


def clock_loop(parts: Parts, on_fired: Callable[[], None] = nobody, on_published: Callable[[], None] = nobody) -> Loop:
    """Fires what comes due, and tells that nothing does while the clock is doubted."""
    deadlines = DeadlineClock(parts.database, parts.clinical, parts.trial, parts.clock, parts.fail_point)

    doubt = _alert_while(parts, clock_is_doubted(parts.clock))

    def work() -> bool:
        parts.watch.look()
        if doubt.look():
            on_published()
        if not deadlines.fire():
            return False
        on_fired()
        return True

    return Loop("clock", work, deadlines.seconds_to_next, parts.metrics.store_unavailable_total)


def _monitor_loop(parts: Parts, wake_relay: Callable[[], None]) -> Loop:
    observed = MonitorMetrics(parts.metrics, parts.clock)
    monitor = Monitor(parts.database, parts.trial, observed, parts.fail_point)
    runner = EmbeddedRunner(monitor, parts.clinical, parts.clock, wake_relay, parts.metrics.monitor_batch_seconds)
    return Loop("monitor", runner.work, lambda: IDLE_SECONDS, parts.metrics.store_unavailable_total)


def _alert_while(parts: Parts, condition: Condition) -> ConditionAlert:
    return ConditionAlert(parts.database, parts.trial, parts.clock, condition)


def store_loop(parts: Parts) -> Loop:
    """Writes now and then, so that a store that takes no writes is noticed before anybody sends; and sees that there is room."""
    settings = parts.settings
    disk, low = disk_of(parts.database), _alert_while(parts, disk_is_low(parts.database))
    old = DeadLetterRetention(parts.database, parts.trial, parts.clock, settings.letter_days)

    def work() -> bool:
        parts.watch.look()
        write_the_time(parts.database, parts.clinical, parts.clock)
        if disk is not None:
            disk.keep_reserve()
        low.look()
        return old.look()

    return Loop("store", work, lambda: PROBE_SECONDS, parts.metrics.store_unavailable_total)


def dispatcher_of(
    parts: Parts, recipients: Recipients, console: TextIO | None = None, *, is_alone: bool = False
) -> Dispatcher:
    """Delivers alerts to their recipients."""
    return Dispatcher(
        parts.database,
        parts.alerts,
        parts.trial,
        parts.clock,
        recipients,
        parts.settings.base_url,
        parts.metrics,
        parts.fail_point,
        console=console,
        is_alone=is_alone,
    )


def not_judged(parts: Parts) -> int:
    """How many entries of the embedded log the monitor has not come to."""
    with parts.database.reading() as connection:
        reached = next_offset(connection, CONSUMER, PARTITION)
    return parts.clinical.ends()[PARTITION] - reached


def connection_limits(settings: Settings) -> ConnectionLimits:
    """How many connections the gateway takes: as many as are set, or as there are descriptors for.

    Raises ``TooFewDescriptors``.
    """
    return ConnectionLimits(connections_within(settings.connections), settings.connections_per_address)


def gateway_of(
    parts: Parts,
    feed: AlertFeed,
    on_appended: Callable[[], None] = nobody,
    on_published: Callable[[], None] = nobody,
    behind: Callable[[], int] = not_behind,
) -> FastAPI:
    """The routes that write and those that read, under the same keys."""
    keys = KeyRing(parts.database, parts.clock)
    reading = reading_router(
        parts.database,
        parts.trial.protocol,
        parts.clock,
        parts.clinical,
        parts.alerts,
        keys.authenticate,
        feed,
        parts.settings.base_url,
    )
    return create_app(
        database=parts.database,
        log=parts.clinical,
        trial=parts.trial,
        clock=parts.clock,
        settings=parts.settings,
        keys=keys,
        metrics=parts.metrics,
        reading=reading,
        on_appended=on_appended,
        on_published=on_published,
        behind=behind,
        fail_point=parts.fail_point,
        heard=parts.watch.heard,
    )


def prepare(parts: Parts) -> None:
    """A new database gets its tables; another must have those of this version. The rules in force go into the log."""
    if schema_state(parts.database) is SchemaState.EMPTY:
        migrate(parts.database)
    require_current(parts.database)
    parts.watch.look()
    now = parts.clock.now()
    with parts.database.writing() as connection:
        require_not_moved(connection)
        begin_first_generation(connection, now)
        latest = parts.clinical.stamp(now, connection)
    if latest > now + SECOND:
        log.warning("clock_is_behind_the_log", due=format_instant(latest))
    activate(parts.database, parts.clinical, parts.trial, parts.clock, parts.fail_point)


async def run_system(
    settings: Settings,
    clock: Clock,
    fail_point: Callable[[str], None] = nothing,
    console: TextIO | None = None,
    on_ready: Callable[[str, str, System], None] = lambda _gateway, _metrics, _system: None,
) -> None:
    """Run until SIGTERM or SIGINT. ``on_ready`` is told the two addresses once both are listened on."""
    with ExitStack() as stack:
        stack.enter_context(alone_on(settings.data))
        gateway, metrics = (stack.enter_context(listening(at)) for at in (settings.listen, settings.metrics))
        settings = settings.heard_on(port_of(gateway))
        database = Database(settings.database_url)
        try:
            stack.enter_context(database.alone(PROCESS))
            system = System(settings, database, clock, fail_point, console)
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, system.stopping.set)
            log.info("listening", address=address_of(gateway), role="gateway")
            warn_of_plain_http(settings)
            log.info("listening", address=address_of(metrics), role="metrics")
            spare_what_stays()
            on_ready(address_of(gateway), address_of(metrics), system)
            await system.serve(gateway, metrics)
            log.info("stopped")
        finally:
            database.close()
