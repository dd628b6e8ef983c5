"""Grading by columns: each kind of result is worked out once, and a million numbers are compared in a few array operations.

The thresholds are those of :mod:`projections.ctcae.grader`, as floats that are proven to agree with exact arithmetic.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from projections.ctcae.analytes import analyte
from projections.ctcae.cuts import Range
from projections.ctcae.grader import GRADE_MAX, Assay, Baseline, Context, Grader, exact, grader
from projections.ctcae.grading import NO_VALUE, grade_result
from projections.rules.facts.lab_results import ALBUMIN, CALCIUM, correction_for, lab_kind
from services.grading.columns import Column

#: What two results must have in common to be of one kind.
KIND: Final = [
    "test",
    "unit",
    "lln",
    "uln",
    "comparator",
    "written_comparator",
    "fasting",
    "specimen",
    "category",
    "subcategory",
    "status",
    "loinc",
    "baseline",
    "baseline_uln",
    "albumin",
    "albumin_unit",
]
COLUMNS: Final = [
    "grade_low",
    "grade_low_min",
    "grade_low_max",
    "grade_high",
    "grade_high_min",
    "grade_high_max",
    "why",
]

_COMPARATORS: Final = frozenset({"<", ">", "<=", ">="})
_DIRECTIONS: Final = ("low", "high")
_WORST: Final = float("inf")

Floats = npt.NDArray[np.float64]
Kind = tuple[Assay, Context, Grader]


def graded(version: str, table: dict[str, Column], *, reasons: bool) -> list[npt.NDArray[np.object_]]:
    """The grades of each result in both directions, as :data:`COLUMNS`; blank where there is none, or only bounds.

    ``why`` says why a result is not graded, or between which grades it lies and what would settle it; with ``reasons`` also
    why a grade is what it is.
    """
    codes, kinds = _kinds(version, table)
    numbers = table["value"]
    values = np.array([np.nan if value is None else value for value in numbers.says], dtype=float)[numbers.codes]
    present = ~np.isnan(values)
    written: list[npt.NDArray[np.object_]] = []
    told = np.zeros(len(values), dtype=bool)
    ungraded = ~present | np.array([kind[2].why is not None for kind in kinds], dtype=bool)[codes]
    for direction in _DIRECTIONS:
        certain, possible, known = _cut_offs(kinds, direction)
        signed = values if direction == "high" else -values
        has = known[codes] & present
        low, high = _reached(certain, codes, signed), _reached(possible, codes, signed)
        written += [_written(low, has & (low == high)), _written(low, has), _written(high, has)]
        told |= has & ((high > 0) if reasons else (low != high))
    return [*written, _reasons(version, values, codes, kinds, told & ~ungraded, ungraded)]


def _kinds(version: str, table: dict[str, Column]) -> tuple[npt.NDArray[np.intp], list[Kind]]:
    """Which kind each row is of: rows of which every column says the same, save the value."""
    columns = {name: table[name] for name in KIND if name in table}
    together = np.zeros(len(table["value"].codes), dtype=np.int64)
    for column in columns.values():
        together, _ = pd.factorize(together * len(column.says) + column.codes)
    _, firsts = np.unique(together, return_index=True)
    return together, [
        _kind(version, {name: column.says[column.codes[row]] for name, column in columns.items()}) for row in firsts
    ]


def _kind(version: str, said: dict[str, Any]) -> Kind:
    comparator = said.get("comparator") or said.get("written_comparator")
    assay = Assay(
        said["test"] or "",
        said.get("unit"),
        said.get("lln"),
        said.get("uln"),
        comparator if comparator in _COMPARATORS else None,
        said.get("fasting"),
        said.get("specimen") or said.get("category") or said.get("subcategory"),
        said.get("status"),
        said.get("loinc"),
    )
    context = _context(version, assay, said)
    if comparator is not None and comparator not in _COMPARATORS:
        return assay, context, Grader((), f"{comparator!r} is not a comparator")
    return assay, context, grader(version, assay, context)


def _context(version: str, assay: Assay, said: dict[str, Any]) -> Context:
    """The baseline, in the unit of the result, and what albumin adds to a calcium."""
    baseline = correction = None
    number = exact(said.get("baseline"))
    if number is not None:
        # Without a limit of its own the baseline is measured by that of the result.
        uln = exact(said.get("baseline_uln")) or exact(assay.uln)
        baseline = Baseline(Range(number, number), None if uln is None else number > uln)
    albumin = said.get("albumin")
    if albumin is not None and analyte(assay.test) == CALCIUM:
        correction = _correction(version, assay, albumin, said.get("albumin_unit") or "g/L")
    return Context(baseline, correction)


def _correction(version: str, assay: Assay, albumin: float, unit: str) -> Fraction | None:
    plain = (None, None, None, None, None, None, None)
    calcium = lab_kind(version, CALCIUM, assay.unit, *plain)
    return correction_for(calcium, lab_kind(version, ALBUMIN, unit, *plain), albumin)


def _cut_offs(kinds: list[Kind], direction: str) -> tuple[Floats, Floats, npt.NDArray[np.bool_]]:
    """The thresholds of every kind in one direction, grade by grade; a kind without a scale has none."""
    certain = np.full((GRADE_MAX, len(kinds)), _WORST)
    possible = np.full((GRADE_MAX, len(kinds)), _WORST)
    known = np.zeros(len(kinds), dtype=bool)
    for at, (_, _, kind) in enumerate(kinds):
        for scale in kind.scales:
            if scale.criterion.direction == direction:
                certain[:, at], possible[:, at], known[at] = scale.certain, scale.possible, True
    return certain, possible, known


def _reached(cut_offs: Floats, codes: npt.NDArray[np.intp], numbers: Floats) -> npt.NDArray[np.int8]:
    reached = np.zeros(len(numbers), dtype=np.int8)
    for of_grade in cut_offs:
        reached += numbers >= of_grade[codes]
    return reached


_DIGITS: Final = np.array(["0", "1", "2", "3", "4", ""], dtype=object)


def _written(grades: npt.NDArray[np.int8], where: npt.NDArray[np.bool_]) -> npt.NDArray[np.object_]:
    written: npt.NDArray[np.object_] = _DIGITS[np.where(where, grades, len(_DIGITS) - 1)]
    return written


def _reasons(
    version: str,
    values: Floats,
    codes: npt.NDArray[np.intp],
    kinds: list[Kind],
    told: npt.NDArray[np.bool_],
    ungraded: npt.NDArray[np.bool_],
) -> npt.NDArray[np.object_]:
    """Sentences for those results that need one, each written once for all results that are the same."""
    why = np.full(len(codes), "", dtype=object)
    without = np.array([kind[2].why or NO_VALUE for kind in kinds], dtype=object)
    why[ungraded] = without[codes[ungraded]]
    known: dict[tuple[int, float], str] = {}
    for at in np.flatnonzero(told):
        key = (int(codes[at]), float(values[at]))
        if key not in known:
            assay, context, _ = kinds[key[0]]
            known[key] = " | ".join(
                grade.why for grade in grade_result(version, assay, key[1], context) if grade.grade_max
            )
        why[at] = known[key]
    return why
