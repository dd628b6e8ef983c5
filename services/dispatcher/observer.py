"""What the dispatcher lets be measured."""

from __future__ import annotations

from typing import Protocol


class Observer(Protocol):
    """Takes measurements; called from any thread."""

    def deliveries_total(self, channel: str, outcome: str) -> None:
        """An attempt came to its end."""
        ...


class UnobservedDispatcher:
    """Measures nothing."""

    def deliveries_total(self, channel: str, outcome: str) -> None:
        """Nothing."""
