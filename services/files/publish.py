"""Lines of events through a gateway: in requests of some hundred, each sent again until it is answered.

Where it stopped does not matter: whatever is sent twice is known by its id, and is answered as a duplicate.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from typing import Final, Literal, NamedTuple

import httpx2
from pydantic import BaseModel, ValidationError

from events.errors import ToxwatchError
from services.http.outgoing import client_options
from services.http.retry_after import retry_after_seconds
from services.platform import time_source
from services.platform.time_source import elapsed_seconds

LINES_MAX: Final = 500
#: A request is smaller than this; the gateway takes twice as much.
BYTES_MAX: Final = 5 * 1024 * 1024
#: How long one request may go unanswered, repeated as often as that allows.
PATIENCE_SECONDS: Final = 300.0
PAUSE_FIRST_SECONDS: Final = 0.5
PAUSE_SECONDS_MAX: Final = 30.0
#: A gateway that commits in a group may take its time; one that says nothing for so long is gone.
TIMEOUT_SECONDS: Final = 60.0

PATH: Final = "/v1/events"
MEDIA_TYPE: Final = "application/x-ndjson"

#: Each line has its answer.
ANSWERED: Final = frozenset({HTTPStatus.ACCEPTED, HTTPStatus.MULTI_STATUS, HTTPStatus.UNPROCESSABLE_ENTITY})
#: The gateway, or a proxy before it, cannot take it now.
LATER: Final = frozenset(
    {
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)


class PublishError(ToxwatchError):
    """Publishing stopped. What was answered before is taken."""


class SourceLine(NamedTuple):
    """One event as it is sent. ``where`` names the line to people."""

    where: str
    raw: bytes


class LineResult(NamedTuple):
    """What the gateway says of one line."""

    where: str
    status: Literal["accepted", "duplicate", "refused"]
    event_id: str | None = None
    error: str | None = None


class _Answer(BaseModel):
    status: Literal["accepted", "duplicate", "refused"]
    id: str | None = None
    error: str | None = None


class _Answers(BaseModel):
    results: list[_Answer]


class _Problem(BaseModel):
    title: str = ""
    detail: str = ""


def gateway_client(url: str, key: str, proxy: str | None = None) -> httpx2.Client:
    """A client of the gateway at ``url``, with the key of a site or of the sponsor. The caller closes it."""
    headers = {"Authorization": f"Bearer {key}"}
    return httpx2.Client(base_url=url, headers=headers, timeout=TIMEOUT_SECONDS, **client_options(proxy))


def publish_lines(
    client: httpx2.Client,
    lines: Iterable[SourceLine],
    *,
    patience_seconds: float = PATIENCE_SECONDS,
    on_wait: Callable[[str], None] = lambda _: None,
    rest: Callable[[float], None] = time.sleep,
) -> Iterator[list[LineResult]]:
    """Send lines in order, and give the results of each request as it is answered.

    ``on_wait`` is told why a request has to be sent again. Raises :class:`PublishError` where that helps no longer.
    """
    sender = _Sender(client, patience_seconds, on_wait, rest)
    any_taken = False
    for chunk in _chunks(lines):
        results = sender.send(chunk, may_be_forbidden=any_taken)
        any_taken = any_taken or any(result.status != "refused" for result in results)
        yield results


class _Sender:
    """Sends one request until it is answered."""

    def __init__(
        self,
        client: httpx2.Client,
        patience_seconds: float,
        on_wait: Callable[[str], None],
        rest: Callable[[float], None],
    ) -> None:
        self._client = client
        self._patience_seconds = patience_seconds
        self._on_wait = on_wait
        self._rest = rest

    def send(self, chunk: list[SourceLine], *, may_be_forbidden: bool) -> list[LineResult]:
        """The results of some lines.

        403 says that the key may write none of them. Unless it has written others, ``may_be_forbidden``, it is the wrong key.
        """
        response = self._answer(b"\n".join(line.raw for line in chunk))
        is_forbidden = response.status_code == HTTPStatus.FORBIDDEN
        if response.status_code not in ANSWERED and not (is_forbidden and may_be_forbidden):
            raise PublishError(f"{self._client.base_url}: {_said(response)}")
        try:
            answers = _Answers.model_validate_json(response.content).results
        except ValidationError:
            answers = []
        if len(answers) != len(chunk):
            raise PublishError(
                f"{self._client.base_url}: {_said(response)}, with {len(answers)} results for {len(chunk)} events;"
                " is this a Toxwatch gateway?"
            )
        return [
            LineResult(line.where, answer.status, answer.id, answer.error)
            for line, answer in zip(chunk, answers, strict=True)
        ]

    def _answer(self, body: bytes) -> httpx2.Response:
        began = elapsed_seconds()
        pause = PAUSE_FIRST_SECONDS
        while True:
            asked: float | None = None
            try:
                response = self._client.post(PATH, content=body, headers={"Content-Type": MEDIA_TYPE})
            except httpx2.RequestError as error:
                reason = f"{type(error).__name__}: {error}"
            else:
                if response.status_code not in LATER:
                    return response
                reason = _said(response)
                asked = retry_after_seconds(response.headers.get("retry-after"), time_source.now())
            wait = pause if asked is None else asked
            if elapsed_seconds() - began + wait > self._patience_seconds:
                raise PublishError(f"{self._client.base_url}: no progress for {self._patience_seconds:.0f} s: {reason}")
            self._on_wait(reason)
            self._rest(wait)
            pause = min(pause * 2, PAUSE_SECONDS_MAX)


def _chunks(lines: Iterable[SourceLine]) -> Iterator[list[SourceLine]]:
    chunk: list[SourceLine] = []
    size = 0
    for line in lines:
        length = len(line.raw) + 1
        if chunk and (len(chunk) == LINES_MAX or size + length >= BYTES_MAX):
            yield chunk
            chunk, size = [], 0
        chunk.append(line)
        size += length
    if chunk:
        yield chunk


def _said(response: httpx2.Response) -> str:
    """The status, and what a problem document says of it."""
    status = f"{response.status_code} {response.reason_phrase}".strip()
    try:
        problem = _Problem.model_validate_json(response.content)
    except ValidationError:
        return status
    return ": ".join(part for part in (status, problem.detail or problem.title) if part)
