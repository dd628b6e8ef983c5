"""Every cut-off of both tables, on it and a hair to either side, in every unit that its family is reported in."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Final

import pytest

from projections.ctcae.analytes import analytes
from projections.ctcae.cuts import Range
from projections.ctcae.grader import Assay, Baseline, Context
from projections.ctcae.grading import grade_result
from projections.ctcae.table import FILES, Criterion, criteria
from projections.ctcae.units import unit_named
from tests.ctcae.slow_grading import Facts, slow_grade

UNITS: Final = {
    "mass": ["g/L", "g/dL", "mg/dL", "ug/mL", "ng/L"],
    "substance": ["mmol/L", "umol/L", "mol/L"],
    "count": ["10*9/L", "/mm3", "10*3/uL", "/uL", "10^6/mL"],
    "activity": ["U/L", "ukat/L"],
    "arbitrary": ["m[IU]/L"],
    "ratio": ["1"],
    "time": ["s"],
    "filtration": ["mL/min/{1.73_m2}"],
}
#: A normal result, in the first unit of the first dimension: limits and baseline are multiples of awkward decimals.
LLN, ULN, BASELINE = "0.7", "1.3", "1.1"


def cases() -> Iterator[tuple[str, Criterion, str, str]]:
    for version in FILES:
        for test, graded in criteria(version).items():
            for criterion in graded:
                for dimension in sorted(analytes()[test].dimensions):
                    for unit in UNITS[dimension]:
                        yield version, criterion, test, unit


CASES: Final = list(cases())


@pytest.mark.parametrize(
    ("version", "criterion", "test", "unit"), CASES, ids=[f"{v}-{t}-{c.direction}-{u}" for v, c, t, u in CASES]
)
@pytest.mark.parametrize("baseline", ["1.1", "1.7"])
def test_each_side_of_every_cut_off(version: str, criterion: Criterion, test: str, unit: str, baseline: str) -> None:
    """What plain fractions say is what the floats say, at the nearest numbers that a result can be."""
    meant, analyte = unit_named(unit), analytes()[test]
    assert meant is not None
    context = Context(Baseline(Range(Fraction(baseline), Fraction(baseline)), Fraction(baseline) > Fraction(ULN)))
    grades = set()
    for value in values(criterion, unit, test, baseline):
        facts = Facts(Fraction(repr(value)), Fraction(LLN), Fraction(ULN), Fraction(baseline))
        found = grade_result(version, Assay(test, unit, float(LLN), float(ULN), fasting=True), value, context)
        ours = next(grade for grade in found if grade.direction == criterion.direction)
        expected = slow_grade(criterion, facts, meant, analyte)
        # The level that a manufacturer sets is on no result, so that severe is possible from the upper limit on.
        assert ours.grade_min == expected, value
        assert ours.grade_max == (3 if expected and test.startswith("TROPON") else expected), value
        grades.add(expected)
    assert len(grades) > 1


def values(criterion: Criterion, unit: str, test: str, baseline: str) -> Iterator[float]:
    """Around every cut-off: the nearest float, its neighbours, and a part in a million to either side."""
    meant, analyte = unit_named(unit), analytes()[test]
    assert meant is not None
    known = {"LLN": Fraction(LLN), "ULN": Fraction(ULN), "BASELINE": Fraction(baseline), "MANUFACTURER": Fraction(2)}
    for row in criterion.grades:
        for cut in row.cut_offs:
            for part in cut.parts:
                at = part.factor * known[part.reference] if part.reference else Fraction(0)
                if part.unit is not None:
                    factor = part.unit.factor / meant.factor
                    if part.unit.dimension != meant.dimension:
                        assert analyte.g_per_mol is not None
                        factor *= analyte.g_per_mol if meant.dimension == "mass" else 1 / analyte.g_per_mol
                    at += part.number * factor
                number = float(at)
                yield from (number, math.nextafter(number, 0), math.nextafter(number, math.inf))
                yield from (number * (1 - 1e-6), number * (1 + 1e-6))


@pytest.mark.parametrize("version", FILES)
def test_every_number_of_a_cut_off_is_printed_in_the_wording(version: str) -> None:
    """A slip of the pen in the table is found beside CTCAE's own words: those of the grade, or of the one before it."""
    for graded in criteria(version).values():
        for criterion in graded:
            wording = ""
            for row in criterion.grades:
                wording += " " + row.wording.replace(",", "")
                for part in (part for cut in row.cut_offs for part in cut.parts if part.number):
                    assert any(f"{float(part.number):{form}}" in wording for form in ("g", ".1f", ".2f", ".0f")), row


def test_each_version_has_both_directions_and_every_grade_in_order() -> None:
    """No term grades 2 before 1, and none is listed twice."""
    for version in FILES:
        for test, graded in criteria(version).items():
            assert len({criterion.direction for criterion in graded}) == len(graded), test
            for criterion in graded:
                grades = [row.grade for row in criterion.grades]
                assert grades == sorted(set(grades))
