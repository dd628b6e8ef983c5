"""The outbox of alert events, which is also their history, and the newest revision of each alert."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, Literal

from sqlalchemy import Connection, select

from events.alert import AlertData
from events.catalog import EVENT_ADAPTER
from events.dates import parse_instant
from events.envelope import LIST_ITEMS_MAX
from projections.folds.alert_transition import AlertState, AlertTransition
from projections.folds.system_alerts import COHORT
from projections.folds.trial import Trial
from projections.store.engine.database import Lock, insert_new, take_lock, upsert
from projections.store.engine.notifications import ALERTS, notify
from projections.store.engine.tables import NOBODY, alert_events, alerts

OPEN: Final = "open"
WITHDRAWN: Final = "withdrawn"
#: What one alert event may have in bytes: less than every log and reader takes.
ALERT_BYTES_MAX: Final = 200 * 1024
LEFT_OUT: Final = "more is on record than one message holds: read on at the alert itself"
State = Literal["open", "withdrawn"]


def alert_key(trial: Trial, transition: AlertTransition) -> str:
    """The key of an alert event in the alert log: the subject's, or that of what it is about (events.md, distributed.md)."""
    if transition.subject is not None:
        return trial.key_of(transition.subject)
    case = transition.data.case
    return trial.key_about(f"cohort/{case.removeprefix(COHORT)}" if case.startswith(COHORT) else "system")


def alert_body(trial: Trial, transition: AlertTransition) -> bytes:
    """The alert event as it travels."""
    event_type = f"toxwatch.alert.{transition.kind}.v1"
    at, data = transition.data.detected_at, transition.data
    envelope = trial.envelope(event_type, transition.event_id, at, data, transition.subject)
    body = _dumped(envelope)
    while len(body) > ALERT_BYTES_MAX and (shorter := _shorter(envelope["data"])) is not None:
        body = _dumped(envelope | {"data": shorter})
        envelope["data"] = shorter
    return body


def _dumped(envelope: dict[str, Any]) -> bytes:
    return EVENT_ADAPTER.dump_json(EVENT_ADAPTER.validate_python(envelope), by_alias=True, exclude_unset=True)


def _shorter(data: AlertData) -> AlertData | None:
    """With half of its longest list, and a word about that; None where there is nothing to leave out.

    A message beyond what a log takes would reach nobody. What is stored of the alert, and what is read of it, is whole.
    """
    name = max(("evidence", "questions", "reasons"), key=lambda one: len(repr(getattr(data, one))))
    items = getattr(data, name)
    if len(items) <= 2:
        return None
    changes: dict[str, Any] = {name: items[: len(items) // 2]}
    reasons = [reason for reason in changes.get("reasons", data.reasons) if reason != LEFT_OUT]
    return data.model_copy(update={**changes, "reasons": [*reasons, LEFT_OUT][-LIST_ITEMS_MAX:]})


def publish(connection: Connection, trial: Trial, transitions: Sequence[AlertTransition]) -> None:
    """Put alert events in the outbox, in order, and keep the newest revision of each alert. An id that is there stays."""
    if not transitions:
        return
    # A place must never be committed after one that stands behind it, or a reader who goes on from the last place that it saw
    # would miss an alert.
    take_lock(connection, Lock.OUTBOX)
    insert_new(
        connection,
        alert_events,
        [
            {
                "event_id": step.event_id,
                "source": trial.source,
                "alert_id": step.data.alert_id,
                "revision": step.data.revision,
                "kind": step.kind,
                "key": alert_key(trial, step),
                "subject": step.subject,
                "case_name": step.data.case,
                "verdict": step.data.verdict,
                "urgency": step.data.urgency,
                "detected_at": parse_instant(step.data.detected_at),
                "body": alert_body(trial, step),
            }
            for step in transitions
        ],
    )
    newest = {step.data.alert_id: step for step in transitions}
    raised = {step.data.alert_id: step for step in transitions if step.kind == "raised"}
    upsert(connection, alerts, [_row(step) for key, step in newest.items() if key in raised])
    upsert(connection, alerts, [_row(step) for key, step in newest.items() if key not in raised], keep=["raised_at"])
    notify(connection, ALERTS)


def published_states(connection: Connection, alert_ids: Iterable[str]) -> dict[str, AlertState]:
    """The newest revision of each of these alerts."""
    wanted = select(alerts.c.alert_id, alerts.c.state, alerts.c.data).where(alerts.c.alert_id.in_(list(alert_ids)))
    return {row.alert_id: _standing(row.state, row.data) for row in connection.execute(wanted)}


def published_of_subjects(connection: Connection, subjects: Iterable[str]) -> dict[str, dict[str, AlertState]]:
    """The newest revision of every alert about these subjects, by subject and case."""
    found: dict[str, dict[str, AlertState]] = {subject: {} for subject in subjects}
    wanted = select(alerts.c.subject, alerts.c.case_name, alerts.c.state, alerts.c.data).where(
        alerts.c.subject.in_(list(found))
    )
    for row in connection.execute(wanted):
        found[row.subject][row.case_name] = _standing(row.state, row.data)
    return found


def _standing(state: str, data: str) -> AlertState:
    return AlertState(AlertData.model_validate_json(data), state == OPEN)


def _row(step: AlertTransition) -> dict[str, object]:
    detected_at = parse_instant(step.data.detected_at)
    return {
        "alert_id": step.data.alert_id,
        "case_name": step.data.case,
        "subject": step.subject or NOBODY,
        "revision": step.data.revision,
        "state": WITHDRAWN if step.kind == "withdrawn" else OPEN,
        "verdict": step.data.verdict,
        "urgency": step.data.urgency,
        "raised_at": detected_at,
        "changed_at": detected_at,
        "data": step.data.model_dump_json(exclude_unset=True),
    }
