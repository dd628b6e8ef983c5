"""One service of the distributed run in a process of its own, on Kafka and PostgreSQL: put together here from the same parts.

Two of each may run. What one needs that is not up yet, brokers or database, it waits for.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, Final

import structlog
from prometheus_client import CollectorRegistry

from projections.store.engine.database import Database, StoreUnavailable
from projections.store.engine.generation import begin_first_generation, begin_positions
from projections.store.engine.notifications import ALERTS, Listener
from projections.store.engine.schema import WrongSchema, require_current
from services.api.alert_feed import AlertFeed
from services.clock.watch import ClockWatch
from services.dispatcher.recipients import load_recipients
from services.gateway.intake import Intake
from services.gateway.intake_topics import load_intake_topics
from services.gateway.topic_reader import TopicReader
from services.http.health import (
    Check,
    clock_is_believed,
    database_answers,
    log_answers,
    log_is_not_ahead,
)
from services.http.metrics_server import serve_health
from services.http.servers import address_of, listening, port_of, server_of, warn_of_links, warn_of_plain_http
from services.log.kafka_client import cluster_of
from services.log.opening import open_logs
from services.monitor.activation import activate
from services.monitor.monitor import CONSUMER
from services.platform.fail_points import nothing
from services.platform.metrics import Metrics
from services.platform.resting import rest
from services.platform.settings import Settings, SettingsError
from services.platform.supervision import Loop, Workers
from services.platform.time_source import Clock
from services.runtime.embedded import (
    Parts,
    clock_loop,
    connection_limits,
    dispatcher_of,
    gateway_of,
    stall_watch,
    store_loop,
)
from services.runtime.metrics_store import StoreCollector
from services.runtime.stalls import Direct, Lasting
from services.trials.trial import trial_of

RETRY_SECONDS: Final = 1.0
INTAKE_IDLE_SECONDS: Final = 0.2
#: How often those who follow alerts look by themselves; the database wakes them.
LIVE_LOOK_SECONDS: Final = 1.0

log = structlog.get_logger()


@contextmanager
def parts_of(settings: Settings, clock: Clock, fail_point: Callable[[str], None] = nothing) -> Iterator[Parts]:
    """What the services share; nothing is connected before it is needed. Raises :class:`SettingsError`."""
    if not settings.is_distributed:
        raise SettingsError(
            "log: a service by itself needs a log that others reach, kafka://HOST:PORT (TOXWATCH_LOG); `toxwatch run` does"
            " everything in one process"
        )
    trial = trial_of(settings)
    metrics = Metrics(CollectorRegistry()).of(trial.id)
    database = Database(settings.database_url)
    try:
        with open_logs(settings, database) as logs:
            collector = StoreCollector(trial.id, database, clock, logs.clinical, logs.alerts)
            metrics.process.registry.register(collector)
            yield Parts(
                settings,
                database,
                trial,
                clock,
                logs.clinical,
                logs.alerts,
                metrics,
                fail_point,
                ClockWatch(database, clock),
            )
    finally:
        database.close()


def prepare(parts: Parts, *, activates: bool) -> None:
    """The tables must be of this version (`toxwatch migrate`). Who judges says which rules are in force, and nobody else."""
    require_current(parts.database)
    parts.watch.look()
    with parts.database.writing() as connection:
        begin_first_generation(connection, parts.clock.now())
        begin_positions(connection, CONSUMER, parts.clinical.partitions)
    if activates:
        activate(parts.database, parts.clinical, parts.trial, parts.clock, parts.fail_point)


class Preparation:
    """Prepares as soon as brokers and database are up. ``problem`` says what it waits for."""

    def __init__(self, parts: Parts, *, activates: bool = False) -> None:
        self._activates = activates
        self.problem: str | None = "starting"
        self._parts = parts

    async def done(self, stopping: asyncio.Event) -> bool:
        """Wait until it is done; False where the process is to stop before that."""
        while not stopping.is_set():
            try:
                await asyncio.to_thread(prepare, self._parts, activates=self._activates)
            except (StoreUnavailable, WrongSchema) as error:
                if self.problem == "starting":
                    log.warning("waiting_to_start", trouble=str(error))
                self.problem = f"waiting to start: {error}"
                await rest(stopping, RETRY_SECONDS)
            else:
                self.problem = None
                return True
        return False


async def run_gateway(parts: Parts) -> None:
    """Take events over HTTP, and answer questions."""
    stopping = _stopped_by_signals()
    preparation = Preparation(parts)
    limits = connection_limits(parts.settings)
    readers = _topic_readers(parts)
    loops = [
        Loop(reader.consumer_name, reader.work, lambda: INTAKE_IDLE_SECONDS, parts.metrics.store_unavailable_total)
        for reader in readers
    ]
    loops.append(store_loop(parts))
    with listening(parts.settings.listen) as listener:
        parts = replace(parts, settings=parts.settings.heard_on(port_of(listener)))
        log.info("listening", address=address_of(listener), role="gateway")
        warn_of_plain_http(parts.settings)
        feed = AlertFeed(parts.database, stopping, LIVE_LOOK_SECONDS)
        news = _listener(parts, feed)
        loops.append(Loop("news", news.listen, lambda: 0.0, parts.metrics.store_unavailable_total))
        app, workers = gateway_of(parts, feed), Workers(loops)

        async def serve() -> None:
            if not await preparation.done(stopping):
                return
            workers.start()
            server = server_of(app, limits)
            serving = asyncio.create_task(server.serve([listener]))
            await asyncio.wait([serving, _until(stopping)], return_when=asyncio.FIRST_COMPLETED)
            server.should_exit = True
            await serving
            await asyncio.to_thread(workers.stop)
            news.close()
            for reader in readers:
                reader.close()

        troubles = [
            app.state.writer.trouble,
            *(loop.trouble for loop in loops),
            *(reader.trouble for reader in readers),
        ]
        await _run(parts, stopping, serve, [lambda: preparation.problem, *troubles], "gateway")


async def run_clock(parts: Parts) -> None:
    """Fire what comes due."""
    stopping = _stopped_by_signals()
    preparation = Preparation(parts)
    loop = clock_loop(parts)
    checks = [lambda: preparation.problem, loop.trouble]
    await _run(parts, stopping, _loop_after(preparation, loop, stopping), checks, "clock")


async def run_dispatcher(parts: Parts) -> None:
    """Deliver alerts to their recipients."""
    stopping = _stopped_by_signals()
    preparation = Preparation(parts)
    warn_of_links(parts.settings)
    dispatcher = dispatcher_of(parts, load_recipients(parts.settings.recipients, parts.trial.protocol))

    async def serve() -> None:
        if await preparation.done(stopping):
            await dispatcher.run(stopping)

    checks = [lambda: preparation.problem, lambda: dispatcher.problem]
    await _run(parts, stopping, serve, checks, "dispatcher", dispatcher.tell_directly)


def _topic_readers(parts: Parts) -> list[TopicReader]:
    """A reader for each topic of an outside producer."""
    cluster, prefix = cluster_of(parts.settings), parts.settings.topic_prefix

    def intake() -> Intake:
        return Intake(
            parts.database,
            parts.clinical,
            parts.trial,
            parts.clock,
            parts.metrics,
            parts.fail_point,
            parts.watch.heard,
            parts.settings.letter_quota,
        )

    named = load_intake_topics(parts.settings.intake)
    on_lag = parts.metrics.intake_lag_events
    return [
        TopicReader(cluster, prefix, topic, parts.database, intake(), partial(on_lag, topic.name)) for topic in named
    ]


def _listener(parts: Parts, feed: AlertFeed) -> Listener:
    """What wakes those who follow the alerts."""
    loop = asyncio.get_running_loop()
    return Listener(parts.database, ALERTS, lambda: loop.call_soon_threadsafe(feed.wake))


def checks_of(parts: Parts, more: Sequence[Check]) -> list[Check]:
    """What every service is asked, with what this one is asked."""
    database, clock = parts.database, parts.clock
    shared = [database_answers(database), clock_is_believed(clock), log_is_not_ahead(database, clock)]
    return [*shared, log_answers(parts.clinical), *more]


async def serve_metrics(
    parts: Parts, stopping: asyncio.Event, more: Sequence[Check], service: str, direct: Direct | None = None
) -> None:
    """Metrics and health, until ``stopping``; and that the service stands still, where it does, is told."""
    watched = {service: Lasting(lambda: next(filter(None, (check() for check in more)), None))}
    with listening(parts.settings.metrics) as listener:
        log.info("listening", address=address_of(listener), role="metrics")
        watching = asyncio.create_task(stall_watch(parts, watched, direct).run(stopping))
        await serve_health(parts.metrics.process, checks_of(parts, more), listener, stopping)
        await watching


async def _run(
    parts: Parts,
    stopping: asyncio.Event,
    serve: Callable[[], Awaitable[None]],
    more: Sequence[Check],
    service: str,
    direct: Direct | None = None,
) -> None:
    """The service with its metrics, until it is to stop, or one of the two fails: then the process ends, to be started again."""
    tasks = [
        asyncio.create_task(_ending(stopping, serve())),
        asyncio.create_task(_ending(stopping, serve_metrics(parts, stopping, more, service, direct))),
    ]
    for end in await asyncio.gather(*tasks, return_exceptions=True):
        if end is not None:
            raise end
    log.info("stopped")


async def _ending(stopping: asyncio.Event, work: Awaitable[None]) -> None:
    try:
        await work
    finally:
        stopping.set()


def _loop_after(preparation: Preparation, loop: Loop, stopping: asyncio.Event) -> Callable[[], Awaitable[None]]:
    async def serve() -> None:
        if await preparation.done(stopping):
            workers = Workers([loop])
            workers.start()
            await stopping.wait()
            await asyncio.to_thread(workers.stop)

    return serve


def _stopped_by_signals() -> asyncio.Event:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    return stopping


def _until(stopping: asyncio.Event) -> asyncio.Task[Any]:
    return asyncio.create_task(stopping.wait())
