"""Day 1 and the window in which a dose-limiting toxicity must begin (rules.md §3.2).

Day 1 is the site-local date of the first administration of any study drug; there is no day 0. The window runs from the local
midnight that begins day 1 to the one that ends its last day.
"""

from __future__ import annotations

from dataclasses import replace

from events.dates import DAY, Span
from projections.rules.facts.subject_facts import SubjectFacts, reference
from projections.rules.facts.treatment import TreatmentStart
from projections.rules.logic.truth import Answer, Truth, no, unknown, yes
from projections.rules.logic.wording import day_number, written

ASK_TREATMENT = "Was treatment started? No administration is on record."


def window_of_start(facts: SubjectFacts, start: Span, onset: Span, end: Span | None, *, grade_known: bool) -> Answer:
    """Whether an interval that begins at ``start`` began in the window, for an adverse event from ``onset`` to ``end``.

    ``grade_known`` False: the grade is not on record, so that it may have been reached at any time until ``end``.
    """
    treatment = facts.treatment
    if treatment is None:
        return _before_treatment_is_known(facts, onset)
    answer = in_window(facts, treatment, start)
    if answer.truth is not Truth.NO:
        return answer
    window_close = treatment.day1_lo + facts.window
    if not grade_known and start.wall_lo < window_close and _not_over_before(treatment, end):
        doubt = unknown(
            "it began before day 1 and was not over by then, and when it reached its grade is not on record",
            "When was each grade reached?",
            *treatment.evidence,
        )
        return replace(doubt, follows_from_grade=True)
    if start.wall_hi >= window_close:
        onset_answer = in_window(facts, treatment, onset)
        if onset_answer.truth is not Truth.NO:
            return unknown(
                f"onset {written(onset)} in the window, but the grade was reached after it ({written(start)})",
                "Did it occur in the window? It began there and reached the grade only afterwards.",
                *onset_answer.evidence,
            )
    return answer


def in_window(facts: SubjectFacts, treatment: TreatmentStart, moment: Span) -> Answer:
    """Whether ``moment`` lies in the window: yes for all it may mean, no for none, else unknown."""
    length = facts.window
    first_lo, first_hi = treatment.day1_lo, treatment.day1_hi
    evidence = treatment.evidence
    if _certainly_before_dose(facts, treatment, moment):
        return no(f"{written(moment)}, before the first administration", *evidence)
    if moment.wall_hi < first_lo or moment.wall_lo >= first_hi + length:
        side = "before day 1" if moment.wall_hi < first_lo else f"after day {facts.window_days}"
        return no(f"{written(moment)}, {side}", *evidence)
    if (
        first_hi <= moment.wall_lo
        and moment.wall_hi < first_lo + length
        and not _may_be_before_dose(facts, treatment, moment)
    ):
        of_days = "" if facts.window_days is None else f" of {facts.window_days}"
        return yes(f"{written(moment)}, {day_number(moment, first_lo, first_hi)}{of_days}", *evidence)
    if first_lo != first_hi:
        return unknown(
            f"{written(moment)}, and day 1 is not known exactly",
            "On which day was the first administration?",
            *evidence,
        )
    return unknown(
        f"{written(moment)} may lie in or outside the window",
        "On which day, and at what time, did it begin?",
        *evidence,
    )


def window_end(facts: SubjectFacts) -> tuple[int, int] | None:
    """The wall-clock instants at which the window ends, at the earliest and at the latest; None before treatment."""
    if facts.treatment is None:
        return None
    return facts.treatment.day1_lo + facts.window, facts.treatment.day1_hi + facts.window


def _before_treatment_is_known(facts: SubjectFacts, onset: Span) -> Answer:
    enrolment = facts.enrolment
    if enrolment is not None:
        enrolled = facts.span(enrolment.event.data.enrolled)
        if onset.hi < enrolled.lo:
            return no(f"onset {written(onset)}, before enrolment on {written(enrolled)}", reference(enrolment.event))
    return unknown("no administration is on record", ASK_TREATMENT)


def _dose_instant(treatment: TreatmentStart, moment: Span) -> int | None:
    """The first administration, where it and ``moment`` are both timed so that their order on day 1 counts."""
    if treatment.timed is None or moment.bare:
        return None
    return treatment.timed


def _certainly_before_dose(facts: SubjectFacts, treatment: TreatmentStart, moment: Span) -> bool:
    dose = _dose_instant(treatment, moment)
    if dose is not None:
        return moment.hi < dose
    return not facts.protocol.assumptions.untimed_on_day_1_is_after_dose and moment.wall_hi < treatment.day1_lo


def _may_be_before_dose(facts: SubjectFacts, treatment: TreatmentStart, moment: Span) -> bool:
    dose = _dose_instant(treatment, moment)
    # A time that reaches back to the bare date of day 1 itself lies after the dose by the same convention as that date.
    reaches_day_1 = moment.lo < moment.hi and moment.wall_lo == treatment.day1_lo
    by_convention = reaches_day_1 and facts.protocol.assumptions.untimed_on_day_1_is_after_dose
    if dose is not None and not by_convention:
        return moment.lo < dose
    if facts.protocol.assumptions.untimed_on_day_1_is_after_dose:
        return False
    return moment.wall_lo < treatment.day1_hi + DAY


def _not_over_before(treatment: TreatmentStart, end: Span | None) -> bool:
    if end is None:
        return True
    if treatment.timed is not None and not end.bare:
        return end.hi >= treatment.timed
    return end.wall_hi >= treatment.day1_lo
