"""EX: what was given. An interval of administrations becomes one at its start, and the report says so."""

from __future__ import annotations

from services.files.rows import Row, RowRefusedError
from services.importers.code_lists import GivenStatus, normal
from services.importers.drafts import REVISION, EventDraft
from services.importers.moments import Moment
from services.importers.reading import RowReading
from services.importers.study import Study


def treatment_administered(row: Row, study: Study) -> list[EventDraft]:
    """A row of EX as ``treatment.administered``; of a treatment that the mapping leaves out, nothing."""
    reading = RowReading(row, study)
    columns = study.mapping.ex
    drug = _drug(reading)
    if drug is None:
        reading.note(columns.treatment, "not a study drug, says the mapping: the row is left out")
        return []
    start, end = reading.date(columns.start), reading.date(columns.end)
    dose = reading.number(columns.dose)
    status = _status(reading, drug, dose)
    given = _given(reading, start, end, status)
    administration = reading.record_id(columns.id, "administration")
    data = {
        "administration_id": administration,
        REVISION: 1,
        "drug": drug,
        "given": given,
        "status": status,
        "dose": dose,
        "dose_unit": reading.text(columns.dose_unit),
        "lesions": reading.whole(columns.lesions),
    }
    if start is not None and given == start.text:
        _note_interval(reading, start, end)
    when = [end] if given != (start and start.text) else [start, end]
    draft = reading.draft(
        "EX", "treatment.administered", administration, data, when, columns.update, may_be_undated=True
    )
    return [draft]


def _given(reading: RowReading, start: Moment | None, end: Moment | None, status: GivenStatus) -> str:
    """When it was given: the start. Without one it lies between the enrolment and the end, and so day 1 may.

    Where an earlier dose is on record it is not the first, and its end is the day that is certain.
    """
    study, columns = reading.study, reading.study.mapping.ex
    starts = study.starts.setdefault(reading.subject, [])
    if start is not None and (end is None or start.first <= end.last):
        if status != "not-given":
            starts.append(start)
        return start.text
    column, value = reading.row.pick(columns.end if start is not None else columns.start)
    if status == "not-given":
        if start is None and end is None:
            raise RowRefusedError(column, value, "no date of administration")
        return (start or end).text  # type: ignore[union-attr]
    if end is not None and start is None and any(known.last <= end.last for known in starts):
        reading.unmapped(column, value, f"no start; not the first dose: its end is written, {end.text}")
        return end.text
    if end is None and starts:
        raise RowRefusedError(column, value, "no date of administration, and not the first dose")
    given = _bounded(reading, start, end)
    what = f"the end is before the start, {start.text}" if start is not None else "no date of administration"
    reading.unmapped(column, value, f"{what}: {given} is written, so that day 1 is not certain", urgent=True)
    return given


def _bounded(reading: RowReading, start: Moment | None, end: Moment | None) -> str:
    """The smallest date of the contract that certainly holds a dose of which only bounds are known: a month, else a year."""
    enrolled = reading.study.enrolled.get(reading.subject)
    known = [moment.text[:10] for moment in (start, end) if moment is not None]
    if enrolled is not None and (not known or enrolled.first <= (end or start or enrolled).last):
        known.append(enrolled.text[:10])
    if not known:
        raise RowRefusedError(reading.study.mapping.ex.start[0], "", "no date of administration, nor of enrolment")
    months = {text[:7] for text in known}
    certain = len(months) == 1 and len(known) > 1 and all(len(text) >= 7 for text in known)
    return months.pop() if certain else min(known)[:4]


def _drug(reading: RowReading) -> str | None:
    """The study drug; None for a treatment that the mapping lists as ``""``."""
    mapping = reading.study.mapping
    column, word = reading.row.pick(mapping.ex.treatment)
    if not word:
        raise RowRefusedError(column, "", "no treatment")
    drug = mapping.drugs.get(normal(word))
    if drug is None:
        raise RowRefusedError(column, word, "not in the mapping's [drugs]: which study drug it is cannot be told")
    return drug or None


def _status(reading: RowReading, drug: str, dose: float | None) -> GivenStatus:
    """Not given: said so, or a dose of zero of a drug that is no placebo."""
    mapping = reading.study.mapping
    said: GivenStatus | None = reading.word(mapping.ex.status, mapping.codes.given)
    if said is not None:
        return said
    if reading.flag(mapping.ex.occurred) is False:
        return "not-given"
    return "not-given" if dose == 0 and drug not in mapping.placebo else "given"


def _note_interval(reading: RowReading, start: Moment, end: Moment | None) -> None:
    columns = reading.study.mapping.ex
    if end is not None and end.text != start.text:
        reading.note(columns.end, f"an interval, reduced to one administration at its start, {start.text}")
    elif end is None and reading.text(columns.ongoing):
        reading.note(columns.ongoing, f"an interval that goes on, reduced to one administration, {start.text}")
