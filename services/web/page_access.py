"""Pages for people: a browser asks for a key by itself, and everything that goes wrong is a page with a sentence.

A browser asks its user for a name and a password (HTTP Basic): the password is the key, and any name will do. Only pages take
that. What writes does not, since a browser adds a password that it knows to requests that other sites have it make.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final

from fastapi import Request, Response
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute

from projections.store.engine.database import StoreUnavailable
from services.http.access import Authenticate
from services.http.caller import Caller
from services.http.problems import Problem, unavailable
from services.web.html import HEADERS, page, tag

#: One header each: not every browser reads two challenges in one.
CHALLENGES: Final = ('Basic realm="Toxwatch", charset="UTF-8"', 'Bearer realm="Toxwatch"')
NO_KEY: Final = "this page is for those who have a valid key"
SENTENCES: Final[Mapping[int, str]] = {
    401: "Open the link again and sign in: type any name, and as the password an API key of a medical monitor, a data manager "
    "or an inspector. If you have none, ask the operator of Toxwatch.",
    403: "Only the key of a medical monitor, a data manager or an inspector opens this page. To use another key, close every "
    "window of the browser, and open the link again.",
    404: "Check that the link is complete: some mail programs break it over two lines. If the message said that a part of "
    "Toxwatch has stopped, it was sent while nothing could be written, and there is no page: ask the operator of Toxwatch.",
    429: "Wait some seconds and load the page again.",
    503: "Wait some seconds and load the page again. If that goes on, tell the operator of Toxwatch, and judge by hand what "
    "cannot wait.",
}


def for_browsers(authenticate: Authenticate) -> Authenticate:
    """Take the key also as the password that a browser sends."""

    def authenticated(request: Request) -> Caller:
        given = request.headers.get("authorization")
        # Every browser begins without one, and then asks its user: no key was refused.
        if given is None:
            raise Problem(401, "No valid key", NO_KEY)
        try:
            return authenticate(_bearing(request, given))
        except Problem as problem:
            if problem.status != 401:
                raise
            raise Problem(401, problem.title, NO_KEY) from None

    return authenticated


def _bearing(request: Request, given: str) -> Request:
    """The request as a program would send it: the password of HTTP Basic, where there is one, as the bearer's key."""
    scheme, _, encoded = given.partition(" ")
    if scheme.lower() != "basic":
        return request
    headers = [(name, value) for name, value in request.scope["headers"] if name != b"authorization"]
    headers.append((b"authorization", b"Bearer " + _password(encoded)))
    # What is noted of the key belongs to the request itself.
    request.scope.setdefault("state", {})
    return Request({**request.scope, "headers": headers}, request.receive)


def _password(encoded: str) -> bytes:
    try:
        return base64.b64decode(encoded.strip(), validate=True).partition(b":")[2]
    except (binascii.Error, ValueError):
        return b""


class PageRoute(APIRoute):
    """A route that answers with a page, also where it refuses or fails."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handler(request)
            except Problem as problem:
                return problem_page(problem)
            except StoreUnavailable:
                return problem_page(unavailable("the store cannot be read now"))

        return answer


def html_response(document: str, status: int = 200) -> Response:
    """A page, which nothing keeps and nothing runs in."""
    return HTMLResponse(document, status, HEADERS)


def problem_page(problem: Problem) -> Response:
    """What went wrong, and what to do about it."""
    detail = f"{problem.detail[:1].upper()}{problem.detail[1:]}."
    body = tag("main", tag("h1", problem.title), tag("p", detail), tag("p", SENTENCES.get(problem.status, "")))
    response = html_response(page(problem.title, body), problem.status)
    response.headers.update({name: value for name, value in problem.headers.items() if name != "WWW-Authenticate"})
    if problem.status == 401:
        for challenge in CHALLENGES:
            response.headers.append("WWW-Authenticate", challenge)
    return response
