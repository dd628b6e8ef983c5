"""Three-valued truth with reasons (rules.md §2): every yes, no or unknown says why, from which events, and what would settle it.

Kleene's logic: ``and`` is the minimum, ``or`` the maximum, ``not`` swaps, with no < unknown < yes. An answer may change by
passing time alone; it then carries what it becomes and when, so that no rule ever needs to look at a clock.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import NamedTuple, TypeVar

from events.dates import Instant

T = TypeVar("T")


class Truth(IntEnum):
    """no < unknown < yes."""

    NO = 0
    UNKNOWN = 1
    YES = 2

    @property
    def word(self) -> str:
        """The answer as people write it."""
        return self.name.lower()


class EventKey(NamedTuple):
    """Which event an answer rests on. An event's identity in the log is its subject, source and id."""

    source: str
    id: str


class AnswerChange(NamedTuple):
    """What an answer becomes at ``at``, itself included, if nothing but time passes."""

    at: Instant
    answer: Answer


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one predicate.

    ``question`` is what would settle an unknown. ``presumes_ongoing`` says that the answer rests on an adverse event still
    going on since it was last confirmed, ``follows_from_grade`` that the missing grade is all that it lacks. ``changes`` are
    later answers, by ascending instant.
    """

    truth: Truth
    reason: str
    evidence: tuple[EventKey, ...] = ()
    question: str | None = None
    presumes_ongoing: bool = False
    follows_from_grade: bool = False
    changes: tuple[AnswerChange, ...] = ()

    def at(self, instant: Instant) -> Answer:
        """The answer that holds at ``instant``."""
        current = self
        for change in self.changes:
            if change.at > instant:
                break
            current = change.answer
        return current


def yes(reason: str, *evidence: EventKey) -> Answer:
    """An answer that is certain."""
    return Answer(Truth.YES, reason, evidence)


def no(reason: str, *evidence: EventKey) -> Answer:
    """An answer that is certainly not so."""
    return Answer(Truth.NO, reason, evidence)


def unknown(reason: str, question: str, *evidence: EventKey) -> Answer:
    """An answer that ``question`` would settle."""
    return Answer(Truth.UNKNOWN, reason, evidence, question)


def negation(answer: Answer) -> Answer:
    """``not``: yes and no swap, unknown stays, with the same reason and evidence."""
    swapped = {Truth.YES: Truth.NO, Truth.NO: Truth.YES}.get(answer.truth, answer.truth)
    return replace(answer, truth=swapped)


def conjunction(answers: Iterable[Answer]) -> Answer:
    """``and``: the weakest answers decide, and only they are cited; all are, when all agree."""
    given = list(answers)
    return _merged([a for a in given if a.truth == min(b.truth for b in given)])


def disjunction(answers: Iterable[Answer]) -> Answer:
    """``or``: the strongest answers decide, and only they are cited."""
    given = list(answers)
    return _merged([a for a in given if a.truth == max(b.truth for b in given)])


def _merged(deciding: list[Answer]) -> Answer:
    if len(deciding) == 1:
        return deciding[0]
    questions = unique(a.question for a in deciding if a.question)
    return Answer(
        deciding[0].truth,
        "; ".join(unique(a.reason for a in deciding)),
        tuple(unique(ref for a in deciding for ref in a.evidence)),
        " ".join(questions) or None,
    )


def unique(items: Iterable[T]) -> list[T]:
    """The items in their first order, each once."""
    return list(dict.fromkeys(items))
