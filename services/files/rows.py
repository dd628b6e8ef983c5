"""What every reader yields: rows of text, and the defects found instead of rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from events.errors import ToxwatchError

MISSING: Final = ""
#: Files of a study have a hundred columns at most; a million of them would only cost time.
COLUMNS_MAX: Final = 2000


class ImportFailedError(ToxwatchError):
    """A file, or the whole import, cannot be read."""


class FileRefusedError(ImportFailedError):
    """One file cannot be read as it stands; the others can, and the report says what is missing."""


class RowRefusedError(ToxwatchError):
    """One row cannot become an event. ``reason`` is written for the data manager who has to mend the row."""

    def __init__(self, field: str, value: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.value = value
        self.reason = reason


class Row(NamedTuple):
    """One row: its file, its number from 1 (a header not counted), and its values by column name in capitals.

    A value that is missing is the empty text, whatever the format calls it.
    """

    file: str
    number: int
    values: Mapping[str, str]

    def pick(self, columns: Sequence[str]) -> tuple[str, str]:
        """The first of ``columns`` that has a value, and that value; the first column and ``""`` when none has."""
        for column in columns:
            value = self.values.get(column)
            if value and (value := value.strip()):
                return column, value
        return (columns[0] if columns else ""), MISSING


class Defect(NamedTuple):
    """Something in a file that is not a usable row. ``number`` is 0 for what concerns the file as a whole."""

    file: str
    number: int
    field: str
    value: str
    message: str


#: Something of a file that a reader should know, and that holds for all of it: a field, a value, a message.
FileNote = tuple[str, str, str]


@dataclass(frozen=True)
class DataSet:
    """One file that has been opened: what it calls itself, its columns, and its rows, which are read when asked for."""

    file: str
    name: str
    columns: tuple[str, ...]
    rows: Callable[[], Iterator[Row | Defect]]
    notes: tuple[FileNote, ...] = ()


def column_names(names: Sequence[str], file: str) -> tuple[str, ...]:
    """The names in capitals, so that ``usubjid`` is ``USUBJID``. Raises when two columns would be one."""
    if len(names) > COLUMNS_MAX:
        raise ImportFailedError(f"{file}: {len(names):,} columns; no more than {COLUMNS_MAX:,} are read")
    columns = tuple(name.strip().upper() for name in names)
    twice = sorted(name for name, count in Counter(columns).items() if count > 1)
    if twice:
        raise ImportFailedError(f"{file}: the column {twice[0] or '(without a name)'} is there twice")
    if not any(columns):
        raise ImportFailedError(f"{file}: there is no column")
    return columns


def wrong_length(file: str, number: int, found: int, wanted: int) -> Defect:
    """A row that has more or fewer values than there are columns: which is which cannot be told."""
    return Defect(file, number, "", str(found), f"{found} values where there are {wanted} columns; the row is not read")


def number_text(value: float) -> str:
    """A binary number as the decimal it stands for: 15 digits are what a double holds for certain."""
    return format(value, ".15g")
