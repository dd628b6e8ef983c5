"""What can only be written when everything else has been read: deaths that DM tells of, and rows without any date.

A row without a date is known, at the latest, when the extract was made: its time is the latest of the extract. A death or
an end without a date of its own is written as of the year in which the subject was treated, which leaves open when it was.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from events.dates import parse_date, starts_certainly_after
from services.files.rows import RowRefusedError
from services.importers.drafts import REVISION, EventDraft
from services.importers.moments import Recorded
from services.importers.study import Study

DISCONTINUED: Final = "toxwatch.subject.discontinued.v1"
ID_KEYS: Final = ("ae_id", "administration_id", "visit_id")


def deferred(study: Study, written: dict[tuple[str, str, str], int]) -> Iterator[tuple[EventDraft, int]]:
    """The drafts that were put off, each with the revision of its record that has been written before (0: none)."""
    undated, study.undated = study.undated, []
    for draft in undated:
        if _date(draft, study):
            key = (draft.type, draft.subject, draft.record)
            if draft.type != DISCONTINUED and key in written:
                _rename(draft)
            yield draft, written.get((draft.type, draft.subject, draft.record), 0)
    deaths, study.deaths = list(study.deaths.values()), {}
    for draft in deaths:
        end = study.ends.get(draft.subject)
        if end is not None and end.data.get("reason") == "death":
            continue
        if (draft.undated or "date" not in draft.data) and not _date(draft, study):
            continue
        _tell_death(draft, end, study)
        yield draft, 0 if end is None else int(end.data[REVISION])


def _date(draft: EventDraft, study: Study) -> bool:
    """Give the draft the latest time of the extract, and an end its year; False where there is no time at all."""
    order, text = study.latest
    if not text:
        error = RowRefusedError(
            "time", "", "no date in the row, nor in the whole extract: when it was recorded cannot be said"
        )
        study.report.refuse(draft.row, error, urgent=True)
        return False
    draft.recorded = Recorded(text, order, "later")
    if draft.type == DISCONTINUED and "date" not in draft.data:
        treated = study.starts.get(draft.subject)
        enrolled = study.enrolled.get(draft.subject)
        known = min(treated, key=lambda start: start.first) if treated else enrolled
        draft.data["date"] = (known.text if known is not None else text)[:4]
        message = (
            f"an end without a date that can be read: {draft.data['date']} is written, so that when it was is open"
        )
    else:
        message = f"no date in the row: known at the latest at {text}, the latest time of the extract"
    study.report.unmapped(draft.row, "", "", message, urgent=True)
    return True


def _tell_death(draft: EventDraft, end: EventDraft | None, study: Study) -> None:
    column, value = draft.row.pick((*study.mapping.dm.death, *study.mapping.dm.died))
    if end is None:
        message = "a death that DS does not tell of: written as the end of study"
        study.report.note(draft.row, column, value, message)
        return
    contact = end.data.get("last_contact") or end.data["date"]
    if not starts_certainly_after(parse_date(contact), parse_date(draft.data["date"])):
        draft.data["last_contact"] = contact
    message = f"DM has a death, and DS another end ({end.data['reason']}): the death is written as the last"
    study.report.unmapped(draft.row, column, value, message, urgent=True)


def _rename(draft: EventDraft) -> None:
    """A record of its own, beside one of the same id that has dates."""
    draft.record = f"{draft.record}.undated.{draft.row.number}"
    for key in ID_KEYS:
        if key in draft.data:
            draft.data[key] = draft.record
