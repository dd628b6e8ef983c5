"""From what is known of a subject to the evaluation of each of its cases (rules.md §2, §3).

A case is one toxicity: ``ae:<ae_id>``, ``lab:<TEST>``, ``lab:HY``, ``discontinued:death`` or ``discontinued:adverse-event``. An
evaluation is a function of the facts alone; ``finding.finding_at`` reads from it what holds at an instant.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from events.adverse_event import AdverseEventReported
from events.dates import Instant, Span, format_instant
from projections.rules.cases import hys_law
from projections.rules.cases.adjudication import NOT_DLT, Decision, Ruling, decide, ruling
from projections.rules.cases.adverse_event_case import AdverseEventCase
from projections.rules.cases.evaluation import STRENGTH, ClauseProof, IntervalProof, PredicateStep, Verdict, settled
from projections.rules.cases.laboratory_case import LaboratoryCase
from projections.rules.cases.stopping import PREFIX, REASONS, unexplained_stop
from projections.rules.facts.grade_course import Interval, worst_grade
from projections.rules.facts.lab_results import HYS_LAW_CASE, HYS_LAW_TIMES_ULN, LAB
from projections.rules.facts.linked_rows import first_row, joined_rows
from projections.rules.facts.subject_facts import SubjectFacts
from projections.rules.logic.trial_protocol import Clause, TrialProtocol
from projections.rules.logic.truth import EventKey, Truth, unknown

AE: Final = "ae:"


@dataclass(frozen=True, slots=True)
class Overrule:
    """An effective "not dose-limiting", with what was known when it was decided."""

    ruling: Ruling
    verdicts_then: dict[str, Verdict | None]
    worst_then: int | None

    def lapse(self, evaluation: CaseEvaluation, instant: Instant) -> str | None:
        """Why it no longer covers what is known at ``instant``; None while it does."""
        worst = evaluation.worst
        for clause_id, proof in evaluation.machine_clauses.items():
            verdict, then = proof.verdict(instant), self.verdicts_then.get(clause_id)
            if STRENGTH[verdict] > STRENGTH[then]:
                return f"{clause_id} was {then or 'no finding'} then and is {verdict} now"
        if (worst or 0) > (self.worst_then or 0):
            return f"the worst grade was {self.worst_then or 'not on record'} then and is {worst} now"
        if any(start.lo > self.ruling.decided for start in evaluation.course_starts):
            return "a new laboratory course has started since"
        return None


@dataclass(frozen=True, slots=True)
class CaseEvaluation:
    """Everything that is needed to say what a case is at any instant.

    ``clauses`` are the machine's, in the protocol's order, the adjudicated clause last. ``grade_is_missing`` says that some
    grade is not on record, ``serious`` that something says serious; ``course_starts`` is when each laboratory course begins.
    ``counted`` is whether the subject's part counts, ``part_question`` what to ask where that is presumed.
    """

    name: str
    clauses: dict[str, ClauseProof]
    decision: Decision
    overrule: Overrule | None
    adjudicated_clause: str
    protocol_version: str
    part: str | None
    counted: bool
    part_question: str | None
    dose_level: int | None
    worst: int | None
    last_confirmed: Instant | None
    sources: tuple[EventKey, ...]
    grade_is_missing: bool
    serious: bool
    course_starts: tuple[Span, ...] = ()

    @property
    def machine_clauses(self) -> dict[str, ClauseProof]:
        """The clauses that the machine judges, adjudication aside."""
        return {key: proof for key, proof in self.clauses.items() if key != self.adjudicated_clause}

    def next_turn(self, instant: Instant) -> Instant | None:
        """When time alone next changes anything in the proof after ``instant``, be it only a reason."""
        return min((at for proof in self.clauses.values() for at in proof.instants() if at > instant), default=None)


def case_names(facts: SubjectFacts) -> Iterator[str]:
    """Every name that a case of this subject may have."""
    names = {f"{AE}{ae_id}" for ae_id in facts.adverse_events}
    names.update(facts.adjudications)
    reasons = {known.event.data.reason for known in facts.discontinuations.values()}
    names.update(PREFIX + reason for reason in REASONS if reason in reasons)
    names.update(LAB + test for test in facts.laboratory.analytes)
    if HYS_LAW_TIMES_ULN.keys() & facts.laboratory.analytes.keys():
        names.add(HYS_LAW_CASE)
    yield from sorted(names)


def evaluate_case(facts: SubjectFacts, name: str, *, whole: bool = False) -> CaseEvaluation | None:
    """Evaluate one case; None where there is no such case, or nothing to say about it.

    ``whole`` answers every predicate even where an earlier one has already decided: for an explanation.
    """
    own = [ruling(known, facts.protocol, facts.site) for known in facts.adjudications.get(name, {}).values()]
    if name.startswith(AE) and name.removeprefix(AE) in facts.adverse_events:
        return _evaluate_adverse_event(facts, name, own, whole)
    if name.startswith(PREFIX) and name.removeprefix(PREFIX) in REASONS:
        proof = unexplained_stop(facts, name.removeprefix(PREFIX))
        if proof is not None:
            return _adjudicated(facts, name, {proof.clause.id: proof}, decide(own, (), facts.protocol), None)
    if name.startswith(LAB):
        evaluation = _evaluate_laboratory(facts, name, decide(own, (), facts.protocol))
        if evaluation is not None:
            return evaluation
    return _evaluate_nothing_on_record(facts, name, decide(own, (), facts.protocol))


def _evaluate_laboratory(facts: SubjectFacts, name: str, decision: Decision) -> CaseEvaluation | None:
    """Findings of one analyte, or Hy's law; None where there is none, and nothing that a ruling could be about."""
    if name == HYS_LAW_CASE:
        proof = hys_law.hys_law(facts)
        return _adjudicated(facts, name, {proof.clause.id: proof}, decision, None) if proof is not None else None
    test = name.removeprefix(LAB)
    draws = facts.laboratory.analytes.get(test)
    if draws is not None and draws.certain:
        case = LaboratoryCase(facts, test)
        evaluation = _adjudicated(facts, name, case.clauses(), decision, None)
        return replace(evaluation, worst=case.worst, course_starts=case.course_starts())
    if decision.rulings and facts.analytes.get(test):
        return _adjudicated(facts, name, {}, decision, None)
    return None


