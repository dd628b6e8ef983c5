"""Batches of the clinical log on their way from the reader to the monitor, and how far each partition of ours has come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from services.log.port import Entry
from services.platform.time_source import elapsed_seconds

#: A partition that lags, and of which nothing was committed for so long, does not go on.
STALLED_SECONDS: Final = 30.0


@dataclass(slots=True, eq=False)
class PartitionAssignment:
    """A partition for as long as it is ours. ``next_offset`` is the first that was not read (None: to be asked of the database).

    Lost, assigned again or fenced, it gets another share: a batch of an old one is worth nothing.
    """

    partition: int
    next_offset: int | None = None
    committed: int | None = None
    end: int = 0
    halted: str | None = None
    gaps: int = 0
    moved_at: float = field(default_factory=elapsed_seconds)

    def commit(self, next_offset: int) -> None:
        """The monitor has committed everything before this offset."""
        self.committed = next_offset
        self.moved_at = elapsed_seconds()

    def see_end(self, end: int) -> None:
        """The log goes on to here at least. How long we have stood still counts from when there was first something to do."""
        if not self.lag:
            self.moved_at = elapsed_seconds()
        self.end = max(self.end, end)

    @property
    def lag(self) -> int:
        """How many entries are not committed yet."""
        return max(0, self.end - self.committed) if self.committed is not None else 0

    @property
    def trouble(self) -> str | None:
        """Why it does not go on, in a sentence; None while it does."""
        if self.halted is not None:
            return f"partition {self.partition} is halted: {self.halted}"
        still = elapsed_seconds() - self.moved_at
        if still > STALLED_SECONDS and (self.committed is None or self.lag):
            return f"partition {self.partition} stands at {self.committed} of {self.end} for {still:.0f} s"
        return None


class Assignments:
    """The partitions that are ours now."""

    def __init__(self) -> None:
        self._held: dict[int, PartitionAssignment] = {}

    def assign(self, partitions: Sequence[int]) -> None:
        """From now on these, and no others, are ours. Each is placed anew: somebody else may have had it meanwhile."""
        self._held = {partition: PartitionAssignment(partition) for partition in partitions}

    def again(self, share: PartitionAssignment) -> None:
        """Place a partition anew, unless it was lost."""
        if self.holds(share):
            self._held[share.partition] = PartitionAssignment(share.partition)

    def holds(self, share: PartitionAssignment) -> bool:
        """Whether it is still ours."""
        return self._held.get(share.partition) is share

    def of(self, partition: int) -> PartitionAssignment | None:
        """The share of a partition; None where it is not ours."""
        return self._held.get(partition)

    def all(self) -> list[PartitionAssignment]:
        """Every share."""
        return list(self._held.values())


class Batch(NamedTuple):
    """Entries of one partition that follow each other. None at all: there is time for what else there is to do."""

    share: PartitionAssignment | None
    entries: Sequence[Entry]
