"""The lease on an attempt that is under way: short, and renewed for as long as the attempt lasts.

A mail server may scan for ten minutes. A lease as long as that would keep an urgent alert back for ten minutes where the
dispatcher that holds it was killed. So a dispatcher that sends says now and then that it still does; once it no longer does,
another one takes over.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import structlog

from projections.store.engine.database import StoreUnavailable

#: How long a lease lasts beyond its channel's timeout: to say goodbye, and to be written down.
BEYOND_TIMEOUT_SECONDS: Final = 5.0
#: So often a lease is renewed in the time that it lasts: one write that fails loses nothing.
RENEWALS_IN_A_LEASE: Final = 4

log = structlog.get_logger()


def lease_seconds(timeout: float) -> float:
    """How long an attempt counts as under way after the last word of it, for a channel of this timeout (real seconds)."""
    return timeout + BEYOND_TIMEOUT_SECONDS


@asynccontextmanager
async def renewed(timeout: float, renew: Callable[[], None]) -> AsyncIterator[None]:
    """While this lasts, ``renew`` is called in a thread, often enough for a lease of a channel of this timeout."""
    renewing = asyncio.create_task(_renew(lease_seconds(timeout) / RENEWALS_IN_A_LEASE, renew))
    try:
        yield
    finally:
        renewing.cancel()
        await asyncio.gather(renewing, return_exceptions=True)


async def _renew(seconds: float, renew: Callable[[], None]) -> None:
    while True:
        await asyncio.sleep(seconds)
        try:
            await asyncio.to_thread(renew)
        except StoreUnavailable as error:
            # Nobody else can take over either, as long as the database cannot be written.
            log.warning("lease_not_renewed", error=error)
        except Exception as error:  # the message goes on; at worst another dispatcher sends it as well
            log.error("lease_not_renewed", exc_info=error)
