"""Which column of a table says what, and how its cells are read."""

from __future__ import annotations

import math
import re
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from events.errors import ToxwatchError
from projections.ctcae.specimens import specimen_named

#: The columns that are read, and the names that SDTM and ADaM give them; compared without case.
NAMES: Final[dict[str, tuple[str, ...]]] = {
    "test": ("test", "lbtestcd", "paramcd"),
    "value": ("value", "lborres", "aval"),
    "comparator": ("comparator",),
    "unit": ("unit", "lborresu", "avalu"),
    "lln": ("lln", "lbornrlo", "anrlo"),
    "uln": ("uln", "lbornrhi", "anrhi"),
    "fasting": ("fasting", "lbfast"),
    "specimen": ("specimen", "lbspec"),
    "category": ("category", "lbcat"),
    "subcategory": ("subcategory", "lbscat"),
    "status": ("status", "lbstat"),
    "loinc": ("loinc", "lbloinc"),
    "baseline": ("baseline", "base"),
    "baseline_uln": ("baseline_uln",),
    "albumin": ("albumin",),
    "albumin_unit": ("albumin_unit",),
}
REQUIRED: Final = ("test", "value")
NUMBERS: Final = ("lln", "uln", "baseline", "baseline_uln", "albumin")

_NUMBER: Final = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]{1,3})?")
_RESULT: Final = re.compile(rf"(<=|>=|=<|=>|<|>|≤|≥)?\s*({_NUMBER.pattern})")
_COMPARATORS: Final = {"≤": "<=", "≥": ">=", "=<": "<=", "=>": ">="}
_TRUE: Final = frozenset({"y", "yes", "true", "1"})
_FALSE: Final = frozenset({"n", "no", "false", "0"})
_UNKNOWN: Final = frozenset({"", "u", "unk", "unknown"})


class TableError(ToxwatchError):
    """The table cannot be graded: a column is missing, or one stands where the grades are to be written."""


def named(columns: list[str]) -> dict[str, str]:
    """The table's own name of each column that is read. Raises :class:`TableError` with a sentence."""
    found: dict[str, str] = {}
    for column in columns:
        for name, aliases in NAMES.items():
            if column.strip().lower() in aliases:
                if name in found:
                    raise TableError(f"columns {found[name]!r} and {column!r} both say the {name}: keep one")
                found[name] = column
    missing = [name for name in REQUIRED if name not in found]
    if missing:
        raise TableError(f"no column {missing[0]!r} (or {', '.join(NAMES[missing[0]][1:])}); there are: {columns}")
    return found


class Column(NamedTuple):
    """A column by its distinct cells: row ``n`` says ``says[codes[n]]``. Tables repeat themselves, and reading takes time."""

    says: list[Any]
    codes: npt.NDArray[np.intp]


class Odd(NamedTuple):
    """A cell that is not what its column says: the rows are graded as if it were empty, and say so."""

    column: str
    rows: npt.NDArray[np.intp]
    sentence: str


def read(table: pd.DataFrame) -> tuple[dict[str, Column], list[Odd]]:
    """The columns as they are graded: numbers as floats, words as words; a value that is no number is None.

    A cell that cannot be read concerns its own rows alone: it comes back as :class:`Odd`.
    """
    found: dict[str, Column] = {}
    odd: list[Odd] = []
    for name, column in named(list(table.columns)).items():
        codes, cells = pd.factorize(table[column])
        says: list[Any] = []
        for at, cell in enumerate(cells):
            word = str(cell).strip()
            try:
                says.append(_read(name, word))
            except ValueError as error:
                says.append(None)
                odd.append(Odd(column, np.flatnonzero(codes == at), f"{column}: {word!r} {error}; taken as not given"))
        found[name] = Column(says, codes)
    results = found.pop("value")
    found["value"] = Column([value for value, _ in results.says], results.codes)
    found["written_comparator"] = Column([comparator for _, comparator in results.says], results.codes)
    return found, odd


def _read(name: str, word: str) -> Any:
    """One cell. Raises :class:`ValueError` with the end of a sentence."""
    if name == "value":
        return _value(word)
    if name in NUMBERS:
        return _number(word)
    if name == "fasting":
        return _flag(word)
    if name == "specimen":
        return specimen_named(word) or word.lower() or None
    if name in ("category", "subcategory"):
        return specimen_named(word)
    if name == "status":
        return word.lower().replace("not done", "not-done") or None
    return word or None


def _number(word: str) -> float | None:
    if not word:
        return None
    if _NUMBER.fullmatch(word) is None:
        raise ValueError("is not a number")
    number = float(word)
    if math.isinf(number):
        raise ValueError("is beyond every number")
    return number


def _value(word: str) -> tuple[float | None, str | None]:
    """A number, and the comparator that is written before it."""
    found = _RESULT.fullmatch(word)
    # Nothing that is graded can be negative: no number is better than a wrong one.
    if found is None or math.isinf(float(found[2])) or found[2].startswith("-"):
        return None, None
    return float(found[2]), _COMPARATORS.get(found[1], found[1])


def _flag(word: str) -> bool | None:
    if word.lower() in _TRUE:
        return True
    if word.lower() in _FALSE:
        return False
    if word.lower() in _UNKNOWN:
        return None
    raise ValueError("is neither yes nor no")
