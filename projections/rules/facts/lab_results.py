"""Laboratory results as the rules keep them: what a million of them share is worked out once (rules.md §4)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Final, NamedTuple

from events.dates import Instant, PartialDate, Span
from projections.ctcae.analytes import analyte, analytes
from projections.ctcae.cuts import Cut, Range, UncertainCut, as_reported
from projections.ctcae.grader import Assay, Baseline, Scale, exact, grader
from projections.ctcae.spellings import read_unit
from projections.ctcae.units import factor_between
from projections.rules.logic.truth import EventKey

#: Analytes of Hy's law, and from which multiple of the upper limit they count.
HYS_LAW_TIMES_ULN: Final = {"ALT": 3, "AST": 3, "BILI": 2, "ALP": 2}

LAB: Final = "lab:"
HYS_LAW_CASE: Final = "lab:HY"

ALBUMIN: Final = "ALB"
CALCIUM: Final = "CA"


class Multiple(NamedTuple):
    """From which values on a result is a multiple of its upper limit: certainly, and possibly."""

    certain: float
    possible: float


@dataclass(frozen=True, slots=True, eq=False)
class LabKind:
    """What results share that were reported alike: the assay, and how it is graded without anything beside it.

    ``usable`` says whether a number of this kind may be graded and compared; ``elevated`` is that of Hy's law, None for
    other analytes and where the upper limit is not known. What is not ``listed`` is a test that CTCAE has nothing to say of.
    A number between the ends of ``normal`` is certainly normal in every direction. ``touches`` are the cases that a result may
    change.
    """

    assay: Assay
    test: str
    usable: bool
    scales: tuple[Scale, ...]
    needs_baseline: bool
    elevated: Multiple | None
    listed: bool
    normal: tuple[float, float]
    touches: frozenset[str]

    @property
    def needs_albumin(self) -> bool:
        """Whether the result is corrected by an albumin."""
        return self.test == CALCIUM

    @property
    def needs_context(self) -> bool:
        """Whether a grade depends on other results."""
        return self.needs_baseline or self.test == CALCIUM


class LabResult(NamedTuple):
    """What is kept of one result, small enough to keep by the million."""

    collected: PartialDate
    kind: LabKind
    value: float | None
    timepoint: str | None

    @property
    def measured(self) -> bool:
        """Whether there was a result at all."""
        return self.kind.assay.status != "not-done"


class Draw(NamedTuple):
    """A result in effect, placed in time."""

    lab_id: str
    span: Span
    result: LabResult
    source: str
    event_id: str
    time: Instant

    @property
    def reference(self) -> EventKey:
        """The event, as evidence."""
        return EventKey(self.source, self.event_id)

    @property
    def usable(self) -> bool:
        """Whether there is a number that may be graded."""
        return self.result.value is not None and self.result.kind.usable


@lru_cache(maxsize=65536)
def lab_kind(
    version: str,
    test: str,
    unit: str | None,
    lln: float | None,
    uln: float | None,
    comparator: str | None,
    fasting: bool | None,
    specimen: str | None,
    status: str | None,
    loinc: str | None,
) -> LabKind:
    """The kind of a result that was reported like this."""
    assay = Assay(test, unit, lln, uln, comparator, fasting, specimen, status, loinc)
    graded = grader(version, assay)
    name = analyte(test)
    return LabKind(
        assay,
        name,
        graded.why is None,
        graded.scales,
        any(scale.criterion.uses_baseline for scale in graded.scales),
        _elevated(name, assay) if graded.why is None else None,
        graded.listed,
        _normal(graded.scales),
        _touches(name),
    )


def _normal(scales: tuple[Scale, ...]) -> tuple[float, float]:
    """Between which numbers, the ends not included, no scale possibly gives a grade."""
    above = [-scale.possible[0] for scale in scales if scale.sign < 0]
    below = [scale.possible[0] for scale in scales if scale.sign > 0]
    return max(above, default=-math.inf), min(below, default=math.inf)


def _touches(test: str) -> frozenset[str]:
    """An analyte's own case, and those in which it is judged together with others."""
    cases = {LAB + test}
    if test in HYS_LAW_TIMES_ULN:
        cases.add(HYS_LAW_CASE)
    if test == ALBUMIN:
        cases.add(LAB + CALCIUM)
    return frozenset(cases)


def _elevated(test: str, assay: Assay) -> Multiple | None:
    times, uln = HYS_LAW_TIMES_ULN.get(test), exact(assay.uln)
    if times is None or uln is None:
        return None
    cut = Cut(times * uln, False)
    reported = as_reported(UncertainCut(cut, cut), assay.comparator, 1)
    return Multiple(reported.certain.as_float(), reported.possible.as_float())


def value_range(value: float, comparator: str | None) -> Range:
    """What number may stand behind a value with its comparator."""
    number = Fraction(repr(value))
    if comparator is None:
        return Range(number, number)
    return Range(Fraction(0), number) if comparator[0] == "<" else Range(number, float("inf"))


@lru_cache(maxsize=65536)
def baseline_for(kind: LabKind, baseline: LabKind, value: float) -> Baseline | None:
    """A baseline in the unit of the results that are graded by it; None where the two cannot be compared."""
    factor = _unit_factor(kind.test, baseline.assay.unit, kind.assay.unit)
    if factor is None:
        return None
    measured = value_range(value, baseline.assay.comparator)
    abnormal: bool | None = None
    uln = exact(baseline.assay.uln)
    if uln is not None:
        abnormal = True if measured.low > uln else False if measured.high <= uln else None
    return Baseline(Range(measured.low * factor, measured.high * factor), abnormal)


@lru_cache(maxsize=65536)
def correction_for(kind: LabKind, albumin: LabKind, value: float) -> Fraction | None:
    """What an albumin adds to a calcium, in the calcium's unit; None where it says nothing exact.

    In mmol/L 0.02 for every g/L below 40, in mg/dL 0.8 for every g/dL below 4.
    """
    spelled = read_unit(kind.assay.unit or "", CALCIUM)
    if spelled is None or albumin.assay.comparator is not None:
        return None
    in_mass = spelled.unit.dimension == "mass"
    factor = _unit_factor(ALBUMIN, albumin.assay.unit, "g/dL" if in_mass else "g/L")
    back = _unit_factor(CALCIUM, "mg/dL" if in_mass else "mmol/L", kind.assay.unit)
    if factor is None or back is None:
        return None
    measured = Fraction(repr(value)) * factor
    return (Fraction("0.8") * (4 - measured) if in_mass else Fraction("0.02") * (40 - measured)) * back


def _unit_factor(test: str, of: str | None, to: str | None) -> Fraction | None:
    if (of or "") == (to or ""):
        return Fraction(1)
    first, second = read_unit(of or "", test), read_unit(to or "", test)
    if first is None or second is None:
        return None
    known = analytes()[test]
    return factor_between(first.unit, second.unit, known.g_per_mol, known.equivalents)
