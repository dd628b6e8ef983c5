"""What a grade says of itself: which limit it lacks, which calcium it is, and up to where a unit is read."""

from __future__ import annotations

from fractions import Fraction

import pytest

from projections.ctcae.cuts import Range
from projections.ctcae.grader import Assay, Baseline, Context
from projections.ctcae.grading import LabGrade, grade_result
from projections.ctcae.spellings import CHARACTERS_MAX, POWER_MAX, read_unit
from projections.ctcae.units import unit_named


def low_or_high(direction: str, assay: Assay, value: float, context: Context, version: str = "4.03") -> LabGrade:
    return next(grade for grade in grade_result(version, assay, value, context) if grade.direction == direction)


def before(value: int, abnormal: bool | None) -> Context:
    return Context(Baseline(Range(Fraction(value), Fraction(value)), abnormal))


MISSING = [
    ("neutrophils 5.0 lack their lower limit", Assay("NEUT", "10*9/L", None, 7.5), 5.0, "low", "the lower limit"),
    ("ALT 50 lacks its upper limit", Assay("ALT", "U/L", 7), 50.0, "high", "the upper limit"),
    (
        "glucose 10, whether it was fasting",
        Assay("GLUC", "mmol/L", 3.9, 6.1),
        10.0,
        "high",
        "whether the subject was fasting",
    ),
    ("ALT above 300, how much it was", Assay("ALT", "U/L", 7, 40, ">"), 300.0, "high", "the exact value"),
    ("creatinine 120 of 100, the baseline", Assay("CREAT", "umol/L", None, 100), 120.0, "high", "the baseline"),
]


@pytest.mark.parametrize(("_sentence", "assay", "value", "direction", "missing"), MISSING, ids=[m[0] for m in MISSING])
def test_a_grade_that_is_open_names_what_is_missing_and_nothing_else(
    _sentence: str, assay: Assay, value: float, direction: str, missing: str
) -> None:
    assert low_or_high(direction, assay, value, Context()).why.partition("not known: ")[2] == missing


@pytest.mark.parametrize(("abnormal", "missing"), [(True, ""), (False, ""), (None, "the baseline")])
def test_a_baseline_is_missing_where_nobody_knows_if_it_was_abnormal(abnormal: bool | None, missing: str) -> None:
    """Version 5.0 grades ALT against an abnormal baseline, else against the upper limit."""
    grade = low_or_high("high", Assay("ALT", "U/L", 7, 40), 130.0, before(60, abnormal), "5.0")
    assert grade.why.partition("not known: ")[2] == missing
    above = low_or_high("high", Assay("ALT", "U/L", 7, 40, ">"), 130.0, before(60, abnormal), "5.0")
    named = f"{missing} and the exact value" if missing else "the exact value"
    assert (above.question or "").endswith(f"What would settle it: {named}.")


def test_a_baseline_that_is_on_record_is_not_asked_for() -> None:
    """Creatinine 120 from 80 is grade 1 by its baseline, 1.5 times at most; how much above the limit it is, nobody knows."""
    grade = low_or_high("high", Assay("CREAT", "umol/L"), 120.0, before(80, None))
    assert grade.why.partition("not known: ")[2] == "the upper limit"


@pytest.mark.parametrize(
    ("test", "context", "said"),
    [
        ("CA", Context(), "not corrected: no albumin of the same sample"),
        ("CA", Context(correction=Fraction("0.3")), "corrected for albumin it is 1.9"),
        ("CACR", Context(), None),
    ],
)
def test_a_calcium_says_whether_albumin_corrects_it(test: str, context: Context, said: str | None) -> None:
    """A corrected calcium (CACR) is corrected already, and nothing else has to do with albumin."""
    grade = low_or_high("low", Assay(test, "mmol/L", 2.1, 2.6), 1.6, context)
    assert [part for part in grade.why.split("; ") if "correct" in part] == ([said] if said else [])
    assert "correct" not in low_or_high("low", Assay("MG", "mmol/L", 0.7, 1.0), 0.45, Context()).why


def test_a_unit_is_read_up_to_its_longest_and_no_further() -> None:
    longest = "10*9{" + "c" * (CHARACTERS_MAX - 8) + "}/L"
    assert len(longest) == CHARACTERS_MAX
    found = read_unit(longest, "PLAT")
    assert found is not None
    assert found.unit == unit_named("10*9/L")
    assert read_unit(longest.replace("c}", "cc}"), "PLAT") is None


@pytest.mark.parametrize("power", range(1, POWER_MAX + 1))
@pytest.mark.parametrize("written", ["10 {}/L", "x10 {}/L", "10^{}/L", "x 10E{}/L"])
def test_every_power_of_ten_is_read_as_itself(power: int, written: str) -> None:
    """Also where a space is all that is left of the superscript: ``10 4/L`` is ten thousand in a litre."""
    found = read_unit(written.format(power))
    assert found is not None
    assert found.unit == unit_named(f"10*{power}/L")


@pytest.mark.parametrize("written", ["10^{}/L", "10E{}/L"])
def test_no_laboratory_counts_by_more_than_the_greatest_power(written: str) -> None:
    assert read_unit(written.format(POWER_MAX + 1), "PLAT") is None
