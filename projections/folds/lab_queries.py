"""Questions about laboratory results: what cannot be graded, and what may be severe (rules.md §4)."""

from __future__ import annotations

from collections.abc import Iterator

from projections.ctcae.grading import is_asked_about
from projections.folds.subject_chart import SubjectChart


def lab_questions(chart: SubjectChart) -> Iterator[tuple[str, str]]:
    """The id of a result, and what to ask about it. It is settled when a revision of the result answers it."""
    laboratory = chart.facts.laboratory
    for test in sorted(laboratory.analytes):
        draws = laboratory.analytes[test]
        doubtful = {
            lab_id
            for lab_id, bounds in draws.severe.items()
            if any(is_asked_about(bound.low, bound.high) for bound in bounds)
        }
        for draw in draws.abnormal:
            if draw.lab_id in doubtful or not draw.usable:
                for grade in laboratory.grades(draw):
                    if grade.question is not None:
                        yield draw.lab_id, grade.question
