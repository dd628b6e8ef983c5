"""Waiting a while, unless it is time to stop."""

from __future__ import annotations

import asyncio
from contextlib import suppress


async def rest(stopping: asyncio.Event, seconds: float) -> None:
    """Wait for so long; less where ``stopping`` is set meanwhile."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stopping.wait()
