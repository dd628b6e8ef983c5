"""The monitor on the embedded log: reads on from its position, batch by batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from projections.store.write.rules_in_force import OtherRules
from services.log.port import EventLog
from services.monitor.monitor import FencedMonitor, Halted, Monitor
from services.platform.supervision import LoopEnded
from services.platform.time_source import Clock, elapsed_seconds

BATCH_MAX: Final = 500
PARTITION: Final = 0


class EmbeddedRunner:
    """``work`` for a :class:`services.platform.supervision.Loop`: one batch, or, where none waits, subjects under new rules.

    ``on_published`` is called where something may wait in the outbox then.
    """

    def __init__(
        self,
        monitor: Monitor,
        log: EventLog,
        clock: Clock,
        on_published: Callable[[], None],
        took_seconds: Callable[[float], None],
    ) -> None:
        self._monitor = monitor
        self._log = log
        self._clock = clock
        self._on_told = on_published
        self._took_seconds = took_seconds
        self._next: int | None = None

    def work(self) -> bool:
        """Take what waits. Raises ``StoreUnavailable``, or ``LoopEnded`` where the partition halts."""
        if self._next is None:
            self._next = self._monitor.position(PARTITION)
        entries = self._log.read(PARTITION, self._next, BATCH_MAX)
        try:
            if entries:
                began = elapsed_seconds()
                outcome = self._monitor.process(entries, self._clock.now())
                self._took_seconds(elapsed_seconds() - began)
                self._next = entries[-1].position.offset + 1
                if not outcome.may_have_published:
                    return True
            elif not self._monitor.judge_again(self._clock.now()):
                return False
        except FencedMonitor:
            self._next = None
        except (Halted, OtherRules) as halt:
            raise LoopEnded(str(halt)) from halt
        self._on_told()
        return True
