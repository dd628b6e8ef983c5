"""How the verdict on one case changed: with each event that became known, and with time alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from events.codec import Logged
from events.dates import Instant
from projections.folds.subject_chart import SubjectChart
from projections.rules.cases.assess import evaluate_case
from projections.rules.cases.finding import Finding
from projections.rules.cases.judged_case import JudgedCase, judged
from projections.rules.logic.trial_protocol import TrialProtocol
from projections.rules.logic.truth import EventKey


class VerdictChange(NamedTuple):
    """From ``at`` on the case stood like this. ``cause`` None: nothing but time had passed."""

    at: Instant
    finding: Finding | None
    cause: EventKey | None


def case_history(
    protocol: TrialProtocol, subject: str, known: Iterable[tuple[Instant, Logged]], case: str, until: Instant
) -> list[VerdictChange]:
    """Every turn of a case until an instant, from the subject's events, each with the instant at which it became known."""
    chart = SubjectChart(protocol, subject)
    turns: list[VerdictChange] = []
    evaluation: JudgedCase | None = None
    for at, (event, time, _) in sorted(known, key=lambda item: (item[0], item[1].event.source, item[1].event.id)):
        if at > until:
            break
        turns.extend(_turns_by_time_alone(evaluation, turns, at - 1))
        if case not in chart.fold(event, time):
            continue
        each = [evaluate_case(facts, case) for facts in chart.judged_facts]
        evaluation = judged(each, chart.judging.question)
        finding = evaluation.at(at) if evaluation is not None else None
        if _told(finding) != _told(turns[-1].finding if turns else None):
            turns.append(VerdictChange(at, finding, EventKey(event.source, event.id)))
    turns.extend(_turns_by_time_alone(evaluation, turns, until))
    return turns


def _turns_by_time_alone(
    evaluation: JudgedCase | None, turns: list[VerdictChange], until: Instant
) -> Iterator[VerdictChange]:
    finding = turns[-1].finding if turns else None
    while evaluation is not None and finding is not None and finding.due is not None and finding.due <= until:
        at = finding.due
        finding = evaluation.at(at)
        yield VerdictChange(at, finding, None)


def _told(finding: Finding | None) -> object:
    if finding is None:
        return None
    return (
        finding.verdict,
        finding.clauses,
        finding.overruled,
        finding.due,
        finding.counts_as_dlt,
        finding.protocol_version,
    )
