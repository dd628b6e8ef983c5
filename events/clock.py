"""What Toxwatch itself writes into the clinical log: time that passed, and the rules that came into force."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import StringConstraints

from events.envelope import Data, Envelope, Identifier, InstantText, SubjectId


class ClockReachedData(Data):
    """Which case was due, and when."""

    due: InstantText
    case: Identifier


class ClockReached(Envelope):
    """An instant was reached at which time alone changes a verdict, so that a replay sees the timer as it fired.

    No site system sends it, so it may come without a ``site``.
    """

    record_kind: ClassVar[str] = "clock"

    type: Literal["toxwatch.clock.reached.v1"]
    subject: SubjectId
    site: Identifier | None = None
    data: ClockReachedData

    @property
    def record_id(self) -> str:
        return self.data.case


class ProtocolActivatedData(Data):
    """Which protocol and rules judge from here on, with the hash of their effective configuration."""

    protocol: Identifier
    version: Identifier
    rules_version: Identifier
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class ProtocolActivated(Envelope):
    """A version of the protocol came into force; about no subject, written once to every partition under one id."""

    record_kind: ClassVar[str] = "protocol"

    type: Literal["toxwatch.protocol.activated.v1"]
    data: ProtocolActivatedData

    @property
    def record_id(self) -> str:
        return self.data.protocol
