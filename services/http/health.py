"""What a monitoring system asks of a process, on an address of its own: metrics, whether it lives, whether it is ready."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from prometheus_client.exposition import choose_encoder
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from events.acceptance import AHEAD_TOLERATED
from events.dates import SECOND
from events.errors import ToxwatchError
from projections.store.engine.database import Database
from projections.store.engine.tables import log_ends
from services.log.port import EventLog
from services.platform.metrics import Metrics
from services.platform.time_source import Clock

#: Gives None, or why the process is not ready, in a sentence; or raises it. Called in a thread.
Check = Callable[[], str | None]

_FRESH: Final = {"Cache-Control": "no-store"}


def create_metrics_app(metrics: Metrics, checks: Sequence[Check], end: Check = lambda: None) -> Starlette:
    """``/metrics``, ``/healthz`` and ``/readyz``. ``end`` says why only a restart helps, where that is so; it does not wait."""

    def scrape(request: Request) -> Response:
        # No coroutine: the database is read, and Starlette does that in a thread.
        metrics.ready(all(_reason(check) is None for check in checks))
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(metrics.registry), headers={**_FRESH, "Content-Type": content_type})

    async def healthz(_request: Request) -> Response:
        reason = end()
        return PlainTextResponse(f"{reason or 'ok'}\n", 503 if reason else 200, headers=_FRESH)

    async def readyz(_request: Request) -> Response:
        found = await asyncio.gather(*(asyncio.to_thread(_reason, check) for check in checks))
        reasons = [reason for reason in found if reason is not None]
        body = {"status": "not ready" if reasons else "ready", "reasons": reasons}
        return JSONResponse(body, 503 if reasons else 200, headers=_FRESH)

    return Starlette(routes=[Route("/metrics", scrape), Route("/healthz", healthz), Route("/readyz", readyz)])


def database_answers(database: Database) -> Check:
    """The check that the database can be read, and has the tables."""

    def check() -> str | None:
        try:
            with database.reading() as connection:
                connection.execute(select(log_ends.c.topic).limit(1))
        except SQLAlchemyError as error:
            return f"the database cannot be read ({type(error).__name__}); has `toxwatch migrate` been run?"
        return None

    return check


def log_answers(log: EventLog) -> Check:
    """The check that the log can be asked where it ends."""

    def check() -> str | None:
        log.ends()
        return None

    return check


def write_the_time(database: Database, log: EventLog, clock: Clock) -> None:
    """Write what the next event would be stamped with at least, which shows whether the store takes writes.

    Or a full disk would be noticed by the next sender, and by nobody before.
    """
    with database.writing() as connection:
        log.stamp(clock.now(), connection)


def log_is_not_ahead(database: Database, clock: Clock) -> Check:
    """The check that nothing was received later than now: then the clock was wrong, and was set right since."""

    def check() -> str | None:
        try:
            with database.reading() as connection:
                latest = connection.scalar(select(func.max(log_ends.c.last_received)))
        except SQLAlchemyError:
            # There are no tables yet, of which the check of the database tells.
            return None
        ahead = (latest or 0) - clock.now()
        if ahead <= AHEAD_TOLERATED:
            return None
        return f"the log is {ahead // SECOND} s ahead of the clock: one of the two was wrong; what comes now is stamped late"

    return check


def clock_is_believed(clock: Clock) -> Check:
    """The check that the clock is not doubted: while it is, countdowns wait."""
    return clock.doubt


def _reason(check: Check) -> str | None:
    try:
        return check()
    except ToxwatchError as error:
        return str(error)
