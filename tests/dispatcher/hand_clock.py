"""A clock that a test turns by hand."""

from __future__ import annotations

from events.dates import SECOND, Instant, parse_instant

START = parse_instant("2017-03-01T08:00:00Z")


class HandClock:
    """Stands still until it is turned."""

    def __init__(self, start: Instant = START) -> None:
        self._now = start

    def turn(self, span: int) -> None:
        self._now += span

    def now(self) -> Instant:
        return self._now

    def seconds_until(self, instant: Instant) -> float:
        return max(0, instant - self._now) / SECOND

    def leap(self) -> float:
        return 0.0

    def doubt(self) -> str | None:
        return None
