"""One row being read: picks its values, translates its words, and reports what cannot be translated."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any, Final

from services.files.rows import Row, RowRefusedError
from services.importers.code_lists import normal
from services.importers.drafts import REVISION, EventDraft
from services.importers.moments import Moment, Recorded, read_moment, recorded
from services.importers.study import Study

Columns = Sequence[str]

NUMBER: Final = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)

#: A date of fewer characters is a month or a year.
DAY_CHARACTERS: Final = 10
_SEQUENCE: Final = re.compile(r"[A-Z]{2}SEQ")

_LOCAL: Final = "a local time: the offset of the site's time zone was added"
_SECONDS: Final = "a time without seconds: :00 was added"
_REDUCED: Final = "parts of this date are unknown: what lies behind the first of them was left out"
_GAP: Final = "the clock skipped this time when it was put forward: the offset before the change was taken"
_FOLD: Final = "the clock showed this time twice: the first was taken"


class RowReading:
    """A row with whom it is about. Raises :class:`RowRefusedError` where a row cannot become an event at all.

    ``urgent``: the row speaks of a severe toxicity, and so does every line of the report about it.
    """

    __slots__ = ("row", "site", "study", "subject", "urgent", "zone")

    def __init__(self, row: Row, study: Study, *, urgent: bool = False) -> None:
        self.row = row
        self.urgent = urgent
        self.study = study
        self.subject, self.site, self.zone = study.who(row)

    def text(self, columns: Columns) -> str | None:
        """The value as it stands."""
        return self.row.pick(columns)[1] or None

    def required(self, columns: Columns, what: str) -> str:
        """The value as it stands; a row without it is refused."""
        column, value = self.row.pick(columns)
        if not value:
            raise RowRefusedError(column, "", f"no {what}")
        return value

    def record_id(self, alternatives: tuple[tuple[str, ...], ...], what: str) -> str:
        """The id of the record that the row belongs to."""
        columns = self.study.id_columns(alternatives)
        parts = [self.row.values[column].strip() for column in columns]
        return ".".join(parts) if any(parts) else self._other_id(alternatives, columns, what)

    def _other_id(self, alternatives: tuple[tuple[str, ...], ...], columns: tuple[str, ...], what: str) -> str:
        """Where the id is blank, what names the row otherwise: another id, its sequence, else what it says.

        The name says what it is, so that it is never that of a row which has an id.
        """
        sequence = next((column for column in self.study.columns if _SEQUENCE.fullmatch(column)), "")
        for others in [*alternatives, (sequence,)]:
            values = [self.row.values.get(column, "").strip() for column in others]
            if others != columns and any(values):
                found = f"{'+'.join(others)}={'.'.join(values)}"
                self.note(columns or alternatives[0], f"no id of the {what}: {found} is taken for it")
                return found
        if not any(self.row.values.values()):
            raise RowRefusedError("+".join(columns or alternatives[0]), "", f"no id of the {what}")
        said = "\0".join(f"{name}={value}" for name, value in sorted(self.row.values.items()))
        found = f"row={blake2b(said.encode('utf-8', 'surrogatepass'), digest_size=8).hexdigest()}"
        self.note(columns or alternatives[0], f"no id of the {what}, and no sequence: {found} is taken for it")
        return found

    def word(self, columns: Columns, codes: Mapping[str, object], *, urgent: bool = False) -> Any:
        """The value by a code list. A word that is not in it is reported and left out; ``""`` is left out knowingly."""
        column, value = self.row.pick(columns)
        if not value:
            return None
        meaning = codes.get(normal(value))
        if meaning is None:
            self.unmapped(column, value, "not in the code list: left out", urgent=urgent)
        return None if meaning == "" else meaning

    def flag(self, columns: Columns) -> bool | None:
        """Yes or no."""
        meaning: bool | None = self.word(columns, self.study.mapping.codes.flag)
        return meaning

    def date(self, columns: Columns) -> Moment | None:
        """A date, if there is one that can be read; one that cannot is reported and left out."""
        column, value = self.row.pick(columns)
        if not value:
            return None
        try:
            moment = read_moment(value, self.zone)
        except ValueError as error:
            self.unmapped(column, value, f"{error}: left out")
            return None
        if moment.remarks or moment.said:
            self._tell(column, value, moment)
        return moment

    def required_date(self, columns: Columns, what: str) -> Moment:
        """A date without which the row is refused."""
        column, value = self.row.pick(columns)
        if not value:
            raise RowRefusedError(column, "", f"no {what}")
        try:
            moment = read_moment(value, self.zone)
        except ValueError as error:
            raise RowRefusedError(column, value, str(error)) from None
        if moment.remarks or moment.said:
            self._tell(column, value, moment)
        return moment

    def instant(self, columns: Columns) -> Moment | None:
        """A date-time; a bare date is not exact enough, and is reported and left out."""
        moment = self.date(columns)
        if moment is not None and not moment.timed:
            column, value = self.row.pick(columns)
            self.unmapped(column, value, "a date where a date-time is needed: left out")
            return None
        return moment

    def number(self, columns: Columns) -> float | int | None:
        """A number; what is none is reported and left out."""
        column, value = self.row.pick(columns)
        if not value:
            return None
        if not NUMBER.fullmatch(value) or not math.isfinite(float(value)):
            self.unmapped(column, value, "not a number: left out")
            return None
        return plain_number(value)

    def whole(self, columns: Columns) -> int | None:
        """A whole number."""
        value = self.number(columns)
        if value is not None and value != int(value):
            column, text = self.row.pick(columns)
            self.unmapped(column, text, "not a whole number: left out")
            return None
        return None if value is None else int(value)

    def unmapped(self, column: str, value: str, message: str, *, urgent: bool = False) -> None:
        """Tell the report of a value that the event goes without."""
        self.study.report.unmapped(self.row, column, value, message, urgent=urgent or self.urgent)

    def note(self, columns: Columns, message: str) -> None:
        """Tell the report something about the row."""
        column, value = self.row.pick(columns)
        self.study.report.note(self.row, column, value, message)

    def draft(
        self,
        kind: str,
        type_name: str,
        record: str,
        data: dict[str, Any],
        dates: Iterable[Moment | None],
        when: Columns,
        *,
        may_be_undated: bool = False,
    ) -> EventDraft:
        """The row as an event. ``dates`` are those it was made from, ``when`` the columns of its last update.

        What is None in ``data`` is left out. The time is the last update, else the end of the latest date. With
        ``may_be_undated`` a row without any is recorded, at the latest, when the extract was made.
        """
        given = [date for date in dates if date is not None]
        update = self.date(when)
        time = recorded(update, given, self.zone)
        undated = time is None
        if time is None:
            if not may_be_undated:
                raise RowRefusedError(
                    ",".join(when) or "time", "", "no date at all: when it was recorded cannot be said"
                )
            time = Recorded("", 0, "none")
        else:
            if time.estimate:
                self._tell_estimate(time, when)
        filled = {key: value for key, value in data.items() if value is not None}
        filled.setdefault(REVISION, 1)
        draft = EventDraft(
            self.row, kind, f"toxwatch.{type_name}.v1", self.subject, self.site, record, filled, time, update
        )
        draft.undated = undated
        moments = [*given, update] if update is not None else given
        last = max((moment for moment in moments), key=lambda moment: (moment.first, moment.last), default=None)
        if last is not None and len(last.text) < DAY_CHARACTERS:
            draft.reduced_from = last.first
        elif not undated:
            self.study.latest = max(self.study.latest, (time.order, time.text))
        return draft

    def _tell_estimate(self, time: Recorded, when: Columns) -> None:
        report, column = self.study.report, ",".join(when)
        if time.estimate == "day":
            report.tally("time-estimated", "time", f"{column} is a date: the time is the end of that day")
        elif time.estimate == "later":
            message = f"a date in the row is later than {column}: the time is the end of the latest date"
            report.time_estimated(self.row, time.text, message)
        elif self.study.columns.isdisjoint(when):
            message = "the file has no time of update: the time is the end of the row's latest date"
            report.tally("time-estimated", "time", message)
        else:
            report.time_estimated(self.row, time.text, f"no {column}: the time is the end of the row's latest date")

    def _tell(self, column: str, value: str, moment: Moment) -> None:
        report = self.study.report
        if moment.said:
            report.note(self.row, column, value, f"{moment.said}; {moment.text} is written")
        for remark in moment.remarks:
            match remark:
                case "offset":
                    report.tally("note", column, f"{_LOCAL} ({self.zone})")
                case "seconds":
                    report.tally("note", column, _SECONDS)
                case "reduced":
                    report.note(self.row, column, value, f"{_REDUCED}; {moment.text} is written")
                case "gap":
                    report.note(self.row, column, value, f"{_GAP}; {moment.text} is written")
                case "fold":
                    report.note(self.row, column, value, f"{_FOLD}; {moment.text} is written")


def plain_number(text: str) -> float | int:
    """A number as JSON writes it: whole where it is whole and written so."""
    value = float(text)
    return int(text) if text.lstrip("+-").isdigit() and abs(value) < 2**53 else value
