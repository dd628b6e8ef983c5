"""Rows that each say the grade of their own day: together they are the steps of one toxicity's grade.

The contract's ``grade`` is the worst so far, and ``grades`` the steps. The first row's grade holds from the onset, as that
of a toxicity in a single row does; a later row with another grade is a step from the day of that row.
"""

from __future__ import annotations

from typing import Any

from events.dates import PartialDate, certainly_before, parse_date, starts_certainly_after
from services.importers.drafts import EventDraft
from services.importers.moments import Moment

#: A grade, and when the row that says it was written.
Seen = tuple[int, Moment | None]


def continue_course(previous: EventDraft, draft: EventDraft) -> str:
    """Carry the grades of the rows before into a row of the same toxicity. Returns what the report should say, if any."""
    now = draft.data.get("grade")
    own_onset = _carry_dates(previous, draft)
    draft.course = previous.course
    if now is not None and (not previous.course or previous.course[-1][0] != now):
        draft.course = (*previous.course, (now, own_onset or draft.update))
    if len(draft.course) > 1:
        draft.data["grade"] = max(grade for grade, _ in draft.course)
        draft.data["grades"], unplaced = _steps(draft)
        if draft.course[-1] in unplaced and draft.course is not previous.course:
            return f"grade {now} of this row is dated outside the toxicity or its order: it is no step of its grade"
    elif draft.course:
        draft.data["grade"] = draft.course[0][0]
    return ""


def _carry_dates(previous: EventDraft, draft: EventDraft) -> Moment | None:
    """The toxicity begins with its first row. Returns when a later row begins, which is when its grade does."""
    first, own = previous.data.get("onset"), draft.data.get("onset")
    if first is None:
        return None
    later = own is not None and starts_certainly_after(parse_date(own), parse_date(first))
    if own is None or later:
        draft.data["onset"] = first
    ended, end = previous.data.get("end"), draft.data.get("end")
    if ended is not None and end is not None and starts_certainly_after(parse_date(ended), parse_date(end)):
        draft.data["end"] = ended
    return draft.onset if later else None


def _steps(draft: EventDraft) -> tuple[list[dict[str, Any]], list[Seen]]:
    """The steps that can be dated within the toxicity, and the grades that cannot."""
    onset, end = draft.data.get("onset"), draft.data.get("end")
    steps: list[dict[str, Any]] = []
    unplaced: list[Seen] = []
    for index, (grade, seen) in enumerate(draft.course):
        text = onset if index == 0 and onset else seen.text if seen else None
        if text is None or not _fits(parse_date(text), steps, onset, end):
            unplaced.append((grade, seen))
        else:
            steps.append({"grade": grade, "from": text})
    return steps, unplaced


def _fits(date: PartialDate, steps: list[dict[str, Any]], onset: str | None, end: str | None) -> bool:
    if onset is not None and certainly_before(date, parse_date(onset)):
        return False
    if end is not None and certainly_before(parse_date(end), date):
        return False
    return not any(starts_certainly_after(parse_date(step["from"]), date) for step in steps)
