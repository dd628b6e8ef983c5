"""Which column of a table says what, and how its cells are read."""

from __future__ import annotations

import math
import re
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from events.errors import ToxwatchError

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
    "status": ("status", "lbstat"),
    "loinc": ("loinc", "lbloinc"),
    "baseline": ("baseline", "base"),
    "baseline_uln": ("baseline_uln",),
    "albumin": ("albumin",),
    "albumin_unit": ("albumin_unit",),
}
REQUIRED: Final = ("test", "value")
NUMBERS: Final = ("lln", "uln", "baseline", "baseline_uln", "albumin")

_NUMBER: Final = re.compile(r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]{1,3})?")
_RESULT: Final = re.compile(rf"(<=|>=|=<|=>|<|>|≤|≥)?\s*({_NUMBER.pattern})")
_COMPARATORS: Final = {"≤": "<=", "≥": ">=", "=<": "<=", "=>": ">="}
_TRUE: Final = frozenset({"y", "yes", "true", "1"})
_FALSE: Final = frozenset({"n", "no", "false", "0"})
_UNKNOWN: Final = frozenset({"", "u", "unk", "unknown"})


class TableError(ToxwatchError):
    """The table cannot be graded: a column is missing, or a cell is not what its column says."""


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


def read(table: pd.DataFrame, first_line: int) -> dict[str, Column]:
    """The columns as they are graded: numbers as floats, words as words; a value that is no number is None.

    ``first_line`` is the line of the first row in its file, for complaints.
    """
    found: dict[str, Column] = {}
    for name, column in named(list(table.columns)).items():
        codes, cells = pd.factorize(table[column])
        words = [str(cell).strip() for cell in cells]
        try:
            says = [_read(name, word) for word in words]
        except ValueError as error:
            wrong = next(at for at, word in enumerate(words) if not _is_readable(name, word))
            line = first_line + int((codes == wrong).argmax())
            raise TableError(f"line {line}: {column}: {words[wrong]!r} {error}") from None
        found[name] = Column(says, codes)
    results = found.pop("value")
    found["value"] = Column([value for value, _ in results.says], results.codes)
    found["written_comparator"] = Column([comparator for _, comparator in results.says], results.codes)
    return found


def _read(name: str, word: str) -> Any:
    """One cell. Raises :class:`ValueError` with the end of a sentence."""
    if name == "value":
        return _value(word)
    if name in NUMBERS:
        return _number(word)
    if name == "fasting":
        return _flag(word)
    if name in ("specimen", "status"):
        return word.lower().replace("not done", "not-done") or None
    return word or None


def _is_readable(name: str, word: str) -> bool:
    try:
        _read(name, word)
    except ValueError:
        return False
    return True


def _number(word: str) -> float | None:
    if not word:
        return None
    if _NUMBER.fullmatch(word) is None:
        raise ValueError("is not a number")
    return float(word)


def _value(word: str) -> tuple[float | None, str | None]:
    """A number, and the comparator that is written before it."""
    found = _RESULT.fullmatch(word)
    if found is None or math.isinf(float(found[2])):
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
