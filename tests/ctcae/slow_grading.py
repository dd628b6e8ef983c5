"""Grading by plain fractions, one cut-off after the other, with everything known: what the fast way must agree with."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

from projections.ctcae.analytes import Analyte
from projections.ctcae.table import Criterion, CutOff, CutTerm
from projections.ctcae.units import MASS, SUBSTANCE, Unit


class Facts(NamedTuple):
    """A result and all that its grade depends on, as exact numbers in the result's unit."""

    value: Fraction
    lln: Fraction
    uln: Fraction
    baseline: Fraction
    fasting: bool = True


def converted(number: Fraction, of: Unit, to: Unit, analyte: Analyte) -> Fraction:
    """A number in one unit as one in another."""
    base = number * of.factor
    if (of.dimension, to.dimension) == (MASS, SUBSTANCE):
        assert analyte.g_per_mol is not None
        base /= analyte.g_per_mol
    if (of.dimension, to.dimension) == (SUBSTANCE, MASS):
        assert analyte.g_per_mol is not None
        base *= analyte.g_per_mol
    return base / to.factor


def slow_grade(criterion: Criterion, facts: Facts, unit: Unit, analyte: Analyte) -> int:
    """The highest grade any of whose cut-offs the result is beyond; 0 if none."""
    reached = [0]
    for row in criterion.grades:
        absolute = [cut for cut in row.cut_offs if cut.printed_in is not None]
        own = [cut for cut in absolute if cut.printed_in is not None and cut.printed_in.dimension == unit.dimension]
        cuts = [cut for cut in row.cut_offs if cut.printed_in is None] + (own or absolute[:1])
        if any(_beyond(criterion, cut, facts, unit, analyte) for cut in cuts):
            reached.append(row.grade)
    return max(reached)


def _beyond(criterion: Criterion, cut: CutOff, facts: Facts, unit: Unit, analyte: Analyte) -> bool:
    abnormal = facts.baseline > facts.uln
    if (
        cut.condition is not None
        and not {
            "fasting": facts.fasting,
            "baseline normal": not abnormal,
            "baseline abnormal": abnormal,
        }[cut.condition]
    ):
        return False
    return all(_holds(criterion, part, facts, unit, analyte) for part in cut.parts)


def _holds(criterion: Criterion, part: CutTerm, facts: Facts, unit: Unit, analyte: Analyte) -> bool:
    if part.reference == "MANUFACTURER":
        return False
    known = {"LLN": facts.lln, "ULN": facts.uln, "BASELINE": facts.baseline}
    limit = part.factor * known[part.reference] if part.reference is not None else Fraction(0)
    if part.unit is not None:
        limit += converted(part.number, part.unit, unit, analyte)
    if facts.value == limit:
        return part.inclusive
    return (facts.value > limit) == (criterion.direction == "high")
