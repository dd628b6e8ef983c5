"""Adverse event rows linked by ``continues`` are one toxicity, named after the first row (rules.md §3.4)."""

from __future__ import annotations

from collections.abc import Iterable

from events.dates import FAR_PAST
from projections.rules.facts.subject_facts import SubjectFacts


def first_row(facts: SubjectFacts, ae_id: str) -> str:
    """The row that names the case to which ``ae_id`` belongs.

    A row whose predecessor is not on record or retracted begins a case, and so does every row of a circle.
    """
    return first_rows(facts, [ae_id])[ae_id]


def first_rows(facts: SubjectFacts, ae_ids: Iterable[str]) -> dict[str, str]:
    """The row that names the case, for each of many rows; rows that they continue are walked once."""
    named: dict[str, str] = {}
    for ae_id in ae_ids:
        walked: dict[str, None] = {}
        row: str | None = ae_id
        while row is not None and row not in named and row not in walked:
            walked[row] = None
            row = _continued_row(facts, row)
        path = list(walked)
        if row in walked:
            # The walk has come back to ``row``: from there on it is a circle, in which every row is a case of its own.
            circle = path[path.index(row) :]
            named.update((one, one) for one in circle)
            path = path[: -len(circle)]
        head = named[row] if row is not None else path[-1]
        named.update((one, head) for one in path)
    return named


def in_circle(facts: SubjectFacts, ae_id: str) -> bool:
    """Whether following ``continues`` from this row leads back to it."""
    walked = {ae_id}
    previous = _continued_row(facts, ae_id)
    while previous is not None and previous not in walked:
        walked.add(previous)
        previous = _continued_row(facts, previous)
    return previous == ae_id


def joined_rows(facts: SubjectFacts, first: str) -> list[str]:
    """The rows of one case, the first row first, then in the order in which they continue each other."""
    circular = in_circle(facts, first)
    rows = [first]
    generation = [first]
    while generation:
        following = [
            child
            for row in generation
            for child in facts.continued_by.get(row, ())
            if child in facts.adverse_events and child != first and not (circular and in_circle(facts, child))
        ]
        generation = sorted(following, key=lambda ae_id: (_onset_lo(facts, ae_id), ae_id))
        rows.extend(generation)
    return rows


def coupled_cases(facts: SubjectFacts, ae_id: str) -> set[str]:
    """The first rows of every case that may be judged differently when ``ae_id`` changes: linked, or of the same term."""
    coupled = _component(facts, ae_id)
    twins: set[str] = set()
    for row in coupled:
        known = facts.adverse_events.get(row)
        if known is not None:
            twins |= facts.same_term.get(term_key(known.event.data.preferred_term, known.event.data.term), set())
    return set(first_rows(facts, coupled | twins).values())


def term_key(preferred_term: str | None, term: str) -> str:
    """What makes two rows the same term: the preferred term, else the verbatim one, without case (rules.md §3.5)."""
    return " ".join((preferred_term or term).casefold().split())


def _component(facts: SubjectFacts, ae_id: str) -> set[str]:
    reached: set[str] = set()
    waiting = [ae_id]
    while waiting:
        row = waiting.pop()
        if row in reached:
            continue
        reached.add(row)
        waiting.extend(facts.continued_by.get(row, ()))
        known = facts.adverse_events.get(row)
        if known is not None and known.event.data.continues:
            waiting.append(known.event.data.continues)
    return reached


def _continued_row(facts: SubjectFacts, ae_id: str) -> str | None:
    known = facts.adverse_events.get(ae_id)
    if known is None:
        return None
    previous = known.event.data.continues
    return previous if previous in facts.adverse_events else None


def _onset_lo(facts: SubjectFacts, ae_id: str) -> int:
    onset = facts.adverse_events[ae_id].event.data.onset
    return facts.span(onset).lo if onset else FAR_PAST
