"""DS: who stopped treatment or left the study, and why."""

from __future__ import annotations

import re
from typing import Final

from services.files.rows import Row, RowRefusedError
from services.importers.code_lists import normal
from services.importers.drafts import REVISION, EventDraft
from services.importers.reading import RowReading
from services.importers.study import Study

#: Reasons that raise a case, so that an end for one of them is written even without a date.
GRAVE: Final = frozenset({"death", "adverse-event"})


#: What a reason may say in words that are in no code list: none of it is ever less than it says.
_DEATH: Final = re.compile(
    r"\b(?:deaths?|died|dead|deceased|expired|fatal(?:ity)?|d[ée]c[èe]s|d[ée]c[ée]d[ée]e?)\b", re.IGNORECASE
)
_ADVERSE: Final = re.compile(
    r"\b(?:adverse|toxicit\w*|toxic|side effects?|d\.?l\.?t|s?ae|intol[ée]ran\w*|effets? ind)\b", re.IGNORECASE
)


def subject_discontinued(row: Row, study: Study) -> list[EventDraft]:
    """A row of DS as ``subject.discontinued``; of a milestone, or of an end that the mapping leaves out, nothing.

    A death is never left out, whatever the category, the scope or the reason beside it.
    """
    reading = RowReading(row, study)
    columns = study.mapping.ds
    if not _is_an_end(reading) and not _says_death(reading):
        reading.note(columns.category, "not an end of treatment or study: the row is left out")
        return []
    reason = _reason(reading)
    scope = _scope(reading, reason)
    if scope == "":
        reading.note(columns.scope, "an end that the code list leaves out: the row is left out")
        return []
    if reason is None:
        raise RowRefusedError(columns.reason[0], "", "no reason")
    date, contact = reading.date(columns.date), reading.date(columns.last_contact)
    if date is None and reason not in GRAVE:
        raise RowRefusedError(columns.date[0], reading.text(columns.date) or "", "no date that can be read")
    data = {
        REVISION: 1,
        "scope": scope,
        "date": None if date is None else date.text,
        "reason": reason,
        "last_contact": None if contact is None else contact.text,
        # The contract has few reasons, and a study's own words say more.
        "x": {"reason": reading.text(columns.reason) or reading.text(columns.term)},
    }
    dates = [] if date is None else [date, contact]
    draft = reading.draft("DS", "subject.discontinued", scope, data, dates, columns.update, may_be_undated=True)
    draft.undated = draft.undated or date is None
    draft.urgent = reason in GRAVE
    return [draft]


def _reason(reading: RowReading) -> str | None:
    """Why it ended: by the code list, else by what the words may say; a death in any of them is one."""
    columns, codes = reading.study.mapping.ds, reading.study.mapping.codes
    column, word = reading.row.pick(columns.reason)
    verbatim = reading.text(columns.term) or ""
    coded = codes.reason.get(normal(word)) if word else None
    if coded != "death" and _says_death(reading):
        reading.unmapped(column, word or verbatim, "the words say a death: it is written as one", urgent=True)
        return "death"
    if coded is not None or not (word or verbatim):
        return coded
    found = "adverse-event" if _ADVERSE.search(f"{word} {verbatim}") else "other"
    reading.unmapped(column, word or verbatim, f"not in the code list: {found} is written", urgent=True)
    return found


def _says_death(reading: RowReading) -> bool:
    columns, codes = reading.study.mapping.ds, reading.study.mapping.codes
    words = [reading.text(columns.reason) or "", reading.text(columns.term) or ""]
    return codes.reason.get(normal(words[0])) == "death" or any(_DEATH.search(word) for word in words)


def _scope(reading: RowReading, reason: str | None) -> str:
    """Whether treatment or study ended; a death ends the study where nothing else is said."""
    columns, codes = reading.study.mapping.ds, reading.study.mapping.codes
    column, value = reading.row.pick(columns.scope)
    meaning: str | None = codes.scope.get(normal(value)) if value else None
    if reason == "death" and not meaning:
        return "study"
    if not value:
        raise RowRefusedError(column, "", "it is not said whether treatment or study ended")
    if meaning is None:
        raise RowRefusedError(column, value, "not in the code list, and no event can go without it")
    return meaning


def _is_an_end(reading: RowReading) -> bool:
    columns = reading.study.mapping.ds
    category = reading.text(columns.category)
    return category is None or normal(category) in {normal(word) for word in columns.events}
