"""The subjects that are kept between batches: those used last, as far as their charts fit."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, MutableMapping
from typing import Final

from projections.store.write.subject_state import SubjectState

#: How many events all the charts may have together.
KEPT_EVENTS_MAX: Final = 400_000


class SubjectCache(MutableMapping[str, SubjectState]):
    """States by subject. Clear it after a rollback: what the transaction changed in memory was not stored."""

    def __init__(self, events_max: int = KEPT_EVENTS_MAX) -> None:
        self._events_max = events_max
        self._watches: OrderedDict[str, SubjectState] = OrderedDict()
        self._counted: dict[str, int] = {}
        self._events = 0

    def __getitem__(self, subject: str) -> SubjectState:
        return self._watches[subject]

    def __setitem__(self, subject: str, watch: SubjectState) -> None:
        self._watches[subject] = watch
        self._count(subject, watch.version)

    def __delitem__(self, subject: str) -> None:
        del self._watches[subject]
        self._count(subject, 0)

    def __iter__(self) -> Iterator[str]:
        return iter(self._watches)

    def __len__(self) -> int:
        return len(self._watches)

    def clear(self) -> None:
        """Keep nothing."""
        self._watches.clear()
        self._counted.clear()
        self._events = 0

    def trim(self, used: Iterable[str]) -> None:
        """These were used last; let go of those used longest ago, as far as needed."""
        for subject in used:
            if subject in self._watches:
                self._watches.move_to_end(subject)
                self._count(subject, self._watches[subject].version)
        while self._events > self._events_max and len(self._watches) > 1:
            del self[next(iter(self._watches))]

    def _count(self, subject: str, events: int) -> None:
        self._events += events - self._counted.pop(subject, 0)
        if events:
            self._counted[subject] = events
