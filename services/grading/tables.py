"""A table as it is graded: its header, and its rows in pieces. What is wrong with one row never stops the others."""

from __future__ import annotations

import codecs
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from io import TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple, TextIO

from services.files.csv_records import UNREADABLE, Broken, delimiter_of, open_text, records
from services.files.rows import COLUMNS_MAX
from services.grading.columns import TableError

DELIMITER: Final = ","
#: A byte that is not UTF-8 is read as Latin-1 has it: what is not there in ASCII is most often a micro sign.
LATIN_1_BYTES: Final = "toxwatch-latin-1"


class BadRow(NamedTuple):
    """A line that cannot be graded: which row of its piece it is, its line in the file, and why."""

    at: int
    line: int
    why: str


@dataclass
class Piece:
    """Some rows, each of them as wide as the header; in which line each begins; and those that are no rows."""

    rows: list[list[str]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    bad: list[BadRow] = field(default_factory=list)


def read_table(table: str, rows_at_a_time: int) -> tuple[list[str], Iterator[Piece]]:
    """The header of a table, and its rows. ``-`` is standard input. Raises :class:`TableError` with a sentence."""
    file = _opened(table)
    found = records(file, DELIMITER)
    first = next(found, None)
    if first is None:
        raise TableError("the table is empty: a header line and results are needed")
    _, header = first
    if isinstance(header, Broken):
        raise TableError(f"the header cannot be read: {header.reason}")
    if len(header) > COLUMNS_MAX:
        raise TableError(f"{len(header):,} columns; no more than {COLUMNS_MAX:,} are read")
    question = delimiter_of(DELIMITER.join(header), DELIMITER)
    if len(header) == 1 and question:
        raise TableError(
            f"the header is one column, {header[0]!r}: {question.replace(' (format.delimiter in the mapping)', '')}"
        )
    return header, _pieces(file, found, len(header), rows_at_a_time)


def _opened(table: str) -> TextIO:
    codecs.register_error(LATIN_1_BYTES, _latin_1)
    if table == "-":
        return TextIOWrapper(sys.stdin.buffer, encoding="utf-8-sig", errors=LATIN_1_BYTES, newline="")
    try:
        return open_text(Path(table), "utf-8-sig", LATIN_1_BYTES)
    except UNREADABLE as error:
        raise TableError(str(error)) from error


def _latin_1(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return error.object[error.start : error.end].decode("latin-1"), error.end


def _pieces(
    file: TextIO, found: Iterator[tuple[int, list[str] | Broken]], width: int, rows_at_a_time: int
) -> Iterator[Piece]:
    with closing(file):
        while True:
            piece = Piece()
            try:
                for line, fields in islice(found, rows_at_a_time):
                    _add(piece, line, fields, width)
            except UNREADABLE as error:
                # What was read is graded; what lies behind is gone, and the line says so.
                line = piece.lines[-1] + 1 if piece.lines else 0
                _add(piece, line, Broken(f"the file cannot be read on: {str(error) or 'it is cut off'}", ""), width)
                yield piece
                return
            if not piece.rows:
                return
            yield piece


def _add(piece: Piece, line: int, fields: list[str] | Broken, width: int) -> None:
    why = ""
    if isinstance(fields, Broken):
        why, fields = f"{fields.reason}: not graded", [fields.text]
    elif len(fields) != width:
        beyond = fields[width:]
        if any(beyond) or len(fields) < width:
            why = f"{len(fields)} values where there are {width} columns: not graded"
            why += f" (beyond the last column: {', '.join(beyond)})" if beyond else ""
    if why:
        piece.bad.append(BadRow(len(piece.rows), line, why))
    piece.rows.append((fields + [""] * width)[:width])
    piece.lines.append(line)
