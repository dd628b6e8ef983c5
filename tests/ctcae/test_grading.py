"""Single results as the specification tells of them: bounds, what cannot be graded, and why."""

from __future__ import annotations

from fractions import Fraction

import pytest

from projections.ctcae.cuts import Range
from projections.ctcae.grader import Assay, Baseline, Context
from projections.ctcae.grading import LabGrade, grade_result


def in_direction(assay: Assay, value: float | None, direction: str, context: Context | None = None) -> LabGrade:
    found = grade_result("4.03", assay, value, context or Context())
    return next(grade for grade in found if grade.direction == direction)


def baseline(number: str) -> Context:
    return Context(Baseline(Range(Fraction(number), Fraction(number)), None))


BOUNDS = [
    ("ANC 0.3 without its lower limit is 4", Assay("ANC", "10*9/L"), 0.3, "low", 4, 4),
    ("ANC 5.0 without its lower limit may be mildly low", Assay("NEUT", "10*9/L"), 5.0, "low", 0, 1),
    ("ALT exactly 5.0 x ULN is 2", Assay("ALT", "U/L", 7, 40), 200.0, "high", 2, 2),
    ("ALT above 300, ULN 40, is 3 or 4", Assay("ALT", "U/L", 7, 40, ">"), 300.0, "high", 3, 4),
    ("exactly 50 platelets are the milder grade", Assay("PLAT", "10*9/L", 150, 400), 50.0, "low", 2, 2),
    ("creatinine 7 x ULN without baseline is 4", Assay("CREAT", "umol/L", None, 100), 700.0, "high", 4, 4),
    ("creatinine 1.2 x ULN without baseline", Assay("CREAT", "umol/L", None, 100), 120.0, "high", 1, 3),
    ("haemoglobin 70 g/L is 3", Assay("HGB", "g/L", 120, 160), 70.0, "low", 3, 3),
    ("haemoglobin 6.2 mmol/L is the printed edge", Assay("HGB", "mmol/L", 7.5, 10), 6.2, "low", 1, 1),
    ("potassium 3.2 is 1, whatever the symptoms", Assay("K", "mmol/L", 3.5, 5.1), 3.2, "low", 1, 1),
    ("glucose 10 not fasting is 0", Assay("GLUC", "mmol/L", 3.9, 6.1, fasting=False), 10.0, "high", 0, 0),
    ("glucose 10 fasting is 2", Assay("GLUC", "mmol/L", 3.9, 6.1, fasting=True), 10.0, "high", 2, 2),
    ("glucose 10, unsaid", Assay("GLUC", "mmol/L", 3.9, 6.1), 10.0, "high", 0, 2),
    ("glucose 20, unsaid, is 3 all the same", Assay("GLUC", "mmol/L", 3.9, 6.1), 20.0, "high", 3, 3),
    ("an absolute cut-off holds above the lower limit", Assay("NEUT", "10*9/L", 1.0, 7.5), 1.2, "low", 2, 2),
    ("lymphocytes high have no grade 1", Assay("LYM", "10*9/L", 1.0, 3.5), 3.8, "high", 0, 0),
    ("sodium low has no grade 2", Assay("NA", "mmol/L", 136, 145), 129.9, "low", 3, 3),
    ("a ratio needs no unit", Assay("ALT", None, 7, 40), 201.0, "high", 3, 3),
    ("INR in UCUM", Assay("INR", "{INR}", 0.8, 1.2), 3.1, "high", 3, 3),
    ("potassium in mg/dL is converted", Assay("K", "mg/dL"), 28.0, "high", 4, 4),
    ("a tiny limit does not lift a bound", Assay("ALT", "U/L", 7, 40, "<"), 30.0, "high", 0, 0),
    ("below the detection limit of platelets", Assay("PLAT", "10*9/L", 150, 400, "<"), 30.0, "low", 3, 4),
    ("preliminary results count", Assay("ALT", "U/L", 7, 40, status="preliminary"), 201.0, "high", 3, 3),
]


@pytest.mark.parametrize(
    ("_sentence", "assay", "value", "direction", "low", "high"), BOUNDS, ids=[b[0] for b in BOUNDS]
)
def test_bounds(_sentence: str, assay: Assay, value: float, direction: str, low: int, high: int) -> None:
    grade = in_direction(assay, value, direction)
    assert (grade.grade_min, grade.grade_max) == (low, high), grade.why
    assert grade.grade == (low if low == high else None)


