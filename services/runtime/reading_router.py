"""Every route that reads, put together: ``reading_router`` is given what it needs and called once, by the gateway."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from fastapi import APIRouter, Depends
from fastapi.security import HTTPBearer
from fastapi.sse import EventSourceResponse

from projections.rules.logic.trial_protocol import TrialProtocol
from projections.store.engine.database import Database
from services.api.alert_feed import AlertFeed
from services.api.alert_routes import AlertRoutes
from services.api.assessment_routes import AssessmentRoutes
from services.api.asyncapi import asyncapi_document
from services.api.dead_letter_routes import DeadLetterRoutes
from services.api.query_routes import QueryRoutes
from services.api.read_your_write import ReadYourWrite
from services.api.reader import Reader
from services.gateway.documents import SECURITY_SCHEME, problem_response
from services.http.access import OPERATOR, READERS, SITE, Access, Authenticate
from services.http.parameters import PlainSpokenRoute
from services.log.port import EventLog
from services.platform.time_source import Clock
from services.web.alert_page import alert_pages

#: Responses by status, as OpenAPI describes them.
Responses = Mapping[int | str, dict[str, Any]]

#: How many pages are read from the database at a time.
PAGES_AT_ONCE: Final = 3

MEANINGS: Final = {
    401: "No key, or none that is valid.",
    403: "The key may not read this.",
    404: "There is no such thing, or none that the key may read.",
    409: "A place that was given out in another life of the database, before it was restored.",
    422: "A parameter that cannot be taken.",
    429: "Too many requests, or streams, of this key at a time; `Retry-After` says when to ask again.",
    503: "The store cannot be read now, or has not come to `at_least`; `Retry-After` says when to ask again.",
}
_SECONDS: Final = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."}}
RETRY_AFTER: Final = {429: _SECONDS, 503: _SECONDS}
ASSESSMENT: Final[Responses] = {
    200: {
        "description": "The JSON of `toxwatch assess`.",
        "content": {"application/json": {"schema": {"type": "object"}}},
    }
}
#: Only describes: who is calling is found out by each route's own check.
BEARER: Final = HTTPBearer(auto_error=False, scheme_name=SECURITY_SCHEME)


def reading_router(
    database: Database,
    protocol: TrialProtocol,
    clock: Clock,
    clinical: EventLog,
    alerts: EventLog,
    authenticate: Authenticate,
    feed: AlertFeed,
    public_url: str,
) -> APIRouter:
    """The routes that read, and the document that describes the events."""
    router = APIRouter(route_class=PlainSpokenRoute, tags=["reading"], dependencies=[Depends(BEARER)])
    access = Access(authenticate)
    reader = Reader(database, PAGES_AT_ONCE)
    told = AlertRoutes(reader, feed, access)
    letters = DeadLetterRoutes(reader)
    standing = AssessmentRoutes(database, protocol, clock, {"clinical": clinical, "alerts": alerts})
    readers = Depends(access.of(*READERS))
    caught_up = Depends(ReadYourWrite(database, clinical))

    def get(
        path: str,
        endpoint: Callable[..., Any],
        *may: Any,
        problems: tuple[int, ...] = (),
        answer: Responses = MappingProxyType({}),
        **more: Any,
    ) -> None:
        responses = {**answer, **_problems(*problems)}
        # Last: nobody waits who may not read.
        router.add_api_route(path, endpoint, dependencies=[*may, caught_up], responses=responses, **more)

    get("/v1/alerts", told.page, readers, problems=(409,))
    # Before the route of one alert, which would take its name for an id.
    get("/v1/alerts/stream", told.stream, readers, Depends(told.start), response_class=EventSourceResponse)
    get("/v1/alerts/{alert_id}", told.whole, readers, problems=(404,))
    get("/v1/assessment", standing.assessment, readers, answer=ASSESSMENT)
    get("/v1/dead-letters", letters.page, Depends(access.of(*READERS, OPERATOR, SITE)), problems=(409,))
    get("/v1/dead-letters/{letter_id}", letters.whole, Depends(access.of(*READERS, OPERATOR, SITE)), problems=(404,))
    get("/v1/queries", QueryRoutes(database, protocol, clock).queries, Depends(access.of(*READERS, SITE)))
    get("/v1/status", standing.status, Depends(access.of(*READERS, OPERATOR)))

    documents = _documents(public_url)
    documents.include_router(router)
    documents.include_router(alert_pages(reader, protocol, clock, authenticate))
    return documents


def _documents(public_url: str) -> APIRouter:
    router = APIRouter(tags=["documents"])
    document = asyncapi_document(public_url)

    def asyncapi() -> dict[str, Any]:
        """The event contract and its channels, as an AsyncAPI 3.0 document."""
        return document

    router.add_api_route("/asyncapi.json", asyncapi)
    return router


def _problems(*more: int) -> Responses:
    return {
        status: problem_response(MEANINGS[status], RETRY_AFTER.get(status))
        for status in (401, 403, *more, 422, 429, 503)
    }
