"""The life of an alert: its id, its state, and one step of it (raised, revised, withdrawn)."""

from __future__ import annotations

from typing import Literal, NamedTuple

from events.alert import AlertData
from events.identity import derived_id
from projections.rules.logic.trial_protocol import TrialProtocol

AlertKind = Literal["raised", "revised", "withdrawn"]


def alert_id_of(protocol: TrialProtocol, case: str, subject: str | None = None) -> str:
    """The id of the alert about a case, the same for ever; ``subject`` None where it is about no subject (events.md)."""
    about = [case] if subject is None else [subject, case]
    return derived_id(protocol.trial, *about)


class AlertTransition(NamedTuple):
    """``subject`` is None for an alert that is about a cohort or the system."""

    kind: AlertKind
    event_id: str
    subject: str | None
    data: AlertData


class AlertState(NamedTuple):
    """``data`` is the newest revision published; ``stands`` is False once it was withdrawn. Its revision never goes back."""

    data: AlertData
    stands: bool

    @property
    def open(self) -> AlertData | None:
        """The newest revision; None once it was withdrawn."""
        return self.data if self.stands else None


def state_after(transition: AlertTransition) -> AlertState:
    """The alert's state after the step."""
    return AlertState(transition.data, transition.kind != "withdrawn")
