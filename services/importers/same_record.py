"""Several rows of one id in one file: revisions of a record, steps of a toxicity, or records of their own.

What the rows contradict each other in is never resolved to the milder. A row that says something else than the record (another
term, another administration, another date of visit) becomes a record of its own; of what remains, the graver answer is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import Any, Final

from events.dates import parse_date, starts_certainly_after
from services.importers.code_lists import normal
from services.importers.drafts import EventDraft
from services.importers.moments import Moment
from services.importers.severity_course import continue_course

Tell = Callable[[EventDraft, str], None]

#: The key of a record's id in its event, by domain.
_ID: Final = {"AE": "ae_id", "EX": "administration_id", "SV": "visit_id"}
#: From the weakest to the strongest answer on causality; an answer that is not given lies between no and yes.
_CAUSALITY: Final = (
    "not-applicable", "unrelated", "unlikely", None, "unclassifiable", "conditional", "possible", "probable", "related",
    "certain",
)  # fmt: skip
_NO_DATE: Final = Moment("", 0, 0, False, ())
_GRAVITY: Final = {"death": 2, "adverse-event": 1}


def settle(drafts: Iterable[EventDraft], domain: str, *, by_day: bool, tell: Tell, note: Tell) -> Iterator[EventDraft]:
    """The drafts of one file, those of one id settled among each other. ``tell`` writes an urgent line, ``note`` another."""
    groups: dict[tuple[str, str, str], list[EventDraft]] = {}
    for draft in drafts:
        groups.setdefault((draft.type, draft.subject, draft.record), []).append(draft)
    taken = set(groups)
    for group in groups.values():
        if len(group) > 1 and domain in _SETTLE:
            for own in _SETTLE[domain](group, taken, tell):
                if domain == "AE":
                    _settle_toxicity(own, by_day=by_day, tell=tell, note=note)
                yield from own
        else:
            yield from group


def _toxicities(group: list[EventDraft], taken: set[tuple[str, str, str]], tell: Tell) -> Iterator[list[EventDraft]]:
    """Rows by their term: the preferred one, or the verbatim one where either says the same."""
    apart: list[list[EventDraft]] = []
    for draft in group:
        same = next((own for own in apart if any(_same_term(draft, other) for other in own)), None)
        if same is None:
            apart.append([draft])
        else:
            same.append(draft)
    yield apart[0]
    for own in apart[1:]:
        named = _own_record(own, taken)
        tell(own[0], f"the same id as a row with another term: a toxicity of its own, {named}")
        yield own


def _same_term(one: EventDraft, other: EventDraft) -> bool:
    for key in ("preferred_term", "term"):
        if one.data.get(key) and other.data.get(key):
            return normal(one.data[key]) == normal(other.data[key])
    return True


def _administrations(
    group: list[EventDraft], taken: set[tuple[str, str, str]], tell: Tell
) -> Iterator[list[EventDraft]]:
    """Rows that say something else are administrations of their own, unless each has its own time of update."""
    return _by_content(group, taken, tell, ("drug", "given", "status", "dose"), "administration")


def _visits(group: list[EventDraft], taken: set[tuple[str, str, str]], tell: Tell) -> Iterator[list[EventDraft]]:
    return _by_content(group, taken, tell, ("date", "name"), "visit")


def _by_content(
    group: list[EventDraft], taken: set[tuple[str, str, str]], tell: Tell, keys: tuple[str, ...], what: str
) -> Iterator[list[EventDraft]]:
    if _dated(group):
        yield group
        return
    apart: dict[tuple[Any, ...], list[EventDraft]] = {}
    for draft in group:
        apart.setdefault(tuple(draft.data.get(key) for key in keys), []).append(draft)
    for at, own in enumerate(apart.values()):
        if at:
            named = _own_record(own, taken)
            tell(own[0], f"the same id as a row that says something else: a record of its own, {named} ({what})")
        yield own


def _ends(group: list[EventDraft], taken: set[tuple[str, str, str]], tell: Tell) -> Iterator[list[EventDraft]]:  # noqa: ARG001
    """Several ends of one scope are one record: the gravest is its last revision, and so the one that holds."""
    for draft in group:
        draft.rank = _GRAVITY.get(draft.data.get("reason", ""), 0)
    reasons = dict.fromkeys(draft.data.get("reason", "") for draft in group)
    if len(reasons) > 1:
        graver = max(group, key=lambda draft: draft.rank)
        tell(graver, f"several ends of one scope ({', '.join(reasons)}): {graver.data['reason']} holds")
    yield group


_SETTLE: Final[dict[str, Callable[[list[EventDraft], set[tuple[str, str, str]], Tell], Iterator[list[EventDraft]]]]] = {
    "AE": _toxicities,
    "EX": _administrations,
    "SV": _visits,
    "DS": _ends,
}


def _own_record(own: list[EventDraft], taken: set[tuple[str, str, str]]) -> str:
    """Name the record of its own after the sequence, else the number, of its first row."""
    first = own[0]
    sequence = next((value for name, value in first.row.values.items() if name == f"{first.kind}SEQ" and value), "")
    named = f"{first.record}.{sequence.strip() or first.row.number}"
    while (first.type, first.subject, named) in taken:
        named += f".{first.row.number}"
    taken.add((first.type, first.subject, named))
    for draft in own:
        draft.record = draft.data[_ID[draft.kind]] = named
    return named


def _dated(group: list[EventDraft]) -> bool:
    """Whether every row has a time of update of its own: the rows are then what the record said, one after the other."""
    updates = [draft.update.last for draft in group if draft.update is not None]
    return len(updates) == len(group) == len(set(updates))


def _settle_toxicity(group: list[EventDraft], *, by_day: bool, tell: Tell, note: Tell) -> None:
    dated = _dated(group)
    group.sort(key=lambda draft: ((draft.update if dated else draft.onset) or _NO_DATE).last)
    apart = not dated and _begin_apart(group)
    for at, (previous, draft) in enumerate(pairwise(group), 1):
        draft.rank = at
        said = [] if dated else _graver(previous, draft)
        if apart and not by_day:
            said.append("they begin on different days, and are steps of its grade")
        fell = _falls(previous, draft) and not by_day
        if fell:
            said.append(
                f"the worst grade falls from {previous.data['grade']} to {draft.data['grade']}: the worst is kept"
            )
        if by_day or apart or (fell and dated):
            draft.settled = True
            remark = continue_course(previous, draft)
            if remark:
                note(draft, remark)
        elif fell or draft.data.get("grade") is None:
            draft.data["grade"] = previous.data.get("grade")
        if draft.data.get("grade") is None:
            draft.data.pop("grade", None)
        if said:
            tell(draft, f"rows of one id: {'; '.join(said)}")


def _falls(previous: EventDraft, draft: EventDraft) -> bool:
    before, now = previous.data.get("grade"), draft.data.get("grade")
    return before is not None and now is not None and now < before


def _begin_apart(group: list[EventDraft]) -> bool:
    onsets = [draft.data.get("onset") for draft in group]
    first = next((onset for onset in onsets if onset), None)
    return first is not None and any(
        onset and starts_certainly_after(parse_date(onset), parse_date(first)) for onset in onsets
    )


def _graver(previous: EventDraft, draft: EventDraft) -> list[str]:
    """Keep what an earlier row says that is graver. Returns what was kept."""
    said: list[str] = []
    old, new = previous.data, draft.data
    for key in ("serious", "immune_related", "injection_site"):
        if old.get(key) is True and new.get(key) is not True:
            new[key] = True
            said.append(f"{key} of an earlier row is kept")
    criteria = list(dict.fromkeys([*(old.get("seriousness") or ()), *(new.get("seriousness") or ())]))
    if criteria and criteria != new.get("seriousness"):
        new["seriousness"] = criteria
        said.append("the seriousness of an earlier row is kept")
    if old.get("outcome") == "fatal" and new.get("outcome") != "fatal":
        new.update({key: old[key] for key in ("outcome", "end") if key in old})
        new.pop("ongoing", None)
        said.append("fatal of an earlier row is kept")
    stronger = _stronger(old.get("causality") or {}, new.get("causality") or {})
    if stronger and stronger != (new.get("causality") or {}):
        new["causality"] = stronger
        said.append("the causality of an earlier row is kept")
    withdrawn = {drug: "withdrawn" for drug, action in (old.get("action_taken") or {}).items() if action == "withdrawn"}
    if withdrawn.items() - (new.get("action_taken") or {}).items():
        new["action_taken"] = {**(new.get("action_taken") or {}), **withdrawn}
        said.append("the withdrawal of an earlier row is kept")
    return said


def _stronger(old: dict[str, dict[str, Any]], new: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The answers of two rows, or-ed: of each party about each drug the stronger."""
    found = {party: dict(answers) for party, answers in new.items()}
    for party, answers in old.items():
        for about, answer in answers.items():
            now = found.setdefault(party, {}).get(about)
            if about not in found[party] or _CAUSALITY.index(answer) > _CAUSALITY.index(now):
                found[party][about] = answer
    return found
