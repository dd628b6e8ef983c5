"""Stopping without an explanation (rules.md §3.10): a death, or an adverse event, that no adverse event on record explains."""

from __future__ import annotations

from collections.abc import Iterator, Set
from typing import Final

from events.adverse_event import AdverseEventReported
from events.dates import DAY, Span
from events.subject import SubjectDiscontinued
from projections.rules.cases.evaluation import ClauseProof, IntervalProof, PredicateStep
from projections.rules.facts.ending import death_of
from projections.rules.facts.grade_course import GradeCourse, grade_course, is_fatal, worst_grade
from projections.rules.facts.subject_facts import Known, SubjectFacts, reference
from projections.rules.facts.window import window_of_start
from projections.rules.logic.duration import between
from projections.rules.logic.truth import Truth, no, unknown, yes
from projections.rules.logic.wording import written

SEVERE: Final = 3
PREFIX: Final = "discontinued:"
REASONS: Final = ("death", "adverse-event")


def could_explain_a_stop(event: AdverseEventReported) -> bool:
    """Whether an adverse event, were it recent, would explain why treatment was stopped."""
    data = event.data
    return (
        "withdrawn" in (data.action_taken or {}).values()
        or bool(data.serious)
        or bool(data.seriousness)
        or (worst_grade(event) or 0) >= SEVERE
    )


def unexplained_stop(facts: SubjectFacts, reason: str) -> ClauseProof | None:
    """The finding of a discontinuation for ``reason``; None where there is none of it, or an adverse event explains it."""
    stops = [known for _, known in sorted(facts.discontinuations.items()) if known.event.data.reason == reason]
    unexplained = [stop for stop in stops if not _explained(facts, stop, reason)]
    if not unexplained:
        return None
    clause = facts.protocol.clause(facts.protocol.gravest_clause)
    proof = ClauseProof(clause, tuple(_judged(facts, stop, reason) for stop in unexplained), "")
    return proof if any(p.truth(0) is not Truth.NO for p in proof.intervals) else None


def _judged(facts: SubjectFacts, stop: Known[SubjectDiscontinued], reason: str) -> IntervalProof:
    date = facts.span(stop.event.data.date)
    source = reference(stop.event)
    what = "death" if reason == "death" else "stop for an adverse event"
    explained = unknown(
        f"{what} on {written(date)} that no adverse event on record explains",
        "Which event, and is it related?",
        source,
    )
    answer = window_of_start(facts, date, date, date, grade_known=True)
    outside = answer.truth is Truth.NO
    dated = (
        no(answer.reason, *answer.evidence)
        if outside
        else yes(f"not wholly outside the window: {answer.reason}", source)
    )
    return IntervalProof(
        None, (PredicateStep("explained by an adverse event", explained), PredicateStep("dated in the window", dated))
    )


def _explained(facts: SubjectFacts, stop: Known[SubjectDiscontinued], reason: str) -> bool:
    date = facts.span(stop.event.data.date)
    if reason == "death":
        fatal = (known for known in _rows(facts, facts.deadly) if is_fatal(known.event))
        return any(not _began_after(grade_course([known], facts.zone), date) for known in fatal)
    death = death_of(facts)
    for known in _rows(facts, facts.weighty):
        course = grade_course([known], facts.zone)
        end = death if course.end is None else course.end
        if not _began_after(course, date) and (end is None or not _long_over(facts, end, date)):
            return True
    return False


def _began_after(course: GradeCourse, date: Span) -> bool:
    """Whether an adverse event certainly began after the stop: then it cannot explain it."""
    return course.onset.lo > date.hi


def _rows(facts: SubjectFacts, ids: Set[str]) -> Iterator[Known[AdverseEventReported]]:
    for ae_id in sorted(ids):
        known = facts.adverse_events.get(ae_id)
        if known is not None:
            yield known


def _long_over(facts: SubjectFacts, end: Span, date: Span) -> bool:
    """Whether an adverse event was, or may have been, over for longer than the look-back before the stop."""
    return between(end, date).longest > facts.protocol.assumptions.stopping_lookback_days * DAY
