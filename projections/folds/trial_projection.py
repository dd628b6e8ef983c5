"""All charts of a trial, and what is true of them at an instant, in ``assess``'s JSON (events.md)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from events.catalog import AnyEvent
from events.clock import ClockReached
from events.dates import Instant
from events.envelope import SubjectEvent
from projections.folds.cohort_board import CohortBoard, membership_of
from projections.folds.lab_grades import LabGrades
from projections.folds.lab_grades import lab_grades as lab_grade_rows
from projections.folds.open_queries import asked_by, open_queries
from projections.folds.subject_chart import SubjectChart
from projections.rules.cases.assess import evaluate_case
from projections.rules.cases.finding import Finding
from projections.rules.cases.judged_case import JudgedCase, judged
from projections.rules.logic.trial_protocol import TrialProtocol


class TrialProjection:
    """The charts of every subject of one trial. Fold each event once; ``as_json`` may be asked at any instant.

    ``failed`` are the subjects that met a fault of ours, with what was raised: they are not judged, and everybody else is.
    """

    def __init__(self, protocol: TrialProtocol) -> None:
        self.protocol = protocol
        self.charts: dict[str, SubjectChart] = {}
        self.events = 0
        self.failed: dict[str, Exception] = {}

    def fold(self, event: AnyEvent, time: Instant, received: Instant | None = None) -> None:
        """Take in one event that the ledger let through; ``received`` None: nobody has stamped it."""
        if isinstance(event, ClockReached):
            return
        self.events += 1
        if isinstance(event, SubjectEvent):
            if event.subject in self.failed:
                return
            try:
                self.chart(event.subject).fold(event, time, received)
            except Exception as error:
                # Half folded, the chart says nothing.
                del self.charts[event.subject]
                self.failed[event.subject] = error
                raise

    def chart(self, subject: str) -> SubjectChart:
        """The chart of a subject, empty at first."""
        chart = self.charts.get(subject)
        if chart is None:
            chart = self.charts[subject] = SubjectChart(self.protocol, subject)
        return chart

    def findings(self, as_of: Instant) -> Iterator[tuple[SubjectChart, list[Finding]]]:
        """Each subject's findings at an instant, by subject."""
        for _, chart in sorted(self.charts.items()):
            yield chart, findings_of(chart, as_of)

    def as_json(self, as_of: Instant, lab_grades: LabGrades = LabGrades.ABNORMAL) -> dict[str, Any]:
        """``cases``, ``cohorts``, ``lab_grades`` and ``queries`` at an instant."""
        board = CohortBoard(self.protocol)
        cases: list[dict[str, Any]] = []
        queries: list[dict[str, str]] = []
        grades: list[dict[str, Any]] = []
        for subject, chart in sorted(self.charts.items()):
            try:
                findings = findings_of(chart, as_of)
                own_cases = [finding.as_json(subject) for finding in findings]
                own_queries = [query.as_json() for query in open_queries(chart, asked_by(findings))]
                own_grades = list(lab_grade_rows(chart, lab_grades))
                standing = membership_of(chart, findings)
            except Exception as error:  # noqa: BLE001 - a fault of ours costs one subject, who is named, and nobody else
                self.failed[subject] = error
                continue
            cases += own_cases
            queries += own_queries
            grades += own_grades
            board.update(subject, standing)
        judged = {"cases": cases, "lab_grades": grades, "cohorts": board.as_json(), "queries": queries}
        return {**judged, **({"unwatched": sorted(self.failed)} if self.failed else {})}


def findings_of(chart: SubjectChart, as_of: Instant) -> list[Finding]:
    """The findings on one subject at an instant, by case name, judged from its chart."""
    found: Iterable[Finding | None] = (case.at(as_of) for case in _judged_cases(chart))
    return [finding for finding in found if finding is not None]


def _judged_cases(chart: SubjectChart) -> Iterator[JudgedCase]:
    for name in sorted(chart.all_cases()):
        each = [evaluate_case(facts, name) for facts in chart.judged_facts]
        case = judged(each, chart.judging.question)
        if case is not None:
            yield case
