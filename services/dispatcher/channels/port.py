"""What every channel does: send one message, and say what came of it. A channel never raises for what a receiver does."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple, Protocol

from services.dispatcher.delivery import Heard
from services.dispatcher.notice import Notice
from services.dispatcher.recipients import Recipient

#: ``failed`` may succeed as it is; ``rejected`` needs somebody to mend the receiver or the configuration; ``throttled``
#: asks us to wait; ``gone`` wants no message ever again.
OutcomeKind = Literal["delivered", "failed", "rejected", "throttled", "gone"]

ERROR_CHARS_MAX: Final = 300


class Outcome(NamedTuple):
    """What came of one attempt. ``error`` is for operators and holds no secret.

    ``may_have_arrived``: the receiver may have the message although we were not told so.
    """

    kind: OutcomeKind
    error: str | None = None
    retry_after_seconds: float | None = None
    may_have_arrived: bool = False

    @property
    def heard(self) -> Heard:
        """Whether the receiver has the message."""
        return "yes" if self.kind == "delivered" else "perhaps" if self.may_have_arrived else "no"


class Part(NamedTuple):
    """One of several alerts in a message, and where to read on."""

    notice: Notice
    link: str


class Message(NamedTuple):
    """What is sent to whom. ``delivery_id`` is the same however often it is tried.

    ``thread`` is the delivery that told this recipient of this alert first, where this is a later one. ``parts`` is everything
    that a message about several alerts lists, ``notice`` and ``link`` first; it is empty where the message is about one.
    """

    delivery_id: str
    notice: Notice
    recipient: Recipient
    link: str
    thread: str | None
    parts: tuple[Part, ...] = ()


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
