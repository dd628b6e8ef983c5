"""The questions that protocols ask of an interval of an adverse event, each with a label that reads in a sentence.

A protocol page combines these; a question that no protocol has asked yet is added here, once, for all.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from events.dates import DAY, FAR_PAST, Instant, Span
from projections.rules.cases.adverse_event_case import AdverseEventCase
from projections.rules.facts.grade_course import DEATH, Interval, at_its_end
from projections.rules.facts.window import window_of_start
from projections.rules.logic.duration import (
    ALREADY,
    Reached,
    between,
    closed_longer_than,
    earlier,
    longest_sum,
    open_reaches,
    sum_reaches,
)
from projections.rules.logic.trial_protocol import Predicate
from projections.rules.logic.truth import Answer, AnswerChange, EventKey, Truth, negation, no, unknown, yes
from projections.rules.logic.wording import length, written


def _related(case: AdverseEventCase, _interval: Interval) -> Answer:
    return case.related


def _in_window(case: AdverseEventCase, interval: Interval) -> Answer:
    return window_of_start(
        case.facts, interval.start, case.course.onset, case.end, grade_known=interval.grade.truth is Truth.YES
    )


def _immune_related(case: AdverseEventCase, _interval: Interval) -> Answer:
    return case.immune_related


def _major_end_organ(case: AdverseEventCase, _interval: Interval) -> Answer:
    return case.major_end_organ


def _injection_site_reaction(case: AdverseEventCase, _interval: Interval) -> Answer:
    return case.injection_site_reaction


def _not_flu_like_and_responding(case: AdverseEventCase, _interval: Interval) -> Answer:
    exempt = case.flu_like_and_responding
    if exempt.truth is Truth.YES:
        exempt = replace(exempt, reason=f"exempt: {exempt.reason}")
    return negation(exempt)


related: Final = Predicate("related to the study drugs", _related)
in_window: Final = Predicate("begun in the window", _in_window)
immune_related: Final = Predicate("immune related", _immune_related)
major_end_organ: Final = Predicate("involving a major end organ", _major_end_organ)
injection_site_reaction: Final = Predicate("injection site reaction", _injection_site_reaction)
not_flu_like_and_responding: Final = Predicate(
    "not a flu-like symptom that responds to standard therapy", _not_flu_like_and_responding
)


def lasting_more_than(days: int, at_grade: int) -> Predicate:
    """A contiguous time at ``at_grade`` or more, short of death, of more than ``days`` days (rules.md §3.5)."""

    def ask(case: AdverseEventCase, interval: Interval) -> Answer:
        return _Lasting(case, interval, days, at_grade).answer()

    return Predicate(f"lasting more than {days} days", ask)


class _Lasting:
    """One interval's duration against a limit: its own, then together with others."""

    def __init__(self, case: AdverseEventCase, interval: Interval, days: int, at_grade: int) -> None:
        self.case = case
        self.interval = interval
        self.days = days
        self.limit = days * DAY
        self.at_grade = at_grade
        self.sources: tuple[EventKey, ...] = case.sources

    def answer(self) -> Answer:
        """The answer now, with what it becomes when time alone passes."""
        if self.interval.at == DEATH:
            return no("a death has no duration", *self.sources)
        certain, possible = self._ends()
        own = self._own(certain, possible)
        doubtful = [(own.possibly, self._doubt_of_own(certain, possible))] if own.possibly is not None else []
        if own.certainly != ALREADY and own.possibly != ALREADY:
            doubtful.extend(self._doubts_of_others())
        first_doubt = min(doubtful, key=lambda item: item[0], default=None)
        answer = no(self._short(possible), *self.sources)
        changes: list[AnswerChange] = []
        if first_doubt is not None and (
            own.certainly is None or first_doubt[0] < own.certainly or first_doubt[0] == FAR_PAST
        ):
            changes.append(AnswerChange(*first_doubt))
        if own.certainly is not None:
            changes.append(AnswerChange(own.certainly, self._certain(certain)))
        while changes and changes[0].at <= ALREADY:
            answer = changes.pop(0).answer
        return replace(answer, changes=tuple(changes))

    def _ends(self) -> tuple[Span | None, Span | None]:
        if self.interval.first is None:
            # Not placed in the course: it may have ended at once, or lasted until the last that is known.
            return self.interval.start, self.case.until_death(at_its_end(self.interval.start))
        certain, possible = self.case.course.run_end(self.interval.first, self.at_grade)
        until = self.case.until_death(possible)
        contact = self.case.last_contact
        if certain is None and until is not None and contact is not None:
            # It went on when the subject left the study; the death bounds it, but only the last contact is certain.
            return earlier(contact, until), until
        return self.case.until_death(certain), until

    def _own(self, certain: Span | None, possible: Span | None) -> Reached:
        start, zone = self.interval.start, self.case.facts.zone
        if certain is not None and possible is not None:
            return closed_longer_than(start, certain, possible, self.limit)
        going_on = open_reaches(start, self.limit, zone, self.case.last_contact)
        if certain is None:
            return going_on
        return Reached(going_on.possibly, closed_longer_than(start, certain, certain, self.limit).certainly)

    def _doubts_of_others(self) -> list[tuple[Instant, Answer]]:
        found: list[tuple[Instant, Answer]] = []
        runs = self.case.runs(self.at_grade)
        total, open_starts = longest_sum(runs, self._day_1())
        reached = sum_reaches(total, open_starts, self.limit, self.case.facts.zone)
        if reached is not None:
            so_long = length(total) if reached == ALREADY else f"{length(self.limit)} and more"
            reason = f"{self._at()} for a cumulative {so_long} since day 1"
            found.append(
                (reached, self._unknown(reason, "Does the cumulative time count as lasting?", bool(open_starts)))
            )
        twin = self.case.one_toxicity_in_two_rows(self.at_grade, self.limit)
        if twin is not None:
            reached, other = twin
            going_on = self.case.presumed_ongoing or other.presumed_ongoing
            reason = (
                f"together with {other.first}, which has the same term, it may have lasted more than {self.days} days"
            )
            answer = self._unknown(reason, f"One toxicity in two rows ({self.case.first} and {other.first})?", going_on)
            found.append((reached, replace(answer, evidence=(*answer.evidence, *other.sources))))
        return found

    def _day_1(self) -> Span | None:
        treatment = self.case.facts.treatment
        if treatment is None:
            return None
        midnight = self.case.facts.zone.to_instant(treatment.day1_lo)
        return Span(midnight, midnight, treatment.day1_lo, treatment.day1_lo, False)

    def _certain(self, certain: Span | None) -> Answer:
        start = self.interval.start
        if certain is None:
            until = f"still going on, last confirmed {self._confirmed()}"
            answer = yes(f"{self._at()} from {written(start)}, {until}", *self.sources)
            return replace(answer, presumes_ongoing=True, question=f"Is it still grade ≥{self.at_grade}?")
        shortest = between(start, certain).shortest
        return yes(
            f"{self._at()} from {written(start)} to {written(certain)}, at least {length(shortest)}",
            *self.sources,
        )

    def _doubt_of_own(self, certain: Span | None, possible: Span | None) -> Answer:
        start = self.interval.start
        if possible is None:
            reason = f"{self._at()} from {written(start)}, still going on, last confirmed {self._confirmed()}"
            question = f"Is it still grade ≥{self.at_grade}?"
            if certain is None and self.case.last_contact is not None:
                reason += f", last contact {written(self.case.last_contact)}"
            return self._unknown(reason, question, True)
        lengths = between(start, possible)
        shortest = between(start, certain).shortest if certain is not None else lengths.shortest
        reason = (
            f"{self._at()} from {written(start)} to {written(possible)}: "
            f"between {length(shortest)} and {length(lengths.longest)}"
        )
        return self._unknown(reason, f"When exactly did it reach, and leave, grade ≥{self.at_grade}?", False)

    def _short(self, possible: Span | None) -> str:
        start = self.interval.start
        if possible is None:
            return f"{self._at()} from {written(start)}, not yet for {self.days} days"
        return f"{self._at()} for {length(between(start, possible).longest)} at most"

    def _at(self) -> str:
        """No reason says of a grade that is not on record what it was."""
        return f"at grade ≥{self.at_grade}" if self.interval.at is not None else f"if at grade ≥{self.at_grade}:"

    def _unknown(self, reason: str, question: str, going_on: bool) -> Answer:
        answer = unknown(reason, question, *self.sources)
        return replace(answer, presumes_ongoing=going_on, follows_from_grade=self.interval.at is None)

    def _confirmed(self) -> str:
        confirmed = self.case.course.last_confirmed
        return written(self.case.facts.zone.span_between(confirmed, confirmed))
