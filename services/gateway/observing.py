"""Whom the gateway tells what it did, for whoever counts it."""

from __future__ import annotations

from typing import Literal, Protocol

Outcome = Literal["accepted", "duplicate", "refused"]
#: Why a request with events was not taken: the store or the gateway could not (503), its key had too much (429), or its sender
#: had gone before it was written.
TurnedAway = Literal["unavailable", "limited", "abandoned"]


class GatewayObserver(Protocol):
    """``kind`` is a type of event, or ``unknown``; ``outcome`` is accepted, duplicate or refused."""

    def events_total(self, kind: str, outcome: Outcome, count: int = 1, /) -> None:
        """So many events more came to this."""
        ...

    def requests_turned_away_total(self, reason: TurnedAway, /) -> None:
        """A request with events was not taken."""
        ...


class NobodyWatches:
    """Counts nothing."""

    def events_total(self, kind: str, outcome: Outcome, count: int = 1, /) -> None:
        """Nobody asks."""

    def requests_turned_away_total(self, reason: TurnedAway, /) -> None:
        """Nobody asks."""
