"""Which laboratory results ``assess`` lists, and with which grades (events.md: ``lab_grades``)."""

from __future__ import annotations

import pytest

from projections.folds.lab_grades import LabGrades, lab_grades
from tests.files.writing import FR01, Json
from tests.folds.charts import chart_of

#: One analyte of each kind with its limits, and values from far below them to far above.
SWEPT: list[tuple[str, str, float | None, float | None, list[float]]] = [
    ("NEUT", "10*9/L", 1.8, 7.5, [0.3, 0.5, 0.7, 1.0, 1.2, 1.5, 1.7, 1.8, 5]),
    ("PLAT", "10*9/L", 150, 400, [20, 25, 30, 50, 60, 75, 100, 149, 150, 300]),
    ("LYM", "10*9/L", 1.0, 3.5, [0.1, 0.2, 0.4, 0.7, 0.9, 1.0, 2, 4, 4.1, 20, 21]),
    ("ALT", "U/L", 7, 40, [30, 40, 41, 120, 121, 200, 201, 800, 801]),
    ("K", "mmol/L", 3.5, 5.1, [2.4, 2.5, 2.9, 3.0, 3.2, 3.5, 4, 5.1, 5.3, 5.5, 5.7, 6.5, 7.0, 7.1]),
    ("SODIUM", "mmol/L", 136, 145, [119, 120, 125, 130, 133, 140, 145, 148, 150, 152, 155, 158, 160, 161]),
    ("CREAT", "umol/L", 50, 100, [80, 100, 101, 120, 160, 250, 301, 601]),
    ("CA", "mmol/L", 2.1, 2.6, [1.4, 1.6, 1.8, 2.05, 2.3, 2.7, 3.0, 3.2, 3.5]),
    ("HGB", "g/L", 120, 160, [70, 80, 90, 110, 130, 161, 175, 190, 205]),
    ("INR", "1", 0.8, 1.2, [1.0, 1.2, 1.3, 2.0, 3.1]),
    ("ALT", "U/L", 7, None, [30, 300]),
    ("NEUT", "10*9/L", None, None, [0.3, 1.6, 5]),
    ("K", "furlong", 3.5, 5.1, [4]),
]


def results(test: str, unit: str, lln: float | None, uln: float | None, values: list[float]) -> list[Json]:
    common = {"test": test, "unit": unit, "lln": lln, "uln": uln}
    return [FR01.lab(f"L-{number:02}", data={**common, "value": value}) for number, value in enumerate(values)]


@pytest.mark.parametrize(("test", "unit", "lln", "uln", "values"), SWEPT)
def test_abnormal_is_every_row_at_grade_1_or_more_or_without_a_grade(
    test: str, unit: str, lln: float | None, uln: float | None, values: list[float]
) -> None:
    """Of all rows exactly these, in the same words; and none where none is asked for."""
    chart = chart_of([*FR01.treated(), *results(test, unit, lln, uln, values)])
    every = list(lab_grades(chart, LabGrades.ALL))
    assert {row["lab_id"] for row in every} == {f"L-{number:02}" for number in range(len(values))}
    expected = [row for row in every if row["grade"] is None or row["grade"] >= 1]
    assert list(lab_grades(chart, LabGrades.ABNORMAL)) == expected
    assert list(lab_grades(chart, LabGrades.NONE)) == []


@pytest.mark.parametrize(
    ("test", "unit", "lln", "uln", "value", "listed"),
    [
        ("PLAT", "10*9/L", 150, 400, 100, [("low", 1)]),
        ("PLAT", "10*9/L", 150, 400, 150, []),
        ("SODIUM", "mmol/L", 136, 145, 148, [("high", 1)]),
        ("SODIUM", "mmol/L", 136, 145, 125, [("low", 3)]),
        ("K", "mmol/L", 3.5, 5.1, 5.3, [("high", 1)]),
        ("K", "mmol/L", 3.5, 5.1, 3.2, [("low", 1)]),
        ("ALT", "U/L", 7, 40, 41, [("high", 1)]),
        ("ALT", "U/L", 7, 40, 40, []),
        ("ALT", "U/L", 7, None, 41, [("high", None)]),
        ("K", "furlong", 3.5, 5.1, 4, [(None, None)]),
    ],
)
def test_a_result_is_listed_in_the_direction_in_which_it_is_abnormal(
    test: str, unit: str, lln: float, uln: float | None, value: float, listed: list[tuple[str | None, int | None]]
) -> None:
    """rules.md §4, the table: a value at its limit is not beyond it."""
    chart = chart_of([*FR01.treated(), *results(test, unit, lln, uln, [value])])
    assert [(row["direction"], row["grade"]) for row in lab_grades(chart, LabGrades.ABNORMAL)] == listed
