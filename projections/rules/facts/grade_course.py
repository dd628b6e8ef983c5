"""The grade of an adverse event over time: a step function with honest edges (rules.md §3.4).

Each stretch starts somewhere within a span and runs to the start of the next. A stretch whose grade is not on record may be
at any grade. From the course come the intervals that clauses are judged on: where the grade reaches the qualifying grade
from below, and where it rises further.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from events.adverse_event import AdverseEventReported
from events.dates import FAR_PAST, Instant, Span, Zone, parse_date
from projections.rules.facts.subject_facts import Known, reference
from projections.rules.logic.truth import Answer, EventKey, unknown, yes

DEATH: Final = 5
LIFE_THREATENING: Final = 4

#: The outcomes after which an adverse event is over even where no end date is given.
OVER: Final = frozenset({"recovered", "recovered-with-sequelae"})


class Stretch(NamedTuple):
    """A contiguous time at one grade; ``grade`` None: not on record. ``start`` is where the step up or down lies."""

    grade: int | None
    start: Span
    source: EventKey
    is_death: bool = False

    def may_reach(self, grade: int) -> bool:
        """Whether the grade here is, or could be, at least ``grade``."""
        return self.grade is None or self.grade >= grade


class Interval(NamedTuple):
    """A stretch of the course that a clause is judged on.

    ``at`` is its grade where it is on record, and ``grade`` the answer to whether that suffices. ``first`` is the index of
    its first stretch; None where the record does not place it in the course.
    """

    at: int | None
    grade: Answer
    start: Span
    first: int | None


@dataclass(frozen=True, slots=True)
class GradeCourse:
    """The joined rows of one toxicity.

    ``end`` None means still going on, last confirmed at ``last_confirmed``. ``unplaced`` are grades above every step, which
    were reached somewhere between the onset and the end. ``onset`` may reach back without limit where it is not on record.
    """

    stretches: tuple[Stretch, ...]
    unplaced: tuple[Interval, ...]
    onset: Span
    end: Span | None
    last_known: Span
    last_confirmed: Instant
    life_threatening: EventKey | None

    @property
    def worst(self) -> int | None:
        """The highest grade on record, None where there is none."""
        return _worst(self.stretches, self.unplaced)

    @property
    def grade_missing(self) -> bool:
        """Whether a row gives no grade at all."""
        return any(stretch.grade is None for stretch in self.stretches)

    def intervals(self, threshold: int, *, gravest: bool) -> list[Interval]:
        """Every interval at ``threshold`` or more, certain or not, in the order of the course.

        ``gravest`` says that no clause asks for more: what is life-threatening, yet graded below 4, may reach that one.
        """
        found: list[Interval] = []
        for index, stretch in enumerate(self.stretches):
            if stretch.may_reach(threshold) and self._begins(index, threshold):
                found.append(self._interval(index))
        found.extend(interval for interval in self.unplaced if (interval.at or 0) >= threshold)
        if gravest and threshold <= LIFE_THREATENING and self.life_threatening is not None:
            found.append(self._life_threatening_interval(self.life_threatening))
        return found

    def run_end(self, first: int, threshold: int) -> tuple[Span | None, Span | None]:
        """Where the contiguous time at ``threshold`` or more, short of death, ends: certainly reached, and possibly.

        Each is None where it runs on with an adverse event that still goes on.
        """
        certain: Span | None = None
        broken = False
        for stretch in self.stretches[first:]:
            if not stretch.may_reach(threshold) or stretch.grade == DEATH:
                return (certain if broken else stretch.start), stretch.start
            if stretch.grade is None and not broken and self.stretches[first].grade is not None:
                certain, broken = stretch.start, True
        return (certain if broken else self.end), self.end

    def runs(self, threshold: int) -> list[tuple[Span, Span | None]]:
        """The contiguous times possibly at ``threshold`` or more, short of death, as (start, end).

        What the record does not place may fill all of the time in which it lies, and so overlap the others.
        """
        found: list[tuple[Span, Span | None]] = []
        inside = False
        for index, stretch in enumerate(self.stretches):
            qualifies = stretch.may_reach(threshold) and stretch.grade != DEATH
            if qualifies and not inside:
                found.append((stretch.start, self.run_end(index, threshold)[1]))
            inside = qualifies
        found.extend((i.start, at_its_end(i.start)) for i in self.unplaced if (i.at or 0) >= threshold)
        return found

    def _begins(self, index: int, threshold: int) -> bool:
        if index == 0 or self.stretches[index].is_death:
            return True
        before, here = self.stretches[index - 1].grade, self.stretches[index].grade
        return before is None or here is None or before < threshold or here > before

    def _interval(self, index: int) -> Interval:
        stretch = self.stretches[index]
        if stretch.grade is None:
            answer = unknown("the grade is not on record", "What was the grade?", stretch.source)
            return Interval(None, answer, stretch.start, index)
        start = stretch.start
        before = index
        # Death is a rise of its own: it has its date, whatever the grade was before.
        while before > 0 and stretch.grade != DEATH and self.stretches[before - 1].grade is None:
            before -= 1
        if before < index:
            # The grade may have been reached anywhere in the stretches before it whose grade nobody wrote down.
            earlier = self.stretches[before].start
            start = Span(earlier.lo, start.hi, earlier.wall_lo, start.wall_hi, earlier.bare or start.bare)
        return Interval(stretch.grade, yes(f"grade {stretch.grade}", stretch.source), start, index)

    def _life_threatening_interval(self, source: EventKey) -> Interval:
        answer = unknown(
            "reported as life-threatening, yet graded below 4",
            "Life-threatening is grade 4: which grade is right?",
            source,
        )
        return Interval(None, answer, self.onset, None)


def grade_course(rows: Sequence[Known[AdverseEventReported]], zone: Zone) -> GradeCourse:
    """The course of the joined rows of one toxicity, given in the order in which they continue each other."""
    courses: list[_RowCourse] = []
    for row in rows:
        courses.append(_RowCourse(row, zone, earliest=courses[0].onset if courses else None))
    stretches = [stretch for course in courses for stretch in course.stretches]
    stretches.sort(key=lambda stretch: (stretch.is_death, stretch.start.lo))
    unplaced = [interval for course in courses for interval in course.unplaced]
    last = _last_rows(courses)
    still_open = [course.row.time for course in last if course.end is None]
    last_confirmed = max(still_open or [row.time for row in rows])
    # A row that was continued is over, whatever it says; but an end that it does give may be the latest of all.
    end = None if still_open else _latest([course.end for course in courses if course.end is not None])
    threat = next((row for row in rows if _life_threatening_below_4(row.event)), None)
    return GradeCourse(
        stretches=tuple(stretches),
        unplaced=tuple(unplaced),
        onset=courses[0].onset,
        end=end,
        last_known=end or zone.span_between(last_confirmed, last_confirmed),
        last_confirmed=last_confirmed,
        life_threatening=reference(threat.event) if threat is not None else None,
    )


def _last_rows(courses: Sequence[_RowCourse]) -> list[_RowCourse]:
    """The rows that say whether, and when, the joined toxicity ended: those that no other continues.

    A row that is continued is over, whatever it says; unless what continues it had ended before the row's last step.
    """
    continued = {course.row.event.data.continues for course in courses}
    last = [course for course in courses if course.row.event.data.ae_id not in continued] or list(courses)
    ends = [course.end for course in last]
    over_by = max((end.hi for end in ends if end is not None), default=FAR_PAST)
    if None not in ends:
        last += [course for course in courses if course not in last and course.stretches[-1].start.lo > over_by]
    return last


def is_fatal(event: AdverseEventReported) -> bool:
    """Whether the row says that the subject died of it: by outcome, seriousness, or grade 5."""
    data = event.data
    return (
        data.outcome == "fatal"
        or data.grade == DEATH
        or "death" in (data.seriousness or ())
        or any(step.grade == DEATH for step in data.grades or ())
    )


def _life_threatening_below_4(event: AdverseEventReported) -> bool:
    given = given_grade(event)
    return given is not None and given < LIFE_THREATENING and "life-threatening" in (event.data.seriousness or ())


def given_grade(event: AdverseEventReported) -> int | None:
    """The highest grade that one row states, whatever its outcome; None where it states none."""
    grades = [step.grade for step in event.data.grades or ()]
    if event.data.grade is not None:
        grades.append(event.data.grade)
    return max(grades, default=None)


def worst_grade(event: AdverseEventReported) -> int | None:
    """The highest grade that one row gives, death counted as 5; None where it gives none."""
    return DEATH if is_fatal(event) else given_grade(event)


class _RowCourse:
    """What one row alone says of the grade over time."""

    def __init__(self, row: Known[AdverseEventReported], zone: Zone, earliest: Span | None) -> None:
        self.row = row
        self._zone = zone
        self._data = row.event.data
        self._source = reference(row.event)
        written_end = self._data.end
        self._written_end = zone.resolve(parse_date(written_end)) if written_end else None
        dated = self._dated_steps()
        self.onset = self._onset(dated, earliest)
        self.steps = self._steps(dated)
        death = self._death()
        self.stretches = [*self.steps, death] if death else self.steps
        self.end = self._end()
        self.unplaced = self._unplaced()

    def _dated_steps(self) -> list[Stretch]:
        steps: list[Stretch] = []
        for step in self._data.grades or ():
            start = self._zone.resolve(parse_date(step.from_))
            if steps and steps[-1].start == start:
                steps.pop()
            steps.append(Stretch(step.grade, start, self._source))
        steps.sort(key=lambda stretch: stretch.start.lo)
        return steps

    def _onset(self, dated: list[Stretch], earliest: Span | None) -> Span:
        if self._data.onset:
            return self._zone.resolve(parse_date(self._data.onset))
        # Nobody wrote down when it began: anywhere up to the first step, else the end, else when it was recorded.
        if dated:
            latest = dated[0].start
        else:
            latest = self._written_end or self._zone.span_between(self.row.time, self.row.time)
        lo, wall_lo = (earliest.lo, earliest.wall_lo) if earliest is not None else (FAR_PAST, FAR_PAST)
        return Span(min(lo, latest.hi), latest.hi, min(wall_lo, latest.wall_hi), latest.wall_hi, latest.bare)

    def _steps(self, dated: list[Stretch]) -> list[Stretch]:
        if not dated:
            return [Stretch(self._data.grade, self.onset, self._source)]
        first = dated[0]
        if self._data.onset and first.start.lo > self.onset.hi:
            between = Span(
                self.onset.lo,
                first.start.hi,
                self.onset.wall_lo,
                first.start.wall_hi,
                self.onset.bare or first.start.bare,
            )
            return [first._replace(start=between), *dated[1:]]
        return dated

    def _death(self) -> Stretch | None:
        if not is_fatal(self.row.event) or any(step.grade == DEATH for step in self._data.grades or ()):
            return None
        return Stretch(DEATH, self._written_end or self._after_last_step(), self._source, is_death=True)

    def _end(self) -> Span | None:
        if self._written_end is not None:
            return self._written_end
        if is_fatal(self.row.event):
            fatal_step = next((step for step in self.steps if step.grade == DEATH and self._data.grades), None)
            return fatal_step.start if fatal_step else self._after_last_step()
        ongoing = self._data.ongoing
        if ongoing is False or (ongoing is None and self._data.outcome in OVER):
            return self._after_last_step()
        return None

    def _after_last_step(self) -> Span:
        start = self.steps[-1].start
        time = self.row.time
        return Span(start.lo, max(time, start.lo), start.wall_lo, self._zone.to_wall(max(time, start.lo)), False)

    def _unplaced(self) -> list[Interval]:
        grade = self._data.grade
        steps = self._data.grades
        if grade is None or not steps or grade == DEATH or grade <= max(step.grade for step in steps):
            return []
        until = self.end or self._zone.span_between(self.row.time, self.row.time)
        start = Span(self.onset.lo, until.hi, self.onset.wall_lo, until.wall_hi, self.onset.bare or until.bare)
        reason = f"grade {grade}, above every dated step, for some time between the onset and the end"
        return [Interval(grade, yes(reason, self._source), start, None)]


def _worst(stretches: Sequence[Stretch], unplaced: Sequence[Interval]) -> int | None:
    grades = [grade for grade in (*(s.grade for s in stretches), *(i.at for i in unplaced)) if grade is not None]
    return max(grades, default=None)


def at_its_end(span: Span) -> Span:
    """The last moment that a span may mean, as an end."""
    return Span(span.hi, span.hi, span.wall_hi, span.wall_hi, span.bare)


def _latest(spans: Sequence[Span]) -> Span:
    return Span(
        max(s.lo for s in spans),
        max(s.hi for s in spans),
        max(s.wall_lo for s in spans),
        max(s.wall_hi for s in spans),
        any(s.bare for s in spans),
    )
