"""What every channel does: send one message, and say what came of it. A channel never raises for what a receiver does."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple, Protocol

from services.dispatcher.notice import Notice
from services.dispatcher.recipients import Recipient

#: ``failed`` may succeed as it is; ``rejected`` needs somebody to mend the receiver or the configuration; ``throttled``
#: asks us to wait; ``gone`` wants no message ever again.
OutcomeKind = Literal["delivered", "failed", "rejected", "throttled", "gone"]

ERROR_CHARS_MAX: Final = 300


class Outcome(NamedTuple):
    """What came of one attempt. ``error`` is for operators and holds no secret."""

    kind: OutcomeKind
    error: str | None = None
    retry_after_seconds: float | None = None


class Message(NamedTuple):
    """What is sent to whom. ``delivery_id`` is the same however often it is tried.

    ``thread`` is the delivery that told this recipient of this alert first, where this is a later one.
    """

    delivery_id: str
    notice: Notice
    recipient: Recipient
    link: str
    thread: str | None


class Channel(Protocol):
    """One configured way to reach people."""

    async def send(self, message: Message) -> Outcome:
        """Try once, within the channel's timeout."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


def what_failed(error: BaseException) -> str:
    """An error in a few words: its kind, and what the system or the other side said."""
    if isinstance(error, TimeoutError):
        return "it took too long"
    said = " ".join(str(error).split())
    name = type(error).__name__
    return f"{name}: {said}"[:ERROR_CHARS_MAX] if said else name
