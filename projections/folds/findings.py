"""Standing findings of one subject, and how they change: alerts raised, revised, withdrawn (EVENTS, "alert log").

Everything here is a function of events and instants: ids are derived, and the instant of detection is the caller's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from events.alert import AlertData
from events.catalog import AnyEvent
from events.dates import Instant, format_instant
from events.envelope import LIST_ITEMS_MAX
from events.envelope import EventRef as EventRefData
from events.identity import derived_id
from projections.folds.subject_chart import SubjectChart
from projections.rules.assess import CaseEvaluation, evaluate_case
from projections.rules.evaluation import Verdict
from projections.rules.finding import Finding, finding_at
from projections.rules.protocol import Protocol
from projections.rules.truth import EventRef

AlertKind = Literal["raised", "revised", "withdrawn"]

GONE = "no longer on record, or nothing of it stands any more"


@dataclass(frozen=True, slots=True)
class Standing:
    """An alert as it stands: ``finding`` None once it was withdrawn. ``revision`` never goes back."""

    revision: int
    finding: Finding | None


class AlertTransition(NamedTuple):
    """One step in the life of an alert."""

    kind: AlertKind
    event_id: str
    subject: str
    data: AlertData


class SubjectFindings:
    """The chart of one subject together with what stands about it, kept current event by event.

    ``findings`` are the cases with a verdict or an effective adjudication, ``alerts`` what was told of them.
    """

    def __init__(self, protocol: Protocol, subject: str) -> None:
        self.chart = SubjectChart(protocol, subject)
        self.findings: dict[str, Finding] = {}
        self.alerts: dict[str, Standing] = {}
        self._evaluations: dict[str, CaseEvaluation] = {}
        # When time alone next changes anything in a case: a verdict, or only the reasons that it rests on.
        self._turns: dict[str, Instant] = {}

    def take(self, event: AnyEvent, time: Instant, detected_at: Instant) -> list[AlertTransition]:
        """Fold one event, judge the cases that it touches and those that are due, and say which alerts change.

        Cases are judged at the subject's high-water instant, so that a late event never turns back a clock that has fired.
        """
        touched = self.chart.fold(event, time)
        now = self.chart.high_water
        for case in touched:
            evaluation = evaluate_case(self.chart.facts, case)
            if evaluation is None:
                self._evaluations.pop(case, None)
            else:
                self._evaluations[case] = evaluation
        due = [case for case, turns in self._turns.items() if turns <= now]
        return self._judge({*touched, *due}, now, EventRef(event.source, event.id), detected_at)

    @property
    def next_due(self) -> Instant | None:
        """The earliest instant at which time alone changes a finding."""
        return min((finding.due for finding in self.findings.values() if finding.due is not None), default=None)

    def _judge(
        self, cases: Iterable[str], now: Instant, caused_by: EventRef, detected_at: Instant
    ) -> list[AlertTransition]:
        transitions: list[AlertTransition] = []
        for case in sorted(cases):
            evaluation = self._evaluations.get(case)
            finding = finding_at(evaluation, now) if evaluation is not None else None
            if finding is None:
                self.findings.pop(case, None)
            else:
                self.findings[case] = finding
            turns = evaluation.next_turn(now) if evaluation is not None else None
            if turns is None:
                self._turns.pop(case, None)
            else:
                self._turns[case] = turns
            transition = self._transition(case, finding, caused_by, detected_at)
            if transition is not None:
                transitions.append(transition)
        return transitions

    def _transition(
        self, case: str, finding: Finding | None, caused_by: EventRef, detected_at: Instant
    ) -> AlertTransition | None:
        standing = self.alerts.get(case)
        before = standing.finding if standing is not None else None
        after = finding if finding is not None and finding.alerts else None
        kind = _kind(before, after)
        if kind is None:
            return None
        revision = standing.revision + 1 if standing is not None else 1
        self.alerts[case] = Standing(revision, after)
        protocol = self.chart.facts.protocol
        subject = self.chart.facts.subject
        alert_id = derived_id(protocol.trial, subject, case)
        shown = after or finding
        data = AlertData(
            alert_id=alert_id,
            revision=revision,
            case=case,
            verdict=shown.verdict if shown is not None else None,
            previous_verdict=before.verdict if before is not None else None,
            clauses=dict(shown.clauses) if shown is not None else {},
            urgency=(shown or before or _never()).urgency,
            population=_population(shown or before or _never()),
            dose_level=(shown or before or _never()).dose_level,
            counts_as_dlt=shown.counts_as_dlt if shown is not None else False,
            reasons=_reasons(kind, finding)[:LIST_ITEMS_MAX],
            questions=list(shown.questions)[:LIST_ITEMS_MAX] if shown is not None else [],
            evidence=[
                EventRefData(source=ref.source, id=ref.id)
                for ref in (shown or before or _never()).evidence[:LIST_ITEMS_MAX]
            ],
            basis=shown.basis if shown is not None else None,
            due=format_instant(shown.due) if shown is not None and shown.due is not None else None,
            detected_at=format_instant(detected_at),
            caused_by=EventRefData(source=caused_by.source, id=caused_by.id),
            protocol_version=protocol.version,
        )
        return AlertTransition(kind, derived_id(alert_id, str(revision), kind), subject, data)


def _never() -> Finding:
    raise AssertionError("a transition has a finding before it or after it")


def _kind(before: Finding | None, after: Finding | None) -> AlertKind | None:
    """None or watch -> alert: raised; alert -> other alert: revised; alert -> none, watch, overruled: withdrawn."""
    if before is None:
        return None if after is None else "raised"
    if after is None:
        return "withdrawn"
    return "revised" if _told(before) != _told(after) else None


def _told(finding: Finding) -> tuple[Verdict | None, dict[str, Verdict], str, str, int | None, bool]:
    """What a medical monitor acts on: another wording or one more piece of evidence alone is no news."""
    return (
        finding.verdict,
        finding.clauses,
        finding.urgency,
        finding.population,
        finding.dose_level,
        finding.counts_as_dlt,
    )


def _reasons(kind: AlertKind, finding: Finding | None) -> list[str]:
    if kind == "withdrawn" and finding is not None and finding.overruled:
        return ["overruled: adjudicated as not dose-limiting", *finding.reasons]
    return list(finding.reasons) if finding is not None and finding.reasons else [GONE]


def _population(finding: Finding) -> Literal["part-a", "part-b", "part-unknown"]:
    if finding.population == "part-a":
        return "part-a"
    return "part-b" if finding.population == "part-b" else "part-unknown"