UNGRADABLE = [
    ("unknown unit", Assay("ALT", "foo/L", 7, 40), 20.0, "unit foo/L is not known for ALT", True),
    ("a unit of something else", Assay("ALT", "mmol/L", 7, 40), 20.0, "unit mmol/L is not known for ALT", True),
    ("no unit where one is needed", Assay("PLAT", None, 150, 400), 20.0, "graded by its unit", True),
    ("limits the wrong way round", Assay("ALT", "U/L", 50, 40), 20.0, "above the upper limit", True),
    ("an upper limit of zero", Assay("ALT", "U/L", None, 0), 20.0, "upper limit is 0", True),
    ("no value", Assay("ALT", "U/L", 7, 40), None, "no number", True),
    ("an unknown code", Assay("ALAT", "U/L", 7, 40), 20.0, "not a test code", True),
    ("LOINC of another analyte", Assay("ALT", "U/L", 7, 40, loinc="1920-8"), 20.0, "LOINC 1920-8 is AST", True),
    ("LOINC of urine", Assay("CREAT", "mg/dL", loinc="2161-8"), 90.0, "creatinine in urine", True),
    ("urine", Assay("GLUC", "mmol/L", specimen="urine"), 50.0, "in urine", False),
    ("not done", Assay("ALT", "U/L", 7, 40, status="not-done"), None, "not-done", False),
    ("unreliable", Assay("K", "mmol/L", 3.5, 5, status="unreliable"), 8.0, "unreliable", False),
    ("no criterion", Assay("HCT", "%", 35, 50), 20.0, "no criterion for HCT", False),
]


@pytest.mark.parametrize(("_sentence", "assay", "value", "why", "asked"), UNGRADABLE, ids=[u[0] for u in UNGRADABLE])
def test_what_cannot_be_graded_is_never_0(
    _sentence: str, assay: Assay, value: float | None, why: str, asked: bool
) -> None:
    """One entry without a direction, with the reason; and a question, unless nothing is wrong with the result."""
    (grade,) = grade_result("4.03", assay, value)
    assert (grade.direction, grade.grade, grade.grade_min, grade.grade_max) == (None, None, None, None)
    assert why in grade.why
    assert (grade.question is not None) == asked


def test_a_loinc_code_that_agrees_or_is_unknown_changes_nothing() -> None:
    for loinc in ("1742-6", "99999-9", None):
        assert in_direction(Assay("ALT", "U/L", 7, 40, loinc=loinc), 201.0, "high").grade == 3


def test_haemoglobin_counts_from_the_baseline_where_that_is_above_the_limit() -> None:
    """23 g/L above the upper limit, and 3 above a high baseline."""
    assay = Assay("HGB", "g/L", 120, 160)
    assert in_direction(assay, 183.0, "high", baseline("150")).grade == 2
    assert in_direction(assay, 183.0, "high", baseline("180")).grade == 1
    assert in_direction(assay, 183.0, "high").grade_min == 0
    assert in_direction(assay, 183.0, "high").grade_max == 2


def test_calcium_is_graded_as_albumin_corrects_it() -> None:
    """1.90 mmol/L with an albumin of 25 g/L is 2.20."""
    assay = Assay("CA", "mmol/L", 2.1, 2.6)
    plain = in_direction(assay, 1.9, "low")
    assert plain.grade == 2
    assert "not corrected" in plain.why
    corrected = in_direction(assay, 1.9, "low", Context(correction=Fraction("0.3")))
    assert corrected.grade == 0
    assert "2.2" in corrected.why


def test_a_clinical_grade_is_named_and_not_given() -> None:
    assert "grade 2 is clinical" in in_direction(Assay("K", "mmol/L", 3.5, 5.1), 3.2, "low").why
    assert "grade 4 is clinical" in in_direction(Assay("HGB", "g/L", 120, 160), 70.0, "low").why
    assert "clinical" not in in_direction(Assay("K", "mmol/L", 3.5, 5.1), 4.0, "low").why


def test_a_draw_that_may_be_severe_is_asked_about_with_what_would_settle_it() -> None:
    question = in_direction(Assay("CREAT", "umol/L", None, 100), 250.0, "high").question
    assert question is not None
    assert "the baseline" in question
    assert in_direction(Assay("NEUT", "10*9/L"), 5.0, "low").question is None


def test_version_5_grades_against_an_abnormal_baseline() -> None:
    """ALT 130 with ULN 40: grade 2 from a normal baseline, 1 from one of 60, either from an unknown one."""
    assay = Assay("ALT", "U/L", 7, 40)
    number = Range(Fraction(60), Fraction(60))
    (normal,) = grade_result("5.0", assay, 130.0, Context(Baseline(Range(Fraction(30), Fraction(30)), False)))
    (abnormal,) = grade_result("5.0", assay, 130.0, Context(Baseline(number, True)))
    (unknown,) = grade_result("5.0", assay, 130.0)
    assert (normal.grade, abnormal.grade, unknown.grade_min, unknown.grade_max) == (2, 1, 0, 2)
