"""Whether everybody is just being judged under rules that have come into force: what that tells goes in one message."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, select

from events.dates import MINUTE, Instant
from projections.store.engine.generation import current_generation
from projections.store.engine.tables import activations, alert_events, parked_subjects, subjects
from services.dispatcher.alert_entries import position_of

#: However long it takes, nobody who is to be told waits longer than this after the activation.
WAITING_MAX: Final = 10 * MINUTE


def is_judging_anew(connection: Connection, now: Instant) -> bool:
    """Whether some subject is yet to be judged under the rules in force, or its alerts are still on their way."""
    c = activations.c
    latest = connection.execute(
        select(c.sha256, c.time).order_by(c.time.desc(), c.sequence.desc()).limit(1)
    ).one_or_none()
    if latest is None or now - latest.time > WAITING_MAX:
        return False
    if not _all_is_planned(connection):
        return True
    otherwise = select(subjects.c.subject).where(
        subjects.c.generation == current_generation(connection),
        subjects.c.judged_under != latest.sha256,
        subjects.c.subject.not_in(select(parked_subjects.c.subject)),
    )
    return connection.scalar(otherwise.limit(1)) is not None


def _all_is_planned(connection: Connection) -> bool:
    """Whether the dispatcher has read everything that was told until now."""
    c = alert_events.c
    newest = connection.execute(select(c.sent_partition, c.sent_offset).order_by(c.seq.desc()).limit(1)).one_or_none()
    if newest is None:
        return True
    waiting = connection.scalar(select(c.seq).where(c.sent_offset.is_(None)).limit(1))
    return waiting is None and newest.sent_offset < position_of(connection, newest.sent_partition)
