"""One case under each version of the protocol that may judge its subject; nearly always there is one (rules.md §7)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from events.dates import Instant
from projections.rules.cases.assess import CaseEvaluation
from projections.rules.cases.evaluation import STRENGTH
from projections.rules.cases.finding import Finding, finding_at


@dataclass(frozen=True, slots=True)
class JudgedCase:
    """The evaluations of a case, by the oldest version first. ``question``: which version it is; None where that is known."""

    evaluations: tuple[CaseEvaluation, ...]
    question: str | None

    def at(self, instant: Instant) -> Finding | None:
        """What the case is at an instant: the stronger verdict, of two alike the older version's, with the question."""
        if len(self.evaluations) == 1 and self.question is None:
            return finding_at(self.evaluations[0], instant)
        found = [finding for one in self.evaluations if (finding := finding_at(one, instant)) is not None]
        if not found:
            return None
        strongest = max(found, key=_strength)
        asked = strongest.questions if self.question is None else (*strongest.questions, self.question)
        due = min((one.due for one in found if one.due is not None), default=None)
        return replace(strongest, questions=asked, due=due)

    def leading(self, instant: Instant) -> CaseEvaluation:
        """The evaluation whose verdict is the case's."""
        finding = self.at(instant)
        version = finding.protocol_version if finding is not None else None
        return next((one for one in self.evaluations if one.protocol_version == version), self.evaluations[0])

    def next_turn(self, instant: Instant) -> Instant | None:
        """When time alone next changes anything in a proof after an instant, be it only a reason."""
        turns = (one.next_turn(instant) for one in self.evaluations)
        return min((turn for turn in turns if turn is not None), default=None)


def judged(evaluations: Sequence[CaseEvaluation | None], question: str | None) -> JudgedCase | None:
    """A case under each version, oldest first; None where none of them has anything to say about it."""
    found = tuple(evaluation for evaluation in evaluations if evaluation is not None)
    return JudgedCase(found, question) if found else None


def _strength(finding: Finding) -> tuple[int, bool, int]:
    """What was overruled alerts nobody; of two verdicts alike, one that counts for the dose level is the stronger."""
    strength = STRENGTH[finding.verdict]
    return (0 if finding.overruled else strength, finding.counts_as_dlt, strength)
