"""In which time zone the people at a subject's site live: as the enrolment on the chart says, or else as the protocol does."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, select

from events.dates import Zone, zone_named
from projections.rules.logic.trial_protocol import TrialProtocol
from projections.store.engine.generation import NoGenerationError, current_generation
from projections.store.engine.tables import chart_events


def zone_of(connection: Connection, protocol: TrialProtocol, subject: str | None) -> Zone:
    """The time zone of a subject's site; the protocol's where the enrolment names none, and for what is no subject's."""
    if subject is None:
        return protocol.zone
    try:
        generation = current_generation(connection)
    except NoGenerationError:
        return protocol.zone
    c = chart_events.c
    of_subject = (c.generation == generation, c.subject == subject, c.kind == "enrolment")
    versions = connection.execute(select(c.time, c.event_id, c.source, c.body).where(*of_subject)).all()
    if not versions:
        return protocol.zone
    # Which version is in effect: the order of projections.folds.record_history.
    newest = max(versions, key=lambda row: (_data(row.body)["revision"], row.time, row.event_id, row.source))
    name = _data(newest.body).get("time_zone")
    return zone_named(name) if name else protocol.zone


def _data(body: bytes) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(body)["data"]
    return data
