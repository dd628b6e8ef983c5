"""What is put aside of a batch: refused entries of the log, and those of subjects that are not watched."""

from __future__ import annotations

from sqlalchemy import Connection

from events.adverse_event import AdverseEventReported, AdverseEventRetracted
from events.codec import looks_severe
from events.dates import Instant
from events.errors import EventRefused
from events.laboratory import LabResulted, LabRetracted
from events.triage import readable_id, readable_record, readable_source
from projections.rules.protocol import Protocol
from projections.store import parking
from projections.store.apply import LogEntry, Outcome
from projections.store.parking import NOT_WATCHED, Arrival, NewLetter


def put_aside(connection: Connection, protocol: Protocol, source: str, outcome: Outcome, now: Instant) -> None:
    """Park what was not folded, with its bytes and position; close what valid events behind it in the log have settled.

    ``outcome`` learns how many that were.
    """
    parking.park(connection, protocol, source, letters_of(outcome), now)
    arrived = [
        Arrival(event.subject, event.record_kind, event.record_id, event.source, event.id, received, place)
        for place, (event, _, received) in zip(outcome.places, outcome.taken, strict=True)
        if isinstance(event, AdverseEventReported | AdverseEventRetracted | LabResulted | LabRetracted)
    ]
    outcome.settled = parking.settle(connection, protocol, source, arrived, now)


def letters_of(outcome: Outcome) -> list[NewLetter]:
    """A letter for each entry that was not folded."""
    refused = [_refused(entry, refusal) for entry, refusal in outcome.refused]
    return refused + [_behind(entry, subject) for entry, subject in outcome.behind]


def _refused(entry: LogEntry, refusal: EventRefused) -> NewLetter:
    record = readable_record(entry.body)
    return NewLetter(
        parking.MONITOR,
        refusal.reason,
        refusal.error,
        refusal.field,
        entry.body,
        looks_severe(entry.body),
        subject=refusal.subject,
        source=readable_source(entry.body),
        event_id=refusal.event_id,
        record_kind=record.kind,
        record_id=record.record_id,
        partition=entry.partition,
        offset=entry.offset,
    )


def _behind(entry: LogEntry, subject: str) -> NewLetter:
    """Not severe by itself: that the subject is not watched is an alert already."""
    return NewLetter(
        parking.MONITOR,
        NOT_WATCHED,
        f"{subject} is not being watched: an event of this subject could not be judged",
        "",
        entry.body,
        is_severe=False,
        subject=subject,
        source=readable_source(entry.body),
        event_id=readable_id(entry.body),
        partition=entry.partition,
        offset=entry.offset,
    )
