"""Laboratory toxicity that nobody reported as an adverse event: ``lab:<TEST>`` (rules.md §4).

Causality is nobody's yet, so that it is never more than possible. A clause of the protocol says in ``laboratory`` whether one
draw suffices, or how long a course must last.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby
from typing import Final, NamedTuple

from events.dates import DAY, HOUR, Instant, Span
from projections.ctcae.grading import SEVERE
from projections.ctcae.table import Direction
from projections.rules.cases.accounting import Accounts, Cover
from projections.rules.cases.evaluation import ClauseProof, IntervalProof, PredicateStep
from projections.rules.facts.lab_results import Draw
from projections.rules.facts.lab_window import draw_in_window
from projections.rules.facts.laboratory import AnalyteDraws, Bounds
from projections.rules.facts.subject_facts import SubjectFacts
from projections.rules.logic.duration import ALREADY, between, open_reaches
from projections.rules.logic.trial_protocol import Clause
from projections.rules.logic.truth import Answer, AnswerChange, Truth, no, unique, unknown, yes
from projections.rules.logic.wording import length, written

DIRECTIONS: Final[tuple[Direction, ...]] = ("high", "low")
RELATED: Final = "related to the study drugs"
Time = tuple[Instant, Instant]
#: Sorts behind every id of a result.
_LAST: Final = "\U0010ffff"
ASK_REPORT: Final = "Is it related? No adverse event accounts for it: report one, or say why not."


class LaboratoryCourse(NamedTuple):
    """Consecutive draws at grade 3 or higher. ``next`` is the first one below that, None while the course is open."""

    direction: Direction
    draws: tuple[Draw, ...]
    next: Draw | None


class LaboratoryCase:
    """One analyte of one subject, in both directions."""

    def __init__(self, facts: SubjectFacts, test: str) -> None:
        self.facts = facts
        self.test = test
        self.draws = facts.laboratory.analytes[test]
        self.courses = [course for direction in DIRECTIONS for course in courses(self.draws, direction)]
        self._accounts = {direction: Accounts(facts, test, direction) for direction in DIRECTIONS}

    @property
    def worst(self) -> int | None:
        """The highest certain grade of those draws that are severe; None where there is none."""
        return max((bound.low for draw in self.draws.certain for bound in self.draws.bounds(draw)), default=None)

    def clauses(self) -> dict[str, ClauseProof]:
        """The proof of each clause that a laboratory finding may reach."""
        found: dict[str, ClauseProof] = {}
        for clause in self.facts.protocol.clauses:
            rule = clause.laboratory
            if rule is not None:
                proofs = self._lasting(rule.longer_than_days) if rule.longer_than_days else self._single(clause)
                found[clause.id] = ClauseProof(clause, tuple(proofs), "no draw is severe enough")
        return found

    def course_starts(self) -> tuple[Span, ...]:
        """When each course begins that is not over before treatment, and that no adverse event accounts for."""
        return tuple(
            course.draws[0].span
            for course in self.courses
            if draw_in_window(self.facts, course.draws[0]).truth is not Truth.NO
            and self._unaccounted(course).truth is not Truth.NO
        )

    def _single(self, clause: Clause) -> Iterator[IntervalProof]:
        grade = clause.laboratory.at_grade if clause.laboratory else SEVERE
        for course in self.courses:
            for draw in course.draws:
                if self._grade(draw, course.direction) < grade:
                    continue
                steps = [
                    PredicateStep(f"grade ≥{grade}", self._graded(draw, course.direction)),
                    PredicateStep("begun in the window", draw_in_window(self.facts, draw)),
                    PredicateStep(
                        "accounted for by no adverse event", self._unaccounted_draw(draw, course.direction, grade)
                    ),
                ]
                yield IntervalProof(None, (*steps, PredicateStep(RELATED, _causality(draw))))

    def _lasting(self, days: int) -> Iterator[IntervalProof]:
        for course in self.courses:
            first = course.draws[0]
            steps = [
                PredicateStep(f"grade ≥{SEVERE}", self._graded(first, course.direction)),
                PredicateStep("begun in the window", draw_in_window(self.facts, first)),
                PredicateStep("accounted for by no adverse event", self._unaccounted(course)),
                PredicateStep(f"lasting more than {days} days", self._duration(course, days)),
            ]
            yield IntervalProof(None, (*steps, PredicateStep(RELATED, _causality(first))))

    def _grade(self, draw: Draw, direction: Direction) -> int:
        return next(bound.low for bound in self.draws.bounds(draw) if bound.direction == direction)

    def _graded(self, draw: Draw, direction: Direction) -> Answer:
        grade = next(grade for grade in self.facts.laboratory.grades(draw) if grade.direction == direction)
        return yes(f"{self.test} of {written(draw.span)}: {grade.why}", draw.reference)

    def _unaccounted_draw(self, draw: Draw, direction: Direction, grade: int) -> Answer:
        cover = self._accounts[direction].cover(draw)
        # Bounds say at least so much: an adverse event must be as severe as the draw certainly is.
        needed = max(grade, self._grade(draw, direction))
        if cover is None:
            return yes("no adverse event on record accounts for it")
        if cover.grade >= needed:
            return no(f"ae:{cover.case} accounts for it at grade {cover.grade}", *cover.sources)
        return _discrepancy(cover, needed)

    def _unaccounted(self, course: LaboratoryCourse) -> Answer:
        """At grade 3: whether any draw of the course is not accounted for."""
        accounts = self._accounts[course.direction]
        covers = [accounts.cover(draw) for draw in course.draws]
        if all(cover is not None and cover.grade >= SEVERE for cover in covers):
            named = unique(f"ae:{cover.case}" for cover in covers if cover is not None)
            sources = unique(ref for cover in covers if cover is not None for ref in cover.sources)
            return no(f"{', '.join(named)} account{'s' * (len(named) == 1)} for it", *sources)
        lower = next((cover for cover in covers if cover is not None and cover.grade < SEVERE), None)
        if lower is not None:
            return _discrepancy(lower, SEVERE)
        return yes("no adverse event on record accounts for it")

    def _duration(self, course: LaboratoryCourse, days: int) -> Answer:
        """A course lasts at least from its first draw to its last, and at most to the next one, or to now."""
        first, last = course.draws[0], course.draws[-1]
        limit = days * DAY
        longest_limit = limit + self.facts.protocol.assumptions.laboratory_slack_hours * HOUR
        sources = tuple(draw.reference for draw in course.draws)
        spanned = between(first.span, last.span)
        said = f"grade ≥{SEVERE} on {len(course.draws)} draw{'s' * (len(course.draws) > 1)} from {written(first.span)}"
        until = f"{said} to {written(last.span)}"
        ask = "When was it below grade 3 again?"
        if spanned.shortest > limit:
            return yes(f"{until}: {length(spanned.shortest)}", *sources)
        if spanned.longest > limit:
            return unknown(f"{until}: {length(spanned.longest)} at most", ask, *sources)
        if course.next is not None:
            most = between(first.span, course.next.span).longest
            ended = f"{until}, below on {written(course.next.span)}: {length(most)} at most"
            if most > longest_limit:
                return unknown(ended, ask, *sources, course.next.reference)
            return no(ended, *sources, course.next.reference)
        reached = open_reaches(first.span, longest_limit, self.facts.zone, None).possibly
        open_answer = unknown(f"{until}, and not measured below since", ask, *sources)
        if reached is None or reached <= ALREADY:
            return open_answer
        return replace(
            no(f"{until}, not yet for {length(longest_limit)}", *sources), changes=(AnswerChange(reached, open_answer),)
        )


def courses(draws: AnalyteDraws, direction: Direction) -> list[LaboratoryCourse]:
    """The courses of an analyte in one direction.

    What cannot be graded, or may or may not be severe, neither confirms nor ends one; draws of one time count as the worst.
    """
    worst: dict[Time, Draw] = {}
    for draw in draws.certain:
        bound = _in(draws.bounds(draw), direction)
        if bound is not None and bound.low >= SEVERE:
            known = worst.get(_time(draw))
            if known is None or _is_worse(draws, draw, known, direction):
                worst[_time(draw)] = draw
    found: list[LaboratoryCourse] = []
    current: list[Draw] = []
    for draw in worst.values():
        current.append(draw)
        following = _following(draws, draw, direction)
        if following is None or _time(following) not in worst:
            found.append(LaboratoryCourse(direction, tuple(current), following))
            current = []
    return found


def _following(draws: AnalyteDraws, draw: Draw, direction: Direction) -> Draw | None:
    """The first later draw that is certainly at grade 3 or higher, or certainly below; None where there is none."""
    for _, together in groupby(draws.after((draw.span.lo, draw.span.hi, _LAST)), key=_time):
        graded = [(bound, later) for later in together if (bound := _in(draws.bounds(later), direction)) is not None]
        if any(bound.low >= SEVERE for bound, _ in graded) or (graded and all(b.high < SEVERE for b, _ in graded)):
            return graded[0][1]
    return None


def _time(draw: Draw) -> Time:
    return draw.span.lo, draw.span.hi


def _in(bounds: tuple[Bounds, ...], direction: Direction) -> Bounds | None:
    return next((bound for bound in bounds if bound.direction == direction), None)


def _is_worse(draws: AnalyteDraws, a: Draw, b: Draw, direction: Direction) -> bool:
    first, second = _in(draws.bounds(a), direction), _in(draws.bounds(b), direction)
    return first is not None and second is not None and (first.low, first.high) > (second.low, second.high)


def _causality(draw: Draw) -> Answer:
    return unknown("nobody has assessed its causality", ASK_REPORT, draw.reference)


def _discrepancy(cover: Cover, grade: int) -> Answer:
    answer = yes(
        f"ae:{cover.case} covers it at grade {cover.grade} only, and the laboratory says {grade}", *cover.sources
    )
    return replace(
        answer, question=f"Which grade is right? ae:{cover.case} says {cover.grade}, the laboratory {grade}."
    )
