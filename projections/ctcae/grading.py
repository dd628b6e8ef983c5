"""The grades of one laboratory result, as bounds with their reasons (rules.md §4).

:func:`grade_result` is a pure function of the result and of what its grade depends on. A missing limit, baseline or fasting
state, or a comparator, widens the bounds by the grades whose text needs it, and by no other.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Final, NamedTuple

from projections.ctcae.analytes import analyte
from projections.ctcae.grader import NO_CONTEXT, Assay, Context, Scale, grader
from projections.ctcae.table import CutOff, Direction

#: A draw that may have this grade, and does not certainly, is asked about.
SEVERE: Final = 3

ASK_VALUE: Final = "What was the result? No number is given."
NO_VALUE: Final = "no number is given"


class LabGrade(NamedTuple):
    """A result in one direction. ``direction`` and the bounds are None where it cannot be graded at all."""

    test: str
    direction: Direction | None
    grade_min: int | None
    grade_max: int | None
    why: str
    question: str | None

    @property
    def grade(self) -> int | None:
        """The grade where it is certain."""
        return self.grade_min if self.grade_min == self.grade_max else None


def grade_result(
    version: str, assay: Assay, value: float | None, context: Context = NO_CONTEXT
) -> tuple[LabGrade, ...]:
    """The result in each direction that CTCAE grades; one without a direction where it cannot be graded."""
    kind = grader(version, assay, context)
    test = analyte(assay.test)
    if kind.why is not None:
        return (LabGrade(test, None, None, None, kind.why, kind.question),)
    if value is None:
        return (LabGrade(test, None, None, None, NO_VALUE, ASK_VALUE),)
    return tuple(_grade(scale, assay, value, context) for scale in kind.scales)


def is_asked_about(low: int, high: int) -> bool:
    """Whether bounds leave open if the result is severe, or how severe it is."""
    return low < high and high >= SEVERE


def _grade(scale: Scale, assay: Assay, value: float, context: Context) -> LabGrade:
    low, high = scale.bounds(value)
    why = "; ".join(_reasons(scale, assay, value, context, low, high))
    question = None
    if is_asked_about(low, high):
        missing = " and ".join(_missing(scale, assay, context, low, high)) or "the exact value"
        question = f"Which grade is it, {low} to {high}? What would settle it: {missing}."
    return LabGrade(analyte(assay.test), scale.criterion.direction, low, high, why, question)


def _reasons(scale: Scale, assay: Assay, value: float, context: Context, low: int, high: int) -> Iterator[str]:
    result = f"{assay.comparator or ''}{value:.12g}" + (f" {assay.unit}" if assay.unit else "")
    term = scale.criterion.term
    if low == high:
        row = next((row for row in scale.criterion.grades if row.grade == low), None)
        yield f"{result} is {term} grade {low}: {row.wording}" if row is not None else f"{result} is not {term}"
    else:
        yield f"{result} is {term} grade {low} to {high}"
        yield "not known: " + (", ".join(_missing(scale, assay, context, low, high)) or "the exact value")
    if context.correction is not None:
        yield f"corrected for albumin it is {_as_float(context.correction) + value:.6g}"
    elif scale.criterion.tests[0] == "CA" and assay.test == "CA":
        yield "not corrected: no albumin of the same sample"
    clinical = [row for row in scale.criterion.grades if row.grade > high and not row.cut_offs]
    if high and clinical:
        yield f"grade {clinical[0].grade} is clinical and may apply: {clinical[0].wording}"


def _as_float(number: Fraction) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def _missing(scale: Scale, assay: Assay, context: Context, low: int, high: int) -> list[str]:
    """What would narrow the bounds: what the grades in doubt need, and the result lacks."""
    cuts = [cut for row in scale.criterion.grades if low < row.grade <= high for cut in row.cut_offs]
    found = dict.fromkeys(word for cut in cuts for word in _lacks(cut, assay, context))
    if assay.comparator is not None:
        found["the exact value"] = None
    return list(found)


def _lacks(cut: CutOff, assay: Assay, context: Context) -> Iterator[str]:
    references = {part.reference for part in cut.parts}
    if "LLN" in references and assay.lln is None:
        yield "the lower limit"
    if "ULN" in references and assay.uln is None:
        yield "the upper limit"
    if "MANUFACTURER" in references:
        yield "the manufacturer's level of myocardial infarction"
    if cut.condition == "fasting" and assay.fasting is None:
        yield "whether the subject was fasting"
    if context.before:
        return
    baseline = context.baseline
    # A number is compared with the baseline's value; which of two texts holds depends on whether it was abnormal.
    asked_if_abnormal = (cut.condition or "").startswith("baseline")
    if (baseline is None and "BASELINE" in references) or (
        asked_if_abnormal and (baseline is None or baseline.abnormal is None)
    ):
        yield "the baseline"
