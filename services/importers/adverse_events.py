"""AE: toxicities. Rows with one id are the revisions of one toxicity."""

from __future__ import annotations

from typing import Any

from services.files.rows import Row
from services.importers.code_lists import normal
from services.importers.drafts import REVISION, EventDraft
from services.importers.moments import Moment
from services.importers.reading import RowReading
from services.importers.study import Study

UNRESOLVED = frozenset({"not-recovered", "recovering"})
SEVERE = 3
NO_TERM = "not reported"


def adverse_event_reported(row: Row, study: Study) -> list[EventDraft]:
    """A row of AE as ``ae.reported``."""
    reading = RowReading(row, study, urgent=is_urgent(row, study))
    columns = study.mapping.ae
    record = reading.record_id(columns.id, "adverse event")
    grade, own = _grade(reading)
    onset, end = _dates(reading)
    data: dict[str, Any] = {
        "ae_id": record,
        REVISION: 1,
        "term": _term(reading),
        "term_language": columns.term_language,
        "preferred_term": reading.text(columns.preferred_term),
        "ctcae_term": reading.text(columns.ctcae_term),
        "meddra_code": reading.text(columns.meddra_code),
        "meddra_version": columns.meddra_version if reading.text(columns.meddra_code) else None,
        "grade": grade,
        "onset": _written(onset),
        "end": _written(end),
        **_course(reading, end),
        "continues": reading.text(columns.continues),
        **_seriousness(reading),
        "aware": _written(reading.instant(columns.aware)),
        "sponsor_aware": _written(reading.instant(columns.sponsor_aware)),
        "causality": _causality(reading),
        **_flags(reading),
        "action_taken": _action(reading),
        "x": own,
    }
    dates = [onset, end, reading.date(columns.ongoing_at)]
    draft = reading.draft("AE", "ae.reported", record, data, dates, columns.update, may_be_undated=True)
    draft.urgent = reading.urgent
    draft.onset = onset
    draft.course = () if grade is None else ((grade, draft.update),)
    return [draft]


def is_urgent(row: Row, study: Study) -> bool:
    """Whether what can be read of a row says grade 3 or more, serious or fatal, so that losing it would matter."""
    columns, codes = study.mapping.ae, study.mapping.codes

    def code(names: tuple[str, ...], words: dict[str, Any]) -> Any:
        return words.get(normal(row.pick(names)[1]))

    grade = code(columns.grade, codes.grade) or code(columns.severity, codes.severity_as_grade) or 0
    criteria = any(code(names, codes.flag) is True for names in columns.seriousness.values())
    fatal = code(columns.outcome, codes.outcome) == "fatal"
    return grade >= SEVERE or code(columns.serious, codes.flag) is True or criteria or fatal


def _term(reading: RowReading) -> str:
    """The term; a row without one is not lost for that, and its term is asked about."""
    columns = reading.study.mapping.ae
    term = reading.text(columns.term)
    if term is not None:
        return term
    other = reading.text(columns.preferred_term) or reading.text(columns.ctcae_term)
    said = f"{other} is written" if other else f"{NO_TERM!r} is written"
    reading.unmapped((columns.term or ("term",))[0], "", f"no term: {said}", urgent=True)
    return other or NO_TERM


def _dates(reading: RowReading) -> tuple[Moment | None, Moment | None]:
    """Onset and end. Where they contradict each other neither is written: which is wrong cannot be told."""
    columns = reading.study.mapping.ae
    onset, end = reading.date(columns.onset), reading.date(columns.end)
    if onset is None or end is None or onset.first <= end.last:
        return onset, end
    column, value = reading.row.pick(columns.end)
    reading.unmapped(column, value, f"before the onset, {onset.text}: neither is written", urgent=True)
    return None, None


def _written(moment: Moment | None) -> str | None:
    return None if moment is None else moment.text


def _grade(reading: RowReading) -> tuple[int | None, dict[str, Any] | None]:
    """The grade, and the study's own word of severity, which is kept beside it."""
    columns, codes = reading.study.mapping.ae, reading.study.mapping.codes
    grade: int | None = reading.word(columns.grade, codes.grade, urgent=True)
    column, severity = reading.row.pick(columns.severity)
    own: dict[str, Any] | None = {"severity": severity} if severity else None
    if grade is not None or not severity:
        return grade, own
    if not codes.severity_as_grade:
        message = "a severity is not a toxicity grade, and the mapping has no codes.severity_as_grade: no grade"
        reading.unmapped(column, severity, message)
        return None, own
    return reading.word(columns.severity, codes.severity_as_grade, urgent=True), own


def _course(reading: RowReading, end: Moment | None) -> dict[str, Any]:
    """Outcome and whether it goes on: as said, or because it has not resolved and no end is given."""
    columns, codes = reading.study.mapping.ae, reading.study.mapping.codes
    outcome = reading.word(columns.outcome, codes.outcome, urgent=True)
    ongoing = reading.word(columns.ongoing, codes.ongoing)
    if outcome in UNRESOLVED:
        if end is not None:
            reading.note(columns.outcome, f"not resolved, and yet an end is given, {end.text}: both are written")
        elif ongoing is None:
            ongoing = True
    if ongoing and outcome == "fatal":
        reading.note(columns.outcome, "fatal, and yet ongoing: both are written")
    return {"ongoing": ongoing, "outcome": outcome}


def _seriousness(reading: RowReading) -> dict[str, Any]:
    columns = reading.study.mapping.ae
    serious = reading.flag(columns.serious)
    criteria = [
        criterion
        for criterion, names in columns.seriousness.items()
        if any(reading.flag((name,)) is True for name in names)
    ]
    for name in columns.other_criteria:
        if reading.flag((name,)) is True:
            message = "the contract has no such criterion: left out; the mapping can count it as another"
            reading.unmapped(name, "Y", message, urgent=True)
    if criteria and serious is False:
        reading.note(columns.serious, f"not serious, and yet {', '.join(criteria)}: both are written")
    return {"serious": serious, "seriousness": criteria or None}


def _causality(reading: RowReading) -> dict[str, dict[str, Any]] | None:
    answers: dict[str, dict[str, Any]] = {}
    for entry in reading.study.mapping.ae.causality:
        answer = reading.word(entry.column, reading.study.mapping.codes.causality)
        if answer is not None:
            answers.setdefault(entry.party, {})[entry.about] = answer
    return answers or None


def _action(reading: RowReading) -> dict[str, Any] | None:
    entries = reading.study.mapping.ae.action
    taken = {entry.about: reading.word(entry.column, reading.study.mapping.codes.action) for entry in entries}
    return {about: action for about, action in taken.items() if action is not None} or None


def _flags(reading: RowReading) -> dict[str, bool | None]:
    columns = reading.study.mapping.ae
    return {
        "expected": reading.flag(columns.expected),
        "immune_related": reading.flag(columns.immune_related),
        "injection_site": reading.flag(columns.injection_site),
        "flu_like": reading.flag(columns.flu_like),
        "responded_to_therapy": reading.flag(columns.responded_to_therapy),
    }
