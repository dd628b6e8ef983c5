"""Reading the body of a request, within bounds: of each, of how long it may take, and of what its key holds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from fastapi import Request
from starlette.requests import ClientDisconnect

from services.http.budgets import lease_of
from services.http.problems import Problem

BODY_BYTES_MAX: Final = 10 * 1024 * 1024
BODY_SECONDS_MAX: Final = 60
#: How long nothing more of it may come.
SILENT_SECONDS_MAX: Final = 15


async def read_body(request: Request) -> bytes:
    """The whole body, whether or not its length was announced. Raises a :class:`Problem`."""
    announced = request.headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and len(announced) < 20 and int(announced) > BODY_BYTES_MAX:
        raise _too_large()
    lease = lease_of(request)
    pieces: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_SECONDS_MAX):
            async for piece in _pieces(request):
                size += len(piece)
                if size > BODY_BYTES_MAX:
                    raise _too_large()
                lease.hold(len(piece))
                pieces.append(piece)
    except TimeoutError:
        detail = f"the body did not come within {BODY_SECONDS_MAX} s, or nothing of it for {SILENT_SECONDS_MAX} s"
        raise Problem(408, "Request timeout", detail) from None
    except ClientDisconnect:
        raise Problem(400, "Bad request", "the body broke off") from None
    return b"".join(pieces)


async def _pieces(request: Request) -> AsyncIterator[bytes]:
    stream = request.stream()
    while True:
        try:
            async with asyncio.timeout(SILENT_SECONDS_MAX):
                piece = await anext(stream)
        except StopAsyncIteration:
            return
        yield piece


def _too_large() -> Problem:
    return Problem(413, "Too large", f"at most {BODY_BYTES_MAX} bytes are taken in one request; send less at once")
