"""``POST /v1/events``: one request in, one result for each of its events out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any, Final

import structlog
from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response

from projections.store.engine.database import StoreUnavailable
from services.gateway.authority import WRITERS
from services.gateway.bodies import read_body
from services.gateway.documents import EVENTS_ROUTE
from services.gateway.intake import REFUSED, IntakeResult, Submission
from services.gateway.messages import media_type_of, messages_of
from services.gateway.writer import EventWriter
from services.http.caller import Caller
from services.http.problems import Overloaded, Problem
from services.http.rate import RateLimit, cost_of
from services.platform.metrics import TrialMetrics, TurnedAway

#: A body beyond this is taken apart in a thread, while other requests go on.
SPLIT_HERE_BYTES_MAX: Final = 64 * 1024
#: What is counted of answers that are no answer to the events.
TURNED_AWAY: Final[dict[int, TurnedAway]] = {429: "limited", 503: "unavailable"}

log = structlog.get_logger()


class EventsRoute:
    """Takes requests with events."""

    def __init__(
        self,
        authenticate: Callable[[Request], Caller],
        writer: EventWriter,
        limit: RateLimit,
        metrics: TrialMetrics,
    ) -> None:
        self._authenticate = authenticate
        self._writer = writer
        self._limit = limit
        self._metrics = metrics

    async def send_events(self, request: Request) -> Response:
        """Take CloudEvents, in any mode of their HTTP binding, or one a line."""
        try:
            return await self._taken(request)
        except (StoreUnavailable, Overloaded):
            self._metrics.requests_turned_away_total("unavailable")
            raise
        except Problem as problem:
            if problem.status in TURNED_AWAY:
                self._metrics.requests_turned_away_total(TURNED_AWAY[problem.status])
            raise

    async def _taken(self, request: Request) -> Response:
        caller = await run_in_threadpool(self._authenticate, request)
        if caller.role not in WRITERS:
            # Before anything of the body is read: nothing of it is kept, and nobody is told.
            raise Problem(403, "Not for this key", f"a {caller.role} key writes no events; nothing was read")
        media = media_type_of(request.headers)
        self._limit.take(caller.key_id, 0)
        body = await read_body(request)
        headers = request.headers.raw
        if len(body) > SPLIT_HERE_BYTES_MAX:
            messages = await run_in_threadpool(messages_of, media, headers, body)
        else:
            messages = messages_of(media, headers, body)
        self._limit.take(caller.key_id, cost_of(len(message.raw) for message in messages))
        results = await self._written(request, Submission(caller, messages))
        self._limit.charge(caller.key_id, sum(result.status == REFUSED for result in results))
        return _answer(results)

    async def _written(self, request: Request, submission: Submission) -> list[IntakeResult]:
        """What became of the events. Those of a sender who has gone are left out, unless they are being written by then."""
        writing = asyncio.create_task(self._writer.submit(submission))
        leaving = asyncio.create_task(_gone(request))
        try:
            await asyncio.wait([writing, leaving], return_when=asyncio.FIRST_COMPLETED)
            if writing.done():
                return writing.result()
        finally:
            leaving.cancel()
            writing.cancel()
        self._metrics.requests_turned_away_total("abandoned")
        log.warning("request_abandoned", key_id=submission.caller.key_id, events=len(submission.messages))
        raise Problem(499, "Client closed request", "the sender did not wait for the answer")


async def _gone(request: Request) -> None:
    """Until the sender has closed the connection. The body was read before."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def events_router(
    authenticate: Callable[[Request], Caller], writer: EventWriter, limit: RateLimit, metrics: TrialMetrics
) -> APIRouter:
    """The route for events."""
    router = APIRouter()
    route = EventsRoute(authenticate, writer, limit, metrics)
    router.add_api_route("/v1/events", route.send_events, methods=["POST"], **EVENTS_ROUTE)
    return router


def _answer(results: Sequence[IntakeResult]) -> Response:
    """The status says whether there is something to be mended (integrating.md)."""
    listed = [_result(result) for result in results]
    refused = sum(result.status == REFUSED for result in results)
    if refused and all(result.is_outside for result in results):
        detail = "this key may write none of these events; each was put aside"
        return Problem(403, "Not for this key", detail, members={"results": listed}).response()
    status = 202 if not refused else 422 if refused == len(results) else 207
    # Escaped, because half a character of an id has no UTF-8.
    return Response(json.dumps({"results": listed}), status, media_type="application/json")


def _result(result: IntakeResult) -> dict[str, Any]:
    listed: dict[str, Any] = {"id": result.id, "status": result.status}
    if result.position is not None:
        listed["position"] = str(result.position)
    if result.superseded_by is not None:
        listed["superseded_by"] = result.superseded_by
    if result.error is not None:
        listed["error"] = result.error
    return listed
