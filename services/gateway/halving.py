"""What is handed to the intake and what comes of it; and how a batch is halved to find the event that makes taking it fail."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from events.errors import EventRefused
from services.gateway.messages import ReceivedMessage
from services.http.caller import Caller
from services.log.port import Position
from services.platform.metrics import Outcome


class Submission(NamedTuple):
    """The events of one request, and who sent them."""

    caller: Caller
    messages: Sequence[ReceivedMessage]


class IntakeResult(NamedTuple):
    """What became of one event. ``is_outside``: refused because the key may not write it.

    ``superseded_by``: a higher revision of its record is in effect, so that the event changes nothing.
    """

    id: str | None
    status: Outcome
    position: Position | None = None
    error: str | None = None
    is_outside: bool = False
    superseded_by: int | None = None


class Taking(NamedTuple):
    """What a batch came to: the results of each submission in order, and whether there is something new in either log."""

    results: list[list[IntakeResult]]
    appended: int
    told: int


class NotTaken(EventRefused):
    """Taking an event raised what no refusal is: a fault of ours."""

    reason: ClassVar[str] = "not-taken"

    def __init__(self, cause: Exception) -> None:
        super().__init__(
            f"it cannot be taken ({type(cause).__name__}), a fault of Toxwatch and not yours; it is kept until that is mended"
        )


def messages_in(batch: Sequence[Submission]) -> int:
    """How many events there are."""
    return sum(len(one.messages) for one in batch)


def halves(batch: Sequence[Submission]) -> tuple[list[Submission], list[Submission]]:
    """The events of the first half and those of the second, each under the submission that they came with."""
    left = messages_in(batch) // 2
    first: list[Submission] = []
    second: list[Submission] = []
    for one in batch:
        first.append(one._replace(messages=one.messages[:left]))
        second.append(one._replace(messages=one.messages[left:]))
        left = max(0, left - len(one.messages))
    return first, second


def together(first: Taking, second: Taking) -> Taking:
    """What two halves of a batch came to."""
    results = [[*a, *b] for a, b in zip(first.results, second.results, strict=True)]
    return Taking(results, first.appended + second.appended, first.told + second.told)
