"""The criteria of one CTCAE version: a table of printed cut-offs beside CTCAE's own words, read from CSV.

A row is one grade of one term. ``cut_offs`` holds alternatives, any of which gives the grade, in this notation::

    < 8.0 g/dL; < 4.9 mmol/L       one criterion printed in two unit families: that of the result's unit counts
    > 3.0 x BASELINE; > 3.0 x ULN  either suffices
    > ULN and > BASELINE           both are needed
    > ULN + 2 g/dL                 a printed distance from a limit
    > ULN if fasting; > ULN if baseline normal

``MANUFACTURER`` is a level that no result carries. A grade without cut-offs is a matter of symptoms or treatment: no number
gives it, and a result that may have it says so.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from fractions import Fraction
from functools import lru_cache
from importlib import resources
from typing import Final, Literal, NamedTuple

from projections.ctcae.units import RATIO, Unit, unit_named

Direction = Literal["low", "high"]
Reference = Literal["LLN", "ULN", "BASELINE", "MANUFACTURER"]
Condition = Literal["fasting", "baseline normal", "baseline abnormal"]

FILES: Final = {"4.03": "ctcae_v4_03.csv", "5.0": "ctcae_v5_0.csv"}

_PART: Final = re.compile(
    r"(?P<sign>[<>]=?) (?:(?P<factor>[0-9.]+) x )?(?:(?P<reference>LLN|ULN|BASELINE|MANUFACTURER)(?: \+ )?)?"
    r"(?:(?P<number>[0-9.]+)(?: (?P<unit>\S+))?)?"
)
_CONDITIONS: Final[dict[str, Condition]] = {
    "fasting": "fasting",
    "baseline normal": "baseline normal",
    "baseline abnormal": "baseline abnormal",
}
_REFERENCES: Final[dict[str, Reference]] = {
    "LLN": "LLN",
    "ULN": "ULN",
    "BASELINE": "BASELINE",
    "MANUFACTURER": "MANUFACTURER",
}


class CutTerm(NamedTuple):
    """One comparison: the value with ``factor`` x ``reference`` + ``number``, or with ``number`` alone, in ``unit``."""

    inclusive: bool
    factor: Fraction
    reference: Reference | None
    number: Fraction
    unit: Unit | None


class CutOff(NamedTuple):
    """Comparisons that must all hold, and the condition under which they count."""

    parts: tuple[CutTerm, ...]
    condition: Condition | None

    @property
    def printed_in(self) -> Unit | None:
        """The unit of an absolute cut-off; None where it is relative to a limit or a baseline."""
        return self.parts[0].unit if self.parts[0].reference is None else None


class GradeRow(NamedTuple):
    """One grade of a term: any of the cut-offs gives it. Without one it is clinical."""

    grade: int
    cut_offs: tuple[CutOff, ...]
    wording: str


class Criterion(NamedTuple):
    """A CTCAE term in one direction, its grades ascending."""

    tests: tuple[str, ...]
    direction: Direction
    term: str
    grades: tuple[GradeRow, ...]

    @property
    def uses_baseline(self) -> bool:
        """Whether the text of any grade needs the baseline."""
        return any(
            part.reference == "BASELINE" or (cut.condition or "").startswith("baseline")
            for row in self.grades
            for cut in row.cut_offs
            for part in cut.parts
        )

    @property
    def needs_unit(self) -> bool:
        """Whether the text of any grade has a number with a unit, be it absolute or a distance from a limit."""
        parts = (part for row in self.grades for cut in row.cut_offs for part in cut.parts)
        return any(part.unit is not None and part.unit.dimension != RATIO for part in parts)


@lru_cache(maxsize=8)
def criteria(version: str) -> dict[str, tuple[Criterion, ...]]:
    """The criteria of a CTCAE version by test code."""
    text = resources.files(__package__).joinpath(FILES[version]).read_text(encoding="utf-8")
    found: dict[str, tuple[Criterion, ...]] = {}
    for criterion in read_criteria(csv.DictReader(text.splitlines())):
        for test in criterion.tests:
            found[test] = (*found.get(test, ()), criterion)
    return found


def read_criteria(rows: Iterable[dict[str, str]]) -> list[Criterion]:
    """The criteria of a table's rows, each term's grades together."""
    grouped: dict[tuple[str, str, str], list[GradeRow]] = {}
    for row in rows:
        cut_offs = tuple(_cut_off(text.strip()) for text in row["cut_offs"].split(";") if text.strip())
        key = (row["test"], row["direction"], row["term"])
        grouped.setdefault(key, []).append(GradeRow(int(row["grade"]), cut_offs, row["wording"]))
    return [
        Criterion(tuple(tests.split()), "low" if direction == "low" else "high", term, tuple(grades))
        for (tests, direction, term), grades in grouped.items()
    ]


def _cut_off(text: str) -> CutOff:
    comparison, _, condition = text.partition(" if ")
    if condition and condition not in _CONDITIONS:
        raise ValueError(f"cut-off {text!r}: {condition!r} is not a condition")
    return CutOff(tuple(_part(part) for part in comparison.split(" and ")), _CONDITIONS.get(condition))


def _part(text: str) -> CutTerm:
    found = _PART.fullmatch(text)
    if found is None or not (found["reference"] or found["number"]):
        raise ValueError(f"cut-off {text!r} cannot be read")
    unit = unit_named(found["unit"] or "1") if found["number"] else None
    if found["number"] and unit is None:
        raise ValueError(f"cut-off {text!r}: {found['unit']!r} is not a unit that is known here")
    reference = _REFERENCES.get(found["reference"] or "")
    return CutTerm(
        len(found["sign"]) == 2, Fraction(found["factor"] or 1), reference, Fraction(found["number"] or 0), unit
    )
