"""Errors of a whole request, as RFC 9457 problem documents."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, ClassVar, Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from events.errors import ToxwatchError
from projections.store.engine.database import StoreUnavailable

MEDIA_TYPE: Final = "application/problem+json"
#: After how many seconds it is worth while to try again what could not be taken.
RETRY_AFTER: Final = "2"


class Problem(Exception):  # noqa: N818 - the word of RFC 9457
    """A request that cannot be answered: ``title`` names the kind of problem, ``detail`` is written for who sent it.

    ``members`` are more of the document's members.
    """

    def __init__(
        self,
        status: int,
        title: str,
        detail: str,
        headers: Mapping[str, str] | None = None,
        members: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(f"{status} {title}: {detail}")
        self.status = status
        self.title = title
        self.detail = detail
        self.headers = dict(headers or {})
        self.members = dict(members or {})

    def response(self) -> Response:
        """The document."""
        document = {"type": self.kind, "title": self.title, "status": self.status, "detail": self.detail}
        # Escaped, because half a character of an id has no UTF-8.
        body = json.dumps({**document, **self.members})
        return Response(body, self.status, self.headers, MEDIA_TYPE)

    @property
    def kind(self) -> str:
        """What a program may go by: the title, as a URN."""
        return "urn:toxwatch:problem:" + self.title.lower().replace(" ", "-")


class Overloaded(ToxwatchError):  # noqa: N818 - reads better where it is caught
    """More is waiting than can be taken soon, or the gateway is stopping."""

    retriable: ClassVar[bool] = True


def unavailable(detail: str) -> Problem:
    """The store or the gateway cannot take it now."""
    return Problem(503, "Not available now", detail, {"Retry-After": RETRY_AFTER})


def answer_with_problems(app: FastAPI) -> None:
    """Have every error of the application answered with a problem document."""

    @app.exception_handler(Problem)
    async def _problem(_request: Request, problem: Problem) -> Response:
        return problem.response()

    @app.exception_handler(StoreUnavailable)
    async def _unavailable(_request: Request, error: StoreUnavailable) -> Response:
        structlog.get_logger().warning("store_unavailable", error=error)
        return unavailable("the store cannot be used now; send the same again").response()

    @app.exception_handler(Overloaded)
    async def _overloaded(_request: Request, error: Overloaded) -> Response:
        return unavailable(str(error)).response()

    @app.exception_handler(HTTPException)
    async def _http(_request: Request, error: HTTPException) -> Response:
        phrase = HTTPStatus(error.status_code).phrase
        return Problem(error.status_code, phrase, str(error.detail), error.headers).response()

    @app.exception_handler(RequestValidationError)
    async def _not_valid(_request: Request, error: RequestValidationError) -> Response:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc'][1:]))}: {fault['msg']}" for fault in error.errors())
        return Problem(422, "Not valid", faults).response()

    @app.exception_handler(Exception)
    async def _bug(_request: Request, error: Exception) -> Response:
        return Problem(500, "Internal error", f"{type(error).__name__}; it has been logged").response()
