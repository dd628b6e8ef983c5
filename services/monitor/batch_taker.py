"""Takes batches, one after the other, and never gives one up: a database that is down is waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from projections.store.engine.database import StoreUnavailable
from projections.store.write.rules_in_force import OtherRules
from services.monitor.batches import Assignments, Batch
from services.monitor.monitor import FencedMonitor, Halted, Monitor
from services.platform.metrics import TrialMetrics
from services.platform.resting import rest
from services.platform.time_source import Clock, elapsed_seconds

PAUSE_SECONDS_MIN: Final = 0.05
PAUSE_SECONDS_MAX: Final = 5.0
NAME: Final = "monitor"

log = structlog.get_logger()


class BatchTaker:
    """Hands batches to the monitor in a thread. Never raises: Faust would take a batch that raised for done.

    ``problem`` says what keeps it from working now.
    """

    def __init__(
        self,
        monitor: Monitor,
        shares: Assignments,
        clock: Clock,
        metrics: TrialMetrics,
        on_published: Callable[[], None],
    ) -> None:
        self.problem: str | None = None
        self._monitor = monitor
        self._shares = shares
        self._clock = clock
        self._metrics = metrics
        self._on_told = on_published
        self._stopping = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    async def take(self, batch: Batch) -> None:
        """Take a batch, for as long as its partition is ours."""
        self._idle.clear()
        pause = PAUSE_SECONDS_MIN
        try:
            while not self._stopping.is_set() and (batch.share is None or self._shares.holds(batch.share)):
                if await self._tried(batch):
                    return
                await rest(self._stopping, pause)
                pause = min(pause * 2, PAUSE_SECONDS_MAX)
        finally:
            self._idle.set()

    async def stop(self, seconds: float) -> None:
        """Take nothing more; let what is under way come to its end."""
        self._stopping.set()
        await self.settled(seconds)

    async def settled(self, seconds: float) -> None:
        """Wait until nothing is under way, but no longer than this."""
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError:
            log.warning("batch_still_under_way")

    async def _tried(self, batch: Batch) -> bool:
        """Whether there is nothing left to try."""
        try:
            await asyncio.to_thread(self._work, batch)
        except FencedMonitor:
            log.warning("monitor_fenced", partition=batch.share.partition if batch.share else None)
            if batch.share is not None:
                self._shares.again(batch.share)
        except (Halted, OtherRules) as halt:
            log.critical("partition_halted", trouble=str(halt))
            if batch.share is not None:
                batch.share.halted = str(halt)
        except StoreUnavailable as error:
            self._metrics.store_unavailable_total(NAME)
            self._report(f"waiting for {error.waits_for} ({error})")
            return False
        except Exception as error:
            log.error("batch_failed", exc_info=error)
            self._report(f"failed with {type(error).__name__}, and tries again")
            return False
        else:
            self.problem = None
        return True

    def _work(self, batch: Batch) -> None:
        if batch.share is None:
            while not self._stopping.is_set() and self._monitor.judge_again(self._clock.now()):
                self._on_told()
            return
        began = elapsed_seconds()
        outcome = self._monitor.process(batch.entries, self._clock.now())
        self._metrics.monitor_batch_seconds(elapsed_seconds() - began)
        batch.share.commit(batch.entries[-1].position.offset + 1)
        if outcome.may_have_published:
            self._on_told()

    def _report(self, problem: str) -> None:
        if self.problem is None:
            log.error("monitor_in_trouble", trouble=problem)
        self.problem = f"{NAME}: {problem}"
