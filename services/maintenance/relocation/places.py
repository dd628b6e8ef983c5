"""Where each entry of an embedded log belongs on Kafka: in the partition of its key, in the order in which it was appended.

A new place follows from the old log alone, so that a move that was broken off goes on without having written anything down.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Sequence
from typing import Final

from services.log.partitioning import partition_of
from services.log.port import Position

#: About the rules in force: stands in every partition (distributed.md).
EVERYWHERE: Final = "/@protocol"


class Places:
    """The new place of each entry, by its old offset. Ten bytes an entry."""

    def __init__(self, partitions: int) -> None:
        self._partition = array("H")
        self._offset = array("Q")
        self._everywhere: dict[int, list[Position]] = {}
        self.ends: Final = [0] * partitions

    def __len__(self) -> int:
        return len(self._partition)

    def add(self, key: str) -> None:
        """Give a place to the next entry."""
        taken: Sequence[int] = (partition_of(key, len(self.ends)),)
        if key.endswith(EVERYWHERE):
            taken = range(len(self.ends))
            self._everywhere[len(self)] = [Position(number, end) for number, end in enumerate(self.ends)]
        self._partition.append(taken[0])
        self._offset.append(self.ends[taken[0]])
        for number in taken:
            self.ends[number] += 1

    def of(self, offset: int) -> Position:
        """The place of an entry; of one that stands in every partition, the first."""
        return Position(self._partition[offset], self._offset[offset])

    def all_of(self, offset: int) -> list[Position]:
        """Every place of an entry."""
        return self._everywhere.get(offset) or [self.of(offset)]

    def ends_before(self, offset: int) -> list[int]:
        """For each partition, how many of its entries stood before an offset of the old log."""
        found = Counter(self._partition[:offset])
        everywhere = sum(number < offset for number in self._everywhere)
        # Partition 0 has counted the entries that are everywhere already.
        return [found[number] + (everywhere if number else 0) for number in range(len(self.ends))]
