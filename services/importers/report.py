"""The report of an import: a line for whatever did not become part of an event as it stood."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal, NamedTuple, TextIO

from services.files.rows import Defect, Row, RowRefusedError
from services.platform.csv_cells import CsvWriter
from services.platform.private_files import open_private_text

#: ``refused``: the row is no event. ``unmapped``: the row is an event without this value. ``time-estimated``: the event's
#: time is not one that the row gives. ``note``: something else that a reader should know.
Action = Literal["refused", "unmapped", "time-estimated", "note", "summary"]

COLUMNS: Final = ("file", "row", "field", "value", "action", "urgent", "message")


class ReportLine(NamedTuple):
    """One line of the report. ``row`` is None for what holds for a whole file."""

    file: str
    row: int | None
    field: str
    value: str
    action: Action
    urgent: bool
    message: str


class ImportReport:
    """Writes lines as they come. What holds for many rows alike is counted, and is one line when its file ends."""

    def __init__(self, out: TextIO, form: Literal["csv", "ndjson"] = "csv") -> None:
        self.counts: Counter[tuple[str, Action]] = Counter()
        self.urgent = 0
        self._tallies: Counter[tuple[Action, str, str]] = Counter()
        self._out = out
        self._table = CsvWriter(out) if form == "csv" else None
        if self._table is not None:
            self._table.writerow(COLUMNS)

    def refuse(self, row: Row, error: RowRefusedError, *, urgent: bool = False) -> None:
        """The row did not become an event. ``urgent``: it speaks of a severe, serious or fatal toxicity."""
        self._add(ReportLine(row.file, row.number, error.field, error.value, "refused", urgent, error.reason))

    def defect(self, defect: Defect) -> None:
        """Something in a file that is no usable row."""
        number = defect.number or None
        # What a row that cannot be read says is not known, and so may be anything.
        self._add(ReportLine(defect.file, number, defect.field, defect.value, "refused", True, defect.message))

    def left_over(
        self,
        file: str,
        number: int | None,
        field: str,
        value: str,
        message: str,
        *,
        urgent: bool,
        action: Action = "unmapped",
    ) -> None:
        """A part of a resource or row, or a column of a file, that nothing reads (:mod:`services.importers.consumed`)."""
        self._add(ReportLine(file, number, field, value, action, urgent, message))

    def unmapped(self, row: Row, field: str, value: str, message: str, *, urgent: bool = False) -> None:
        """The event goes without this value."""
        self._add(ReportLine(row.file, row.number, field, value, "unmapped", urgent, message))

    def time_estimated(self, row: Row, value: str, message: str) -> None:
        """The event's time is ``value``, which no column says."""
        self._add(ReportLine(row.file, row.number, "time", value, "time-estimated", False, message))

    def note(self, row: Row, field: str, value: str, message: str) -> None:
        """Something that a reader of the events should know about this row."""
        self._add(ReportLine(row.file, row.number, field, value, "note", False, message))

    def file_note(self, file: str, field: str, value: str, message: str) -> None:
        """The same, about a whole file."""
        self._add(ReportLine(file, None, field, value, "note", False, message))

    def tally(self, action: Action, field: str, message: str) -> None:
        """Count one more row of the current file of which the same is to be said."""
        self._tallies[action, field, message] += 1

    def end_file(self, file: str) -> None:
        """Write what was counted, with the number of rows as the value."""
        for (action, field, message), count in self._tallies.items():
            self._add(ReportLine(file, None, field, str(count), action, False, message), count)
        self._tallies.clear()

    def summary(self, file: str, field: str, count: int) -> None:
        """A closing line: how many rows were read, how many events written, and so on."""
        self._write(ReportLine(file, None, field, str(count), "summary", False, ""))

    def _add(self, line: ReportLine, count: int = 1) -> None:
        # A note that holds for a whole file is one note; the times that were estimated are counted one by one.
        self.counts[line.file, line.action] += 1 if line.action == "note" else count
        self.urgent += line.urgent
        self._write(line)

    def _write(self, line: ReportLine) -> None:
        shown = {**line._asdict(), "row": "" if line.row is None else line.row, "urgent": "yes" if line.urgent else ""}
        if self._table is not None:
            self._table.writerow(shown.values())
        else:
            plain = {**line._asdict()}
            self._out.write(json.dumps(plain, ensure_ascii=False) + "\n")


@contextmanager
def report_file(path: Path) -> Iterator[ImportReport]:
    """A report in CSV, or in NDJSON where the name ends so."""
    # backslashreplace: a value may hold half a character, and the report of it must not fail for that.
    with open_private_text(path) as out:
        yield ImportReport(out, "ndjson" if path.suffix == ".ndjson" else "csv")
