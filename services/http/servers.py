"""HTTP servers that live in an event loop beside other work, or in one of their own, on sockets that were opened before."""

from __future__ import annotations

import logging
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import structlog
import uvicorn
from uvicorn.config import STARTUP_FAILURE

from events.errors import ToxwatchError
from services.http.acceptor import Acceptor
from services.http.connection_limits import REPORT_SECONDS, ConnectionLimits, ConnectionSlot, Door
from services.http.limited_protocol import GuardedProtocol
from services.platform.settings import Settings
from services.platform.time_source import elapsed_seconds

#: How long an open answer may take once the server is to stop (real seconds).
GRACE_SECONDS: Final = 2
BACKLOG: Final = 1024


class AddressError(ToxwatchError):
    """The address cannot be listened on."""


class Server(uvicorn.Server):
    """A server that leaves signals to the process, and accepts connections by itself."""

    def __init__(self, config: uvicorn.Config, limits: ConnectionLimits) -> None:
        super().__init__(config)
        self.door = Door(limits)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Nothing: a process with several servers stops them in order itself."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept."""
        await self.lifespan.startup()
        if self.lifespan.should_exit:
            sys.exit(STARTUP_FAILURE)
        self.servers = [Acceptor(one, self.door, self._protocol) for one in sockets or ()]  # type: ignore[misc]
        self.door.watch()
        self.started = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End in order."""
        self.door.close()
        await super().shutdown(sockets)

    def _protocol(self, place: ConnectionSlot) -> GuardedProtocol:
        return GuardedProtocol(self.config, self.server_state, self.lifespan.state, self.door, place)


class Throttled(logging.Filter):
    """What the server says of the same thing again and again is said once in a while."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it is said now. Errors always are."""
        if record.levelno != logging.WARNING:
            return True
        now, message = elapsed_seconds(), str(record.msg)
        if now - self._said.get(message, float("-inf")) < REPORT_SECONDS:
            return False
        self._said[message] = now
        return True


_THROTTLED: Final = Throttled()


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


def port_of(listener: socket.socket) -> int:
    """The port on which it listens, also where any was asked for."""
    port: int = listener.getsockname()[1]
    return port


def server_of(app: Any, limits: ConnectionLimits = ConnectionLimits()) -> Server:  # noqa: B008 - it is immutable
    """A server for an ASGI application, with logs of ours."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    logging.getLogger("uvicorn.error").addFilter(_THROTTLED)
    return Server(config, limits)


def warn_of_plain_http(settings: Settings) -> None:
    """Say so where keys and clinical data may be read on their way to the gateway."""
    if settings.is_read_on_the_way:
        structlog.get_logger().warning(
            "plain_http",
            address=settings.listen,
            trouble="keys and clinical data travel unencrypted beyond this machine: end TLS before the gateway, and set "
            "public_url to the https address, or listen on 127.0.0.1",
        )


def warn_of_links(settings: Settings) -> None:
    """For a process that sends links and is not the gateway: say so where it can only guess where that is reached."""
    if settings.public_url is None:
        structlog.get_logger().warning(
            "public_url_is_not_set",
            address=settings.base_url,
            trouble="links in messages lead to this address, where the settings say that the gateway listens: set "
            "public_url to the address at which people reach it",
        )
