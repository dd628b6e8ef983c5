"""Alerts that are no subject's finding: a level on hold, refused severe input, a subject not watched, an alert not delivered.

They stand or they do not (events.md): ``verdict`` is null, the urgency urgent, the id derived from trial and case.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from events.alert import AlertData, Change, Telling
from events.dates import Instant, format_instant
from events.envelope import LIST_ITEMS_MAX, TEXT_CHARS_MAX, EventRef
from events.errors import TakingFailed, Unreadable
from events.identity import derived_id
from projections.folds.alert_transition import AlertKind, AlertState, AlertTransition, alert_id_of
from projections.folds.cohort_board import CohortRow
from projections.rules.logic.trial_protocol import TrialProtocol
from projections.rules.logic.truth import EventKey

COHORT: Final = "cohort:"
INTAKE: Final = "intake:"
UNWATCHED: Final = "unwatched:"
UNDELIVERED: Final = "undelivered:"
DRIFT: Final = "drift:"
STALLED: Final = "stalled:"
DISK: Final = "disk:"

COHORT_HOLD: Final = "COHORT-HOLD"
#: Up to here every number is told; from here on 20, 50, 100, 200, 500, …
EXACT_MAX: Final = 10
#: Whose refused input it is where it came with a key of no single site.
NO_SITE: Final = "@other"
#: Of what was refused for these reasons nothing is known.
_UNKNOWN: Final = frozenset({Unreadable.reason, TakingFailed.reason})


def rung(count: int) -> int:
    """The highest step of 1, 2, …, 10, 20, 50, 100, 200, 500, … that is not above a number: people are told at these."""
    if count <= EXACT_MAX:
        return count
    power = int(10 ** (len(str(count)) - 1))
    return max(power * step for step in (1, 2, 5) if power * step <= count)


def intake_case(site: str | None, reason: str) -> str:
    """The case of the alert that refused severe events of a site are counted in, by the reason they were refused for."""
    return f"{INTAKE}{site or NO_SITE}/{reason}"


def site_of_case(case: str) -> str | None:
    """The site whose refused events such an alert counts; None for another case, or a sender of no single site."""
    if not case.startswith(INTAKE):
        return None
    site = case.removeprefix(INTAKE).partition("/")[0]
    return None if site == NO_SITE else site


def level_of_case(case: str) -> tuple[str, str] | None:
    """The part and the dose level that such an alert holds; None for another case."""
    if not case.startswith(COHORT):
        return None
    part, _, level = case.removeprefix(COHORT).partition("/")
    return part, level


#: A report that is in the log and changes nothing, because a higher revision of its record was known.
LOWER_REVISION: Final = "lower-revision"


def intake_reasons(case: str, count: int, examples: Sequence[str]) -> list[str]:
    """What the alert says of refused severe events."""
    site, _, reason = case.removeprefix(INTAKE).partition("/")
    events, say = ("event", "says") if count == 1 else ("events", "say")
    sender = "a sender of no single site" if site == NO_SITE else f"site {site}"
    if reason == LOWER_REVISION:
        are = "is" if count == 1 else "are"
        first = (
            f"{count} {events} from {sender} {say} more than what is in effect, and {are} not used: of a lower revision"
        )
        return [
            first,
            "a higher revision settles it, or a person who deletes the letter",
            f"among them: {'; '.join(examples)}",
        ]
    if reason in _UNKNOWN:
        inputs, they = ("input", "it says") if count == 1 else ("inputs", "they say")
        first = f"{count} {inputs} from {sender} could not be read or taken: what {they} is known to nobody, and may be severe"
        return [first, f"refused as {reason}", f"among them: {'; '.join(examples)}"]
    return [
        f"{count} refused {events} from {sender} {say} grade 3 or more, serious or fatal",
        f"refused as {reason}",
        f"among them: {'; '.join(examples)}",
    ]


def system_transition(
    protocol: TrialProtocol,
    case: str,
    told: AlertState | None,
    reasons: Sequence[str] | None,
    caused_by: EventKey,
    detected_at: Instant,
    *,
    questions: Sequence[str] = (),
    dose_level: int | None = None,
    clauses: Sequence[str] = (),
    count: int | None = None,
    out_of: int | None = None,
    telling: Telling = "news",
    withdrawn_because: str = "the cause is gone",
) -> AlertTransition | None:
    """What to tell of a case that is open for ``reasons``, or, where they are None, no longer is; None: nothing new."""
    kind = _kind(told, reasons)
    if kind is None:
        return None
    how: Telling = telling if kind == "revised" else "news" if kind == "raised" else "quiet"
    by = EventRef(source=caused_by.source, id=caused_by.id)
    alert_id = alert_id_of(protocol, case)
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
        reasons=[text[:TEXT_CHARS_MAX] for text in reasons or (withdrawn_because,)][:LIST_ITEMS_MAX],
        questions=list(questions)[:LIST_ITEMS_MAX] if reasons is not None else [],
        evidence=[],
        detected_at=format_instant(detected_at),
        caused_by=by,
        protocol_version=protocol.version,
        news=how == "news",
        telling=how,
        changes=_changes(told, reasons, withdrawn_because, count, by),
        count=count,
        out_of=out_of,
    )
    return AlertTransition(kind, derived_id(alert_id, str(revision), kind), None, data)


def unwatched_transition(
    protocol: TrialProtocol, subject: str, told: AlertState | None, caused_by: EventKey, at: Instant, *, is_parked: bool
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
    row: CohortRow,
    with_dlt: Sequence[str],
    told: AlertState | None,
    protocol: TrialProtocol,
    caused_by: EventKey,
    at: Instant,
) -> AlertTransition | None:
    """What to tell of a dose level after its counts changed. ``with_dlt`` are the subjects that count (rules.md §5)."""
    level = "without a dose level on record" if row.key.dose_level is None else f"at dose level {row.key.dose_level}"
    reasons = None
    before = told.open if told is not None else None
    if row.hold:
        said = (
            f"{row.dlts} of {row.treated} subjects treated {level}, part {row.key.part}, have a dose-limiting toxicity"
        )
        reasons = [f"{said}: {', '.join(sorted(with_dlt))}"]
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
        count=row.dlts,
        out_of=row.treated,
        # That one more was treated there is shown, and wakes nobody.
        telling=_telling_of_hold(before.count if before is not None else None, row.dlts),
    )


def _telling_of_hold(told: int | None, dlts: int) -> Telling:
    if told is None or dlts > told:
        return "news"
    return "quiet" if dlts < told else "silent"


def _changes(
    told: AlertState | None, reasons: Sequence[str] | None, withdrawn_because: str, count: int | None, by: EventRef
) -> list[Change]:
    before = told.open if told is not None else None
    if before is None:
        return []
    if reasons is None:
        return [Change(what=withdrawn_because, before=_short(before.reasons[:1]), by=by)]
    if count is not None and before.count is not None:
        return [Change(what="number", before=str(before.count), after=str(count), by=by)]
    return [Change(what="reason", before=_short(before.reasons), after=_short(reasons), by=by)]


def _short(reasons: Sequence[str]) -> str:
    return "; ".join(reasons)[:TEXT_CHARS_MAX]


def _kind(told: AlertState | None, reasons: Sequence[str] | None) -> AlertKind | None:
    before = told.open if told is not None else None
    if reasons is None:
        return None if before is None else "withdrawn"
    if before is None:
        return "raised"
    return "revised" if before.reasons != list(reasons) else None
