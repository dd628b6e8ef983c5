"""A reported laboratory value as a number, with its comparator."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from functools import lru_cache
from typing import Final, NamedTuple

from services.importers.reading import NUMBER, plain_number

COMPARATORS: Final = {"≤": "<=", "≥": ">=", "=<": "<=", "=>": ">="}
_RESULT: Final = re.compile(rf"(<=|>=|=<|=>|<|>|≤|≥)?\s*({NUMBER.pattern})", re.ASCII)
# Binary noise of a single-precision number is below one part in eight million of it.
NOISE: Final = Decimal("3e-7")


class ReportedValue(NamedTuple):
    """A reported value: a number with its comparator, or neither. ``odd``: it has more decimals than were declared."""

    comparator: str | None
    value: float | int | None
    odd: bool


@lru_cache(maxsize=65536)
def read_result(text: str, decimals: int | None) -> ReportedValue:
    """A value as a number, with its binary noise taken off where the number of decimals is known."""
    found = _RESULT.fullmatch(text)
    if found is None or not math.isfinite(float(found[2])):
        return ReportedValue(None, None, False)
    comparator = COMPARATORS.get(found[1], found[1]) if found[1] else None
    if decimals is None:
        return ReportedValue(comparator, plain_number(found[2]), False)
    exact = Decimal(found[2])
    clean = round(exact, decimals)
    if abs(clean - exact) > NOISE * max(abs(exact), Decimal(1)):
        return ReportedValue(comparator, plain_number(found[2]), True)
    return ReportedValue(comparator, plain_number(format(clean, "f")), False)
