"""Which connections are kept: so many in all and from one address, each for as long as it does something.

A full house turns nobody away who has a request: the connection that has waited longest without one makes room. A connection is
*waiting* until the head of a request is complete, and again once that is answered; what is being answered is never cut for
another, save where its reader does not read.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple, Protocol

import structlog

from services.platform.time_source import elapsed_seconds

#: How often it is looked whose time is up.
SWEEP_SECONDS: Final = 1.0
#: What is said of connections that were cut or turned away is said once in so long, with their number.
REPORT_SECONDS: Final = 10.0

log = structlog.get_logger()


class ConnectionLimits(NamedTuple):
    """Connections at a time, and how long one may take (real seconds)."""

    connections: int = 1024
    per_address: int = 256
    first_byte_seconds: float = 10.0
    head_seconds: float = 10.0
    #: For the rest of a body that nobody reads, once the request is answered.
    drain_seconds: float = 10.0
    #: For a reader who takes nothing of an answer.
    write_seconds: float = 30.0


class Guest(Protocol):
    """An open connection, as the door sees it."""

    def is_overdue(self, now: float, limits: ConnectionLimits) -> bool:
        """Whether its time is up."""
        ...

    def waiting_since(self, now: float) -> float | None:
        """Since when it has done nothing that may not be cut; None while it does."""
        ...

    def cut(self) -> None:
        """Close it at once."""
        ...


class ConnectionSlot:
    """What one connection takes up. ``guest`` is set once it is open."""

    __slots__ = ("address", "guest")

    def __init__(self, address: str) -> None:
        self.address = address
        self.guest: Guest | None = None


class Door:
    """Counts who is in. To be used in one event loop."""

    def __init__(self, limits: ConnectionLimits, elapsed: Callable[[], float] = elapsed_seconds) -> None:
        self._limits = limits
        self._elapsed = elapsed
        self._places: dict[ConnectionSlot, None] = {}
        self._by_address: Counter[str] = Counter()
        self._report = ConnectionReport(elapsed)
        self._sweeping: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._places)

    def admit(self, address: str) -> ConnectionSlot | None:
        """A place for one more connection; None where every other one is being answered."""
        if self._by_address[address] >= self._limits.per_address and not self._make_room([address]):
            self._report.add("refused")
            return None
        if len(self._places) >= self._limits.connections and not self._make_room(self._fullest()):
            self._report.add("refused")
            return None
        place = ConnectionSlot(address)
        self._places[place] = None
        self._by_address[address] += 1
        return place

    def leave(self, place: ConnectionSlot) -> None:
        """The connection is closed, or about to be."""
        if place not in self._places:
            return
        del self._places[place]
        self._by_address[place.address] -= 1
        if not self._by_address[place.address]:
            del self._by_address[place.address]

    def make_room(self, count: int) -> None:
        """Cut the connections that have waited longest, where descriptors run out."""
        for _ in range(count):
            if not self._make_room(self._fullest()):
                return

    def sweep(self) -> None:
        """Cut connections whose time is up."""
        now = self._elapsed()
        for place in [place for place in self._places if place.guest and place.guest.is_overdue(now, self._limits)]:
            self._cut(place, "too_slow")
        self._report.say()

    def watch(self) -> None:
        """Sweep from now on, in this event loop, until :meth:`close`."""
        self.sweep()
        self._sweeping = asyncio.get_running_loop().call_later(SWEEP_SECONDS, self.watch)

    def close(self) -> None:
        """Sweep no more."""
        if self._sweeping is not None:
            self._sweeping.cancel()

    def _fullest(self) -> list[str]:
        """Addresses, those with the most connections first: who takes much makes room before others."""
        return [address for address, _ in self._by_address.most_common()]

    def _make_room(self, addresses: Iterable[str]) -> bool:
        now = self._elapsed()
        waiting: dict[str, tuple[float, ConnectionSlot]] = {}
        for place in self._places:
            since = place.guest.waiting_since(now) if place.guest else None
            if since is not None and (place.address not in waiting or since < waiting[place.address][0]):
                waiting[place.address] = (since, place)
        for address in addresses:
            if address in waiting:
                self._cut(waiting[address][1], "made_room")
                return True
        return False

    def _cut(self, place: ConnectionSlot, why: str) -> None:
        self.leave(place)
        self._report.add(why)
        if place.guest is not None:
            place.guest.cut()


class ConnectionReport:
    """Says how many connections were cut, and why, once in a while: a flood must not fill the log."""

    def __init__(self, elapsed: Callable[[], float]) -> None:
        self._elapsed = elapsed
        self._counts: Counter[str] = Counter()
        self._said_at = float("-inf")

    def add(self, why: str) -> None:
        """One more."""
        self._counts[why] += 1

    def say(self) -> None:
        """Log what was counted since the last time."""
        if not self._counts or self._elapsed() - self._said_at < REPORT_SECONDS:
            return
        self._said_at = self._elapsed()
        log.warning("connections_cut", count=self._counts.total(), reasons=dict(self._counts))
        self._counts.clear()
