"""The one place that reads the clock. Everywhere else the instant is a parameter.

A wrong clock is dangerous in a system that lets time alone change a verdict: were the machine's clock set to 2040 by mistake,
every countdown would end at once and could not be begun again. So the machine's clock is compared with the time that has
passed since it was read last. Small corrections are followed; a great leap is not believed until the process is restarted.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, Protocol

from events.dates import HOUR, SECOND, Instant, from_datetime

#: A correction of the machine's clock up to this is followed; NTP corrects by less, daylight saving is none.
LEAP_BELIEVED_MAX: Final = HOUR


class Clock(Protocol):
    """What a service asks for the time."""

    def now(self) -> Instant:
        """The present instant; never before one that was given earlier."""
        ...

    def seconds_until(self, instant: Instant) -> float:
        """How many real seconds are left until an instant; 0 once it has come."""
        ...

    def leap(self) -> float:
        """By how many seconds the machine's clock has leapt from where it should be; 0 unless it is not believed."""
        ...


class SystemClock:
    """The machine's clock, followed with care."""

    def __init__(self, wall: Callable[[], Instant] | None = None, elapsed: Callable[[], int] | None = None) -> None:
        self._wall = wall or now
        self._elapsed = elapsed or _since_boot
        self._lock = threading.Lock()
        self._believed = self._wall()
        self._read_at = self._elapsed()
        self._leap = 0

    def now(self) -> Instant:
        """The machine's time, or, after a leap, the time that should be."""
        with self._lock:
            elapsed, wall = self._elapsed(), self._wall()
            expected = self._believed + max(0, elapsed - self._read_at)
            self._leap = 0 if abs(wall - expected) <= LEAP_BELIEVED_MAX else wall - expected
            self._believed = max(self._believed, expected if self._leap else wall)
            self._read_at = elapsed
            return self._believed

    def seconds_until(self, instant: Instant) -> float:
        """Real seconds until an instant."""
        return max(0, instant - self.now()) / SECOND

    def leap(self) -> float:
        """Seconds by which the machine's clock is ahead (or behind, negative) while it is not believed."""
        self.now()
        return self._leap / SECOND


class ScaledClock:
    """Time that begins at ``start`` and runs ``speed`` times as fast: for a demonstration, where a trial takes minutes."""

    def __init__(self, start: Instant, speed: float) -> None:
        self._start = start
        self._speed = speed
        self._began = _since_boot()

    def now(self) -> Instant:
        """The instant of the story."""
        return self._start + int((_since_boot() - self._began) * self._speed)

    def seconds_until(self, instant: Instant) -> float:
        """Real seconds until an instant of the story."""
        return max(0, instant - self.now()) / self._speed / SECOND

    def leap(self) -> float:
        """It never leaps."""
        return 0.0


def now() -> Instant:
    """The present instant, as the machine says."""
    return from_datetime(datetime.now(UTC))


def elapsed_seconds() -> float:
    """Seconds from some fixed moment, to measure how long something takes."""
    return time.monotonic()


def _since_boot() -> int:
    """Microseconds since the machine was started, those that it slept included."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000
