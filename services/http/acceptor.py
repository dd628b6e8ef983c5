"""Accepting connections: a few at a time, so that those who are in are served meanwhile, and without a word for each failure."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import structlog

from services.http.connection_limits import REPORT_SECONDS, ConnectionSlot, Door
from services.platform.time_source import elapsed_seconds

#: Of those that wait in the system's queue. Fewer than an address may have: or a burst would cut what was accepted just before,
#: before anything of it was read.
ACCEPTED_AT_ONCE: Final = 16
#: How long nothing is accepted once the system has no more to give.
PAUSE_SECONDS: Final = 0.1

_PROBLEM: Final = json.dumps(
    {
        "type": "urn:toxwatch:problem:not-available-now",
        "title": "Not available now",
        "status": 503,
        "detail": "every connection is in use; send the same again",
    }
)
FULL: Final = (
    "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\nretry-after: 2\r\nconnection: close\r\n"
    f"content-length: {len(_PROBLEM)}\r\n\r\n{_PROBLEM}"
).encode()

log = structlog.get_logger()


class Acceptor:
    """Accepts on one socket. Has the part of an asyncio server that uvicorn uses when it ends."""

    def __init__(
        self, listener: socket.socket, door: Door, protocol: Callable[[ConnectionSlot], asyncio.Protocol]
    ) -> None:
        self._listener = listener
        self._door = door
        self._protocol = protocol
        self._loop = asyncio.get_running_loop()
        self._opening: set[asyncio.Task[None]] = set()
        self._paused: asyncio.TimerHandle | None = None
        self._failures = 0
        self._said_at = float("-inf")
        listener.setblocking(False)
        self._resume()

    def close(self) -> None:
        """Accept no more."""
        if self._paused is not None:
            self._paused.cancel()
        self._loop.remove_reader(self._listener.fileno())

    async def wait_closed(self) -> None:
        """Until those that were being opened are."""
        await asyncio.gather(*self._opening, return_exceptions=True)

    def _resume(self) -> None:
        self._loop.add_reader(self._listener.fileno(), self._accept)

    def _accept(self) -> None:
        for _ in range(ACCEPTED_AT_ONCE):
            try:
                connection, address = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._pause(error)
                return
            connection.setblocking(False)
            place = self._door.admit(address[0])
            if place is None:
                _turn_away(connection)
                continue
            task = self._loop.create_task(self._open(connection, place))
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    async def _open(self, connection: socket.socket, place: ConnectionSlot) -> None:
        try:
            await self._loop.connect_accepted_socket(lambda: self._protocol(place), connection)
        except OSError:
            # Closed again by the other side.
            self._door.leave(place)
            connection.close()

    def _pause(self, error: OSError) -> None:
        """Descriptors or memory have run out: make room, and look again soon."""
        self._failures += 1
        if elapsed_seconds() - self._said_at >= REPORT_SECONDS:
            log.error("accepting_failed", error=error, count=self._failures)
            self._said_at, self._failures = elapsed_seconds(), 0
        self._door.make_room(ACCEPTED_AT_ONCE)
        self._loop.remove_reader(self._listener.fileno())
        self._paused = self._loop.call_later(PAUSE_SECONDS, self._resume)


def _turn_away(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.send(FULL)
    connection.close()