def _evaluate_adverse_event(facts: SubjectFacts, name: str, own: list[Ruling], whole: bool) -> CaseEvaluation | None:
    ae_id = name.removeprefix(AE)
    if first_row(facts, ae_id) != ae_id:
        return None
    if not whole and not own and _too_mild_to_matter(facts, ae_id):
        return None
    case = AdverseEventCase(facts, ae_id)
    on_parts = [
        ruling(known, facts.protocol, facts.site)
        for row in case.row_ids[1:]
        for known in facts.adjudications.get(f"{AE}{row}", {}).values()
    ]
    return _adjudicated(facts, name, _clauses(case, whole), decide(own, on_parts, facts.protocol), case)


def may_reach_a_clause(protocol: TrialProtocol, event: AdverseEventReported) -> bool:
    """Whether one row's grade reaches, or could turn out to reach, any clause of the protocol."""
    worst = worst_grade(event)
    if worst is None or "life-threatening" in (event.data.seriousness or ()):
        return True
    return worst >= min(clause.at_grade for clause in protocol.clauses if clause.at_grade is not None)


def _too_mild_to_matter(facts: SubjectFacts, ae_id: str) -> bool:
    """Whether one row alone, graded below every clause, is all there is of this toxicity."""
    return not facts.continued_by.get(ae_id) and not may_reach_a_clause(
        facts.protocol, facts.adverse_events[ae_id].event
    )


def _clauses(case: AdverseEventCase, whole: bool) -> dict[str, ClauseProof]:
    return {
        clause.id: _judge(case, clause, clause.at_grade, whole)
        for clause in case.protocol.clauses
        if clause.at_grade is not None
    }


def _judge(case: AdverseEventCase, clause: Clause, at_grade: int, whole: bool) -> ClauseProof:
    proofs = tuple(
        IntervalProof(interval, tuple(_steps(case, clause, interval, whole)))
        for interval in case.course.intervals(at_grade, gravest=clause.id == case.protocol.gravest_clause)
    )
    worst = case.course.worst
    return ClauseProof(clause, proofs, f"never at grade ≥{at_grade}: the worst grade on record is {worst}")


def _steps(case: AdverseEventCase, clause: Clause, interval: Interval, whole: bool) -> Iterator[PredicateStep]:
    yield PredicateStep(f"grade ≥{clause.at_grade}", interval.grade)
    for predicate in clause.requires:
        answer = predicate.ask(case, interval)
        yield PredicateStep(predicate.label, answer)
        if answer.truth is Truth.NO and not answer.changes and not whole:
            return


