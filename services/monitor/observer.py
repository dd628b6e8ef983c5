"""What the monitor lets others see: for metrics, and for logs."""

from __future__ import annotations

from typing import Protocol

from events.dates import Instant
from projections.store.write.batch import BatchOutcome, EventFailed


class MonitorObserver(Protocol):
    """Told after a batch is committed, and of each bug."""

    def processed(self, outcome: BatchOutcome, now: Instant) -> None:
        """A batch was committed."""
        ...

    def met_a_bug(self, failed: EventFailed) -> None:
        """Judging an event raised."""
        ...


class UnobservedMonitor:
    """Nobody looks."""

    def processed(self, outcome: BatchOutcome, now: Instant) -> None:
        """Nothing."""

    def met_a_bug(self, failed: EventFailed) -> None:
        """Nothing."""
