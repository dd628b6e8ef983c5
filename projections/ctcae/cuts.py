"""Exact thresholds over decimal results, and the same thresholds as floating-point numbers that are proven to agree.

A result is the decimal number that was reported. It travels as a float whose shortest decimal form is that number, so that
two results compare as floats exactly as they do as decimals. A threshold such as 5.0 x ULN is worked out as a fraction;
:meth:`Cut.as_float` gives the smallest float whose decimal form lies beyond it, so that ``value >= float`` is the exact answer.

Everything here looks upwards: for what is too low, values and thresholds are negated.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Final, NamedTuple

from projections.ctcae.table import CutTerm
from projections.ctcae.units import Unit, factor_between

Number = Fraction | float


class Cut(NamedTuple):
    """The numbers beyond a threshold: above ``at``, and ``at`` itself unless ``strict``. The smaller cut takes in more."""

    at: Number
    strict: bool

    def takes(self, number: Number) -> bool:
        """Whether a number lies beyond."""
        return number > self.at or (number == self.at and not self.strict)

    def as_float(self) -> float:
        """The smallest float whose shortest decimal form lies beyond the threshold."""
        if isinstance(self.at, float):
            return self.at
        # The nearest float decides alone: a threshold lies between the decimal forms of the floats on either side of it.
        try:
            nearest = float(self.at)
        except OverflowError:
            # Beyond every number that a result can be.
            return math.inf if self.at > 0 else -math.inf
        return nearest if self.takes(Fraction(repr(nearest))) else math.nextafter(nearest, math.inf)


#: Every number lies beyond, and none does.
ALWAYS: Final = Cut(-math.inf, False)
NEVER: Final = Cut(math.inf, True)


class UncertainCut(NamedTuple):
    """A threshold that may lie anywhere between two: what is certainly beyond it, and what is possibly."""

    certain: Cut
    possible: Cut


IMPOSSIBLE: Final = UncertainCut(NEVER, NEVER)


class Range(NamedTuple):
    """What a limit or a baseline may be: from ``low`` to ``high``, both included. Nothing measured is below zero."""

    low: Fraction
    high: Number

    @classmethod
    def of(cls, number: Fraction | None) -> Range:
        """A number that is known, or one that is not."""
        return UNKNOWN if number is None else cls(number, number)


UNKNOWN: Final = Range(Fraction(0), math.inf)


class Measure(NamedTuple):
    """The unit of the results to be graded; ``shift`` is what is added to a result before it is compared."""

    unit: Unit | None
    g_per_mol: Fraction | None
    equivalents: int | None
    shift: Fraction

    def number_of(self, part: CutTerm) -> Fraction | None:
        """The number of a cut-off in the unit of the results; None where it cannot be converted."""
        if part.unit is None or part.number == 0:
            return Fraction(0)
        if self.unit is None:
            return None
        factor = factor_between(part.unit, self.unit, self.g_per_mol, self.equivalents)
        return None if factor is None else part.number * factor


def threshold(part: CutTerm, reference: Range | None, measure: Measure, sign: int) -> UncertainCut:
    """One comparison as a threshold for results as they are reported."""
    number = measure.number_of(part)
    if number is None:
        return IMPOSSIBLE
    offset = number - measure.shift
    if reference is None:
        cut = Cut(sign * offset, not part.inclusive)
        return UncertainCut(cut, cut)
    ends = [sign * (part.factor * end + offset) for end in reference]
    return UncertainCut(Cut(max(ends), not part.inclusive), Cut(min(ends), not part.inclusive))


def both(a: UncertainCut, b: UncertainCut) -> UncertainCut:
    """Beyond both thresholds."""
    return UncertainCut(max(a.certain, b.certain), max(a.possible, b.possible))


def either(a: UncertainCut, b: UncertainCut) -> UncertainCut:
    """Beyond one of the thresholds."""
    return UncertainCut(min(a.certain, b.certain), min(a.possible, b.possible))


def in_either_world(a: UncertainCut, b: UncertainCut) -> UncertainCut:
    """What is certain whichever of two readings is right, and what is possible in one of them."""
    return UncertainCut(max(a.certain, b.certain), min(a.possible, b.possible))


def as_reported(doubtful: UncertainCut, comparator: str | None, sign: int) -> UncertainCut:
    """The threshold for the number that stands behind a comparator: ``<`` from zero, ``>`` without an end.

    A result is then a range. It is certainly beyond when its near end is, and possibly when its far end is.
    """
    if comparator is None:
        return doubtful
    certain, possible = doubtful
    if (comparator[0] == ">") == (sign > 0):
        # The range runs from the number towards the severe side.
        if comparator in "<>":
            certain = certain._replace(strict=False)
        far: Number = math.inf if sign > 0 else Fraction(0)
        possible = ALWAYS if _reachable(possible, far) else NEVER
    else:
        if comparator in "<>":
            possible = possible._replace(strict=True)
        near: Number = Fraction(0) if sign > 0 else -math.inf
        certain = ALWAYS if certain.takes(near) else NEVER
    return UncertainCut(certain, possible)


def _reachable(cut: Cut, far: Number) -> bool:
    return cut != NEVER if far == math.inf else cut.takes(far)
