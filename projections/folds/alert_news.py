"""What is different between two revisions of an alert, and who has to hear of it: pure comparisons.

``news``: a clause is stronger, the worst grade higher, the part or the dose level another, one more row or course, or the case
counts from now on. ``quiet``: it is weaker. ``silent``: the rest, such as a question answered.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from events.alert import AlertData, Change, Telling
from events.envelope import LIST_ITEMS_MAX, TEXT_CHARS_MAX, EventRef
from projections.folds.alert_transition import AlertKind
from projections.rules.cases.evaluation import STRENGTH, Verdict
from projections.rules.cases.finding import PART_UNKNOWN, Finding

_URGENCY: Final = {"routine": 0, "prompt": 1, "urgent": 2}

Said = Finding | AlertData


def alerting_clauses(clauses: Mapping[str, Verdict]) -> dict[str, Verdict]:
    """The clauses that alert: a ``watch`` is nobody's business yet."""
    return {clause: verdict for clause, verdict in clauses.items() if verdict != "watch"}


def says_the_same(before: Said, after: Said) -> bool:
    """Whether nothing that an alert says is different: wording, a countdown and a ``watch`` aside."""
    return _said(before) == _said(after)


def telling_of(kind: AlertKind, before: AlertData | None, after: Finding | None) -> Telling:
    """Who has to hear of a step. ``before`` and ``after`` are what is open."""
    if kind == "raised":
        return "news"
    if kind == "withdrawn" or before is None or after is None:
        return "quiet"
    if _is_stronger(before, after):
        return "news"
    return "quiet" if _is_weaker(before, after) else "silent"


def changes_of(
    before: AlertData | None, after: Finding | None, by: EventRef, reason: str | None, version: str
) -> list[Change]:
    """What changed, in words. ``reason`` is the event's own, in its words, ``version`` that of the protocol that judges now."""
    found = [*_changes(before, after, by)]
    if before is not None and before.protocol_version != version:
        found.insert(0, Change(what="protocol version", before=before.protocol_version, after=version, by=by))
    if reason is not None:
        found.append(Change(what="reason given", after=reason[:TEXT_CHARS_MAX], by=by))
    return found[:LIST_ITEMS_MAX]


def _changes(before: AlertData | None, after: Finding | None, by: EventRef) -> Iterator[Change]:
    was = alerting_clauses(before.clauses) if before is not None else {}
    now = alerting_clauses(after.clauses) if after is not None and after.alerts else {}
    for clause in {**was, **now}:
        if was.get(clause) != now.get(clause):
            yield Change(what=clause, before=was.get(clause) or "no", after=now.get(clause) or "no", by=by)
    if after is not None and after.overruled:
        yield Change(what="adjudicated", after="not dose-limiting", by=by)
    if before is None or after is None:
        return
    for what, one, other in (
        ("worst grade", _number(before.worst_grade), _number(after.worst_grade)),
        ("counts as a DLT", _yes(before.counts_as_dlt), _yes(after.counts_as_dlt)),
        ("population", before.population or PART_UNKNOWN, after.population),
        ("dose level", _number(before.dose_level), _number(after.dose_level)),
        ("urgency", before.urgency, after.urgency),
    ):
        if one != other:
            yield Change(what=what, before=one, after=other, by=by)
    yield from _questions(before.questions, after.questions, by)
    if {*_refs(before)} != {*_refs(after)}:
        one, other = _events(len(before.evidence)), _events(len(after.evidence))
        yield Change(what="evidence", before=one, after=other, by=by)


def _questions(before: Sequence[str], after: Sequence[str], by: EventRef) -> Iterator[Change]:
    yield from (Change(what="question settled", before=text, by=by) for text in before if text not in after)
    yield from (Change(what="question", after=text, by=by) for text in after if text not in before)


def _said(said: Said) -> tuple[object, ...]:
    """What a medical monitor acts on or may read, in no order."""
    return (
        alerting_clauses(said.clauses),
        said.urgency,
        said.population,
        said.dose_level,
        said.counts_as_dlt,
        said.worst_grade,
        said.protocol_version,
        said.occurrences or 0,
        {*said.questions},
        {*_refs(said)},
    )


def _refs(said: Said) -> list[tuple[str, str]]:
    """The evidence as far as an alert lists it."""
    return [(ref.source, ref.id) for ref in said.evidence[:LIST_ITEMS_MAX]]


def _is_stronger(before: AlertData, after: Finding) -> bool:
    if _any_stronger(before, after) or _URGENCY[after.urgency] > _URGENCY[before.urgency]:
        return True
    if (after.population, after.dose_level) != (before.population, before.dose_level):
        return True
    if after.counts_as_dlt and not before.counts_as_dlt:
        return True
    # What older software told says nothing of these: that they are known now is no news.
    if before.telling is None:
        return False
    return (after.worst_grade or 0) > (before.worst_grade or 0) or after.occurrences > (before.occurrences or 0)


def _is_weaker(before: AlertData, after: Finding) -> bool:
    return (
        _any_stronger(after, before)
        or _URGENCY[after.urgency] < _URGENCY[before.urgency]
        or (before.counts_as_dlt and not after.counts_as_dlt)
        or (after.worst_grade or 0) < (before.worst_grade or 0)
    )


def _any_stronger(before: Said, after: Said) -> bool:
    was, now = alerting_clauses(before.clauses), alerting_clauses(after.clauses)
    return any(STRENGTH[verdict] > STRENGTH[was.get(clause)] for clause, verdict in now.items())


def _number(value: int | None) -> str:
    return "not on record" if value is None else str(value)


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _events(count: int) -> str:
    return "1 event" if count == 1 else f"{count} events"
