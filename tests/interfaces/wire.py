"""Requests written by hand, byte for byte, for what no client library would send."""

from __future__ import annotations

import socket
from dataclasses import dataclass

from tests.interfaces.live import Live


@dataclass(frozen=True)
class Answer:
    """What came back before the connection closed, or nothing more came."""

    raw: bytes

    @property
    def statuses(self) -> list[int]:
        """The status of each answer on the connection."""
        return [int(part[:3]) for part in self.raw.split(b"HTTP/1.1 ")[1:]]

    @property
    def status(self) -> int:
        """That of the last answer; 0 where the connection was closed without one."""
        return self.statuses[-1] if self.statuses else 0


def head(live: Live, *lines: str, method: str = "POST", path: str = "/v1/events", who: str | None = "FR01") -> bytes:
    """The head of a request, up to and with the empty line."""
    first = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{live.port}"]
    who_asks = [f"Authorization: Bearer {live.key(who)}"] if who else []
    return ("\r\n".join([*first, *who_asks, *lines]) + "\r\n\r\n").encode("latin-1")


def exchange(live: Live, sent: bytes, wait: float = 5.0, half_close: bool = False) -> Answer:
    """Send bytes, and read until the other side closes or is silent."""
    received = b""
    with socket.create_connection(("127.0.0.1", live.port), timeout=wait) as connection:
        try:
            connection.sendall(sent)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
            while chunk := connection.recv(65536):
                received += chunk
        except (TimeoutError, ConnectionError):
            pass
    return Answer(received)