def _evaluate_nothing_on_record(facts: SubjectFacts, name: str, decision: Decision) -> CaseEvaluation | None:
    """A case that only an adjudication knows: never more than possible, and only if it says dose-limiting."""
    if decision.dose_limiting.truth is Truth.NO:
        return None
    answer = unknown(
        f"{decision.dose_limiting.reason}, but nothing of {name} is on record",
        f"Which toxicity is meant by {name}? Nothing of it is on record.",
        *decision.dose_limiting.evidence,
    )
    return _adjudicated(facts, name, {}, decision._replace(dose_limiting=answer, overruled_by=None), None)


def _adjudicated(
    facts: SubjectFacts,
    name: str,
    clauses: dict[str, ClauseProof],
    decision: Decision,
    case: AdverseEventCase | None,
) -> CaseEvaluation:
    protocol = facts.protocol
    adjudicated = protocol.clause(protocol.adjudicated_clause)
    overrule = None
    if decision.overruled_by is not None:
        overrule = _overrule(facts, name, decision.overruled_by)
    rows = [row.event.data for row in case.rows] if case else []
    return CaseEvaluation(
        name=name,
        clauses={**clauses, adjudicated.id: settled(adjudicated, "adjudicated dose-limiting", decision.dose_limiting)},
        decision=decision,
        overrule=overrule,
        adjudicated_clause=adjudicated.id,
        protocol_version=protocol.version,
        part=facts.part,
        counted=facts.judged_part.counted,
        part_question=facts.part_question,
        dose_level=facts.dose_level,
        worst=case.course.worst if case else None,
        last_confirmed=case.course.last_confirmed if case and case.presumed_ongoing else None,
        sources=case.sources if case else (),
        grade_is_missing=case.course.grade_missing if case else False,
        serious=any(data.serious or data.seriousness or data.outcome == "fatal" for data in rows),
    )


def _overrule(facts: SubjectFacts, name: str, made: Ruling) -> Overrule:
    """What the machine said of the case when it was overruled, from what was known then (rules.md §3.9)."""
    then = facts.known_at(made.decided)
    verdicts: dict[str, Verdict | None] = {}
    worst: int | None = None
    if name.startswith(AE) and name.removeprefix(AE) in then.adverse_events:
        case = AdverseEventCase(then, first_row(then, name.removeprefix(AE)))
        verdicts = {clause_id: proof.verdict(made.decided) for clause_id, proof in _clauses(case, False).items()}
        worst = case.course.worst
    else:
        proofs: list[ClauseProof | None] = []
        if name.startswith(PREFIX):
            proofs = [unexplained_stop(then, name.removeprefix(PREFIX))]
        elif name == HYS_LAW_CASE:
            proofs = [hys_law.hys_law(then)]
        elif name.removeprefix(LAB) in then.laboratory.analytes:
            laboratory = LaboratoryCase(then, name.removeprefix(LAB))
            proofs, worst = list(laboratory.clauses().values()), laboratory.worst
        verdicts = {proof.clause.id: proof.verdict(made.decided) for proof in proofs if proof is not None}
    return Overrule(made, verdicts, worst)


def lapse_question(overrule: Overrule, why: str) -> str:
    """What to ask when an overrule no longer covers what is known."""
    decided = format_instant(overrule.ruling.decided)
    return (
        f"The ruling {overrule.ruling.adjudication_id} of {decided} no longer covers the case: {why}. Adjudicate again?"
    )


def stray_rulings(facts: SubjectFacts) -> Iterator[tuple[str, str]]:
    """Rulings "not dose-limiting" that change nothing: on a part of a case, or on nothing on record, as (id, question)."""
    for name, named in sorted(facts.adjudications.items()):
        not_dlt = sorted(key for key, known in named.items() if known.event.data.verdict == NOT_DLT)
        if not not_dlt:
            continue
        ae_id = name.removeprefix(AE)
        if name.startswith(AE) and ae_id in facts.adverse_events:
            first = first_row(facts, ae_id)
            if first != ae_id and ae_id in joined_rows(facts, first):
                for key in not_dlt:
                    yield key, f"It names {name}, a part of {AE}{first}: is the whole toxicity meant?"
        elif evaluate_case(facts, name) is None:
            for key in not_dlt:
                yield key, f"It names {name}, of which nothing is on record: which case is meant?"
