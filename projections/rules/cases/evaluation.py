"""The proof behind a verdict: each clause, interval by interval, predicate by predicate, over time.

An evaluation depends on the events known, never on the instant: what holds at an instant, and when passing time alone will
change it, is read from it. Verdict, watch list, countdown and explanation are therefore one and the same thing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from events.dates import Instant
from projections.rules.facts.grade_course import Interval
from projections.rules.logic.trial_protocol import Clause
from projections.rules.logic.truth import Answer, EventKey, Truth, conjunction, unique

Verdict = Literal["met", "possible", "watch"]

#: How strong a verdict is; None is no verdict.
STRENGTH: Final[dict[Verdict | None, int]] = {None: 0, "watch": 1, "possible": 2, "met": 3}

_VERDICT_OF: Final[dict[Truth, Verdict | None]] = {Truth.YES: "met", Truth.UNKNOWN: "possible", Truth.NO: None}


class PredicateStep(NamedTuple):
    """One predicate's label and its answer."""

    label: str
    answer: Answer


@dataclass(frozen=True, slots=True)
class IntervalProof:
    """All predicates judged on one interval; ``interval`` None for what is not judged on any."""

    interval: Interval | None
    steps: tuple[PredicateStep, ...]

    def truth(self, instant: Instant) -> Truth:
        """The conjunction at an instant."""
        return min(step.answer.at(instant).truth for step in self.steps)

    def answers(self, instant: Instant) -> list[Answer]:
        """Every predicate's answer at an instant."""
        return [step.answer.at(instant) for step in self.steps]

    def instants(self) -> set[Instant]:
        """When an answer changes by passing time alone."""
        return {change.at for step in self.steps for change in step.answer.changes}


@dataclass(frozen=True, slots=True)
class ClauseProof:
    """One clause: the *or* over its intervals. ``otherwise`` says why there is none to judge."""

    clause: Clause
    intervals: tuple[IntervalProof, ...]
    otherwise: str

    def truth(self, instant: Instant) -> Truth:
        """The clause at an instant."""
        return max((proof.truth(instant) for proof in self.intervals), default=Truth.NO)

    def instants(self) -> list[Instant]:
        """When it may change by passing time alone, ascending."""
        return sorted({instant for proof in self.intervals for instant in proof.instants()})

    def verdict(self, instant: Instant) -> Verdict | None:
        """Met, possible, or on watch because time alone will make it so."""
        now = _VERDICT_OF[self.truth(instant)]
        if now is None and any(self.truth(later) > Truth.NO for later in self.instants() if later > instant):
            return "watch"
        return now

    def deciding(self, instant: Instant) -> list[IntervalProof]:
        """The intervals that the clause's truth rests on; while on watch, those that it will rest on."""
        at = instant
        if self.verdict(instant) == "watch":
            at = next(later for later in self.instants() if later > instant and self.truth(later) > Truth.NO)
        return [proof for proof in self.intervals if proof.truth(at) == self.truth(at)]

    def presumes_ongoing(self, instant: Instant) -> bool:
        """Whether the verdict would not stand without the presumption that an adverse event still goes on."""
        verdict = self.verdict(instant)
        if verdict is None:
            return False
        return verdict == "watch" or all(
            any(answer.presumes_ongoing for answer in proof.answers(instant)) for proof in self.deciding(instant)
        )

    def reason(self, instant: Instant) -> str:
        """Why the verdict is what it is, in one line."""
        deciding = self.deciding(instant)
        answers = [answer for proof in deciding[:1] for answer in proof.answers(instant)]
        if self.verdict(instant) == "possible":
            open_answers = conjunction(answers)
            known = [answer.reason for answer in answers if answer.truth is Truth.YES]
            return "; ".join([*unique(known), f"not known: {open_answers.reason}"])
        return "; ".join(unique(answer.reason for answer in answers))

    def questions(self, instant: Instant) -> list[str]:
        """What would settle it. Whether something still goes on is not asked where the verdict stands without it."""
        presumed = self.presumes_ongoing(instant)
        return unique(
            answer.question
            for proof in self.deciding(instant)
            for answer in proof.answers(instant)
            if answer.question and (presumed or not (answer.presumes_ongoing and answer.truth is Truth.YES))
        )

    def evidence(self, instant: Instant) -> list[EventKey]:
        """The events that the deciding intervals rest on."""
        return unique(
            ref for proof in self.deciding(instant) for answer in proof.answers(instant) for ref in answer.evidence
        )


def settled(clause: Clause, label: str, answer: Answer) -> ClauseProof:
    """A clause that one answer decides, without an interval."""
    return ClauseProof(clause, (IntervalProof(None, (PredicateStep(label, answer),)),), answer.reason)


def strongest(verdicts: Sequence[Verdict | None]) -> Verdict | None:
    """The strongest of several verdicts."""
    return max(verdicts, key=STRENGTH.__getitem__, default=None)
