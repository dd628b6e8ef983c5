"""Lines of events from files or standard input, with positions from which a line can be read again.

Of a line that is far too long only the beginning is kept: as much of it as is read to see whether it calls for attention.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from events.triage import BYTES_READ_MAX

STANDARD_INPUT: Final = "-"

#: How many bytes are read between two reports of progress.
REPORTED_BYTES: Final = 1024 * 1024

_PIECE_BYTES: Final = 64 * 1024
_NEWLINE: Final = ord("\n")
_FILE_SHIFT: Final = 48
_OFFSET_MASK: Final = (1 << _FILE_SHIFT) - 1


class EventLine(NamedTuple):
    """One line: ``number`` counts from 1, ``position`` finds it again, ``raw`` has no line end.

    ``size`` is that of the whole line in bytes; ``raw`` may be no more than its beginning.
    """

    file: str
    number: int
    position: int
    raw: bytes
    size: int


class EventFiles:
    """Files read one after another, in the order given. Use as a context manager."""

    def __init__(self, paths: list[str], standard_input: BinaryIO | None = None) -> None:
        self._paths = paths
        self._standard_input = standard_input
        self._open: list[BinaryIO] = []

    def __enter__(self) -> EventFiles:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._open:
            file.close()

    @property
    def bytes_total(self) -> int | None:
        """How many bytes there are to read; None where a pipe is among them."""
        if not all(Path(path).is_file() for path in self._paths):
            return None
        return sum(Path(path).stat().st_size for path in self._paths)

    def lines(self, advance: Callable[[int], None] = lambda _: None) -> Iterator[EventLine]:
        """Every line that is not blank. ``advance`` is told of the bytes read, for a progress bar."""
        for index, path in enumerate(self._paths):
            file = self._opened(path)
            offset = reported = number = 0
            while raw := file.readline(BYTES_READ_MAX):
                number += 1
                content = raw.rstrip()
                size, length = len(content), len(raw)
                if raw[-1] != _NEWLINE and length == BYTES_READ_MAX:
                    length += _rest_of_line(file)
                    size = length
                if size:
                    yield EventLine(path, number, index << _FILE_SHIFT | offset, content, size)
                offset += length
                if offset - reported > REPORTED_BYTES:
                    advance(offset - reported)
                    reported = offset
            advance(offset - reported)

    def again(self, position: int) -> bytes:
        """The line at a position, read once more."""
        file = self._open[position >> _FILE_SHIFT]
        here = file.tell()
        file.seek(position & _OFFSET_MASK)
        raw = file.readline(BYTES_READ_MAX)
        file.seek(here)
        return raw.rstrip()

    def _opened(self, path: str) -> BinaryIO:
        if path == STANDARD_INPUT:
            file = _spooled(self._standard_input or sys.stdin.buffer)
        else:
            file = Path(path).open("rb")  # noqa: SIM115 - closed with the others
            if not file.seekable():
                with file as pipe:
                    file = _spooled(pipe)
        self._open.append(file)
        return file


def _rest_of_line(file: BinaryIO) -> int:
    passed = 0
    while piece := file.readline(_PIECE_BYTES):
        passed += len(piece)
        if piece.endswith(b"\n"):
            break
    return passed


def _spooled(stream: BinaryIO) -> BinaryIO:
    """A pipe as a file that can be read again: on disk beyond some megabytes."""
    spool = tempfile.SpooledTemporaryFile(max_size=16 * 1024 * 1024)  # noqa: SIM115 - closed with the others
    while piece := stream.read(1024 * 1024):
        spool.write(piece)
    spool.seek(0)
    return spool  # type: ignore[return-value]  # typeshed: it is an IO[bytes] in all that we use
