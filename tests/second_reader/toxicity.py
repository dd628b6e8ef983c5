"""One adverse event, or several rows that are one, against the clauses (rules.md §3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from tests.second_reader import terms
from tests.second_reader.course import (
    Course,
    Stop,
    Stretch,
    day_one,
    fatal,
    joined,
    lasting,
    longest_sum,
    row_course,
    stretches,
)
from tests.second_reader.dates import (
    NO,
    UNKNOWN,
    WEEK,
    YES,
    When,
    all_of,
    any_of,
    certainly_before,
    exactly,
    last_day,
    negated,
)
from tests.second_reader.record import DRUGS, Record, Version

RELATED: Final = ("certain", "probable", "possible", "related")
UNRELATED: Final = ("unlikely", "unrelated")
DAY: Final = timedelta(days=1)


def chains(record: Record) -> dict[str, list[Version]]:
    """The rows of each case, first row first; the case is named after it (rules.md §3.4)."""
    before = {name: row.data.get("continues") for name, row in record.aes.items()}
    found: dict[str, list[str]] = {}
    for name in record.aes:
        found.setdefault(_first(name, before), []).append(name)
    ordered = {first: sorted(rows, key=lambda row: _depth(row, first, before)) for first, rows in found.items()}
    return {first: [record.aes[row] for row in rows] for first, rows in ordered.items()}


def _in_circle(name: str, before: Mapping[str, str | None]) -> bool:
    seen, at = set(), before[name]
    while at is not None and at in before and at not in seen:
        if at == name:
            return True
        seen.add(at)
        at = before[at]
    return False


def _first(name: str, before: Mapping[str, str | None]) -> str:
    while not _in_circle(name, before):
        earlier = before[name]
        if earlier is None or earlier not in before:
            return name
        name = earlier
    return name


def _depth(name: str, first: str, before: Mapping[str, str | None]) -> int:
    depth = 0
    while name != first:
        name = before[name] or first
        depth += 1
    return depth


def related(record: Record, row: Version, onset: When) -> int:
    """rules.md §3.3."""
    causality = row.data.get("causality") or {}
    investigator, sponsor = causality.get("investigator") or {}, causality.get("sponsor") or {}
    answers = []
    for drug in DRUGS:
        answers.append(_causal(record, investigator.get(drug) or investigator.get("study-treatment"), drug, onset))
        by_sponsor = sponsor.get(drug) or sponsor.get("study-treatment")
        if by_sponsor is not None:
            answers.append(_causal(record, by_sponsor, drug, onset))
    found = any_of(answers)
    by_procedure = any(party.get("injection-procedure") in RELATED for party in (investigator, sponsor))
    return UNKNOWN if found == NO and by_procedure else found


def _causal(record: Record, word: str | None, drug: str, onset: When) -> int:
    if word in RELATED:
        return YES
    if word in UNRELATED:
        return NO
    if word != "not-applicable" or not record.doses:
        return UNKNOWN
    given = [record.certain(dose["given"]) for dose in record.doses if dose["drug"] == drug]
    return NO if all(certainly_before(onset, one) for one in given) else UNKNOWN


class Toxicity:
    """One case, as the record has it."""

    def __init__(self, record: Record, rows: Sequence[Version]) -> None:
        self.record = record
        self.rows = rows
        self.is_deadly = any(fatal(row.data) for row in rows)
        self.course: Course = joined(record, rows, is_deadly=self.is_deadly)
        self.related = any_of(related(record, row, row_course(record, row).onset) for row in rows)
        exempt = min(min(terms.flu_like(row.data) for row in rows), min(terms.responded(row.data) for row in rows))
        self.not_exempt = negated(exempt)
        self.immune = any_of(terms.immune(row.data) for row in rows)
        self.organ = any_of(terms.major_organ(row.data) for row in rows)
        self.injection = any_of(terms.injection_site(row.data) for row in rows)

    def clauses(self, at: datetime, others: Sequence[Toxicity]) -> dict[str, int]:
        """Each clause's truth at an instant, with what is known now."""
        three = self._starts(3)
        four = self._starts(4) + self._life_threatening()
        related = self.related
        return {
            "DLT-1": any_of(all_of((sure, related, window)) for _, sure, window in four),
            "DLT-2": any_of(
                all_of((sure, related, window, self._lasts(stretch, at, others), self.not_exempt))
                for stretch, sure, window in three
            ),
            "DLT-3": any_of(all_of((sure, related, window, self.immune, self.organ)) for _, sure, window in three),
            "DLT-4": any_of(all_of((sure, related, window, self.injection)) for _, sure, window in three),
        }

    def _starts(self, threshold: int) -> list[tuple[Stretch, int, int]]:
        """Each start at the threshold, whether it qualifies, and whether it lies in the window."""
        course = self.course
        found = [(one, one.sure, self._window(one)) for one in stretches(course, threshold, 5)]
        for one in course.unplaced:
            if one.grade >= threshold:
                stretch = Stretch(one.during, Stop(one.during), is_death=one.grade == 5)
                found.append((stretch, YES, self.record.in_window(one.during, course.onset)))
        deaths = [Stretch(at, Stop(at), is_death=True) for at in course.died]
        return found + [(death, YES, self.record.in_window(death.start, course.onset)) for death in deaths]

    def _window(self, stretch: Stretch) -> int:
        answer = self.record.in_window(stretch.start, self.course.onset)
        if stretch.sure == UNKNOWN and answer == NO and self._began_before_and_went_on():
            return UNKNOWN
        return answer

    def _began_before_and_went_on(self) -> bool:
        days = self.record.first_days()
        onset, stop = self.course.onset, self.course.stop
        if not days:
            return False
        return any(self._goes_into(day, onset, stop) for day in days)

    def _goes_into(self, day: object, onset: When, stop: Stop) -> bool:
        began = self.record.place(day, onset)  # type: ignore[arg-type]
        if began not in ("before", "unclear"):
            return False
        return stop.at is None or last_day(stop.at, self.record.zone) >= day  # type: ignore[operator]

    def _life_threatening(self) -> list[tuple[Stretch, int, int]]:
        found = []
        for row in self.rows:
            stated = [row.data.get("grade") or 0, *(step["grade"] for step in row.data.get("grades") or ())]
            if "life-threatening" in (row.data.get("seriousness") or ()) and 0 < max(stated) < 4:
                whole = Stretch(self.course.onset, self.course.stop, UNKNOWN)
                found.append((whole, UNKNOWN, self._window(whole)))
        return found

    def _lasts(self, stretch: Stretch, at: datetime, others: Sequence[Toxicity]) -> int:
        if stretch.is_death:
            return NO
        own = lasting(stretch, self.record, at)
        if any(one.during == stretch.start for one in self.course.unplaced):
            during = stretch.start
            own = UNKNOWN if during.hi - during.lo > WEEK else NO
        if own != NO:
            return own
        total, goes_on = longest_sum(self.course, self.record, at, since=day_one(self.record))
        if total > WEEK or (goes_on and total >= WEEK):
            return UNKNOWN
        return UNKNOWN if any(self._twin(other, at) for other in others) else NO

    def _twin(self, other: Toxicity, at: datetime) -> bool:
        """Whether another row of the same term may be the same toxicity, and both together last long enough."""
        if not self.high_terms() & other.high_terms() or not _next_to(self.course, other.course, at):
            return False
        mine, _ = longest_sum(self.course, self.record, at, since=None)
        theirs, _ = longest_sum(other.course, other.record, at, since=None)
        return mine + theirs > WEEK

    def high_terms(self) -> set[str]:
        """The terms of the rows that are, or may be, at grade 3 or more."""
        found = set()
        for row in self.rows:
            steps = [step["grade"] for step in row.data.get("grades") or ()]
            given = [*steps, *([row.data["grade"]] if row.data.get("grade") else [])]
            if not given or max(given) >= 3 or fatal(row.data):
                found.add(terms.normal(row.data.get("preferred_term") or row.data["term"]))
        return found

    def worst(self) -> int | None:
        """The worst grade on record."""
        grades = [piece.grade for piece in self.course.pieces] + [one.grade for one in self.course.unplaced]
        known = [grade for grade in grades if grade is not None]
        return max(known) if known else None

    def covers(self, grade: int) -> list[tuple[When, Stop]]:
        return [(one.start, one.stop) for one in stretches(self.course, grade) if one.sure == YES]


def _next_to(one: Course, other: Course, at: datetime) -> bool:
    """Whether two courses may overlap, or lie within a day of each other."""
    return _may_reach(one, other, at) and _may_reach(other, one, at)


def _may_reach(one: Course, other: Course, at: datetime) -> bool:
    ends = one.stop.at if one.stop.at is not None else exactly(at)
    latest = ends.hi + DAY
    return other.onset.lo <= latest if ends.exact else other.onset.lo < latest
