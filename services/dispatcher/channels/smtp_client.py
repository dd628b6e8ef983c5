"""The SMTP client, with the patience that RFC 5321 (4.5.3.2) asks for at each stage.

Connecting, and the answer to each command, may take the channel's ``timeout``. The answer to the final dot may take ten minutes
(4.5.3.2.6): the server has the whole mail by then, and may be scanning it. A client that hangs up there takes nothing
back, and sends a second copy.
"""

from __future__ import annotations

import asyncio
import re
import socket
from contextlib import suppress
from typing import Any, Final

import aiosmtplib
from aiosmtplib.protocol import normalize_message_line_endings
from aiosmtplib.typing import SMTPStatus

#: How long the answer to the final dot may take (RFC 5321, 4.5.3.2.6).
FINAL_DOT_SECONDS_MAX: Final = 600.0
#: Everything before the dot together may take so many times the channel's timeout: a dozen slow answers are no dozen timeouts.
BEFORE_DOT_TIMEOUTS_MAX: Final = 3

_LEADING_DOT: Final = re.compile(rb"(?m)^\.")


class UnansweredDot(aiosmtplib.SMTPException, TimeoutError):  # noqa: N818 - reads better where it is caught
    """The server has the whole mail and never said what it does with it: it may be delivered, or not."""


class SmtpClient(aiosmtplib.SMTP):
    """One connection. ``before_dot`` limits what comes before the dot, and is lifted there.

    ``is_sent``: the server has the whole mail, and only its answer is missing.
    """

    def __init__(self, *, final_dot_seconds: float, before_dot: asyncio.Timeout, **options: Any) -> None:
        super().__init__(**options)
        self._final_dot_seconds = final_dot_seconds
        self._before_dot = before_dot
        self.is_sent = False

    async def data(self, message: str | bytes, /, **_options: Any) -> aiosmtplib.SMTPResponse:
        """Send the mail: the library would give ``DATA`` and the final dot the same time."""
        start = await self.execute_command(b"DATA")
        if start.code != SMTPStatus.start_input:
            raise aiosmtplib.SMTPDataError(start.code, start.message)
        protocol = self.protocol
        if protocol is None:
            raise aiosmtplib.SMTPServerDisconnected("Connection lost")
        text = message.encode("ascii") if isinstance(message, str) else message
        protocol.write(_LEADING_DOT.sub(b"..", normalize_message_line_endings(text)) + b".\r\n")
        self._before_dot.reschedule(None)
        self.is_sent = True
        try:
            response = await protocol.read_response(timeout=self._final_dot_seconds)
        except aiosmtplib.SMTPReadTimeoutError:
            raise UnansweredDot(
                f"the server took the whole mail and did not answer within {self._final_dot_seconds:g} s; it may be delivered"
            ) from None
        if response.code != SMTPStatus.completed:
            raise aiosmtplib.SMTPDataError(response.code, response.message)
        return response


def notice_a_dead_peer(connection: socket.socket, seconds: float) -> None:
    """Have the system break a connection off whose other end no longer acknowledges anything for so long.

    A server that scans still acknowledges; a machine that is gone does not, and is not waited for ten minutes.
    """
    whole = max(1, round(seconds))
    wanted = {"TCP_USER_TIMEOUT": whole * 1000, "TCP_KEEPIDLE": whole, "TCP_KEEPINTVL": max(1, whole // 3)}
    # Not every system has these, and not every transport a TCP socket.
    with suppress(OSError, AttributeError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in wanted.items():
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def before_the_dot(timeout: float) -> asyncio.Timeout:
    """The limit on everything before the dot; lifted by ``reschedule(None)``."""
    return asyncio.timeout(timeout * BEFORE_DOT_TIMEOUTS_MAX)
