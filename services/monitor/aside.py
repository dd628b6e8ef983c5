"""What is put aside: refused entries, and those of a subject that is not watched."""

from __future__ import annotations

from sqlalchemy import Connection

from events.dates import Instant
from projections.folds.alert_transition import AlertTransition
from projections.rules.protocol import Protocol
from projections.store.apply import Outcome


def put_aside(connection: Connection, protocol: Protocol, outcome: Outcome, now: Instant) -> list[AlertTransition]:
    """Park what was not folded, with its bytes and position."""
    return []
