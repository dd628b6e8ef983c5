"""The fold, event by event, says what a slow evaluation from scratch says: after every single event, in any order."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

import pytest

from events.codec import Logged
from projections.folds.cohort_board import CohortBoard, CohortKey, CohortRow, membership_of
from projections.folds.findings import SubjectFindings
from projections.protocols.isi_jx import PROTOCOL
from projections.rules.cases.finding import Finding
from tests.properties.slow_evaluation import differences, high_water, slow_cohorts, slow_findings, subject_of
from tests.properties.timelines import random_subject, random_timeline, small_laboratory, small_timeline


@pytest.mark.parametrize("seed", range(600))
def test_after_every_event_the_findings_are_those_of_a_slow_evaluation(seed: int) -> None:
    """The findings whole, with their words, their evidence and when they are due, at the subject's high water."""
    subject = SubjectFindings(PROTOCOL, "FR01-001")
    known: list[Logged] = []
    for logged in random_subject(seed):
        known.append(logged)
        subject.take(logged.event, logged.time, logged.received)
        assert subject.chart.high_water == high_water(known)
        assert differences(subject.findings, slow_findings(known, high_water(known))) == []


@pytest.mark.parametrize(
    ("seed", "count"), [*((seed, 5) for seed in range(60)), *((seed, 6) for seed in range(60, 80))]
)
def test_in_every_order_of_arrival_the_findings_are_those_of_a_slow_evaluation(seed: int, count: int) -> None:
    """All 120 or 720 orders of a few events, after each event of each order."""
    events = small_timeline(seed, events_max=count)
    slow: dict[frozenset[int], dict[str, Finding]] = {}
    for order in permutations(range(len(events))):
        subject = SubjectFindings(PROTOCOL, "FR01-001")
        for place, index in enumerate(order, start=1):
            logged = events[index]
            subject.take(logged.event, logged.time, logged.received)
            arrived = frozenset(order[:place])
            if arrived not in slow:
                slow[arrived] = _slow([events[n] for n in sorted(arrived)])
            assert differences(subject.findings, slow[arrived]) == [], [events[n].event.id for n in order[:place]]


@pytest.mark.parametrize("seed", range(80))
def test_in_every_order_of_arrival_laboratory_cases_are_those_of_a_slow_evaluation(seed: int) -> None:
    """All 120 orders of a few results, with the doses, adverse events and rulings that they are judged by."""
    events = small_laboratory(seed, events_max=5)
    slow: dict[frozenset[int], dict[str, Finding]] = {}
    for order in permutations(range(len(events))):
        subject = SubjectFindings(PROTOCOL, "FR01-001")
        for place, index in enumerate(order, start=1):
            logged = events[index]
            subject.take(logged.event, logged.time, logged.received)
            arrived = frozenset(order[:place])
            if arrived not in slow:
                slow[arrived] = _slow([events[n] for n in sorted(arrived)])
            assert differences(subject.findings, slow[arrived]) == [], [events[n].event.id for n in order[:place]]


@pytest.mark.parametrize("seed", range(200))
def test_after_every_event_the_cohort_board_is_that_of_a_plain_count(seed: int) -> None:
    """With its decisions, and with why each subject is pending."""
    subjects: dict[str, SubjectFindings] = {}
    board = CohortBoard(PROTOCOL)
    known: list[Logged] = []
    for logged in random_timeline(seed):
        known.append(logged)
        name = subject_of(logged)
        subject = subjects.setdefault(name, SubjectFindings(PROTOCOL, name))
        subject.take(logged.event, logged.time, logged.received)
        board.update(name, membership_of(subject.chart, subject.findings.values()))
        assert board.as_json() == slow_cohorts(known)


@pytest.mark.parametrize("seed", range(200, 300))
def test_an_update_names_every_cohort_that_it_changes(seed: int) -> None:
    """No row changes that was not named, and each row is the one that a whole board shows."""
    subjects: dict[str, SubjectFindings] = {}
    board = CohortBoard(PROTOCOL)
    keys = [CohortKey("A", level) for level in (1, 2, None)]
    rows: dict[CohortKey, CohortRow | None] = dict.fromkeys(keys)
    for logged in random_timeline(seed):
        name = subject_of(logged)
        subject = subjects.setdefault(name, SubjectFindings(PROTOCOL, name))
        subject.take(logged.event, logged.time, logged.received)
        changed = board.update(name, membership_of(subject.chart, subject.findings.values()))
        now = {key: board.row(key) for key in keys}
        assert {key for key in keys if now[key] != rows[key]} <= changed <= set(keys)
        assert board.rows() == [row for row in now.values() if row is not None]
        rows = now


def _slow(known: Sequence[Logged]) -> dict[str, Finding]:
    return slow_findings(known, high_water(known))
