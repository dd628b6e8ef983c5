"""The grades of a subject's laboratory results, as ``assess`` lists them (events.md, ``lab_grades``)."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Any

from projections.ctcae.grading import LabGrade, grade_result
from projections.folds.record_history import effective
from projections.folds.subject_chart import SubjectChart


class LabGrades(StrEnum):
    """Which results are listed: none, those that are or may be abnormal or cannot be graded, or every one."""

    NONE = "none"
    ABNORMAL = "abnormal"
    ALL = "all"


def lab_grades(chart: SubjectChart, listed: LabGrades) -> Iterator[dict[str, Any]]:
    """One row for each direction in which a result is graded; one without a direction where it cannot be."""
    if listed is LabGrades.NONE:
        return
    laboratory = chart.facts.laboratory
    for test in sorted(laboratory.analytes):
        draws = laboratory.analytes[test]
        every = listed is LabGrades.ALL
        for draw in (draws.by_id[lab_id] for _, _, lab_id in draws.places) if every else draws.abnormal:
            for grade in laboratory.grades(draw):
                if every or grade.grade is None or grade.grade:
                    yield _row(chart.facts.subject, draw.lab_id, grade)
    if listed is LabGrades.ALL:
        yield from _without_criterion(chart)


def _without_criterion(chart: SubjectChart) -> Iterator[dict[str, Any]]:
    for (kind, lab_id), history in chart.records.items():
        version = effective(history) if kind == "lab" else None
        if version is not None and not version.event.kind.listed:
            for grade in grade_result(
                chart.facts.protocol.ctcae_version, version.event.kind.assay, version.event.value
            ):
                yield _row(chart.facts.subject, lab_id, grade)


def _row(subject: str, lab_id: str, grade: LabGrade) -> dict[str, Any]:
    return {
        "subject": subject,
        "lab_id": lab_id,
        "test": grade.test,
        "direction": grade.direction,
        "grade": grade.grade,
        "grade_min": grade.grade_min,
        "grade_max": grade.grade_max,
        "why": grade.why,
    }
