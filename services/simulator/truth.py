"""The truth file: what the plan meant, in the words of ``toxwatch assess``, for a test to hold against the verdicts.

Every entry of ``checks`` and ``laboratory_checks`` names one case and is exact in the keys it has; every entry of
``silent`` says that the subject has no case at all; ``cohorts`` rows bind the keys they have. ``as_of`` and ``axis`` are
what ``assess`` takes as ``--as-of`` and ``--as-of-axis``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final

from services.simulator.envelope import TRIAL, utc
from services.simulator.schedule import DOSE_LEVELS, IPILIMUMAB_DAYS, PEXA_VEC_DAYS, VISIT_DAYS
from services.simulator.telling import Check, Silence
from services.simulator.trial import SimulatedTrial, SubjectStory

PROTOCOL: Final = "isi-jx"
Row = dict[str, object]


@dataclass(frozen=True)
class PlannedOutcome:
    """What the plan means for a group once everybody in it has been followed through the window."""

    dose_level: int
    treated: int
    dlts: int
    decision: str


# Intended, not computed: the simulator knows no escalation rule.
OUTCOMES: Final[Mapping[int, PlannedOutcome]] = {
    0: PlannedOutcome(1, 3, 0, "escalate"),
    1: PlannedOutcome(2, 3, 0, "escalate"),
    2: PlannedOutcome(3, 3, 1, "expand"),
    3: PlannedOutcome(3, 6, 1, "escalate"),
    4: PlannedOutcome(4, 3, 0, "escalate"),
    5: PlannedOutcome(5, 3, 0, "escalate"),
    6: PlannedOutcome(6, 2, 2, "stop"),
}
HELD_GROUP: Final = 6
_FINAL_GROUPS: Final = (0, 1, 3, 4, 5, 6)  # group 2 is superseded by its expansion, group 3


def truth_of(trial: SimulatedTrial) -> Row:
    """Everything the plan meant, ready to be written."""
    cutoff = _cutoff(trial)
    checks = [check for subject in trial.subjects for check in subject.telling.checks]
    return {
        "protocol": PROTOCOL,
        "trial": TRIAL,
        "seed": trial.seed,
        "start": trial.start.isoformat(),
        "cutoff": utc(cutoff),
        "lines": len(trial.arrivals),
        "assumptions": _assumptions(),
        "stories": [_story(subject) for subject in trial.subjects],
        "checks": [_check(trial, check) for check in checks if not check.laboratory],
        "laboratory_checks": [_check(trial, check) for check in checks if check.laboratory],
        "silent": [_silence(silence) for silence in _silences(trial, cutoff)],
        "cohorts": _cohorts(trial, cutoff),
    }


def written(truth: Mapping[str, object]) -> bytes:
    """The truth file's bytes."""
    return (json.dumps(truth, ensure_ascii=False, indent=1) + "\n").encode()


def _cutoff(trial: SimulatedTrial) -> datetime:
    """The midnight (UTC) after the last message came in."""
    last = trial.arrivals[-1].arrival
    return datetime(last.year, last.month, last.day, tzinfo=UTC) + timedelta(days=1)


def _assumptions() -> Row:
    return {
        "note": "The registry record says nothing about doses, dose levels, visits or escalation: all this is configuration.",
        "design": "3+3",
        "dose_levels": [asdict(level) for level in DOSE_LEVELS],
        "pexa_vec_days": list(PEXA_VEC_DAYS),
        "ipilimumab_days": list(IPILIMUMAB_DAYS),
        "visit_days": list(VISIT_DAYS),
    }


def _story(subject: SubjectStory) -> Row:
    return {
        "subject": subject.subject_id,
        "site": subject.seat.site,
        "part": subject.seat.part,
        "dose_level": subject.seat.dose_level,
        "day1": subject.day1.isoformat(),
        "story": subject.story.name,
        "sentence": subject.story.sentence,
        "ends_silent": subject.story.ends_silent,
    }


def _check(trial: SimulatedTrial, check: Check) -> Row:
    seat = next(each.seat for each in trial.subjects if each.subject_id == check.subject)
    row: Row = {
        "as_of": utc(check.as_of),
        "axis": check.axis,
        "subject": check.subject,
        "case": check.case,
        "verdict": check.verdict,
        "clauses": dict(check.clauses),
        "population": f"part-{seat.part.lower()}",
        "dose_level": seat.dose_level,
        "counts_as_dlt": check.counts_as_dlt,
        "overruled": check.overruled,
    }
    # A key that is not there is not claimed: most checks leave open when time alone would change them.
    return row | ({"due": check.due} if check.due is not None else {})


def _silences(trial: SimulatedTrial, cutoff: datetime) -> Iterable[Silence]:
    """What the stories say, and for everyone the evening of day 1; for those whose story leaves nothing, the end."""
    for subject in trial.subjects:
        telling = subject.telling
        yield Silence(telling.moment("D1 23:00"), "recorded", subject.subject_id)
        yield from telling.silences
        if subject.story.ends_silent:
            yield Silence(cutoff, "recorded", subject.subject_id)


def _silence(silence: Silence) -> Row:
    return {"as_of": utc(silence.as_of), "axis": silence.axis, "subject": silence.subject}


def _cohorts(trial: SimulatedTrial, cutoff: datetime) -> list[Row]:
    rows: list[Row] = []
    for group, outcome in OUTCOMES.items():
        members = [each for each in trial.subjects if each.seat.group == group]
        last = max(members, key=lambda each: each.day1).telling
        open_yet = {"treated": outcome.treated, "hold": False, "decision": "pending"}
        rows.append(_cohort(last.moment("D4 12:00"), outcome, open_yet))
        if group == HELD_GROUP:
            rows += _on_the_way_to_a_hold(members, outcome)
        else:
            rows.append(_cohort(last.moment("D49 23:00"), outcome, _complete(outcome)))
    rows += [_cohort(cutoff, OUTCOMES[group], _complete(OUTCOMES[group])) for group in _FINAL_GROUPS]
    return rows


def _on_the_way_to_a_hold(members: Sequence[SubjectStory], outcome: PlannedOutcome) -> Iterable[Row]:
    """The level after its first DLT, and from the second on."""
    struck = sorted(_first_counted(each) for each in members)
    assert all(earlier < later for earlier, later in pairwise(struck)), "the two DLTs come one after the other"
    for dlts, at in enumerate(struck, start=1):
        if dlts == outcome.dlts:
            yield _cohort(at, outcome, _complete(outcome))
        else:
            pending = outcome.treated - dlts
            row: Row = {"treated": outcome.treated, "evaluable": dlts, "pending": pending, "replaceable": 0}
            yield _cohort(at, outcome, row | {"dlts": dlts, "hold": False, "decision": "pending"})


def _first_counted(subject: SubjectStory) -> datetime:
    return min(check.as_of for check in subject.telling.checks if check.counts_as_dlt)


def _complete(outcome: PlannedOutcome) -> Row:
    everyone: Row = {"treated": outcome.treated, "evaluable": outcome.treated, "pending": 0, "replaceable": 0}
    return everyone | {"dlts": outcome.dlts, "hold": outcome.decision == "stop", "decision": outcome.decision}


def _cohort(as_of: datetime, outcome: PlannedOutcome, row: Mapping[str, object]) -> Row:
    return {"as_of": utc(as_of), "axis": "recorded", "part": "A", "dose_level": outcome.dose_level, **row}
