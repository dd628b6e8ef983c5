"""From a kind of result to the scale it is graded on: worked out once, and used for every result of that kind."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Final, NamedTuple

from projections.ctcae.analytes import analyte, analytes, named_by_loinc, ungraded
from projections.ctcae.cuts import (
    IMPOSSIBLE,
    UNKNOWN,
    Measure,
    Range,
    UncertainCut,
    as_reported,
    both,
    either,
    in_either_world,
    threshold,
)
from projections.ctcae.spellings import read_unit
from projections.ctcae.table import Criterion, CutOff, GradeRow, criteria
from projections.ctcae.units import EQUIVALENTS, SUBSTANCE, Unit, unit_named

BLOOD: Final = frozenset({None, "blood", "serum", "plasma"})
#: A specimen that is none of the contract's words may be blood all the same.
UNKNOWN_SPECIMEN: Final = "other"
NOT_GRADED_STATUS: Final = frozenset({"not-done", "unreliable"})
GRADE_MAX: Final = 4
#: What a reference limit can be, in whatever unit: a number beyond is a mistake, and multiples of it say nothing.
LIMIT_MIN: Final = 1e-18
LIMIT_MAX: Final = 1e18


class Assay(NamedTuple):
    """What the results of one kind share: everything that is reported about a result save its value and its date."""

    test: str
    unit: str | None = None
    lln: float | None = None
    uln: float | None = None
    comparator: str | None = None
    fasting: bool | None = None
    specimen: str | None = None
    status: str | None = None
    loinc: str | None = None


class Baseline(NamedTuple):
    """The value before treatment, in the unit of the result that is graded.

    ``abnormal`` says whether it was above its own upper limit, None where that is not known.
    """

    value: Range
    abnormal: bool | None


class Context(NamedTuple):
    """What grading needs beside the result. ``correction`` is what albumin adds to a calcium, in the result's unit.

    ``before``: the result is one from before treatment. No baseline comes before it, so that its limits alone grade it.
    """

    baseline: Baseline | None = None
    correction: Fraction | None = None
    before: bool = False


NO_CONTEXT: Final = Context()


class Scale(NamedTuple):
    """One criterion for one kind of result.

    A value, negated where ``sign`` is -1, certainly has grade n when it is not below ``certain[n - 1]``, and possibly when
    not below ``possible[n - 1]``; both ascend.
    """

    criterion: Criterion
    sign: int
    certain: tuple[float, ...]
    possible: tuple[float, ...]

    def bounds(self, value: float) -> tuple[int, int]:
        """The lowest and the highest grade that the value may have."""
        number = self.sign * value
        return bisect_right(self.certain, number), bisect_right(self.possible, number)


@dataclass(frozen=True, slots=True)
class Grader:
    """How one kind of result is graded: on ``scales``, or not at all, and then ``why`` not.

    ``question`` is what would make it gradable, None where nothing is wrong: nobody needs to ask about a urine.
    """

    scales: tuple[Scale, ...]
    why: str | None = None
    question: str | None = None
    listed: bool = True


@lru_cache(maxsize=65536)
def grader(version: str, assay: Assay, context: Context = NO_CONTEXT) -> Grader:
    """How results of this kind are graded under a CTCAE version."""
    refused = _not_gradable(version, assay)
    if refused is not None:
        return refused
    known = analytes()[analyte(assay.test)]
    unit = read_unit(assay.unit, known.test) if assay.unit else None
    if assay.unit and unit is None:
        return _asked(f"unit {assay.unit} is not known for {known.test}", "In which unit is the result?")
    graded = criteria(version)[known.test]
    if (unit is None or not unit.ucum) and any(criterion.needs_unit for criterion in graded):
        return _asked(f"{known.test} is graded by its unit, and none is given", "In which unit is the result?")
    measure = Measure(
        unit.unit if unit else unit_named("1"), known.g_per_mol, known.equivalents, context.correction or Fraction(0)
    )
    return Grader(tuple(_scale(criterion, assay, context, measure) for criterion in graded))


def _not_gradable(version: str, assay: Assay) -> Grader | None:
    """Why a result of this kind is not graded at all, whatever its unit."""
    test = analyte(assay.test)
    if test not in analytes() or test not in criteria(version):
        if test in analytes() or test in ungraded():
            return Grader((), f"CTCAE {version} has no criterion for {test}", listed=False)
        return _asked(f"{assay.test!r} is not a test code that is known here", "Which test is it?")
    if assay.specimen not in BLOOD:
        return _not_blood(assay.specimen)
    if assay.status in NOT_GRADED_STATUS:
        return Grader((), f"the result is {assay.status}")
    named = named_by_loinc(assay.loinc) if assay.loinc else None
    if named is not None and named != test:
        return _asked(
            f"LOINC {assay.loinc} is {named}, and the test code says {test}", "Which of the two was measured?"
        )
    return _odd_limits(assay)


def _odd_limits(assay: Assay) -> Grader | None:
    """Why the reference limits are none that a laboratory has."""
    if assay.uln is not None and assay.uln <= 0:
        return _asked(f"the upper limit is {assay.uln:g}", "What are the reference limits?")
    for limit, name in ((assay.lln, "lower"), (assay.uln, "upper")):
        if limit and not LIMIT_MIN <= abs(limit) <= LIMIT_MAX:
            return _asked(f"the {name} limit {limit:g} is none that a laboratory has", "What are the reference limits?")
    if assay.lln is not None and assay.uln is not None and assay.lln > assay.uln:
        return _asked(
            f"the lower limit {assay.lln:g} is above the upper limit {assay.uln:g}", "What are the reference limits?"
        )
    return None


def _not_blood(specimen: str | None) -> Grader:
    """Why a result that was not measured in blood is not graded; where it may have been, it is asked."""
    if specimen == UNKNOWN_SPECIMEN:
        why = "in a specimen that is not known here: only blood, serum and plasma are graded"
        return _asked(why, "In which specimen?")
    return Grader((), f"in {specimen}: only blood, serum and plasma are graded")


def _asked(why: str, question: str) -> Grader:
    return Grader((), why, f"{question} Not graded: {why}.")


def exact(number: float | None) -> Fraction | None:
    """The decimal number that a float stands for."""
    return None if number is None else Fraction(repr(number))


def _scale(criterion: Criterion, assay: Assay, context: Context, measure: Measure) -> Scale:
    sign = 1 if criterion.direction == "high" else -1
    worlds = [
        _reached(criterion, _References(assay, context, abnormal), measure, sign)
        for abnormal in _worlds(criterion, context)
    ]
    reached = worlds[0] if len(worlds) == 1 else [in_either_world(a, b) for a, b in zip(*worlds, strict=True)]
    reported = [as_reported(doubtful, assay.comparator, sign) for doubtful in reached]
    return Scale(
        criterion,
        sign,
        tuple(doubtful.certain.as_float() for doubtful in reported),
        tuple(doubtful.possible.as_float() for doubtful in reported),
    )


def _worlds(criterion: Criterion, context: Context) -> tuple[bool, ...]:
    """Whether the baseline was abnormal: both, where the text needs it and it is not known."""
    asked = any((cut.condition or "").startswith("baseline") for row in criterion.grades for cut in row.cut_offs)
    if not asked or context.before:
        return (False,)
    known = context.baseline.abnormal if context.baseline is not None else None
    return (False, True) if known is None else (known,)


class _References:
    """The limits, the baseline and the fasting state of one kind of result."""

    def __init__(self, assay: Assay, context: Context, abnormal: bool) -> None:
        self.fasting = assay.fasting
        self.abnormal = abnormal
        self.before = context.before
        uln = Range.of(exact(assay.uln))
        baseline = context.baseline.value if context.baseline is not None else UNKNOWN
        if abnormal and context.baseline is None:
            # It was above its upper limit, which is taken to have been the present one.
            baseline = Range(uln.low, baseline.high)
        self._ranges = {"LLN": Range.of(exact(assay.lln)), "ULN": uln, "BASELINE": baseline, "MANUFACTURER": UNKNOWN}

    def resolve(self, cut: CutOff, measure: Measure, sign: int) -> UncertainCut:
        """A cut-off as a threshold."""
        if cut.condition == ("baseline normal" if self.abnormal else "baseline abnormal"):
            return IMPOSSIBLE
        parts = [
            threshold(part, self._ranges[part.reference] if part.reference else None, measure, sign)
            for part in cut.parts
            if not (self.before and part.reference == "BASELINE")
        ]
        if not parts:
            return IMPOSSIBLE
        doubtful = parts[0]
        for part in parts[1:]:
            doubtful = both(doubtful, part)
        if cut.condition == "fasting" and not self.fasting:
            return doubtful._replace(certain=IMPOSSIBLE.certain) if self.fasting is None else IMPOSSIBLE
        return doubtful


def _reached(criterion: Criterion, references: _References, measure: Measure, sign: int) -> list[UncertainCut]:
    """For grades 1 to 4 what is at that grade or a higher one."""
    by_grade = {row.grade: row for row in criterion.grades}
    reached: list[UncertainCut] = []
    higher = IMPOSSIBLE
    for grade in range(GRADE_MAX, 0, -1):
        row = by_grade.get(grade)
        for cut in _applicable(row, measure) if row is not None else ():
            higher = either(higher, references.resolve(cut, measure, sign))
        reached.append(higher)
    return reached[::-1]


def _applicable(row: GradeRow, measure: Measure) -> list[CutOff]:
    """The cut-offs of a grade that count for a unit: of absolute ones those printed in its family, else one converted."""
    relative = [cut for cut in row.cut_offs if cut.printed_in is None]
    absolute = [cut for cut in row.cut_offs if cut.printed_in is not None]
    own = [cut for cut in absolute if _same_family(cut.printed_in, measure.unit)]
    return relative + (own or absolute[:1])


def _same_family(a: Unit | None, b: Unit | None) -> bool:
    return a is not None and b is not None and _family(a) == _family(b)


def _family(unit: Unit) -> str:
    """Equivalents are moles by their charge: no cut-off is printed in them, and those in mmol/L are theirs."""
    return SUBSTANCE if unit.dimension == EQUIVALENTS else unit.dimension
