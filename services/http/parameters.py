"""The parameters of the reading routes. An unknown one is refused: a misspelt filter must not look like an empty one."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Annotated, Any, Final, Literal

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, WithJsonSchema

from events.dates import YEAR_FIRST, YEAR_LAST, Instant, parse_instant, year_of
from events.envelope import SubjectId
from projections.store.read.alerts import PAGE_MAX
from services.http.problems import Problem
from services.terminal.options import Axis

#: What the database can count to.
PLACE_MAX: Final = 2**63 - 1
#: The parameter of every route that reads, for who wants to see the event that was just sent.
AT_LEAST: Final = "at_least"
#: How long the word of a state or a reason may be.
WORD_CHARS_MAX: Final = 64


def _instant(text: object) -> Instant:
    if not isinstance(text, str):
        raise ValueError("give one instant")
    try:
        instant = parse_instant(text)
    except ValueError as error:
        hint = "; in a URL its + is written %2B" if " " in text else ""
        raise ValueError(f"{error}{hint}") from None
    if not YEAR_FIRST <= year_of(text) <= YEAR_LAST:
        raise ValueError(f"not in the years {YEAR_FIRST} to {YEAR_LAST}")
    return instant


Place = Annotated[int, Field(ge=0, le=PLACE_MAX)]
Limit = Annotated[int, Field(ge=1, le=PAGE_MAX, description="How many at most.")]
Word = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z-]*$", max_length=WORD_CHARS_MAX)]
AsOf = Annotated[Instant, BeforeValidator(_instant), WithJsonSchema({"type": "string", "format": "date-time"})]


class Parameters(BaseModel):
    """What the parameters of every route have in common."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    at_least: str | None = Field(
        None,
        max_length=WORD_CHARS_MAX,
        description="A position as the gateway answered it, `0/1234`: wait, at most 5 seconds, until it is projected.",
    )

    def filters(self) -> dict[str, Any]:
        """What the route itself is to look at."""
        return {name: value for name, value in self if name != AT_LEAST}


class AlertParameters(Parameters):
    """Which alerts."""

    subject: SubjectId | None = None
    verdict: Literal["met", "possible", "watch"] | None = None
    state: Literal["open", "withdrawn"] | None = None
    after: Place = Field(0, description="The `next` of the page before.")
    limit: Limit = 100


class StreamParameters(Parameters):
    """From where on."""

    after: Place | None = Field(
        None, description="The id of the event seen last, or a `next`; 0: everything. Without it: only what is new."
    )


class AssessmentParameters(Parameters):
    """Judged when, by which axis, and of whom."""

    as_of: AsOf | None = Field(None, description="RFC 3339 with offset. Default: now.")
    as_of_axis: Axis = Axis.RECORDED
    subject: SubjectId | None = None


class QueryParameters(Parameters):
    """About whom, and to which site."""

    subject: SubjectId | None = None
    site: Annotated[str, StringConstraints(max_length=WORD_CHARS_MAX)] | None = None


class DeadLetterParameters(Parameters):
    """Which parked messages."""

    state: Word | None = None
    reason: Word | None = None
    after: Place = Field(0, description="The `next` of the page before.")
    limit: Limit = 100


class NoParameters(Parameters):
    """For a route that takes none."""


class PlainSpokenRoute(APIRoute):
    """A route that answers parameters it cannot take with a problem document: a sentence for each, without its value."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handler(request)
            except RequestValidationError as error:
                sentences = "; ".join(map(_sentence, error.errors()))
                raise Problem(422, "Parameters that cannot be taken", sentences) from None

        return answer


def _sentence(fault: Any) -> str:
    name = str(fault["loc"][-1])[:WORD_CHARS_MAX]
    if fault["type"] == "extra_forbidden":
        return f"{name}: there is no such parameter"
    message = str(fault["msg"]).removeprefix("Value error, ").removeprefix("Input ")
    return f"{name}: {message}"
