"""EX: what was given. An interval of administrations becomes one at its start, and the report says so."""

from __future__ import annotations

from services.importers.code_lists import GivenStatus, normal
from services.importers.drafts import REVISION, Draft
from services.importers.moments import Moment
from services.importers.reading import Reading
from services.importers.rows import Row, RowRefusedError
from services.importers.study import Study


def treatment_administered(row: Row, study: Study) -> list[Draft]:
    """A row of EX as ``treatment.administered``; of a treatment that the mapping leaves out, nothing."""
    reading = Reading(row, study)
    columns = study.mapping.ex
    drug = _drug(reading)
    if drug is None:
        reading.note(columns.treatment, "not a study drug, says the mapping: the row is left out")
        return []
    start = reading.required_date(columns.start, "date of administration")
    end = reading.date(columns.end)
    if end is not None and end.last < start.first:
        column, value = row.pick(columns.end)
        raise RowRefusedError(column, value, f"before the start, {start.text}")
    dose = reading.number(columns.dose)
    administration = reading.record_id(columns.id, "administration")
    data = {
        "administration_id": administration,
        REVISION: 1,
        "drug": drug,
        "given": start.text,
        "status": _status(reading, drug, dose),
        "dose": dose,
        "dose_unit": reading.text(columns.dose_unit),
        "lesions": reading.whole(columns.lesions),
    }
    _note_interval(reading, start, end)
    return [reading.draft("EX", "treatment.administered", administration, data, [start, end], columns.update)]


def _drug(reading: Reading) -> str | None:
    """The study drug; None for a treatment that the mapping lists as ``""``."""
    mapping = reading.study.mapping
    column, word = reading.row.pick(mapping.ex.treatment)
    if not word:
        raise RowRefusedError(column, "", "no treatment")
    drug = mapping.drugs.get(normal(word))
    if drug is None:
        raise RowRefusedError(column, word, "not in the mapping's [drugs]: which study drug it is cannot be told")
    return drug or None


def _status(reading: Reading, drug: str, dose: float | None) -> GivenStatus:
    """Not given: said so, or a dose of zero of a drug that is no placebo."""
    mapping = reading.study.mapping
    said: GivenStatus | None = reading.word(mapping.ex.status, mapping.codes.given)
    if said is not None:
        return said
    if reading.flag(mapping.ex.occurred) is False:
        return "not-given"
    return "not-given" if dose == 0 and drug not in mapping.placebo else "given"


def _note_interval(reading: Reading, start: Moment, end: Moment | None) -> None:
    columns = reading.study.mapping.ex
    if end is not None and end.text != start.text:
        reading.note(columns.end, f"an interval, reduced to one administration at its start, {start.text}")
    elif end is None and reading.text(columns.ongoing):
        reading.note(columns.ongoing, f"an interval that goes on, reduced to one administration, {start.text}")
