"""HTTP servers that live in an event loop beside other work, on sockets that were opened before."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import uvicorn

from events.errors import ToxwatchError

#: How long an open answer may take once the server is to stop (real seconds).
GRACE_SECONDS: Final = 2
BACKLOG: Final = 512


class AddressError(ToxwatchError):
    """The address cannot be listened on."""


class Server(uvicorn.Server):
    """A server that leaves signals to the process."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Nothing: whoever runs several servers in one process stops them in order."""
        yield


def listening(address: str) -> socket.socket:
    """A socket that listens on ``HOST:PORT``; port 0 is any that is free. Raises :class:`AddressError`."""
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, int(port)), family=family, backlog=BACKLOG)
    except (OSError, OverflowError) as error:
        raise AddressError(f"cannot listen on {address}: {error}") from None
    # Connections inherit it; asyncio does not set it on these. Or the end of each answer waits 40 ms for the other side.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def address_of(listener: socket.socket) -> str:
    """Where it listens, as ``HOST:PORT``."""
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def server_of(app: Any) -> Server:
    """A server for an ASGI application, with logs of ours."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    return Server(config)
