"""How much work a key may make in a minute: a bucket of tokens for each key, filled again as time passes.

One token is one event as most are. A large one costs as many as it has pieces of 4 KiB; one that is refused costs ten, since it
is read again for what it may mean, kept, and told of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import ceil
from typing import Final

from services.http.problems import Problem
from services.platform.time_source import elapsed_seconds

SECONDS: Final = 60
REFUSED_COST: Final = 10
EVENT_BYTES: Final = 4096


def cost_of(sizes: Iterable[int]) -> int:
    """What events of these sizes cost."""
    return sum(1 + size // EVENT_BYTES for size in sizes)


class RateLimit:
    """The buckets. A request larger than a whole bucket is let through when that is full, and is paid off afterwards."""

    def __init__(self, events_per_minute: int, elapsed: Callable[[], float] = elapsed_seconds) -> None:
        self._size = float(events_per_minute)
        self._elapsed = elapsed
        self._buckets: dict[str, tuple[float, float]] = {}

    def charge(self, key_id: str, refused: int) -> None:
        """So many events of a key were refused: what they cost more than others is paid off before the next is let through."""
        tokens, filled_at = self._buckets.get(key_id, (self._size, self._elapsed()))
        self._buckets[key_id] = (tokens - refused * (REFUSED_COST - 1), filled_at)

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
