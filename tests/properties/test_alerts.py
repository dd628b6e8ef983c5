"""The life of an alert: raised, revised, withdrawn, raised again, each step once and in order (events.md)."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby, pairwise
from typing import Any

import pytest

from events.alert import AlertData
from events.codec import Logged
from events.dates import parse_instant
from events.identity import derived_id
from projections.folds.alert_transition import AlertTransition
from projections.folds.findings import SubjectFindings
from projections.protocols.isi_jx import PROTOCOL
from projections.rules.cases.finding import Finding
from tests.properties.draws import Draw
from tests.properties.passing_time import LONG, WatchedSubject
from tests.properties.stories import UNRELATED, Monitor, on
from tests.properties.timelines import CLOCK, random_subject

BOTH = ("investigator", "sponsor")

#: What may follow what; None is the beginning.
LEGAL = {
    (None, "raised"),
    ("raised", "revised"),
    ("raised", "withdrawn"),
    ("revised", "revised"),
    ("revised", "withdrawn"),
    ("withdrawn", "raised"),
}


@pytest.mark.parametrize("seed", range(400))
def test_an_alert_goes_from_step_to_legal_step(seed: int) -> None:
    """Revisions count from 1, and each step names the verdict before it."""
    for case, steps in _by_case(_told(seed)).items():
        kinds = [None, *(step.kind for step in steps)]
        assert set(pairwise(kinds)) <= LEGAL
        assert [step.data.revision for step in steps] == list(range(1, len(steps) + 1))
        assert {step.data.alert_id for step in steps} == {derived_id(PROTOCOL.trial, "FR01-001", case)}
        standing = None
        for step in steps:
            assert step.data.previous_verdict == standing
            standing = None if step.kind == "withdrawn" else step.data.verdict


@pytest.mark.parametrize("seed", range(400))
def test_every_step_tells_something_new_and_says_why(seed: int) -> None:
    """What is raised or revised is possible or met, says why and by what it was caused; no two steps have one id."""
    told = _told(seed)
    events = {(logged.event.source, logged.event.id) for logged in random_subject(seed)}
    assert len({step.event_id for step in told}) == len(told)
    for steps in _by_case(told).values():
        for before, after in zip([None, *steps], steps, strict=False):
            assert after.data.reasons
            assert after.event_id == derived_id(after.data.alert_id, str(after.data.revision), after.kind)
            assert (after.data.caused_by.source, after.data.caused_by.id) in events
            if after.kind != "withdrawn":
                assert after.data.verdict in ("possible", "met")
                assert after.data.evidence
                assert (after.data.urgency == "urgent") == (after.data.verdict == "met")
            if before is not None and after.kind == "revised":
                assert _news(before.data) != _news(after.data)


@pytest.mark.parametrize("seed", range(400))
def test_what_stands_of_the_alerts_is_what_the_findings_alert(seed: int) -> None:
    """After every event, and after every tick of the clock to the end."""
    subject = WatchedSubject()
    for logged in sorted(random_subject(seed), key=lambda logged: (logged.time, logged.event.id)):
        for _ in subject.tick(until=logged.time):
            _alerts_are_the_findings(subject)
        subject.take(logged)
        _alerts_are_the_findings(subject)
    for _ in subject.tick(until=subject.standing.chart.high_water + LONG):
        _alerts_are_the_findings(subject)


@pytest.mark.parametrize("seed", range(100))
def test_the_same_events_in_the_same_order_tell_the_same(seed: int) -> None:
    assert _told(seed) == _told(seed)


@pytest.mark.parametrize("seed", range(300))
def test_a_redelivered_event_tells_nothing(seed: int) -> None:
    """At once, or much later; and what follows is told as if it had not come."""
    draw = Draw(seed)
    subject = SubjectFindings(PROTOCOL, "FR01-001")
    told: list[AlertTransition] = []
    taken: list[Logged] = []
    for logged in random_subject(seed):
        told += subject.take(logged.event, logged.time, logged.time)
        taken.append(logged)
        for again in (logged, draw.one_of(taken)):
            assert subject.take(again.event, again.time, again.time) == []
    assert told == _told(seed)


@pytest.mark.parametrize("seed", range(200))
def test_what_is_told_does_not_depend_on_where_batches_are_cut(seed: int) -> None:
    """Each batch is detected when it is read, and the last of it is read again after a restart; nothing else differs."""
    draw = Draw(seed)
    events = random_subject(seed)
    cuts = sorted({draw.number(0, len(events)) for _ in range(3)} | {0, len(events)})
    subject = SubjectFindings(PROTOCOL, "FR01-001")
    told: list[AlertTransition] = []
    for number, (start, end) in enumerate(pairwise(cuts)):
        for logged in events[max(0, start - 2) : end]:
            told += subject.take(logged.event, logged.time, detected_at=number)
        assert subject.next_due is None or subject.next_due > subject.chart.high_water
    assert [_undated(step) for step in told] == [_undated(step) for step in _told(seed)]


def test_a_grade_4_related_in_the_window_is_raised_as_urgent() -> None:
    monitor = Monitor()
    assert monitor.reports(on(6)) == ["raised 1 met"]
    assert monitor.latest().clauses == {"DLT-1": "met"}
    assert monitor.latest().urgency == "urgent"
    assert monitor.latest().counts_as_dlt
    assert monitor.latest().previous_verdict is None


def test_a_missing_causality_is_raised_as_possible_with_its_question() -> None:
    monitor = Monitor()
    assert monitor.reports(on(6), causality=None) == ["raised 1 possible"]
    assert monitor.latest().urgency == "prompt"
    assert not monitor.latest().counts_as_dlt
    assert any("pexa-vec" in question for question in monitor.latest().questions)


@pytest.mark.parametrize("said", [{"grade": 2}, {"causality": UNRELATED}, {"onset": "2017-02-05", "end": "2017-02-06"}])
def test_what_meets_no_clause_is_not_raised(said: dict[str, Any]) -> None:
    assert Monitor().reports(on(6), **said) == []


def test_a_watch_is_raised_only_when_its_time_has_come() -> None:
    """Grade 3 since day 3 at 10:00: a week later it is met, to the hour."""
    monitor = Monitor()
    assert monitor.reports(on(5), grade=3, onset=on(3, 10), end=None) == []
    assert monitor.standing.findings["ae:AE-1"].verdict == "watch"
    assert monitor.time_passes(until=on(10, 9)) == []
    assert monitor.time_passes(until=on(20)) == ["raised 1 met"]
    assert monitor.reached == parse_instant(on(10, 10))
    assert monitor.latest().caused_by.source == CLOCK
    assert monitor.latest().basis == "presumed-ongoing"


def test_flu_like_symptoms_that_respond_are_not_even_watched() -> None:
    monitor = Monitor()
    assert monitor.reports(on(5), grade=3, end=None, flu_like=True, responded_to_therapy=True) == []
    assert monitor.standing.findings == {}
    assert monitor.time_passes(until=on(30)) == []


def test_a_watch_from_a_bare_date_is_raised_as_possible_and_a_day_later_revised() -> None:
    monitor = Monitor()
    assert monitor.reports(on(5), grade=3, onset="2017-02-15", end=None) == []
    assert monitor.time_passes(until=on(20)) == ["raised 1 possible", "revised 2 met"]
    assert monitor.latest().previous_verdict == "possible"
    assert monitor.reached == parse_instant("2017-02-23T00:00:00+01:00")


def test_a_late_event_leaves_a_fired_clock_fired() -> None:
    """It was recorded while the case was on watch still, and arrives when it is met."""
    monitor = Monitor()
    monitor.reports(on(5), grade=3, onset=on(3, 10), end=None)
    monitor.time_passes(until=on(20))
    visit = {"visit_id": "V-1", "revision": 1, "name": "W1D5", "date": on(5), "status": "completed"}
    assert monitor.sends("visit.recorded", on(6), visit) == []
    assert monitor.reports(on(6), revision=2, grade=3, onset=on(3, 10), end=None) == ["revised 2 met"]
    assert monitor.latest().telling == "silent"
    assert monitor.standing.findings["ae:AE-1"].verdict == "met"


@pytest.mark.parametrize("cause", [None, {"investigator": {"pexa-vec": "unclassifiable", "ipilimumab": "unrelated"}}])
def test_possible_and_met_are_revisions_of_one_alert(cause: dict[str, Any] | None) -> None:
    monitor = Monitor()
    assert monitor.reports(on(6), causality=cause) == ["raised 1 possible"]
    assert monitor.reports(on(7), revision=2) == ["revised 2 met"]
    assert monitor.latest().previous_verdict == "possible"
    assert monitor.reports(on(8), revision=3, causality=cause) == ["revised 3 possible"]
    assert monitor.latest().previous_verdict == "met"


def test_one_more_clause_is_a_revision() -> None:
    monitor = Monitor()
    monitor.reports(on(6))
    assert monitor.reports(on(7), revision=2, immune_related=True, organs=["heart"]) == ["revised 2 met"]
    assert monitor.latest().clauses == {"DLT-1": "met", "DLT-3": "met"}
    assert monitor.reports(on(8), revision=3) == ["revised 3 met"]
    assert monitor.latest().clauses == {"DLT-1": "met"}


def test_the_same_said_again_is_no_news() -> None:
    """It rests on another event, which is shown and wakes nobody."""
    monitor = Monitor()
    monitor.reports(on(6))
    assert monitor.reports(on(7), revision=2) == ["revised 2 met"]
    assert (monitor.latest().news, monitor.latest().telling) == (False, "silent")
    assert [change.what for change in monitor.latest().changes] == ["evidence"]


def test_a_death_is_news() -> None:
    """Grade 4 to 5: no clause is stronger, and everybody must hear of it."""
    monitor = Monitor()
    monitor.reports(on(6))
    assert (monitor.latest().worst_grade, monitor.latest().changes) == (4, [])
    assert monitor.reports(on(8), revision=2, grade=5) == ["revised 2 met"]
    assert (monitor.latest().worst_grade, monitor.latest().news) == (5, True)
    (worst, *_) = monitor.latest().changes
    assert (worst.what, worst.before, worst.after) == ("worst grade", "4", "5")
    assert worst.by == monitor.latest().caused_by


def test_what_is_weaker_is_told_quietly() -> None:
    """One clause less, or a lower grade: those who were told hear of it, and nobody is woken."""
    monitor = Monitor()
    monitor.reports(on(6), grade=5)
    assert monitor.reports(on(7), revision=2, grade=4) == ["revised 2 met"]
    assert (monitor.latest().news, monitor.latest().telling) == (False, "quiet")


def test_a_withdrawal_says_which_clauses_there_were_and_what_ended_them() -> None:
    """And which event did it; raised again, the alert says what it is now."""
    monitor = Monitor()
    monitor.reports(on(6))
    monitor.reports(on(7), revision=2, grade=2)
    (clause, *_) = monitor.latest().changes
    assert (clause.what, clause.before, clause.after) == ("DLT-1", "met", "no")
    assert clause.by == monitor.latest().caused_by
    monitor.reports(on(8), revision=3, grade=4)
    assert [(one.what, one.before, one.after) for one in monitor.latest().changes] == [("DLT-1", "no", "met")]
    assert monitor.latest().news


def test_a_downgraded_toxicity_is_withdrawn_with_a_reason() -> None:
    monitor = Monitor()
    monitor.reports(on(6))
    assert monitor.reports(on(7), revision=2, grade=2) == ["withdrawn 2 None"]
    assert monitor.latest().reasons
    assert monitor.latest().previous_verdict == "met"


def test_back_to_a_watch_is_withdrawn_until_its_time_comes() -> None:
    monitor = Monitor()
    monitor.reports(on(6))
    assert monitor.reports(on(7), revision=2, grade=3, end=None) == ["withdrawn 2 watch"]
    assert monitor.time_passes(until=on(12)) == ["raised 3 met"]
    assert monitor.latest().previous_verdict is None


def test_a_retracted_toxicity_is_withdrawn_and_raised_again_when_revived() -> None:
    """A retraction older than the record is ignored."""
    monitor = Monitor()
    monitor.reports(on(6), revision=2)
    assert monitor.retracts(on(7), revision=1) == []
    assert monitor.retracts(on(8), revision=3) == ["withdrawn 2 None"]
    assert monitor.latest().reasons
    assert monitor.latest().caused_by.id == monitor.known[-1].event.id
    assert monitor.reports(on(9), revision=4) == ["raised 3 met"]


def test_an_overruled_case_is_withdrawn_and_keeps_its_verdict() -> None:
    monitor = Monitor()
    monitor.reports(on(6))
    assert monitor.rules("ADJ-1", "not-dlt", on(8), *BOTH) == ["withdrawn 2 met"]
    assert "overruled" in monitor.latest().reasons[0]
    assert not monitor.latest().counts_as_dlt
    assert monitor.standing.findings["ae:AE-1"].overruled


@pytest.mark.parametrize("signed", [(), ("investigator",), ("sponsor",)])
def test_a_ruling_not_fully_signed_withdraws_nothing(signed: tuple[str, ...]) -> None:
    monitor = Monitor()
    monitor.reports(on(6))
    assert monitor.rules("ADJ-1", "not-dlt", on(8), *signed) == ["revised 2 met"]
    assert monitor.latest().telling == "silent"
    assert not monitor.standing.findings["ae:AE-1"].overruled


@pytest.mark.parametrize("said", [{"grade": 5}, {"immune_related": True, "organs": ["heart"]}, {"end": on(15)}])
def test_an_overrule_lapses_when_more_is_known_than_was_then(said: dict[str, Any]) -> None:
    """A higher grade, another clause, a longer duration: raised again, with the next revision and the question."""
    monitor = Monitor()
    monitor.reports(on(6))
    monitor.rules("ADJ-1", "not-dlt", on(8), "committee")
    assert monitor.reports(on(16), revision=2, **said) == ["raised 3 met"]
    assert any("Adjudicate again" in question for question in monitor.latest().questions)


def test_an_overrule_covers_what_was_recorded_before_it_and_arrives_after_it() -> None:
    monitor = Monitor()
    monitor.reports(on(6))
    monitor.rules("ADJ-1", "not-dlt", on(8), *BOTH)
    assert monitor.reports(on(7), revision=2, grade=5) == []
    assert monitor.standing.findings["ae:AE-1"].overruled


def test_an_overrule_lifted_by_a_later_ruling_is_raised_again() -> None:
    """Even unsigned: somebody says dose-limiting."""
    monitor = Monitor()
    monitor.reports(on(6))
    monitor.rules("ADJ-1", "not-dlt", on(8), *BOTH)
    assert monitor.rules("ADJ-2", "dlt", on(9)) == ["raised 3 met"]
    assert monitor.latest().clauses == {"DLT-1": "met", "DLT-5": "possible"}


def test_a_part_corrected_from_a_to_b_is_a_revision() -> None:
    """A safety signal still, and no longer counted."""
    monitor = Monitor(part="A")
    monitor.reports(on(6))
    assert monitor.latest().population == "part-a"
    assert monitor.enrolled(part="B", revision=2, time=on(8)) == ["revised 2 met"]
    assert monitor.latest().population == "part-b"
    assert not monitor.latest().counts_as_dlt


@pytest.mark.parametrize(
    ("said", "urgency"),
    [
        ({}, "routine"),
        ({"serious": False}, "routine"),
        ({"serious": True}, "prompt"),
        ({"seriousness": ["hospitalisation"]}, "prompt"),
        ({"seriousness": ["life-threatening"]}, "prompt"),
        ({"causality": None}, "prompt"),
        ({"onset": None}, "prompt"),
    ],
)
def test_only_a_missing_grade_and_nothing_serious_is_routine(said: dict[str, Any], urgency: str) -> None:
    """One more thing missing, or anything that says serious, and it is told at once."""
    monitor = Monitor()
    assert monitor.reports(on(6), grade=None, **said) == ["raised 1 possible"]
    assert monitor.latest().urgency == urgency


def test_a_routine_alert_stays_routine_however_long_its_grade_is_missing() -> None:
    """After a week the duration is in doubt too, and for no other reason."""
    monitor = Monitor()
    assert monitor.reports(on(5), grade=None, end=None) == ["raised 1 possible"]
    assert monitor.latest().urgency == "routine"
    assert monitor.time_passes(until=on(20)) == ["revised 2 possible"]
    assert monitor.latest().clauses == {"DLT-1": "possible", "DLT-2": "possible"}
    assert monitor.latest().urgency == "routine"


def test_a_routine_alert_that_turns_serious_is_revised() -> None:
    monitor = Monitor()
    monitor.reports(on(6), grade=None)
    assert monitor.reports(on(7), revision=2, grade=None, serious=True) == ["revised 2 possible"]
    assert monitor.latest().urgency == "prompt"


def test_two_subjects_have_alerts_of_their_own() -> None:
    """The id is derived from trial, subject and case, and that of a step from alert, revision and kind."""
    monitor = Monitor()
    monitor.reports(on(6))
    namesake = SubjectFindings(PROTOCOL, "FR01-002")
    told = [step for event, time, _ in monitor.known for step in namesake.take(event, time, time)]
    assert [step.data.case for step in told] == [step.data.case for step in monitor.transitions]
    assert {step.data.alert_id for step in told}.isdisjoint(step.data.alert_id for step in monitor.transitions)
    assert {step.event_id for step in told}.isdisjoint(step.event_id for step in monitor.transitions)


def _told(seed: int) -> list[AlertTransition]:
    """Every step of every alert, as the events of a timeline arrive."""
    subject = SubjectFindings(PROTOCOL, "FR01-001")
    return [step for event, time, _ in random_subject(seed) for step in subject.take(event, time, time)]


def _by_case(steps: Iterable[AlertTransition]) -> dict[str, list[AlertTransition]]:
    ordered = sorted(steps, key=lambda step: step.data.case)
    return {case: list(group) for case, group in groupby(ordered, key=lambda step: step.data.case)}


def _alerts_are_the_findings(subject: WatchedSubject) -> None:
    standing: dict[str, AlertData] = {}
    for step in subject.transitions:
        if step.kind == "withdrawn":
            del standing[step.data.case]
        else:
            standing[step.data.case] = step.data
    alerting = {case: finding for case, finding in subject.standing.findings.items() if finding.alerts}
    assert {case: _news(data) for case, data in standing.items()} == {
        case: _news(finding) for case, finding in alerting.items()
    }


def _news(told: AlertData | Finding) -> object:
    """What an alert says: all that a finding does, its wording and what is on watch aside."""
    clauses = {clause: verdict for clause, verdict in told.clauses.items() if verdict != "watch"}
    facts = (told.urgency, told.population, told.dose_level, told.counts_as_dlt, told.worst_grade, told.occurrences)
    return told.verdict, clauses, *facts, {*told.questions}, {(ref.source, ref.id) for ref in told.evidence}


def _undated(step: AlertTransition) -> AlertTransition:
    return step._replace(data=step.data.model_copy(update={"detected_at": ""}))
