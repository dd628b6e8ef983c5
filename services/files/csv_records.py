"""The records of a CSV file, one after the other, whatever is wrong with one of them.

A quotation mark that is never closed would swallow every line behind it. So a record that goes over several lines is only
believed where it has the right number of values and none of its lines is a whole record by itself; else its first line is
broken, and reading goes on with the second.
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple, TextIO

from services.files.rows import ImportFailedError

#: A line that is longer is no line of a table. Bounds what is held in memory of a file without line ends.
LINE_MAX: Final = 1 << 20
#: What an archive may unpack to. The largest laboratory file of a real trial seen so far has a twentieth of it.
UNPACKED_BYTES_MAX: Final = 4 << 30
#: A cell over more lines is no cell: bounds how often the lines behind an open quotation mark are read again.
LINES_OF_A_RECORD_MAX: Final = 200

_DELIMITERS: Final = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a bar"}


class Broken(NamedTuple):
    """A line that is no record: what is wrong with it, and what it says."""

    reason: str
    text: str


class _Lines:
    """Lines with a way back: those that were taken for a record can be given back, all but the first."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._again: deque[str] = deque()
        self.taken: list[str] = []
        self.number = 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        if len(self.taken) >= LINES_OF_A_RECORD_MAX:
            raise StopIteration
        line = self._again.popleft() if self._again else self._file.readline(LINE_MAX)
        if not line:
            raise StopIteration
        if len(line) >= LINE_MAX:
            raise ImportFailedError(
                f"line {self.number + 1} is longer than {LINE_MAX:,} characters: no line of a table"
            )
        self.taken.append(line)
        self.number += 1
        return line

    def give_back(self) -> None:
        """All that was taken save the first line."""
        self._again.extendleft(reversed(self.taken[1:]))
        self.number -= len(self.taken) - 1


def records(file: TextIO, delimiter: str) -> Iterator[tuple[int, list[str] | Broken]]:
    """Each record with the number of its first line, blank lines left out. The first one says how many values they have."""
    lines = _Lines(file)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    width: int | None = None
    while True:
        lines.taken.clear()
        first = lines.number + 1
        try:
            fields = next(reader, None)
            reason = ""
        except csv.Error as error:
            fields, reason = [], _said(str(error))
        if fields is None:
            if not lines.taken:
                return
            fields, reason = [], "a quotation mark is not closed"
        if not reason and len(lines.taken) > 1:
            reason = _why_not_one(fields, lines.taken, width, delimiter)
        if reason:
            text = lines.taken[0] if lines.taken else ""
            lines.give_back()
            reader = csv.reader(lines, delimiter=delimiter, strict=True)
            yield first, Broken(reason, text.rstrip("\r\n"))
        elif fields:
            width = width or len(fields)
            yield first, fields


def _said(error: str) -> str:
    if "unexpected end" in error:
        return "a quotation mark is not closed"
    return "a quotation mark in the middle of a cell" if "expected after" in error else error


def _why_not_one(fields: list[str], taken: list[str], width: int | None, delimiter: str) -> str:
    """Why several lines that were read as one record are none."""
    if width is not None and len(fields) != width:
        return "a quotation mark is not closed where the line ends"
    if width is not None and width > 1:
        for line in taken[1:]:
            if line.count(delimiter) >= width - 1 and line.count('"') % 2 == 0:
                return "a quotation mark makes one cell of whole lines"
    return ""


def delimiter_of(header: str, used: str) -> str:
    """A question about the delimiter, where a header has another one; else nothing."""
    for other, name in _DELIMITERS.items():
        if other != used and header.count(other) > header.count(used):
            return (
                f"the columns are separated by {name}: which delimiter has the file? (format.delimiter in the mapping)"
            )
    return ""


class _Bounded(io.RawIOBase):
    """Bytes of an archive, up to a limit."""

    def __init__(self, packed: gzip.GzipFile | _Inflated, name: str) -> None:
        self._packed = packed
        self._name = name
        self._left = UNPACKED_BYTES_MAX

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        found = self._packed.read1(min(len(buffer), 1 << 20))
        self._left -= len(found)
        if self._left < 0:
            raise ImportFailedError(f"{self._name}: unpacks to more than {UNPACKED_BYTES_MAX:,} bytes: not read on")
        buffer[: len(found)] = found
        return len(found)


def open_text(path: Path, encoding: str, errors: str = "strict") -> TextIO:
    """A table as text, unpacked where its name ends in ``.gz``, and then no further than the limit."""
    if path.suffix.lower() != ".gz":
        return path.open(encoding=encoding, errors=errors, newline="")
    bounded = io.BufferedReader(_Bounded(gzip.GzipFile(path, "rb"), path.name), 1 << 20)
    return io.TextIOWrapper(bounded, encoding=encoding, errors=errors, newline="")


#: What reading a table can raise that lies in its bytes.
UNREADABLE: Final = (OSError, EOFError, zlib.error)


class _Inflated:
    """Bytes of a zlib or gzip stream, in pieces."""

    def __init__(self, packed: BinaryIO) -> None:
        self._packed = packed
        self._inflate = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)

    def read1(self, size: int) -> bytes:
        while True:
            given = self._inflate.unconsumed_tail or self._packed.read(size)
            found = self._inflate.decompress(given, size)
            if found or self._inflate.eof:
                return found
            if not given:
                raise EOFError("the compressed file is cut off")


def unpacked_text(packed: BinaryIO, name: str) -> TextIO:
    """A compressed text, unpacked no further than the limit."""
    bounded = io.BufferedReader(_Bounded(_Inflated(packed), name), 1 << 20)
    return io.TextIOWrapper(bounded, encoding="utf-8-sig", errors="surrogateescape")
