"""Whether an adverse event on record accounts for a laboratory finding (rules.md §4).

It does when the lexicon says that its term explains the analyte, and it certainly covers the day of collection at the grade
that is asked for, or starts the day after: a result is known before anyone writes a form. Causality does not matter.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from events.adverse_event import AdverseEventReported
from events.dates import DAY, Span
from projections.ctcae.table import Direction
from projections.rules.cases.adverse_event_case import AdverseEventCase
from projections.rules.facts.lab_results import Draw
from projections.rules.facts.linked_rows import first_row
from projections.rules.facts.subject_facts import SubjectFacts
from projections.rules.facts.terms import term_reading
from projections.rules.logic.truth import EventKey


def explained_analytes(event: AdverseEventReported) -> frozenset[str]:
    """What the terms of a row explain, as ``ALT:high``."""
    return frozenset(word for entry in term_reading(event).entries for word in entry.analytes)


class Cover(NamedTuple):
    """An adverse event that covers a draw, and the highest grade at which it certainly does."""

    case: str
    grade: int
    sources: tuple[EventKey, ...]


class Accounts:
    """The adverse events that explain an analyte in one direction."""

    def __init__(self, facts: SubjectFacts, test: str, direction: Direction) -> None:
        rows = facts.explaining.get(f"{test}:{direction}", ())
        self._cases = [AdverseEventCase(facts, first) for first in sorted({first_row(facts, row) for row in rows})]

    def cover(self, draw: Draw) -> Cover | None:
        """The adverse event that covers the draw at the highest grade; None where none does."""
        covers = (Cover(case.first, _highest(case, draw), case.sources) for case in self._cases)
        return max((cover for cover in covers if cover.grade), key=lambda cover: cover.grade, default=None)


def _highest(case: AdverseEventCase, draw: Draw) -> int:
    return next((grade for grade in range(case.course.worst or 0, 0, -1) if _covers(case, draw, grade)), 0)


def _covers(case: AdverseEventCase, draw: Draw, grade: int) -> bool:
    first_day, last_day = draw.span.wall_lo // DAY, draw.span.wall_hi // DAY
    return any(
        start.wall_hi // DAY <= first_day + 1 and (end is None or end.wall_lo // DAY >= last_day)
        for start, end in _times_at(case, grade)
    )


def _times_at(case: AdverseEventCase, grade: int) -> Iterator[tuple[Span, Span | None]]:
    """The contiguous times certainly at a grade or higher, as far as the record places them."""
    start: Span | None = None
    for stretch in case.course.stretches:
        reached = stretch.grade is not None and stretch.grade >= grade
        if reached and start is None:
            start = stretch.start
        elif not reached and start is not None:
            yield start, stretch.start
            start = None
    if start is not None:
        yield start, case.end if case.end is not None else case.last_contact
