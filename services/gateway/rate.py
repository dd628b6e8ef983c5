"""How many events a key may send in a minute: a bucket of tokens for each key, filled again as time passes."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from typing import Final

from services.clock.time_source import elapsed_seconds
from services.gateway.problems import Problem

SECONDS: Final = 60


class RateLimit:
    """The buckets. A request larger than a whole bucket is let through when that is full, and is paid off afterwards."""

    def __init__(self, events_per_minute: int, elapsed: Callable[[], float] = elapsed_seconds) -> None:
        self._size = float(events_per_minute)
        self._elapsed = elapsed
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, key_id: str, events: int) -> None:
        """Count events of a key, or, with 0, see whether any would be let through. Raises a 429 :class:`Problem`."""
        now = self._elapsed()
        tokens, filled_at = self._buckets.get(key_id, (self._size, now))
        tokens = min(self._size, tokens + (now - filled_at) * self._size / SECONDS)
        needed = min(self._size, max(events, 1))
        self._buckets[key_id] = (tokens, now)
        if tokens < needed:
            wait = ceil((needed - tokens) * SECONDS / self._size)
            detail = f"at most {int(self._size)} events a minute are taken from one key"
            raise Problem(429, "Too many requests", detail, {"Retry-After": str(max(1, wait))})
        self._buckets[key_id] = (tokens - events, now)
