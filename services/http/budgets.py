"""What one key may take up at a time, so that nobody is kept out by somebody else: requests, bytes and streams.

A :class:`Lease` is what one request holds. It is laid out with the request, before anybody knows whose it is, filled as it goes
on, and given back whole when the request has ended, however it ends.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import MutableMapping
from typing import Any, Final

from fastapi import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from services.http.problems import Problem, unavailable

#: Bodies that are read or wait to be written: of one key, and of all.
KEY_BYTES_MAX: Final = 32 * 1024 * 1024
ALL_BYTES_MAX: Final = 128 * 1024 * 1024
#: A key that holds no more than this is let in also where others have filled everything.
SMALL_BYTES: Final = 512 * 1024
#: Streams of alerts that one key may follow at a time; a process has room for ten such keys.
KEY_STREAMS_MAX: Final = 20
RETRY_SECONDS: Final = "1"

_LEASE: Final = "toxwatch.lease"


class KeyBudgets:
    """What each key holds now. May be used from any thread."""

    def __init__(self, requests_max: int) -> None:
        self._requests_max = requests_max
        self._lock = threading.Lock()
        self._requests: Counter[str] = Counter()
        self._streams: Counter[str] = Counter()
        self._bytes: Counter[str] = Counter()
        self._all_bytes = 0

    def begin(self, key_id: str) -> None:
        """One more request. Raises :class:`Problem` where the key has too many."""
        with self._lock:
            if self._requests[key_id] >= self._requests_max:
                raise _too_many(f"at most {self._requests_max} requests of one key are answered at a time")
            self._requests[key_id] += 1

    def follow(self, key_id: str) -> None:
        """One more stream. Raises :class:`Problem` where the key has too many."""
        with self._lock:
            if self._streams[key_id] >= KEY_STREAMS_MAX:
                raise _too_many(f"at most {KEY_STREAMS_MAX} streams are open for one key")
            self._streams[key_id] += 1

    def hold(self, key_id: str, size: int) -> None:
        """So many bytes more. Raises :class:`Problem` where the key, or all together, hold too many."""
        with self._lock:
            held = self._bytes[key_id] + size
            if held > KEY_BYTES_MAX:
                raise _too_many(f"at most {KEY_BYTES_MAX} bytes of one key are taken in at a time")
            if self._all_bytes + size > ALL_BYTES_MAX and held > SMALL_BYTES:
                raise unavailable("too much is being sent at once; send the same again")
            self._bytes[key_id] = held
            self._all_bytes += size

    def end(self, key_id: str, requests: int, streams: int, size: int) -> None:
        """So much is given back."""
        with self._lock:
            self._all_bytes -= size
            for counts, count in ((self._requests, requests), (self._streams, streams), (self._bytes, size)):
                counts[key_id] -= count
                if counts[key_id] <= 0:
                    del counts[key_id]


class Lease:
    """What one request holds of its key's budget."""

    def __init__(self, budgets: KeyBudgets) -> None:
        self._budgets = budgets
        self._key_id: str | None = None
        self._streams = 0
        self._bytes = 0

    def take(self, key_id: str) -> None:
        """The request is this key's. Once: asked again, it is the same request. Raises :class:`Problem`."""
        if self._key_id is None:
            self._budgets.begin(key_id)
            self._key_id = key_id

    def follow(self) -> None:
        """It becomes a stream. Raises :class:`Problem`."""
        if self._key_id is not None:
            self._budgets.follow(self._key_id)
            self._streams += 1

    def hold(self, size: int) -> None:
        """So many bytes of its body have come. Raises :class:`Problem`."""
        if self._key_id is not None:
            self._budgets.hold(self._key_id, size)
            self._bytes += size

    def give_back(self) -> None:
        """The request has ended."""
        if self._key_id is not None:
            self._budgets.end(self._key_id, 1, self._streams, self._bytes)
            self._key_id, self._streams, self._bytes = None, 0, 0


class Leases:
    """Lays out a lease for each request, and takes it back at its end."""

    def __init__(self, app: ASGIApp, budgets: KeyBudgets) -> None:
        self._app = app
        self._budgets = budgets

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        lease = scope[_LEASE] = Lease(self._budgets)
        try:
            await self._app(scope, receive, send)
        finally:
            lease.give_back()


def lease_of(request: Request) -> Lease:
    """The lease of a request; where nobody limits anything, one without limits."""
    scope: MutableMapping[str, Any] = request.scope
    lease = scope.get(_LEASE)
    return lease if isinstance(lease, Lease) else Lease(KeyBudgets(1))


def _too_many(detail: str) -> Problem:
    return Problem(429, "Too many requests", detail, {"Retry-After": RETRY_SECONDS})
