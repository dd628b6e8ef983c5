"""uvicorn's protocol for one connection, which tells the door what it is doing."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import h11
from uvicorn import Config
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.server import ServerState

from services.http.connection_limits import ConnectionLimits, ConnectionSlot, Door
from services.platform.time_source import elapsed_seconds

#: A reader who has taken nothing for so long makes room for others (real seconds).
SLOW_READER_SECONDS: Final = 2.0


class GuardedProtocol(H11Protocol):
    """One connection. Waiting: no head of a request is complete that is not answered yet."""

    def __init__(
        self, config: Config, state: ServerState, app_state: dict[str, Any], door: Door, place: ConnectionSlot
    ) -> None:
        super().__init__(config, state, app_state)
        self._door = door
        self._place = place
        self._waiting_since = elapsed_seconds()
        self._head_began: float | None = None
        self._write_paused_at: float | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """It is open."""
        super().connection_made(transport)
        self._place.guest = self

    def connection_lost(self, exc: Exception | None) -> None:
        """It is closed, by whomever."""
        self._door.leave(self._place)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Something of a request has come."""
        if self._head_began is None and not self._is_answering():
            self._head_began = elapsed_seconds()
        super().data_received(data)

    def on_response_complete(self) -> None:
        """A request is answered; the next may begin."""
        self._waiting_since = elapsed_seconds()
        self._head_began = None
        super().on_response_complete()

    def pause_writing(self) -> None:
        """The other side does not read."""
        self._write_paused_at = elapsed_seconds()
        super().pause_writing()

    def resume_writing(self) -> None:
        """The other side reads again."""
        self._write_paused_at = None
        super().resume_writing()

    def is_overdue(self, now: float, limits: ConnectionLimits) -> bool:
        """Whether its time is up."""
        if self._write_paused_at is not None and now - self._write_paused_at > limits.write_seconds:
            return True
        if self._is_answering():
            return False
        if self.conn.their_state is h11.SEND_BODY:
            return now - self._waiting_since > limits.drain_seconds
        if self._head_began is None:
            return now - self._waiting_since > limits.first_byte_seconds
        return now - self._head_began > limits.head_seconds

    def waiting_since(self, now: float) -> float | None:
        """Since when it could be cut without cutting an answer that is being read."""
        paused = self._write_paused_at
        if paused is not None and now - paused > SLOW_READER_SECONDS:
            return paused
        return None if self._is_answering() else self._waiting_since

    def cut(self) -> None:
        """Close it at once; what was to be sent still is lost."""
        self.transport.abort()

    def _is_answering(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete
