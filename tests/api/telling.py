"""Filling the store as the monitor, the gateway and the dispatcher do: with their own functions where they have some."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection

from events.alert import AlertData
from events.dates import SECOND, format_instant, parse_instant
from events.envelope import EventRef
from events.identity import derived_id
from projections.folds.alert_transition import AlertKind, AlertTransition
from projections.folds.trial import Trial
from projections.protocols.isi_jx import PROTOCOL
from projections.store.engine.generation import begin_first_generation
from projections.store.engine.tables import chart_events, deliveries, delivery_attempts, positions
from projections.store.rows.outbox import publish, published_states
from projections.store.write.dead_letter_store import NewDeadLetter, park
from tests.events.samples import event

SOURCE = "urn:toxwatch:test"
START = parse_instant("2017-03-20T09:00:00Z")


def alert_id_of(subject: str | None, case: str) -> str:
    """The id of the alert about a case."""
    return derived_id(PROTOCOL.trial, subject, case) if subject else derived_id(PROTOCOL.trial, case)


def told(
    connection: Connection,
    subject: str | None = "FR01-001",
    case: str = "ae:AE-1",
    kind: AlertKind | None = None,
    **more: Any,
) -> str:
    """Raise, revise or (``kind``) withdraw the alert about a case, and give its id. ``more`` are fields of its data."""
    alert_id = alert_id_of(subject, case)
    before = published_states(connection, [alert_id]).get(alert_id)
    revision = before.data.revision + 1 if before else 1
    kind = kind or ("revised" if before and before.stands else "raised")
    withdrawn = kind == "withdrawn"
    fields: dict[str, Any] = {
        "alert_id": alert_id,
        "revision": revision,
        "case": case,
        "verdict": None if withdrawn or subject is None else "met",
        "clauses": {} if withdrawn else {"DLT-1": "met"},
        "urgency": "urgent",
        "population": "part-a" if subject else None,
        "counts_as_dlt": bool(subject) and not withdrawn,
        "reasons": ["grade 4 since 20 March"],
        "questions": [],
        "evidence": [],
        "detected_at": format_instant(START + revision * SECOND),
        "caused_by": EventRef(source="urn:site:FR01:edc", id="e-1"),
        "protocol_version": "1",
        **more,
    }
    step = AlertTransition(kind, derived_id(alert_id, str(revision), kind), subject, AlertData(**fields))
    publish(connection, Trial(PROTOCOL, SOURCE), [step])
    return alert_id


def charted(connection: Connection, offset: int, **attributes: Any) -> dict[str, Any]:
    """Put an adverse event on its subject's chart, and give it as it stands there."""
    begin_first_generation(connection, START)
    body = {**event("ae.reported", {"grade": 4}, **attributes), "receivedtime": "2017-03-20T09:00:01Z"}
    row = {
        "generation": 1,
        "subject": body["subject"],
        "source": body["source"],
        "event_id": body["id"],
        "kind": "ae",
        "record_id": body["data"]["ae_id"],
        "time": START,
        "received": START + SECOND,
        "partition": 0,
        "offset": offset,
        "body": json.dumps(body).encode(),
    }
    connection.execute(chart_events.insert(), [row])
    return body


def delivered(connection: Connection, alert_id: str, revision: int, recipient: str, outcomes: list[str]) -> str:
    """A revision's way to a recipient by e-mail: one attempt for each outcome, the last of which is how it stands."""
    delivery_id = derived_id(alert_id, str(revision), recipient, "mail")
    row = {
        "id": delivery_id,
        "event_id": derived_id(alert_id, str(revision), "raised"),
        "alert_id": alert_id,
        "revision": revision,
        "recipient": recipient,
        "channel": "mail",
        "urgency": "urgent",
        "state": outcomes[-1],
        "attempts": len(outcomes),
        "created_at": START,
        "not_before": START,
        "next_attempt_at": START + len(outcomes) * SECOND,
        "delivered_at": START + len(outcomes) * SECOND if outcomes[-1] == "delivered" else None,
        "error": None if outcomes[-1] == "delivered" else "421 try later",
        "notice": "{}",
    }
    connection.execute(deliveries.insert(), [row])
    attempts = [
        {"delivery_id": delivery_id, "attempt": n, "at": START + n * SECOND, "outcome": outcome, "error": None}
        for n, outcome in enumerate(outcomes, start=1)
    ]
    connection.execute(delivery_attempts.insert(), attempts)
    return delivery_id


def letter(raw: bytes = b"{}", **more: Any) -> NewDeadLetter:
    """A refused message, from site FR01 unless said otherwise."""
    fields: dict[str, Any] = {
        "origin": "gateway",
        "reason": "bad-field",
        "error": "data.grade: 7 is not a CTCAE grade 1-5",
        "field": "data.grade",
        "raw": raw,
        "is_severe": False,
        "sender": "key-1",
        "site": "FR01",
        "subject": "FR01-001",
        "source": "urn:site:FR01:edc",
        "event_id": "e-7",
        **more,
    }
    return NewDeadLetter(**fields)


def parked(connection: Connection, *letters: NewDeadLetter) -> None:
    """Park messages as the gateway does."""
    park(connection, Trial(PROTOCOL, SOURCE), letters, START)


def at_position(connection: Connection, consumer: str, next_offset: int) -> None:
    """How far a consumer has come."""
    connection.execute(positions.insert(), [{"consumer": consumer, "partition": 0, "next_offset": next_offset}])
