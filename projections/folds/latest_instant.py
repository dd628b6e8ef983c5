"""The latest of many instants that come and go."""

from __future__ import annotations

from heapq import heappop, heappush

from events.dates import Instant


class LatestInstant:
    """Instants, each counted as often as it was added; the cost of a change does not grow with their number."""

    __slots__ = ("_counts", "_heap")

    def __init__(self) -> None:
        self._counts: dict[Instant, int] = {}
        # Negated, for heapq keeps the smallest first; what was removed is dropped when it comes to the top.
        self._heap: list[Instant] = []

    def add(self, instant: Instant) -> None:
        """Count an instant once more."""
        count = self._counts.get(instant, 0)
        self._counts[instant] = count + 1
        if not count:
            heappush(self._heap, -instant)

    def remove(self, instant: Instant) -> None:
        """Count an instant once less. It must have been added."""
        count = self._counts[instant]
        if count > 1:
            self._counts[instant] = count - 1
        else:
            del self._counts[instant]

    @property
    def latest(self) -> Instant | None:
        """The latest instant that is counted at all."""
        heap = self._heap
        while heap and -heap[0] not in self._counts:
            heappop(heap)
        return -heap[0] if heap else None
