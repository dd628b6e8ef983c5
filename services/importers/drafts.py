"""An event before it has a revision, and how the rows of one record become its revisions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

from services.files.rows import Row
from services.importers.moments import Moment, Recorded

MILLISECOND: Final = 1000
REVISION: Final = "revision"
RETRACTED: Final = ".retracted.v1"


@dataclass(slots=True)
class EventDraft:
    """One row as one event. ``data`` has the place of the revision; its value comes later.

    ``course``: the grades that the rows of one toxicity have said so far, each with the update of its row.
    """

    row: Row
    kind: str
    type: str
    subject: str
    site: str
    record: str
    data: dict[str, Any]
    recorded: Recorded
    update: Moment | None = None
    onset: Moment | None = None
    urgent: bool = False
    course: tuple[tuple[int, Moment | None], ...] = ()
    #: The number that the source itself gives this version; 0 where it gives none.
    version: int = 0
    #: Orders the rows of a record before their times do, where these say nothing (:mod:`services.importers.same_record`).
    rank: int = 0
    #: Whether the grades of the rows before have been carried over already.
    settled: bool = False
    #: Whether the row has no date at all: its time is the latest of the extract.
    undated: bool = False
    #: Where the time is the end of a month or a year: when that begins. The extract may know better (:meth:`known_by`).
    reduced_from: int | None = None

    @property
    def retracts(self) -> bool:
        """Whether the event takes the record back."""
        return self.type.endswith(RETRACTED)

    def known_by(self, latest: tuple[int, str]) -> None:
        """What only a month or a year dates was known, at the latest, when the extract was made."""
        order, text = latest
        if self.reduced_from is not None and self.reduced_from <= order < self.recorded.order:
            self.recorded = Recorded(text, order, "later")

    @property
    def content(self) -> dict[str, Any]:
        """What the row says, without its revision."""
        return {**self.data, REVISION: None}


Follow = Callable[[EventDraft, EventDraft], str]
Remark = Callable[[EventDraft, str], None]


def revisions(
    drafts: Iterable[EventDraft], how: Literal["counted", "update-time"], follow: Follow, remark: Remark
) -> Iterator[EventDraft]:
    """The drafts of each record in the order of their updates, with their revisions.

    ``follow`` may carry something over from one row to the next, and say what there is to say of it. ``remark`` is told
    that, of every row that is no revision of its own, and of rows whose order only the file tells.
    """
    groups: dict[tuple[str, str, str], list[EventDraft]] = {}
    for draft in drafts:
        groups.setdefault(_record_of(draft), []).append(draft)
    for group in groups.values():
        yield from _revised(group, how, follow, remark)


def _record_of(draft: EventDraft) -> tuple[str, str, str]:
    """A report and a retraction are of one record; an enrolment and an end of it, which have one row, are two."""
    stem = draft.type.removesuffix(RETRACTED) if draft.retracts else _STEMS.get(draft.type, draft.type)
    return stem, draft.subject, draft.record


def number(draft: EventDraft, how: Literal["counted", "update-time"], before: int) -> None:
    """Give the draft its revision: the source's own number, the millisecond of its update, or one more than ``before``."""
    stamped = how == "update-time" and draft.recorded.estimate != "none"
    stamp = draft.recorded.order // MILLISECOND if stamped else 0
    draft.data[REVISION] = max(before + 1, stamp or draft.version)


#: The types whose records a retraction takes back, by the stem of the retraction's type.
_STEMS: Final = {
    "toxwatch.treatment.administered.v1": "toxwatch.treatment",
    "toxwatch.visit.recorded.v1": "toxwatch.visit",
    "toxwatch.ae.reported.v1": "toxwatch.ae",
    "toxwatch.lab.resulted.v1": "toxwatch.lab",
}


def _side(draft: EventDraft, retracted: int) -> int:
    """Before a retraction, the retraction, or certainly after it."""
    if draft.retracts:
        return 1
    return 2 if draft.recorded.order > retracted and not draft.recorded.estimate else 0


def _revised(
    group: list[EventDraft], how: Literal["counted", "update-time"], follow: Follow, remark: Remark
) -> Iterator[EventDraft]:
    # The sort is stable: rows with one time of update stay in the order of the file.
    numbered = all(draft.version for draft in group)
    group.sort(key=lambda draft: (draft.version,) if numbered else (draft.rank, draft.recorded.order))
    if not numbered:
        # A retraction outranks every report of its record, unless a report was certainly written after it.
        last = max((draft.recorded.order for draft in group if draft.retracts), default=None)
        group.sort(key=lambda draft: last is not None and _side(draft, last))
    previous: EventDraft | None = None
    for draft in group:
        if previous is not None:
            message = "" if draft.settled else follow(previous, draft)
            if message:
                remark(draft, message)
            if previous.content == draft.content:
                remark(draft, f"the same as revision {previous.data[REVISION]} of {draft.record}: no new revision")
                continue
            if previous.recorded.order == draft.recorded.order:
                remark(draft, f"updated at the same time as the row before it of {draft.record}: in the file's order")
        number(draft, how, 0 if previous is None else int(previous.data[REVISION]))
        previous = draft
        yield draft
