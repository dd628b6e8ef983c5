"""Numbers that no laboratory reports, subnormal or near the end of floating point: bounds or a reason, and never an exception."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.ctcae.analytes import analytes
from projections.ctcae.grader import Assay, Context
from projections.ctcae.grading import grade_result
from projections.rules.facts.lab_results import baseline_for, correction_for, lab_kind

VERSION = "4.03"
EXTREME = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0.0, -0.0, 5e-324, 2.2e-308, 1e-18, 1e18, 1e300, 1.7e308, -5e-324, -1.7e308]),
)
POSITIVE = EXTREME.map(abs)
UNITS = st.sampled_from(
    [None, "U/L", "umol/L", "mg/dL", "10*9/L", "/mm3", "g/L", "mmol/L", "fg/fL", "kmol/fL", "1", "%"]
)
COMPARATORS = st.sampled_from([None, "<", ">", "<=", ">="])


@given(
    test=st.sampled_from(sorted(analytes())),
    unit=UNITS,
    value=POSITIVE,
    lln=st.none() | EXTREME,
    uln=st.none() | EXTREME,
    comparator=COMPARATORS,
    before=POSITIVE,
    albumin=POSITIVE,
)
def test_every_number_is_graded_within_bounds_or_not_at_all_with_the_reason(
    test: str,
    unit: str | None,
    value: float,
    lln: float | None,
    uln: float | None,
    comparator: str | None,
    before: float,
    albumin: float,
) -> None:
    """Whatever limits, baseline and albumin a sender gives."""
    kind = lab_kind(VERSION, test, unit, lln, uln, comparator, None, None, None, None)
    baseline = baseline_for(kind, kind, before)
    correction = None
    if kind.test == "CA":
        correction = correction_for(
            kind, lab_kind(VERSION, "ALB", "kg/fL", None, None, None, None, None, None, None), albumin
        )
    for grade in grade_result(VERSION, kind.assay, value, Context(baseline, correction)):
        assert grade.why
        if grade.grade_min is not None and grade.grade_max is not None:
            assert 0 <= grade.grade_min <= grade.grade_max <= 4


@pytest.mark.parametrize("uln", [1.7e308, 5e-324, 1e19, 1e-19])
def test_a_limit_that_no_laboratory_has_makes_the_result_ungradable(uln: float) -> None:
    """Never grade 0, nor 4: asked about."""
    (grade,) = grade_result(VERSION, Assay("ALT", "U/L", None, uln), 300.0)
    assert grade.direction is None
    assert grade.why == f"the upper limit {uln:g} is none that a laboratory has"
    assert grade.question is not None


def test_a_threshold_beyond_every_number_is_reached_by_none() -> None:
    """Twenty times a limit at the edge of what is believed, in the smallest unit, against the largest value that is taken."""
    grades = grade_result(VERSION, Assay("ALT", "U/L", None, 1e18), 1e300)
    assert [grade.grade for grade in grades] == [4]
    assert all(math.isfinite(float(grade.grade or 0)) for grade in grades)


@pytest.mark.parametrize(
    ("lln", "uln", "why"),
    [
        (1e-18, 1e18, None),
        (0, 40, None),
        (-5, 40, None),
        (40, 40, None),
        (40.1, 40, "the lower limit 40.1 is above the upper limit 40"),
        (None, 0, "the upper limit is 0"),
        (None, -1, "the upper limit is -1"),
        (9.9e-19, 40, "the lower limit 9.9e-19 is none that a laboratory has"),
        (-1.1e18, 40, "the lower limit -1.1e+18 is none that a laboratory has"),
        (None, 1.1e18, "the upper limit 1.1e+18 is none that a laboratory has"),
    ],
)
def test_limits_that_fit_together_are_graded_by_and_others_asked_about(
    lln: float | None, uln: float, why: str | None
) -> None:
    """rules.md §4: LLN above ULN, or an ULN of 0 or less, is incoherent; equal limits are not."""
    (grade,) = grade_result(VERSION, Assay("ALT", "U/L", lln, uln), 30.0)
    if why is None:
        assert grade.direction == "high"
        assert grade.question is None or "limits" not in grade.question
    else:
        assert (grade.direction, grade.why) == (None, why)
        assert grade.question == f"What are the reference limits? Not graded: {why}."
