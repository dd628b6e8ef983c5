"""CSV that somebody will open in a spreadsheet: no cell of it is a formula, whatever a sender has written into it."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from typing import Any, Final, TextIO

#: With these a spreadsheet takes a cell for a formula, or passes over them to one.
_FORMULA: Final = frozenset("=+-@\t\r\n")
#: What begins so and is harmless: a number, and a sign by itself.
_HARMLESS: Final = re.compile(r"[+-](?:[0-9]+\.?[0-9]*|\.[0-9]+)?(?:(?<=[0-9.])[eE][+-]?[0-9]+)?")
_ESCAPE: Final = "'"


def escaped(cell: Any) -> Any:
    """The cell; behind an apostrophe, by which spreadsheets take it for text, where it might be a formula."""
    if isinstance(cell, str) and cell[:1] in _FORMULA and cell and _HARMLESS.fullmatch(cell) is None:
        return _ESCAPE + cell
    return cell


class CsvWriter:
    """Rows as CSV, every cell escaped."""

    def __init__(self, out: TextIO) -> None:
        self._writer = csv.writer(out, lineterminator="\n")

    def writerow(self, row: Iterable[Any]) -> None:
        """Write a row."""
        self._writer.writerow([escaped(cell) for cell in row])

    def writerows(self, rows: Iterable[Iterable[Any]]) -> None:
        """Write several."""
        self._writer.writerows([escaped(cell) for cell in row] for row in rows)
