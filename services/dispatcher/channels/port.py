"""What every channel does: send one message, and say what came of it. A channel never raises for what a receiver does."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple, Protocol

from services.dispatcher.delivery import Heard
from services.dispatcher.notice import Notice, plain
from services.dispatcher.recipients import Recipient

#: ``failed`` may succeed as it is; ``rejected`` needs somebody to mend the receiver or the configuration; ``throttled``
#: asks us to wait; ``gone`` wants no message ever again.
OutcomeKind = Literal["delivered", "failed", "rejected", "throttled", "gone"]

ERROR_CHARS_MAX: Final = 300


class SendOutcome(NamedTuple):
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


class GroupedAlert(NamedTuple):
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
    parts: tuple[GroupedAlert, ...] = ()


class ChannelTest(NamedTuple):
    """A message that somebody asked for to see whether it arrives. It is about no alert, and nothing is to be done.

    ``sent_at`` is an instant as text, as alerts have it.
    """

    delivery_id: str
    recipient: Recipient
    deployment: str
    sent_at: str

    @property
    def headline(self) -> str:
        """One line."""
        return plain(f"Test message from {self.deployment}: nothing is to be done")

    @property
    def sentence(self) -> str:
        """What its recipient has to know."""
        return (
            f"This is a test message from the Toxwatch deployment {self.deployment}, sent at {self.sent_at}. It is no alert,"
            " it is about no subject, and you have nothing to do. It shows that alerts reach you over this channel."
        )


#: What a channel can send.
Sendable = Message | ChannelTest


class Channel(Protocol):
    """One configured way to reach people."""

    async def send(self, message: Sendable) -> SendOutcome:
        """Try once. It ends by itself: within the channel's timeout, save where the receiver has the whole message already."""
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
