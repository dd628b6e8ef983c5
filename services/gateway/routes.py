"""``POST /v1/events``: one request in, one result for each of its events out."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response

from services.gateway.authority import WRITERS
from services.gateway.bodies import Bodies
from services.gateway.caller import Caller
from services.gateway.documents import EVENTS_ROUTE
from services.gateway.intake import REFUSED, Result, Submission
from services.gateway.messages import media_type_of, messages_of
from services.gateway.problems import Problem
from services.gateway.rate import RateLimit
from services.gateway.writer import EventWriter

#: A body beyond this is taken apart in a thread, while other requests go on.
SPLIT_HERE_BYTES_MAX: Final = 64 * 1024


def events_router(authenticate: Callable[[Request], Caller], writer: EventWriter, limit: RateLimit) -> APIRouter:
    """The route for events."""
    router = APIRouter()
    bodies = Bodies()

    @router.post("/v1/events", **EVENTS_ROUTE)
    async def send_events(request: Request) -> Response:
        """Take CloudEvents, in any mode of their HTTP binding, or one a line."""
        caller = await run_in_threadpool(authenticate, request)
        if caller.role not in WRITERS:
            # Before anything of the body is read: nothing of it is kept, and nobody is told.
            raise Problem(403, "Not for this key", f"a {caller.role} key writes no events; nothing was read")
        media = media_type_of(request.headers)
        limit.take(caller.key_id, 0)
        body = await bodies.read(request)
        headers = request.headers.raw
        if len(body) > SPLIT_HERE_BYTES_MAX:
            messages = await run_in_threadpool(messages_of, media, headers, body)
        else:
            messages = messages_of(media, headers, body)
        limit.take(caller.key_id, len(messages))
        return _answer(await writer.submit(Submission(caller, messages)))

    return router


def _answer(results: Sequence[Result]) -> Response:
    """The status says whether there is something to be mended (INTERFACES)."""
    listed = [_result(result) for result in results]
    refused = sum(result.status == REFUSED for result in results)
    if refused and all(result.is_outside for result in results):
        detail = "this key may write none of these events; each was put aside"
        return Problem(403, "Not for this key", detail, members={"results": listed}).response()
    status = 202 if not refused else 422 if refused == len(results) else 207
    # Escaped, because half a character of an id has no UTF-8.
    return Response(json.dumps({"results": listed}), status, media_type="application/json")


def _result(result: Result) -> dict[str, Any]:
    listed: dict[str, Any] = {"id": result.id, "status": result.status}
    if result.position is not None:
        listed["position"] = str(result.position)
    if result.superseded_by is not None:
        listed["superseded_by"] = result.superseded_by
    if result.error is not None:
        listed["error"] = result.error
    return listed
