"""Until when a subject is known to have been observed: visits not missed, results done, administrations (RULES 5)."""

from __future__ import annotations

from typing import NamedTuple

from events.dates import Instant, PartialDate, Zone

RecordKey = tuple[str, str]


class Observed(NamedTuple):
    """What is kept of a visit or a result, small enough to keep by the million.

    ``date`` is None where nothing was observed (a missed visit, a result not done); ``analyte`` is a result's.
    """

    date: PartialDate | None
    analyte: str | None


class Observations:
    """The dated observations in effect, and the latest of them by the first instant that its date may mean."""

    __slots__ = ("_dates", "latest", "zone")

    def __init__(self, zone: Zone) -> None:
        self.zone = zone
        self.latest: Instant | None = None
        self._dates: dict[RecordKey, PartialDate] = {}

    def put(self, key: RecordKey, date: PartialDate) -> None:
        """Take in, or correct, the date of one observation."""
        previous = self._dates.get(key)
        self._dates[key] = date
        lo = self._lo(date)
        if self.latest is None or lo >= self.latest:
            self.latest = lo
        elif previous is not None and self._lo(previous) == self.latest:
            self._recompute()

    def remove(self, key: RecordKey) -> None:
        """Forget an observation that was retracted, or that turned out to be none."""
        previous = self._dates.pop(key, None)
        if previous is not None and self._lo(previous) == self.latest:
            self._recompute()

    def move_to(self, zone: Zone) -> None:
        """Read every date in another time zone."""
        self.zone = zone
        self._recompute()

    def _recompute(self) -> None:
        self.latest = max(map(self._lo, self._dates.values()), default=None)

    def _lo(self, date: PartialDate) -> Instant:
        return date.first if date.precision == "instant" else self.zone.to_instant(date.first)
