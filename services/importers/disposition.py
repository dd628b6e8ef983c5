"""DS: who stopped treatment or left the study, and why."""

from __future__ import annotations

from collections.abc import Mapping

from services.importers.code_lists import normal
from services.importers.drafts import REVISION, Draft
from services.importers.reading import Reading
from services.importers.rows import Row, RowRefusedError
from services.importers.study import Study


def subject_discontinued(row: Row, study: Study) -> list[Draft]:
    """A row of DS as ``subject.discontinued``; of a milestone, or of an end that the mapping leaves out, nothing."""
    reading = Reading(row, study)
    columns, codes = study.mapping.ds, study.mapping.codes
    if not _is_an_end(reading):
        reading.note(columns.category, "not an end of treatment or study: the row is left out")
        return []
    scope = _coded(reading, columns.scope, codes.scope, "whether treatment or study ended")
    if scope == "":
        reading.note(columns.scope, "an end that the code list leaves out: the row is left out")
        return []
    date = reading.required_date(columns.date, "date")
    contact = reading.date(columns.last_contact)
    reason = _coded(reading, columns.reason, codes.reason, "reason")
    data = {
        REVISION: 1,
        "scope": scope,
        "date": date.text,
        "reason": reason,
        "last_contact": None if contact is None else contact.text,
        # The contract has few reasons, and a study's own words say more.
        "x": {"reason": reading.text(columns.reason)},
    }
    if scope == "study":
        _supersede_death(reading, reason)
    return [reading.draft("DS", "subject.discontinued", scope, data, [date, contact], columns.update)]


def _is_an_end(reading: Reading) -> bool:
    columns = reading.study.mapping.ds
    category = reading.text(columns.category)
    return category is None or normal(category) in {normal(word) for word in columns.events}


def _coded(reading: Reading, columns: tuple[str, ...], codes: Mapping[str, str], what: str) -> str:
    """A word that must be known: without it there is no event."""
    column, value = reading.row.pick(columns)
    if not value:
        raise RowRefusedError(column, "", f"it is not said {what}" if what.startswith("whether") else f"no {what}")
    meaning = codes.get(normal(value))
    if meaning is None:
        raise RowRefusedError(column, value, "not in the code list, and no event can go without it")
    return meaning


def _supersede_death(reading: Reading, reason: str) -> None:
    """DS says how the subject left the study. One record says it, so that a death in DM beside another reason is told."""
    study = reading.study
    death = study.deaths.pop(reading.subject, None)
    if death is not None and reason != "death":
        column, date = death.row.pick(study.mapping.dm.death)
        message = (
            f"DM has a death, and DS says that the subject left the study for: {reason}; only the latter is written"
        )
        study.report.unmapped(death.row, column, date, message, urgent=True)
