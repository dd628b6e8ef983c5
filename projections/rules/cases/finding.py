"""What a case is at an instant: verdict, clauses, countdown, questions and evidence (events.md, ``assess``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from events.dates import Instant, format_instant
from projections.rules.cases.adjudication import Ruling
from projections.rules.cases.assess import CaseEvaluation, lapse_question
from projections.rules.cases.evaluation import ClauseProof, Verdict, strongest
from projections.rules.cases.hys_law import CLAUSE as HYS_LAW
from projections.rules.logic.trial_protocol import population_of
from projections.rules.logic.truth import EventKey, Truth, unique

Urgency = Literal["urgent", "prompt", "routine"]

PRESUMED_ONGOING = "presumed-ongoing"
PART_UNKNOWN = population_of(None)
ASK_DOSE_LEVEL = "At which dose level was the subject treated? Not on record."


@dataclass(frozen=True, slots=True)
class Finding:
    """One case at one instant, judged by ``protocol_version``.

    ``verdict`` is None only where an effective adjudication alone keeps the case listed. ``occurrences``
    counts the intervals that meet, or may meet, a clause: a further row or course of a case is one more.
    """

    case: str
    protocol_version: str
    verdict: Verdict | None
    clauses: dict[str, Verdict]
    population: str
    dose_level: int | None
    counts_as_dlt: bool
    overruled: bool
    due: Instant | None
    basis: str | None
    last_confirmed: Instant | None
    rulings: tuple[Ruling, ...]
    reasons: tuple[str, ...]
    questions: tuple[str, ...]
    evidence: tuple[EventKey, ...]
    urgency: Urgency
    worst_grade: int | None = None
    occurrences: int = 0

    @property
    def alerts(self) -> bool:
        """Whether the case stands as an alert: a watch is none, and neither is what was overruled (events.md)."""
        return self.verdict in ("met", "possible") and not self.overruled

    def as_json(self, subject: str) -> dict[str, Any]:
        """The entry in ``assess``'s JSON."""
        return {
            "subject": subject,
            "case": self.case,
            "verdict": self.verdict,
            "clauses": dict(self.clauses),
            "population": self.population,
            "dose_level": self.dose_level,
            "counts_as_dlt": self.counts_as_dlt,
            "overruled": self.overruled,
            "due": None if self.due is None else format_instant(self.due),
            "basis": self.basis,
            "last_confirmed": None if self.last_confirmed is None else format_instant(self.last_confirmed),
            "urgency": self.urgency,
            "adjudications": [
                {
                    "adjudication_id": ruling.adjudication_id,
                    "verdict": ruling.verdict,
                    "decided": format_instant(ruling.decided),
                    "effective": ruling.effective,
                    "parties": list(ruling.parties),
                }
                for ruling in self.rulings
            ],
            "reasons": list(self.reasons),
            "questions": list(self.questions),
            "evidence": [ref._asdict() for ref in self.evidence],
            "protocol_version": self.protocol_version,
        }


def finding_at(evaluation: CaseEvaluation, instant: Instant) -> Finding | None:
    """What the case is at ``instant``; None where there is neither a verdict nor an effective adjudication."""
    verdicts = _verdicts(evaluation, instant)
    verdict = strongest(list(verdicts.values()))
    if verdict is None and not any(ruling.effective for ruling in evaluation.decision.rulings):
        return None
    lapse = None
    overruled = evaluation.overrule is not None
    if evaluation.overrule is not None:
        lapse = evaluation.overrule.lapse(evaluation, instant)
        overruled = lapse is None
    is_dlt = any(word == "met" and key != HYS_LAW.id for key, word in verdicts.items())
    counts = evaluation.counted and not overruled and is_dlt
    standing = [evaluation.clauses[key] for key in verdicts]
    leading = [evaluation.clauses[key] for key, word in verdicts.items() if word == verdict]
    presumed = bool(leading) and all(proof.presumes_ongoing(instant) for proof in leading)
    questions = [question for proof in standing for question in proof.questions(instant)]
    if lapse is not None and evaluation.overrule is not None:
        questions.append(lapse_question(evaluation.overrule, lapse))
    if evaluation.part_question is not None:
        questions.append(evaluation.part_question)
    if counts and evaluation.dose_level is None:
        questions.append(ASK_DOSE_LEVEL)
    return Finding(
        case=evaluation.name,
        protocol_version=evaluation.protocol_version,
        verdict=verdict,
        clauses=verdicts,
        population=population_of(evaluation.part),
        dose_level=evaluation.dose_level,
        counts_as_dlt=counts,
        overruled=overruled,
        due=_due(evaluation, instant, verdicts),
        basis=PRESUMED_ONGOING if presumed else None,
        last_confirmed=evaluation.last_confirmed if presumed else None,
        rulings=evaluation.decision.rulings,
        reasons=tuple(f"{key} {word}: {evaluation.clauses[key].reason(instant)}" for key, word in verdicts.items()),
        questions=tuple(unique(questions)),
        evidence=tuple(
            unique(
                [ref for proof in standing for ref in proof.evidence(instant)]
                + [ruling.source for ruling in evaluation.decision.rulings]
            )
        ),
        urgency=_urgency(evaluation, instant, verdicts),
        worst_grade=evaluation.worst or None,
        occurrences=sum(proof.truth(instant) is not Truth.NO for each in standing for proof in each.intervals),
    )


def _verdicts(evaluation: CaseEvaluation, instant: Instant) -> dict[str, Verdict]:
    found = {key: proof.verdict(instant) for key, proof in evaluation.clauses.items()}
    return {key: verdict for key, verdict in found.items() if verdict is not None}


def _due(evaluation: CaseEvaluation, instant: Instant, verdicts: dict[str, Verdict]) -> Instant | None:
    instants = {later for proof in evaluation.clauses.values() for later in proof.instants() if later > instant}
    return next((later for later in sorted(instants) if _verdicts(evaluation, later) != verdicts), None)


def _urgency(evaluation: CaseEvaluation, instant: Instant, verdicts: dict[str, Verdict]) -> Urgency:
    """Urgent when met; routine when only the grade is missing and nothing says serious; else prompt (rules.md §2)."""
    if "met" in verdicts.values():
        return "urgent"
    if evaluation.grade_is_missing and not evaluation.serious:
        possible = [evaluation.clauses[key] for key, word in verdicts.items() if word == "possible"]
        if all(_only_the_grade_is_missing(proof, instant) for proof in possible):
            return "routine"
    return "prompt"


def _only_the_grade_is_missing(proof: ClauseProof, instant: Instant) -> bool:
    """Whether every interval that is, or by time alone will be, possible lacks nothing else than its grade."""
    last = max([instant, *proof.instants()])
    for interval in proof.intervals:
        if interval.truth(last) is Truth.NO:
            continue
        if interval.interval is None or interval.interval.grade.truth is not Truth.UNKNOWN:
            return False
        unknowns = (answer for answer in interval.answers(last)[1:] if answer.truth is Truth.UNKNOWN)
        if not all(answer.follows_from_grade for answer in unknowns):
            return False
    return True
