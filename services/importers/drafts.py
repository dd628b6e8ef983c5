"""An event before it has a revision, and how the rows of one record become its revisions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

from services.importers.moments import Moment, Recorded
from services.importers.rows import Row

MILLISECOND: Final = 1000
REVISION: Final = "revision"


@dataclass(slots=True)
class Draft:
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
    urgent: bool = False
    course: tuple[tuple[int, Moment | None], ...] = ()

    @property
    def content(self) -> dict[str, Any]:
        """What the row says, without its revision."""
        return {**self.data, REVISION: None}


Follow = Callable[[Draft, Draft], str]
Remark = Callable[[Draft, str], None]


def revisions(
    drafts: Iterable[Draft], how: Literal["counted", "update-time"], follow: Follow, remark: Remark
) -> Iterator[Draft]:
    """The drafts of each record in the order of their updates, with their revisions.

    ``follow`` may carry something over from one row to the next, and say what there is to say of it. ``remark`` is told
    that, of every row that is no revision of its own, and of rows whose order only the file tells.
    """
    groups: dict[tuple[str, str, str], list[Draft]] = {}
    for draft in drafts:
        groups.setdefault((draft.type, draft.subject, draft.record), []).append(draft)
    for group in groups.values():
        yield from _revised(group, how, follow, remark)


def number(draft: Draft, how: Literal["counted", "update-time"], before: int) -> None:
    """Give the draft its revision: one more than ``before``, or the millisecond of its update where it has one."""
    stamped = how == "update-time" and draft.recorded.estimate != "none"
    stamp = draft.recorded.order // MILLISECOND if stamped else 0
    draft.data[REVISION] = max(before + 1, stamp)


def _revised(
    group: list[Draft], how: Literal["counted", "update-time"], follow: Follow, remark: Remark
) -> Iterator[Draft]:
    # The sort is stable: rows with one time of update stay in the order of the file.
    group.sort(key=lambda draft: draft.recorded.order)
    previous: Draft | None = None
    for draft in group:
        if previous is not None:
            message = follow(previous, draft)
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
