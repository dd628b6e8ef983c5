"""What is put aside of a batch: refused entries, those of subjects that are not watched, and graver reports that are not used."""

from __future__ import annotations

import re
from typing import Final

from sqlalchemy import Connection

from events.adverse_event import AdverseEventReported, AdverseEventRetracted
from events.codec import looks_severe
from events.dates import Instant
from events.envelope import SubjectEvent
from events.errors import EventRefused, Unreadable
from events.laboratory import LabResulted, LabRetracted
from events.subject import SubjectDiscontinued
from events.triage import readable_id, readable_record, readable_source
from projections.folds.superseded import Superseded
from projections.folds.trial import Trial
from projections.rules.logic.trial_protocol import TrialProtocol
from projections.store.write import dead_letter_store
from projections.store.write.batch import BatchOutcome, LogEntry
from projections.store.write.dead_letter_store import LOWER_REVISION, NOT_WATCHED, ArrivedEvent, NewDeadLetter

_SETTLING: Final = (AdverseEventReported, AdverseEventRetracted, LabResulted, LabRetracted, SubjectDiscontinued)


def put_aside(connection: Connection, trial: Trial, outcome: BatchOutcome, now: Instant) -> None:
    """Park what was not folded, with its bytes and position; close what valid events behind it in the log have settled.

    ``outcome`` learns how many that were.
    """
    dead_letter_store.park(connection, trial, dead_letters_of(outcome, trial.protocol), now)
    outcome.settled = dead_letter_store.settle(connection, trial, arrivals_of(outcome), now)


def arrivals_of(outcome: BatchOutcome) -> list[ArrivedEvent]:
    """The events that may settle a severe letter. One that a higher revision had replaced before it came settles nothing."""
    return [
        ArrivedEvent(
            event.subject,
            event.record_kind,
            event.record_id,
            event.source,
            event.id,
            received,
            place,
            event.data.revision,
        )
        for place, (event, _, received) in zip(outcome.places, outcome.taken, strict=True)
        if isinstance(event, _SETTLING) and place not in outcome.superseded
    ]


def dead_letters_of(outcome: BatchOutcome, protocol: TrialProtocol) -> list[NewDeadLetter]:
    """A letter for each entry that was not folded."""
    pattern = re.compile(protocol.subject_pattern)
    refused = [_refused(entry, refusal, pattern) for entry, refusal in outcome.refused]
    behind = [_behind(entry, subject) for entry, subject in outcome.behind]
    unused = [_unused(entry, superseded) for entry, superseded in outcome.superseded.values() if superseded.says_more]
    return refused + behind + unused


def keep_unsettled(found: BatchOutcome, batch: BatchOutcome) -> None:
    """Add the graver reports of a batch that are not used, and drop those that a later event of their record has settled."""
    settled: dict[tuple[str, str, str], tuple[int, int]] = {}
    for one in arrivals_of(batch):
        assert one.place is not None, "it was read from the log"
        settled[(one.subject, one.kind, one.record_id)] = one.place
    found.superseded |= {place: kept for place, kept in batch.superseded.items() if kept[1].says_more}
    for place, (entry, _) in list(found.superseded.items()):
        event = _event_of(entry)
        after = settled.get((event.subject, event.record_kind, event.record_id))
        if after is not None and after[0] == place[0] and after[1] > place[1]:
            del found.superseded[place]


def _refused(entry: LogEntry, refusal: EventRefused, pattern: re.Pattern[str]) -> NewDeadLetter:
    named = pattern.fullmatch(refusal.subject or "")
    record = readable_record(entry.body)
    return NewDeadLetter(
        dead_letter_store.MONITOR,
        refusal.reason,
        refusal.error,
        refusal.field,
        entry.body,
        # Of what cannot be read nobody knows; one letter of a batch has the bytes, and is enough to wake somebody.
        bool(entry.body) if isinstance(refusal, Unreadable) else looks_severe(entry.body),
        site=named.groupdict().get("site") if named is not None else None,
        subject=refusal.subject,
        source=readable_source(entry.body),
        event_id=refusal.event_id,
        record_kind=record.kind,
        record_id=record.record_id,
        partition=entry.partition,
        offset=entry.offset,
    )


def _behind(entry: LogEntry, subject: str) -> NewDeadLetter:
    """Not severe by itself: that the subject is not watched is an alert already."""
    return NewDeadLetter(
        dead_letter_store.MONITOR,
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


def _unused(entry: LogEntry, superseded: Superseded) -> NewDeadLetter:
    """It stands in the log and in the chart, and changes nothing: a person decides, or a higher revision does."""
    event = _event_of(entry)
    return NewDeadLetter(
        dead_letter_store.MONITOR,
        LOWER_REVISION,
        f"data.revision: {superseded.sentence}",
        "data.revision",
        entry.body,
        is_severe=True,
        site=event.site,
        subject=event.subject,
        source=event.source,
        event_id=event.id,
        record_kind=event.record_kind,
        record_id=event.record_id,
        partition=entry.partition,
        offset=entry.offset,
    )


def _event_of(entry: LogEntry) -> SubjectEvent:
    assert not isinstance(entry.decoded, EventRefused), "what was superseded was taken"
    event = entry.decoded.event
    assert isinstance(event, SubjectEvent), "it is about a subject"
    return event
