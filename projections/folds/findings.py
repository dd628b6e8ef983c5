"""Standing findings of one subject, and how they change: alerts raised, revised, withdrawn (events.md).

Everything here is a function of events and instants: ids are derived, and the instant of detection is the caller's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from events.alert import AlertData
from events.catalog import AnyEvent
from events.codec import Logged
from events.dates import Instant, format_instant
from events.envelope import LIST_ITEMS_MAX, TEXT_CHARS_MAX, EventRef
from events.identity import derived_id
from projections.folds.alert_news import changes_of, says_the_same, telling_of
from projections.folds.alert_transition import AlertKind, AlertState, AlertTransition, alert_id_of, state_after
from projections.folds.subject_chart import SubjectChart
from projections.rules.cases.assess import evaluate_case
from projections.rules.cases.finding import PART_UNKNOWN, Finding
from projections.rules.cases.judged_case import JudgedCase, judged
from projections.rules.logic.trial_protocol import TrialProtocol
from projections.rules.logic.truth import EventKey

GONE = "no longer on record, or no clause is met or possible any more"


class Cause(NamedTuple):
    """What made an alert change: an event, when that was detected, and the reason that the event itself gives."""

    event: EventKey
    detected_at: Instant
    reason: str | None = None


class SubjectFindings:
    """The chart of one subject together with its findings, kept current event by event.

    ``findings`` are the cases with a verdict or an effective adjudication, ``alerts`` their newest revisions, and ``changed``
    the cases whose finding is another since that set was last emptied.
    """

    def __init__(self, protocol: TrialProtocol, subject: str) -> None:
        self.chart = SubjectChart(protocol, subject)
        self.findings: dict[str, Finding] = {}
        self.alerts: dict[str, AlertState] = {}
        self.changed: set[str] = set()
        self._evaluations: dict[str, JudgedCase] = {}
        # When time alone next changes anything in a case: a verdict, or only the reasons that it rests on.
        self._turns: dict[str, Instant] = {}

    @classmethod
    def restored(
        cls, protocol: TrialProtocol, subject: str, known: Iterable[Logged], alerts: Mapping[str, AlertState]
    ) -> SubjectFindings:
        """The same as if every event had been taken one by one, in whatever order they are known, and ``alerts`` told."""
        restored = cls(protocol, subject)
        for event, time, received in known:
            restored.chart.fold(event, time, received)
        restored.alerts.update(alerts)
        restored._evaluate(restored.chart.all_cases())
        for case in restored._evaluations:
            restored._find(case, restored.chart.high_water)
        restored.changed.clear()
        return restored

    def take(
        self, event: AnyEvent, time: Instant, detected_at: Instant, received: Instant | None = None
    ) -> list[AlertTransition]:
        """Fold one event, judge the cases that it touches and those that are due, and say which alerts change.

        Cases are judged at the subject's high-water instant, so that a late event never turns back a clock that has fired.
        """
        touched = self.chart.fold(event, time, received)
        now = self.chart.high_water
        self._evaluate(touched)
        due = [case for case, turns in self._turns.items() if turns <= now]
        cause = Cause(EventKey(event.source, event.id), detected_at, getattr(event.data, "reason", None))
        return self._judge({*touched, *due}, now, cause)

    def judge_again(self, caused_by: EventKey, detected_at: Instant) -> list[AlertTransition]:
        """Judge every case under the rules in force, as they may have changed, and say which alerts change."""
        cases = {*self.chart.all_cases(), *self.findings, *self.alerts}
        self._evaluate(cases)
        self.changed.update(cases)
        return self._judge(cases, self.chart.high_water, Cause(caused_by, detected_at))

    @property
    def next_turn(self) -> Instant | None:
        """The earliest instant at which time alone changes anything, be it only a reason."""
        return min(self._turns.values(), default=None)

    @property
    def next_due(self) -> Instant | None:
        """The earliest instant at which time alone changes a finding."""
        return min((finding.due for finding in self.findings.values() if finding.due is not None), default=None)

    def _judge(self, cases: Iterable[str], now: Instant, cause: Cause) -> list[AlertTransition]:
        transitions: list[AlertTransition] = []
        for case in sorted(cases):
            transition = self._transition(case, self._find(case, now), cause)
            if transition is not None:
                transitions.append(transition)
        return transitions

    def _evaluate(self, cases: Iterable[str]) -> None:
        for case in cases:
            each = [evaluate_case(facts, case) for facts in self.chart.judged_facts]
            evaluation = judged(each, self.chart.judging.question)
            if evaluation is None:
                self._evaluations.pop(case, None)
            else:
                self._evaluations[case] = evaluation

    def _find(self, case: str, now: Instant) -> Finding | None:
        """The finding on a case now; kept, with the instant at which it turns."""
        evaluation = self._evaluations.get(case)
        finding = evaluation.at(now) if evaluation is not None else None
        if finding != self.findings.get(case):
            self.changed.add(case)
        if finding is None:
            self.findings.pop(case, None)
        else:
            self.findings[case] = finding
        turns = evaluation.next_turn(now) if evaluation is not None else None
        if turns is None:
            self._turns.pop(case, None)
        else:
            self._turns[case] = turns
        return finding

    def _transition(self, case: str, finding: Finding | None, cause: Cause) -> AlertTransition | None:
        standing = self.alerts.get(case)
        before = standing.open if standing is not None else None
        after = finding if finding is not None and finding.alerts else None
        kind = _kind(before, after)
        if kind is None:
            return None
        data = self._data(case, kind, standing, finding, cause)
        event_id = derived_id(data.alert_id, str(data.revision), kind)
        transition = AlertTransition(kind, event_id, self.chart.facts.subject, data)
        self.alerts[case] = state_after(transition)
        return transition

    def _data(
        self,
        case: str,
        kind: AlertKind,
        standing: AlertState | None,
        finding: Finding | None,
        cause: Cause,
    ) -> AlertData:
        before = standing.open if standing is not None else None
        shown = finding or before
        assert shown is not None, "a transition has a finding before it or after it"
        by = EventRef(source=cause.event.source, id=cause.event.id)
        telling = telling_of(kind, before, finding)
        version = self.chart.facts.protocol.version if finding is None else finding.protocol_version
        evidence = [EventRef(source=ref.source, id=ref.id) for ref in shown.evidence[:LIST_ITEMS_MAX]]
        return AlertData(
            alert_id=alert_id_of(self.chart.protocol, case, self.chart.facts.subject),
            revision=standing.data.revision + 1 if standing is not None else 1,
            case=case,
            verdict=finding.verdict if finding is not None else None,
            previous_verdict=before.verdict if before is not None else None,
            clauses=dict(finding.clauses) if finding is not None else {},
            urgency=shown.urgency,
            population=shown.population or PART_UNKNOWN,
            dose_level=shown.dose_level,
            counts_as_dlt=finding.counts_as_dlt if finding is not None else False,
            reasons=_fitting(_reasons(kind, finding)),
            questions=_fitting(finding.questions) if finding is not None else [],
            evidence=evidence,
            basis=finding.basis if finding is not None else None,
            due=format_instant(finding.due) if finding is not None and finding.due is not None else None,
            detected_at=format_instant(cause.detected_at),
            caused_by=by,
            protocol_version=version,
            worst_grade=shown.worst_grade,
            news=telling == "news",
            telling=telling,
            changes=changes_of(before, finding, by, cause.reason, version) if standing is not None else [],
            occurrences=shown.occurrences,
        )


def _kind(before: AlertData | None, after: Finding | None) -> AlertKind | None:
    """None or watch -> alert: raised; alert -> other alert: revised; alert -> none, watch, overruled: withdrawn."""
    if before is None:
        return None if after is None else "raised"
    if after is None:
        return "withdrawn"
    return None if says_the_same(before, after) else "revised"


def _reasons(kind: AlertKind, finding: Finding | None) -> list[str]:
    if kind == "withdrawn" and finding is not None and finding.overruled:
        return ["overruled: adjudicated as not dose-limiting", *finding.reasons]
    return list(finding.reasons) if finding is not None and finding.reasons else [GONE]


def _fitting(texts: Sequence[str]) -> list[str]:
    """No longer than the contract allows: a reason quotes terms, which may be long themselves."""
    return [text[:TEXT_CHARS_MAX] for text in texts[:LIST_ITEMS_MAX]]
