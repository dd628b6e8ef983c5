"""What the dispatcher lets be measured."""

from __future__ import annotations

from typing import Protocol


class Observer(Protocol):
    """Takes measurements; called from any thread."""

    def attempted(self, channel: str, outcome: str) -> None:
        """An attempt came to its end (``toxwatch_deliveries_total``)."""
        ...

    def oldest_undelivered(self, seconds: float) -> None:
        """For how long what should have been delivered has waited at most (``toxwatch_oldest_undelivered_seconds``)."""
        ...


class Unobserved:
    """Measures nothing."""

    def attempted(self, channel: str, outcome: str) -> None:
        """Nothing."""

    def oldest_undelivered(self, seconds: float) -> None:
        """Nothing."""
