"""The documents in which alerts are read: over HTTP, and as lines of the command line."""

from __future__ import annotations

import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from events.alert import AlertData
from events.dates import format_instant
from events.envelope import InstantText, Own, SubjectId
from projections.store.read.alerts import PublishedAlert, PublishedEvent, StoredDelivery


class Shape(BaseModel):
    """What the documents have in common."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class AlertView(AlertData):
    """An alert as it stands: what its newest revision says, and these. ``seq`` orders alerts by when they changed."""

    seq: int
    subject: SubjectId | None
    state: Literal["open", "withdrawn"]
    raised_at: InstantText
    changed_at: InstantText
    x: Own | None = Field(None, exclude=True)


class AlertPage(Shape):
    """Alerts in the order in which they changed. ``next`` is the ``after`` of the page that follows; null: there is none."""

    alerts: list[AlertView]
    next: int | None


class HistoryEntry(Shape):
    """One event of the alert log."""

    seq: int
    kind: Literal["raised", "revised", "withdrawn"]
    event: dict[str, Any]


class EvidenceEvent(Shape):
    """An event that the alert rests on, as it stands in the clinical log; null where it is on no chart."""

    source: str
    id: str
    event: dict[str, Any] | None


class DeliveryAttempt(Shape):
    """One attempt to deliver."""

    attempt: int
    at: InstantText
    outcome: str
    error: str | None


class DeliveryRow(Shape):
    """One revision on its way to one recipient over one channel."""

    id: str
    revision: int
    recipient: str
    channel: str
    state: str
    not_before: InstantText
    delivered_at: InstantText | None
    error: str | None
    attempts: list[DeliveryAttempt]


class WholeAlert(AlertView):
    """One alert with everything there is about it."""

    history: list[HistoryEntry]
    evidence_events: list[EvidenceEvent]
    deliveries: list[DeliveryRow]


def alert_shape(alert: PublishedAlert) -> AlertView:
    """The alert as a document."""
    return AlertView.model_validate(_fields(alert))


def whole_alert(
    alert: PublishedAlert, history: list[PublishedEvent], evidence: list[bytes | None], deliveries: list[StoredDelivery]
) -> WholeAlert:
    """The alert with its history, evidence and deliveries as a document."""
    return WholeAlert.model_validate(
        {
            **_fields(alert),
            "history": [{"seq": told.seq, "kind": told.kind, "event": json.loads(told.body)} for told in history],
            "evidence_events": [
                {"source": ref.source, "id": ref.id, "event": None if body is None else json.loads(body)}
                for ref, body in zip(alert.data.evidence, evidence, strict=True)
            ],
            "deliveries": [_delivery(delivery) for delivery in deliveries],
        }
    )


def _fields(alert: PublishedAlert) -> dict[str, Any]:
    return {
        **dict(alert.data),
        "seq": alert.seq,
        "subject": alert.subject,
        "state": alert.state,
        "raised_at": format_instant(alert.raised_at),
        "changed_at": format_instant(alert.changed_at),
    }


def _delivery(delivery: StoredDelivery) -> dict[str, Any]:
    return {
        **delivery._asdict(),
        "not_before": format_instant(delivery.not_before),
        "delivered_at": None if delivery.delivered_at is None else format_instant(delivery.delivered_at),
        "attempts": [{**attempt._asdict(), "at": format_instant(attempt.at)} for attempt in delivery.attempts],
    }
