"""Everything in one process on the embedded log: put together here, and nowhere else (DESIGN, "Two ways to run")."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable
from typing import Final, TextIO

import structlog
from prometheus_client import CollectorRegistry

from events.dates import SECOND, format_instant
from projections.rules.protocol import Protocol
from projections.store.database import Database
from projections.store.generation import begin_first_generation
from projections.store.schema import SchemaState, migrate, require_current, schema_state
from services.clock.deadlines import DeadlineClock
from services.clock.time_source import Clock
from services.data_lock import alone_on
from services.dispatcher.dispatcher import Dispatcher
from services.dispatcher.recipients import load_recipients
from services.gateway.app import create_app
from services.gateway.keys import KeyRing
from services.health import clock_is_believed, create_metrics_app, database_answers
from services.log.embedded import EmbeddedLog
from services.loops import Loop
from services.metrics import Metrics
from services.metrics_store import StoreCollector
from services.monitor.activation import activate
from services.monitor.embedded import EmbeddedRunner
from services.monitor.monitor import Monitor
from services.monitor.observed import Observed
from services.monitor.relay import Relay
from services.protocols import find_protocol
from services.reading.alert_feed import AlertFeed
from services.reading.router import reading_router
from services.servers import address_of, listening, server_of
from services.settings import Settings
from services.steps import nothing

IDLE_SECONDS: Final = 1.0

log = structlog.get_logger()


class Measured:
    """What the dispatcher lets be measured, as metrics. The age of the oldest is read from the database when scraped."""

    def __init__(self, metrics: Metrics) -> None:
        self.attempted = metrics.deliveries_total

    def oldest_undelivered(self, seconds: float) -> None:
        """Nothing: see ``services.metrics_store``."""


class System:
    """One process: gateway, monitor, relay, clock, dispatcher and metrics, on one database."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        clock: Clock,
        passing: Callable[[str], None] = nothing,
        console: TextIO | None = None,
    ) -> None:
        protocol = find_protocol(settings.protocol)
        source = settings.source
        clinical, alerts = EmbeddedLog(database, "clinical"), EmbeddedLog(database, "alerts")
        recipients = load_recipients(settings.recipients)
        _prepare(database, clinical, protocol, clock, source, passing)
        metrics = Metrics(CollectorRegistry())
        metrics.registry.register(StoreCollector(database, clock))
        self.stopping = asyncio.Event()
        self._dispatcher = Dispatcher(
            database,
            alerts,
            protocol,
            clock,
            source,
            recipients,
            settings.public_url,
            Measured(metrics),
            passing,
            console=console,
        )
        relay = Relay(database, alerts, passing)
        lost = metrics.store_unavailable_total
        self._relay = Loop("relay", lambda: self._relayed(relay), lambda: IDLE_SECONDS, lost)
        monitor = Monitor(database, protocol, source, Observed(metrics, clock), passing)
        runner = EmbeddedRunner(monitor, clinical, clock, self._relay.wake, metrics.monitor_batch_seconds)
        self._monitor = Loop("monitor", runner.work, lambda: IDLE_SECONDS, lost)
        deadlines = DeadlineClock(database, clinical, protocol, clock, source, passing)
        self._clock = Loop("clock", lambda: self._fired(deadlines), deadlines.seconds_to_next, lost)
        self._loops = (self._monitor, self._relay, self._clock)
        checks = [
            database_answers(database),
            clock_is_believed(clock),
            lambda: self._dispatcher.problem,
            *(loop.trouble for loop in self._loops),
        ]
        keys = KeyRing(database, clock)
        self._feed = AlertFeed(database, self.stopping)
        reading = reading_router(
            database, protocol, clock, clinical, alerts, keys.authenticate, self._feed, settings.public_url
        )
        self._gateway = create_app(
            database=database,
            log=clinical,
            protocol=protocol,
            clock=clock,
            settings=settings,
            keys=keys,
            metrics=metrics,
            reading=reading,
            on_appended=self._appended,
            on_told=self._relay.wake,
            passing=passing,
        )
        self._metrics_app = create_metrics_app(metrics, checks)

    async def serve(self, gateway: socket.socket, metrics: socket.socket) -> None:
        """Serve until ``stopping`` is set, then end in order: take nothing more, finish what was taken."""
        for loop in self._loops:
            loop.start()
        servers = [(server_of(self._gateway), gateway), (server_of(self._metrics_app), metrics)]
        serving = [asyncio.create_task(server.serve([listener])) for server, listener in servers]
        dispatching = asyncio.create_task(self._dispatcher.run(self.stopping))
        try:
            await self._stopped_or_failed(serving)
        finally:
            self.stopping.set()
            for server, _ in servers:
                server.should_exit = True
            await asyncio.gather(*serving, return_exceptions=True)
            for loop in self._loops:
                await asyncio.to_thread(loop.stop)
            await dispatching

    async def _stopped_or_failed(self, serving: list[asyncio.Task[None]]) -> None:
        stopped = asyncio.create_task(self.stopping.wait())
        await asyncio.wait([stopped, *serving], return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()

    def _appended(self) -> None:
        self._monitor.wake()

    def _relayed(self, relay: Relay) -> bool:
        if not relay.relay():
            return False
        self._dispatcher.wake()
        return True

    def _fired(self, deadlines: DeadlineClock) -> bool:
        if not deadlines.fire():
            return False
        self._monitor.wake()
        return True


def _prepare(
    database: Database,
    clinical: EmbeddedLog,
    protocol: Protocol,
    clock: Clock,
    source: str,
    passing: Callable[[str], None],
) -> None:
    """A new database gets its tables; another must have those of this version. The rules in force go into the log."""
    if schema_state(database) is SchemaState.EMPTY:
        migrate(database)
    require_current(database)
    with database.writing() as connection:
        begin_first_generation(connection, clock.now())
        latest = clinical.stamp(clock.now(), connection)
    if latest > clock.now() + SECOND:
        log.warning("clock_is_behind_the_log", due=format_instant(latest))
    activate(database, clinical, protocol, clock, source, passing)


async def run_system(
    settings: Settings,
    clock: Clock,
    passing: Callable[[str], None] = nothing,
    console: TextIO | None = None,
    on_ready: Callable[[str, str, System], None] = lambda _gateway, _metrics, _system: None,
) -> None:
    """Run until SIGTERM or SIGINT. ``on_ready`` is told the two addresses once both are listened on."""
    with alone_on(settings.data), listening(settings.listen) as gateway, listening(settings.metrics) as metrics:
        database = Database(settings.database_url)
        try:
            system = System(settings, database, clock, passing, console)
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, system.stopping.set)
            log.info("listening", address=address_of(gateway), role="gateway")
            log.info("listening", address=address_of(metrics), role="metrics")
            on_ready(address_of(gateway), address_of(metrics), system)
            await system.serve(gateway, metrics)
            log.info("stopped")
        finally:
            database.close()
