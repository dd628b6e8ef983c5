"""The monitor as a Faust worker: ``faust -A services.runtime.faust_worker worker``, or ``toxwatch monitor``.

Faust supervises and carries batches: the app, its services, the bounded channel and the agent. It neither reads Kafka nor keeps
positions, since its own consumer loses events where something fails: a reader of ours reads, and the database owns the positions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Any, Final

import faust
from faust.app.base import BootStrategy
from mode import Service

from services.log import topics
from services.log.dead_letter_topic import DeadLetterTopic
from services.log.kafka_client import LogUnavailable, cluster_of
from services.monitor.batch_taker import BatchTaker
from services.monitor.batches import Assignments, Batch
from services.monitor.clinical_reader import ClinicalReader
from services.monitor.dead_letter_relay import DeadLetterRelay
from services.monitor.monitor import Monitor
from services.monitor.observed import MonitorMetrics
from services.platform.fail_points import nothing
from services.platform.garbage import spare_what_stays
from services.platform.logs import configure_logs
from services.platform.settings import Settings, read_settings
from services.platform.supervision import Loop, Workers
from services.platform.time_source import Clock, SystemClock
from services.runtime.distributed import Preparation, parts_of, serve_metrics
from services.runtime.embedded import IDLE_SECONDS, Parts, relay_loop

#: Batches that wait for the agent: enough that it never waits, few enough that little is read in vain.
WAITING_MAX: Final = 1
#: How long the batch in hand may take once we are to stop, and then leaving the group.
FINISH_SECONDS_MAX: Final = 3.0


class WithoutKafka(BootStrategy):
    """Faust starts neither consumer nor producer of its own, nor a web server."""

    enable_kafka = False
    enable_web = False


class MonitorWorker(faust.Worker):
    """Leaves the logs and the terminal to us."""

    def __init__(self, *services: Any, **options: Any) -> None:
        super().__init__(*services, **{**options, "override_logging": False, "redirect_stdouts": False})
        self.spinner = None


class MonitorApp(faust.App):
    """An app that writes nothing to the disk. ``resources`` are let go of when it ends."""

    BootStrategy = WithoutKafka

    def __init__(self, name: str, resources: ExitStack, **options: Any) -> None:
        super().__init__(name, **options)
        self._resources = resources

    async def on_first_start(self) -> None:
        """Make no directories: there are no tables."""

    async def on_shutdown(self) -> None:
        """Everything has stopped."""
        await super().on_shutdown()
        self._resources.close()


class MonitorService(Service):
    """Reads, and has judged, for as long as the worker runs."""

    def __init__(self, parts: Parts, shares: Assignments, **options: Any) -> None:
        super().__init__(**options)
        self._parts = parts
        self._shares = shares
        self._stopping = asyncio.Event()
        self._preparation = Preparation(parts, activates=True)
        self._relay: Loop = relay_loop(parts)
        self._letter_topic = DeadLetterTopic(
            cluster_of(parts.settings), topics.dead_letters(parts.settings.topic_prefix)
        )
        self._letters = _letters_loop(parts, self._letter_topic)
        self._workers = Workers([self._relay, self._letters])
        self._reader: ClinicalReader | None = None
        self._running: list[asyncio.Task[None]] = []
        self.taker: BatchTaker | None = None
        self.channel: Any = None

    async def on_start(self) -> None:
        """Begin. The channel is open from now on: Faust opens it when its own consumer is ready, and it has none."""
        self.channel.app.flow_control.resume()
        self._running = [
            asyncio.create_task(serve_metrics(self._parts, self._stopping, [self.problem], "monitor")),
            asyncio.create_task(self._work()),
        ]
        for task in self._running:
            self.add_future(self._watched(task))

    async def on_stop(self) -> None:
        """Read nothing more, finish the batch in hand, leave the group."""
        self._stopping.set()
        if self.taker is not None:
            await self.taker.stop(FINISH_SECONDS_MAX)
        if self._reader is not None:
            self._reader.stop()
        # All at once: where no broker answers, each would take its time.
        await asyncio.gather(
            asyncio.to_thread(self._workers.stop, FINISH_SECONDS_MAX),
            asyncio.wait(self._running, timeout=FINISH_SECONDS_MAX),
        )
        self._letter_topic.close()

    def problem(self) -> str | None:
        """Why events are not judged as they come, in sentences; None while they are."""
        reader, taker = self._reader, self.taker
        if reader is None or taker is None:
            return f"monitor: {self._preparation.problem}"
        self._see_ends()
        loops = [self._relay.trouble(), self._letters.trouble()]
        said = [reader.problem, taker.problem, *loops, *(one.trouble for one in self._shares.all())]
        return "; ".join(one for one in said if one is not None) or None

    def _see_ends(self) -> None:
        """By another client than the reader's, which would not tell us that it reads nothing any more."""
        # Where the log does not answer, another check says so.
        with suppress(LogUnavailable):
            ends = self._parts.clinical.ends()
            for share in self._shares.all():
                share.see_end(ends[share.partition])

    async def _work(self) -> None:
        if not await self._preparation.done(self._stopping):
            return
        parts = self._parts
        monitor = Monitor(
            parts.database,
            parts.trial,
            MonitorMetrics(parts.metrics, parts.clock),
            parts.fail_point,
            parts.clinical.partitions,
        )
        prefix = parts.settings.topic_prefix
        self.taker = BatchTaker(monitor, self._shares, parts.clock, parts.metrics, self._relay.wake)
        self._reader = ClinicalReader(
            cluster_of(parts.settings),
            topics.clinical(prefix),
            f"{prefix}.monitor",
            self._shares,
            monitor.position,
            self.channel.put,
            self.taker.settled,
            parts.clinical,
        )
        self._workers.start()
        spare_what_stays()
        await self._reader.run()

    async def _watched(self, task: asyncio.Task[None]) -> None:
        """What ends by itself ends the worker, to be started again."""
        await asyncio.shield(task)
        if not self._stopping.is_set():
            raise RuntimeError("a task of the worker has ended")


def _letters_loop(parts: Parts, topic: DeadLetterTopic) -> Loop:
    """Carries parked letters to their topic."""
    relay = DeadLetterRelay(parts.database, topic, parts.settings.source)
    return Loop("letters", lambda: relay.relay() > 0, lambda: IDLE_SECONDS, parts.metrics.store_unavailable_total)


def worker_app(
    settings: Settings,
    clock: Clock | None = None,
    fail_point: Callable[[str], None] = nothing,
    shares: Assignments | None = None,
) -> MonitorApp:
    """The app, put together."""
    resources = ExitStack()
    parts = resources.enter_context(parts_of(settings, clock or SystemClock(), fail_point))
    app = MonitorApp(
        f"{settings.topic_prefix}-monitor",
        resources,
        broker=settings.log,
        autodiscover=False,
        stream_wait_empty=True,
        topic_disable_leader=True,
        Worker=MonitorWorker,
    )
    service = MonitorService(parts, shares or Assignments())
    service.channel = app.channel(maxsize=WAITING_MAX)

    @app.agent(service.channel, name="judge")
    async def judge(batches: Any) -> None:
        async for batch in batches:
            assert isinstance(batch, Batch)
            assert service.taker is not None
            await service.taker.take(batch)

    app.service(service)  # type: ignore[arg-type]  # takes one that is made, too
    return app


def __getattr__(name: str) -> Any:
    """``app``, for the ``faust`` command: put together when it is asked for, not when this is imported."""
    if name != "app":
        raise AttributeError(name)
    settings = read_settings()
    configure_logs(settings.log_level)
    app = worker_app(settings)
    globals()["app"] = app
    return app
