"""What must hold of any result: worse is never milder, and bounds hold whatever was not known."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from hypothesis import assume, example, given
from hypothesis import strategies as st

from projections.ctcae.analytes import analytes
from projections.ctcae.cuts import Range
from projections.ctcae.grader import Assay, Baseline, Context
from projections.ctcae.grading import LabGrade, grade_result
from projections.ctcae.table import FILES, criteria
from tests.ctcae.test_boundaries import UNITS

KINDS: Final = [
    (version, test, unit)
    for version in FILES
    for test in criteria(version)
    for dimension in sorted(analytes()[test].dimensions)
    for unit in UNITS[dimension][:2]
]
DECIMALS: Final = st.decimals("0", "2000", places=2).map(float) | st.decimals("0", "20", places=3).map(float)
POSITIVE: Final = DECIMALS.filter(lambda number: number > 0)


def graded(version: str, assay: Assay, value: float, baseline: float | None, known: bool = True) -> dict[str, LabGrade]:
    reference = None
    if baseline is not None:
        exact = Fraction(repr(baseline))
        abnormal = assay.uln is not None and baseline > assay.uln if known else None
        reference = Baseline(Range(exact, exact), abnormal)
    return {grade.direction or "": grade for grade in grade_result(version, assay, value, Context(reference))}


def bounds(grade: LabGrade) -> tuple[int, int]:
    assert grade.grade_min is not None
    assert grade.grade_max is not None
    return grade.grade_min, grade.grade_max


@given(st.sampled_from(KINDS), POSITIVE, POSITIVE, POSITIVE | st.none(), st.booleans() | st.none(), DECIMALS, DECIMALS)
def test_a_grade_never_falls_when_the_value_gets_worse(
    kind: tuple[str, str, str],
    a: float,
    b: float,
    baseline: float | None,
    fasting: bool | None,
    x: float,
    y: float,
) -> None:
    """Neither end of the bounds, in either direction, whatever the limits."""
    version, test, unit = kind
    assay = Assay(test, unit, min(a, b), max(a, b), fasting=fasting)
    smaller = graded(version, assay, min(x, y), baseline)
    larger = graded(version, assay, max(x, y), baseline)
    for direction, grade in larger.items():
        worse, milder = (grade, smaller[direction]) if direction == "high" else (smaller[direction], grade)
        assert bounds(worse)[0] >= bounds(milder)[0]
        assert bounds(worse)[1] >= bounds(milder)[1]


@given(
    st.sampled_from(KINDS),
    POSITIVE,
    POSITIVE,
    POSITIVE,
    st.booleans(),
    DECIMALS,
    st.sets(st.sampled_from(["lln", "uln", "baseline", "fasting"]), min_size=1),
)
@example(("5.0", "ALT", "U/L"), 7.0, 40.0, 60.0, True, 130.0, {"baseline"})
@example(("4.03", "CREAT", "umol/L"), 50.0, 100.0, 30.0, True, 95.0, {"baseline"})
def test_bounds_hold_the_grade_that_the_missing_input_would_have_given(
    kind: tuple[str, str, str],
    a: float,
    b: float,
    baseline: float,
    fasting: bool,
    value: float,
    missing: set[str],
) -> None:
    """Whatever is taken away, the bounds only widen."""
    version, test, unit = kind
    full = Assay(test, unit, min(a, b), max(a, b), fasting=fasting)
    less = full._replace(**{name: None for name in missing if name != "baseline"})
    expected = graded(version, full, value, baseline)
    # Without its upper limit a baseline is not known to have been normal.
    found = graded(version, less, value, None if "baseline" in missing else baseline, known="uln" not in missing)
    for direction, grade in expected.items():
        low, high = bounds(grade)
        assert bounds(found[direction])[0] <= low
        assert bounds(found[direction])[1] >= high


@given(st.sampled_from(KINDS), POSITIVE, POSITIVE, st.sampled_from(["<", "<=", ">", ">="]), DECIMALS, DECIMALS)
def test_bounds_of_a_comparator_hold_every_number_that_it_may_stand_for(
    kind: tuple[str, str, str], a: float, b: float, comparator: str, reported: float, real: float
) -> None:
    """``<`` from zero, ``<=`` and ``>=`` with the number itself."""
    allowed = {"<": real < reported, "<=": real <= reported, ">": real > reported, ">=": real >= reported}
    assume(allowed[comparator])
    version, test, unit = kind
    assay = Assay(test, unit, min(a, b), max(a, b), fasting=True)
    found = graded(version, assay._replace(comparator=comparator), reported, 1.0)
    for direction, grade in graded(version, assay, real, 1.0).items():
        low, high = bounds(grade)
        assert bounds(found[direction])[0] <= low
        assert bounds(found[direction])[1] >= high


@given(st.sampled_from(KINDS), POSITIVE, st.sampled_from(["<", "<=", ">", ">="]))
def test_bounds_of_a_comparator_are_reached(kind: tuple[str, str, str], reported: float, comparator: str) -> None:
    """They are no wider than the numbers just inside the range give."""
    version, test, unit = kind
    assay = Assay(test, unit, 0.7, 1.3, fasting=True)
    for direction, grade in graded(version, assay._replace(comparator=comparator), reported, 1.0).items():
        step = 1 + 1e-12 if comparator == ">" else 1 - 1e-12 if comparator == "<" else 1
        ends = [reported * step, 1e15 if comparator[0] == ">" else 0.0]
        inside = [bounds(graded(version, assay, end, 1.0)[direction]) for end in ends]
        assert bounds(grade) == (min(low for low, _ in inside), max(high for _, high in inside))
