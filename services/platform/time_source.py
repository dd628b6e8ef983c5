"""The one place that reads the clock. Everywhere else the instant is a parameter.

A wrong clock is dangerous in a system that lets time alone change a verdict: were the machine's clock set to 2040 by mistake,
every countdown would end at once and could not be begun again. So the machine's clock is compared with the time that has passed
since the start. Corrections are followed up to a limit that holds for their *sum*; what is beyond is not believed until it is
confirmed (``services.clock.watch`` knows by whom), and until then time goes on by what has elapsed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, Protocol

from events.dates import DAY, HOUR, MINUTE, SECOND, Instant, format_instant, from_datetime

#: All corrections together may move the machine's clock by this much; NTP steps by less, daylight saving is none.
LEAP_BELIEVED_MAX: Final = HOUR
#: So much of it is forgotten in a day. NTP slews by at most 43 s a day, so a clock that is only slewed never reaches the limit.
DRIFT_A_DAY: Final = MINUTE


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

    def doubt(self) -> str | None:
        """Why the time is not to be relied upon, in a sentence; None while it is. Nothing may become due meanwhile."""
        ...


class SystemClock:
    """The machine's clock, followed with care."""

    def __init__(self, wall: Callable[[], Instant] | None = None, elapsed: Callable[[], int] | None = None) -> None:
        self._wall = wall or now
        self._elapsed = elapsed or _since_boot
        self._lock = threading.Lock()
        self._believed = self._wall()
        self._read_at = self._elapsed()
        #: Where the machine's clock should stand when no time at all has elapsed.
        self._anchor = self._believed - self._read_at
        self._forgiven_at = self._read_at
        self._leap = 0
        self._distrust: str | None = None

    def now(self) -> Instant:
        """The machine's time; while that is doubtful, the last time that was not, and what has elapsed since."""
        with self._lock:
            return self._look()

    def seconds_until(self, instant: Instant) -> float:
        """Real seconds until an instant."""
        return max(0, instant - self.now()) / SECOND

    def leap(self) -> float:
        """Seconds by which the machine's clock is ahead (or behind, negative) while it is not believed."""
        self.now()
        return self._leap / SECOND

    def doubt(self) -> str | None:
        """Why the machine's clock is not believed."""
        with self._lock:
            believed, wall = self._look(), self._wall()
            if self._distrust is not None:
                return self._distrust
            if not self._leap and believed - wall > LEAP_BELIEVED_MAX:
                return (
                    f"the last time on record, {format_instant(believed)}, is ahead of the machine's clock, which is confirmed"
                    f" and says {format_instant(wall)}. Nothing becomes due, and what is received bears the last time on record,"
                    " until the clock has caught up, or until `toxwatch clock confirm` lets the record follow it"
                )
            if not self._leap:
                return None
            return (
                f"the machine's clock says {format_instant(wall)}, and its corrections since the start come to"
                f" {self._leap // SECOND} s, more than the {LEAP_BELIEVED_MAX // SECOND} s that are believed"
            )

    def is_confirmed(self) -> bool:
        """Whether the machine's clock is followed; the time that was given before may still be ahead of it."""
        with self._lock:
            self._look()
            return self._distrust is None and not self._leap

    def wall(self) -> Instant:
        """What the machine's clock says, believed or not."""
        return self._wall()

    def set_back(self) -> float:
        """By how many seconds the machine's clock stands behind the last time that was given; 0 unless it was set back."""
        return max(0, self.now() - self._wall()) / SECOND

    def distrust(self, why: str, present: Instant | None = None) -> None:
        """Do not believe the machine's clock until :meth:`confirm`. ``present``: from where time goes on, before any was used."""
        with self._lock:
            believed = self._look()
            self._distrust = why
            self._believed = believed if present is None else present

    def confirm(self, *, may_go_back: bool = False) -> None:
        """The machine's clock is right, as somebody knows. ``may_go_back``: also where it is far behind the last time."""
        with self._lock:
            self._look()
            wall, elapsed = self._wall(), self._elapsed()
            self._distrust, self._leap = None, 0
            self._anchor, self._forgiven_at = wall - elapsed, elapsed
            is_far_behind = self._believed - wall > LEAP_BELIEVED_MAX
            self._believed = wall if may_go_back and is_far_behind else max(self._believed, wall)
            self._read_at = elapsed

    def _look(self) -> Instant:
        elapsed, wall = self._elapsed(), self._wall()
        passed = max(0, elapsed - self._read_at)
        self._read_at = elapsed
        off = wall - elapsed - self._anchor
        self._leap = 0 if abs(off) <= LEAP_BELIEVED_MAX else off
        if self._leap or self._distrust is not None:
            self._believed += passed
        else:
            self._forgive(off, elapsed)
            self._believed = max(self._believed, wall)
        return self._believed

    def _forgive(self, off: int, elapsed: int) -> None:
        """Let the anchor follow the machine's clock, as slowly as a clock may drift."""
        forgotten = DRIFT_A_DAY * (elapsed - self._forgiven_at) // DAY
        if forgotten >= SECOND // 1000:
            self._anchor += max(-forgotten, min(off, forgotten))
            self._forgiven_at = elapsed


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

    def doubt(self) -> str | None:
        """It is a story's, and is never doubted."""
        return None


def now() -> Instant:
    """The present instant, as the machine says."""
    return from_datetime(datetime.now(UTC))


def local_time() -> str:
    """The present as a clock on the wall of this machine's time zone shows it."""
    return datetime.now().astimezone().strftime("%A %d %B %Y, %H:%M:%S %Z")


def elapsed_seconds() -> float:
    """Seconds from some fixed moment, to measure how long something takes."""
    return time.monotonic()


def _since_boot() -> int:
    """Microseconds since the machine was started, those that it slept included."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000
