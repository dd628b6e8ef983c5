"""Whom the gateway tells what it did, for whoever counts it."""

from __future__ import annotations

from typing import Literal, Protocol

Outcome = Literal["accepted", "duplicate", "refused"]


class GatewayObserver(Protocol):
    """``kind`` is a type of event, or ``unknown``; ``outcome`` is accepted, duplicate or refused."""

    def events_total(self, kind: str, outcome: Outcome, count: int = 1, /) -> None:
        """So many events more came to this."""
        ...


class NobodyWatches:
    """Counts nothing."""

    def events_total(self, kind: str, outcome: Outcome, count: int = 1, /) -> None:
        """Nobody asks."""
