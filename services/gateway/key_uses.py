"""Which key was used for what, and which was refused: counted for each request, and written together every few seconds.

A row is an hour, a key, a route and an outcome, so that a flood of guesses is one row whose count grows. A key that is not known
is counted as such, whatever it was called. What a process that is killed has not written yet is lost: some seconds of counts.
"""

from __future__ import annotations

import asyncio
import threading
from typing import Final, Literal, NamedTuple, get_args

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from events.dates import HOUR
from projections.store.engine.database import Database, StoreUnavailable
from projections.store.write.audit import USED, UseCount, UseKey, add_uses
from services.platform.resting import rest
from services.platform.time_source import Clock

#: Why a key was refused.
Refused = Literal["missing", "malformed", "unknown", "wrong", "revoked", "expired"]
REFUSALS: Final[tuple[str, ...]] = tuple(f"refused: {why}" for why in get_args(Refused))
#: A valid key that may not do this.
FORBIDDEN: Final = "forbidden"
OUTCOMES: Final = (USED, FORBIDDEN, *REFUSALS)
#: Who is counted where no known key was named.
NO_KEY: Final = "-"

WRITE_SECONDS: Final = 5.0
_STATE: Final = "key_use"


class KeyUse(NamedTuple):
    """What came of the key of a request: whose, and why it was refused, None where it was not."""

    key_id: str
    refused: Refused | None


def note(scope: Scope, use: KeyUse) -> None:
    """Leave with a request what came of its key."""
    scope.setdefault("state", {})[_STATE] = use


class KeyUses:
    """The counts that wait to be written."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._waiting: dict[UseKey, UseCount] = {}
        self._lock = threading.Lock()

    def count(self, use: KeyUse, route: str, status: int) -> None:
        """Count one request."""
        outcome = f"refused: {use.refused}" if use.refused else FORBIDDEN if status == 403 else USED
        now = self._clock.now()
        key = UseKey(now - now % HOUR, use.key_id, route, outcome)
        with self._lock:
            is_first = self._add(key, UseCount(1, now, now))
        if is_first and use.refused:
            # Once until it is written, not once a guess: the log is not to be filled by who may not come in.
            structlog.get_logger().warning("key_refused", reason=use.refused, key_id=use.key_id)

    def write(self) -> None:
        """Write what waits; where the store takes nothing now, it goes on waiting."""
        with self._lock:
            taken, self._waiting = self._waiting, {}
        if not taken:
            return
        try:
            with self._database.writing() as connection:
                add_uses(connection, taken)
        except StoreUnavailable:
            with self._lock:
                for key, count in taken.items():
                    self._add(key, count)

    async def run(self, stopping: asyncio.Event) -> None:
        """Write every few seconds until ``stopping``, and at the end."""
        while not stopping.is_set():
            await rest(stopping, WRITE_SECONDS)
            if self._waiting:
                await asyncio.to_thread(self.write)

    def _add(self, key: UseKey, more: UseCount) -> bool:
        known = self._waiting.get(key)
        if known is None:
            self._waiting[key] = more
        else:
            first, last = min(known.first_at, more.first_at), max(known.last_at, more.last_at)
            self._waiting[key] = UseCount(known.times + more.times, first, last)
        return known is None


class CountKeyUses:
    """Counts the key of every request when it is answered."""

    def __init__(self, app: ASGIApp, uses: KeyUses) -> None:
        self._app = app
        self._uses = uses

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_and_count(message: Message) -> None:
            if message["type"] == "http.response.start":
                use = scope.get("state", {}).get(_STATE)
                if use is not None:
                    self._uses.count(use, _route(scope), message["status"])
            await send(message)

        await self._app(scope, receive, send_and_count if scope["type"] == "http" else send)


def _route(scope: Scope) -> str:
    """The route, never the address: that may name a subject."""
    path = getattr(scope.get("route"), "path", "(no route)")
    return f"{scope['method']} {path}"
