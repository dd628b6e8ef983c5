"""What passing time alone changes is known beforehand: at ``due``, not before, and nothing in between (rules.md §2)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from events.codec import Logged
from events.dates import Instant
from projections.folds.subject_chart import SubjectChart
from projections.folds.trial_projection import findings_of
from projections.protocols.isi_jx import PROTOCOL
from projections.rules.cases.assess import evaluate_case
from projections.rules.cases.finding import Finding
from tests.properties.draws import Draw
from tests.properties.passing_time import LONG, WatchedSubject, all_judged, judged
from tests.properties.slow_evaluation import differences, high_water, slow_findings
from tests.properties.timelines import random_subject

Findings = dict[str, Finding]


@pytest.mark.parametrize("seed", range(250))
def test_between_an_instant_and_the_next_due_nothing_changes(seed: int) -> None:
    """Nor one microsecond before it; and where nothing is due, nothing changes ever."""
    draw = Draw(seed)
    for chart, instant in _instants_at_which_something_became_known(seed):
        for start, due in _dues(chart, instant):
            end = start + LONG if due is None else due
            standing = all_judged(_at(chart, start))
            for moment in {*_turning_points(chart, start, end), draw.number(start, end - 1), end - 1}:
                assert all_judged(_at(chart, moment)) == standing


@pytest.mark.parametrize("seed", range(250))
def test_at_its_due_the_clauses_of_a_case_change_and_those_of_no_other_case(seed: int) -> None:
    """A due that changed nothing would be a false alarm."""
    for chart, instant in _instants_at_which_something_became_known(seed):
        for start, due in _dues(chart, instant):
            if due is None:
                continue
            before, after = _at(chart, start), _at(chart, due)
            changed = {case for case in before.keys() | after.keys() if _clauses(before, case) != _clauses(after, case)}
            assert changed == {case for case, finding in before.items() if finding.due == due}
            assert all(judged(after[case]) == judged(before[case]) for case in before.keys() - changed)


@pytest.mark.parametrize("seed", range(250))
def test_what_is_watched_has_a_due_and_comes_true_at_one(seed: int) -> None:
    """Each watched clause becomes possible or met with time alone, and stays on watch until it does."""
    for chart, instant in _instants_at_which_something_became_known(seed):
        course = [_at(chart, start) for start, _ in _dues(chart, instant)]
        for place, findings in enumerate(course):
            for case, finding in findings.items():
                for clause in (clause for clause, verdict in finding.clauses.items() if verdict == "watch"):
                    assert finding.due is not None
                    later = [_clauses(after, case).get(clause) for after in course[place + 1 :]]
                    assert next((verdict for verdict in later if verdict != "watch"), None) in ("possible", "met")


@pytest.mark.parametrize("seed", range(250))
def test_findings_driven_by_the_clock_are_those_of_an_assessment_at_that_instant(seed: int) -> None:
    """Events as they were recorded, and the clock between them and after the last."""
    subject = WatchedSubject()
    for logged in sorted(random_subject(seed), key=lambda logged: logged.time):
        for due in subject.tick(until=logged.time):
            _stands_as_assessed(subject, due)
        subject.take(logged)
        _stands_as_assessed(subject, logged.time)
    for due in subject.tick(until=subject.standing.chart.high_water + LONG):
        _stands_as_assessed(subject, due)


@pytest.mark.parametrize("seed", range(250))
def test_a_late_event_never_turns_back_a_clock_that_has_fired(seed: int) -> None:
    """It is judged at the instant that the subject had reached, whenever it was recorded."""
    events = random_subject(seed)
    late = Draw(seed).some(events, 2)
    subject = WatchedSubject()
    for logged in sorted((logged for logged in events if logged not in late), key=lambda logged: logged.time):
        subject.take(logged)
    fired = [*subject.tick(until=subject.standing.chart.high_water + LONG)]
    reached = max([subject.standing.chart.high_water, *fired])
    for logged in late:
        subject.take(logged)
        reached = max(reached, logged.time)
        _stands_as_assessed(subject, reached)


def _stands_as_assessed(subject: WatchedSubject, instant: Instant) -> None:
    assert subject.standing.chart.high_water == instant == high_water(subject.known)
    assert differences(subject.standing.findings, slow_findings(subject.known, instant)) == []


def _instants_at_which_something_became_known(seed: int) -> Iterator[tuple[SubjectChart, Instant]]:
    """Every instant at which an event was recorded, with the chart of all that was known then."""
    events = sorted(random_subject(seed), key=lambda logged: logged.time)
    chart = SubjectChart(PROTOCOL, "FR01-001")
    for instant, logged in _last_of_each_instant(events, chart):
        assert chart.high_water == instant == logged.time
        yield chart, instant


def _last_of_each_instant(events: list[Logged], chart: SubjectChart) -> Iterator[tuple[Instant, Logged]]:
    for place, logged in enumerate(events, start=1):
        chart.fold(logged.event, logged.time)
        if place == len(events) or events[place].time > logged.time:
            yield logged.time, logged


def _dues(chart: SubjectChart, instant: Instant) -> Iterator[tuple[Instant, Instant | None]]:
    """From an instant on, every stretch of time from one due to the next; the last has no end."""
    while True:
        due = min((f.due for f in _at(chart, instant).values() if f.due is not None), default=None)
        yield instant, due
        if due is None:
            return
        assert due > instant
        instant = due


def _turning_points(chart: SubjectChart, start: Instant, end: Instant) -> set[Instant]:
    """Every instant in between at which some answer changes, whether or not that changes a verdict."""
    evaluations = [evaluate_case(chart.facts, name) for name in chart.all_cases()]
    proofs = [proof for evaluation in evaluations if evaluation for proof in evaluation.clauses.values()]
    return {instant for proof in proofs for instant in proof.instants() if start < instant < end}


def _at(chart: SubjectChart, instant: Instant) -> Findings:
    return {finding.case: finding for finding in findings_of(chart, instant)}


def _clauses(findings: Findings, case: str) -> dict[str, str]:
    return dict(findings[case].clauses) if case in findings else {}
