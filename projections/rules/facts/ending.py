"""What ends an adverse event from outside: the subject's death, and the end of study participation (rules.md §3.4)."""

from __future__ import annotations

from typing import Final

from events.adverse_event import AdverseEventReported
from events.dates import Span
from projections.rules.facts.grade_course import DEATH, OVER, grade_course
from projections.rules.facts.subject_facts import Known, SubjectFacts

STUDY = "study"

#: Outcomes of which none goes with death: beside a grade 5 one of the two is wrong, and nobody is cut short by it.
ALIVE: Final = OVER | {"recovering", "not-recovered"}


def death_of(facts: SubjectFacts) -> Span | None:
    """When the subject died, as far as the record says; None where nothing says so.

    The end of the fatal adverse event, else its grade 5 step, else the date of discontinuation, else some time up to when the
    fatal event was recorded. Of several fatal events the one that ends last counts: none is cut short by a doubtful date.
    """
    fatal = [
        facts.adverse_events[row]
        for row in sorted(facts.deadly)
        if facts.adverse_events[row].event.data.outcome not in ALIVE
    ]
    for dates in (
        [facts.span(row.event.data.end) for row in fatal if row.event.data.end],
        [step for row in fatal if (step := _fatal_step(facts, row))],
        [
            facts.span(known.event.data.date)
            for known in facts.discontinuations.values()
            if known.event.data.reason == "death"
        ],
        [end for row in fatal if (end := grade_course([row], facts.zone).end)],
    ):
        if dates:
            return max(dates, key=lambda span: (span.hi, span.lo))
    return None


def last_contact_of(facts: SubjectFacts) -> Span | None:
    """The last contact before the end of study participation, else the date of that end; None while it goes on."""
    known = facts.discontinuations.get(STUDY)
    if known is None or known.event.data.reason == "death":
        return None
    return facts.span(known.event.data.last_contact or known.event.data.date)


def _fatal_step(facts: SubjectFacts, row: Known[AdverseEventReported]) -> Span | None:
    for step in row.event.data.grades or ():
        if step.grade == DEATH:
            return facts.span(step.from_)
    return None
