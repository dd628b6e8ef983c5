"""Alerts that are no subject's finding: a level on hold, refused severe input, a subject not watched, an alert not delivered.

They stand or they do not (EVENTS, "alert log"): ``verdict`` is null, the urgency urgent, the id derived from trial and case.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from events.alert import AlertData
from events.dates import Instant, format_instant
from events.envelope import LIST_ITEMS_MAX, TEXT_CHARS_MAX
from events.envelope import EventRef as EventRefData
from events.identity import derived_id
from projections.folds.alert_transition import AlertKind, AlertTransition, Standing
from projections.folds.cohort_board import CohortRow
from projections.rules.protocol import Protocol
from projections.rules.truth import EventRef

COHORT: Final = "cohort:"
INTAKE: Final = "intake:"
UNWATCHED: Final = "unwatched:"
UNDELIVERED: Final = "undelivered:"
DRIFT: Final = "drift:"
STALLED: Final = "stalled:"

COHORT_HOLD: Final = "COHORT-HOLD"


def system_transition(
    protocol: Protocol,
    case: str,
    told: Standing | None,
    reasons: Sequence[str] | None,
    caused_by: EventRef,
    detected_at: Instant,
    *,
    questions: Sequence[str] = (),
    dose_level: int | None = None,
    clauses: Sequence[str] = (),
) -> AlertTransition | None:
    """What to tell of a case that stands for ``reasons``, or, where they are None, no longer does; None: nothing new.

    ``told`` is what was told of it last, None if it never was.
    """
    kind = _kind(told, reasons)
    if kind is None:
        return None
    alert_id = derived_id(protocol.trial, case)
    revision = told.data.revision + 1 if told is not None else 1
    data = AlertData(
        alert_id=alert_id,
        revision=revision,
        case=case,
        verdict=None,
        clauses=dict.fromkeys(clauses, "met") if reasons is not None else {},
        urgency="urgent",
        population=None,
        dose_level=dose_level,
        counts_as_dlt=False,
        reasons=[text[:TEXT_CHARS_MAX] for text in reasons or ("it no longer stands",)][:LIST_ITEMS_MAX],
        questions=list(questions)[:LIST_ITEMS_MAX] if reasons is not None else [],
        evidence=[],
        detected_at=format_instant(detected_at),
        caused_by=EventRefData(source=caused_by.source, id=caused_by.id),
        protocol_version=protocol.version,
    )
    return AlertTransition(kind, derived_id(alert_id, str(revision), kind), None, data)


def unwatched_transition(
    protocol: Protocol, subject: str, told: Standing | None, caused_by: EventRef, at: Instant, *, is_parked: bool
) -> AlertTransition | None:
    """What to tell of a subject whose events are parked from an event on that could not be judged, or no longer are."""
    reasons = [f"{subject} is not being watched: an event of this subject could not be judged; its events are parked"]
    return system_transition(
        protocol,
        UNWATCHED + subject,
        told,
        reasons if is_parked else None,
        caused_by,
        at,
        questions=["Judge the subject by hand until its parked events are replayed."],
    )


def hold_transition(
    row: CohortRow, with_dlt: Sequence[str], told: Standing | None, protocol: Protocol, caused_by: EventRef, at: Instant
) -> AlertTransition | None:
    """What to tell of a dose level after its counts changed. ``with_dlt`` are the subjects that count (RULES 5)."""
    level = "without a dose level on record" if row.key.dose_level is None else f"at dose level {row.key.dose_level}"
    reasons = None
    if row.hold:
        reasons = [
            # Not of how many: that one more was treated is no news about the hold.
            f"{row.dlts} subjects {level} have a dose-limiting toxicity: {', '.join(sorted(with_dlt))}",
        ]
    return system_transition(
        protocol,
        row.key.case,
        told,
        reasons,
        caused_by,
        at,
        questions=["Hold the level: no further subject is to be treated there until the sponsor decides."],
        dose_level=row.key.dose_level,
        clauses=[COHORT_HOLD],
    )


def _kind(told: Standing | None, reasons: Sequence[str] | None) -> AlertKind | None:
    before = told.open if told is not None else None
    if reasons is None:
        return None if before is None else "withdrawn"
    if before is None:
        return "raised"
    return "revised" if before.reasons != list(reasons) else None
