"""The life of an alert: where it stands, and one step of it (raised, revised, withdrawn)."""

from __future__ import annotations

from typing import Literal, NamedTuple

from events.alert import AlertData

AlertKind = Literal["raised", "revised", "withdrawn"]


class AlertTransition(NamedTuple):
    """``subject`` is None for an alert that is about a cohort or the system."""

    kind: AlertKind
    event_id: str
    subject: str | None
    data: AlertData


class AlertState(NamedTuple):
    """``data`` is what was told last; ``stands`` is False once it was withdrawn. Its revision never goes back."""

    data: AlertData
    stands: bool

    @property
    def open(self) -> AlertData | None:
        """What stands; None once it was withdrawn."""
        return self.data if self.stands else None


def state_after(transition: AlertTransition) -> AlertState:
    """Where the alert stands after the step."""
    return AlertState(transition.data, transition.kind != "withdrawn")
