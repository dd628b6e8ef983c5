"""All charts of a trial: what is counted, what is kept, and what it comes to at an instant."""

from __future__ import annotations

import tracemalloc

import pytest

from events.dates import DAY, parse_instant
from projections.folds.kept_records import VisitDate
from projections.folds.subject_chart import SubjectChart
from projections.folds.trial_projection import TrialProjection
from projections.protocols.isi_jx import PROTOCOL
from projections.rules.facts.lab_results import LabResult
from tests.files.writing import FR01, Json, Site
from tests.folds.charts import AS_OF, chart_of, decoded

OURS = "urn:toxwatch:demo"


def trial(*events: Json) -> TrialProjection:
    made = TrialProjection(PROTOCOL)
    for event in events:
        logged = decoded(event)
        made.fold(logged.event, logged.time)
    return made


def test_every_event_counts_once_and_clock_events_do_not() -> None:
    """Those about no subject count too."""
    data = {"protocol": "isi-jx", "version": "1", "rules_version": "1", "sha256": "0" * 64}
    activated = FR01.event("protocol.activated", data, subject=..., site=..., source=OURS)
    clock = FR01.event("clock.reached", {"due": "2017-03-01T00:00:00Z", "case": "ae:AE-1"}, source=OURS)
    assert trial(*FR01.treated(), FR01.ae()).events == 3
    assert trial(*FR01.treated(), FR01.ae(), clock).events == 3
    assert trial(*FR01.treated(), FR01.ae(), activated).events == 4
    assert trial(activated).charts == {}


def test_subjects_come_in_order_and_cases_in_order_of_their_names() -> None:
    second = Site(subject="FR01-002")
    made = trial(*second.treated(), second.ae(), *FR01.treated(), FR01.ae("AE-2"), FR01.ae("AE-1"))
    assert [(case["subject"], case["case"]) for case in made.as_json(AS_OF)["cases"]] == [
        ("FR01-001", "ae:AE-1"),
        ("FR01-001", "ae:AE-2"),
        ("FR01-002", "ae:AE-1"),
    ]


def test_asking_at_one_instant_changes_nothing_at_another() -> None:
    """``as_json`` may be asked in any order of instants."""
    open_3 = {"grade": 3, "onset": "2017-02-20T10:00:00Z", "end": ..., "ongoing": True}
    made = trial(*FR01.treated(), FR01.ae(data=open_3, time="2017-02-21T00:00:00Z"))
    before, after = parse_instant("2017-02-27T09:59:59Z"), parse_instant("2017-02-27T10:00:00Z")
    told = [made.as_json(instant)["cases"][0]["verdict"] for instant in (before, after, before)]
    assert told == ["watch", "met", "watch"]


def test_an_empty_trial_has_nothing_to_say() -> None:
    assert trial().as_json(AS_OF) == {"cases": [], "lab_grades": [], "cohorts": [], "queries": []}


@pytest.mark.parametrize(
    ("event", "kept"),
    [
        (FR01.lab(data={"status": "not-done"}), None),
        (FR01.visit("2017-03-01", data={"status": "missed"}), None),
        (FR01.lab(), "2017-02-20"),
        (FR01.visit("2017-03-01"), "2017-03-01"),
        (FR01.lab(data={"status": "preliminary"}), "2017-02-20"),
    ],
)
def test_of_an_observation_a_chart_keeps_whether_and_when_it_was_made(event: Json, kept: str | None) -> None:
    """There may be a million of them; None where nothing was observed."""
    (history,) = chart_of([event]).records.values()
    observed = history[0].event
    if isinstance(observed, LabResult):
        date = observed.collected if observed.measured else None
    else:
        assert type(observed) is VisitDate
        date = observed.date
    assert (date is None) is (kept is None)
    if kept is not None:
        assert date is not None
        assert SubjectChart(PROTOCOL, "FR01-001").facts.span(kept).wall_lo == date.first


def test_a_result_costs_little_to_keep() -> None:
    """Under 600 bytes each, the event's own id included; whole events would take several times as much."""
    events = [decoded(FR01.lab(f"L-{number}")) for number in range(2000)]
    chart = SubjectChart(PROTOCOL, "FR01-001")
    tracemalloc.start()
    try:
        for logged in events:
            chart.fold(logged.event, logged.time)
        added = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert len(chart.records) == 2000
    assert added / 2000 < 600


def test_the_latest_observation_follows_every_correction() -> None:
    """Corrected to an earlier day, retracted, and in another time zone."""
    chart = chart_of([*FR01.treated(), FR01.visit("2017-03-01"), FR01.visit("2017-03-10", "V-2")])
    day_1 = chart.facts.zone.day_of(parse_instant("2017-02-13T12:00:00Z"))

    def latest() -> int:
        assert chart.observed_until is not None
        return (chart.facts.zone.day_of(chart.observed_until) - day_1) // DAY + 1

    assert latest() == 26
    for event, day in (
        (FR01.visit("2017-02-20", "V-2", data={"revision": 2}), 17),
        (FR01.retracted("visit", {"visit_id": "V-1"}), 8),
        (FR01.event("visit.retracted", {"visit_id": "V-2", "revision": 3, "reason": "error"}), 1),
        (FR01.lab(data={"collected": "2017-02-25"}), 13),
        (FR01.lab(data={"collected": "2017-02-25", "revision": 2, "status": "not-done"}), 1),
    ):
        logged = decoded(event)
        chart.fold(logged.event, logged.time)
        assert latest() == day


def test_the_high_water_is_the_greatest_time_of_all() -> None:
    """Clock events included, so that a late event never turns back a clock that has fired."""
    chart = chart_of([FR01.ae(time="2017-03-25T00:00:00Z"), FR01.visit("2017-03-01")])
    assert chart.high_water == parse_instant("2017-03-25T00:00:00Z")
    due = "2017-03-27T00:00:00Z"
    logged = decoded(FR01.event("clock.reached", {"due": due, "case": "x"}, source=OURS, time=due))
    assert not chart.fold(logged.event, logged.time)
    assert chart.high_water == parse_instant("2017-03-27T00:00:00Z")


def test_a_fold_names_the_cases_that_it_may_have_changed() -> None:
    """And no others: an event touches its case, not the history."""
    chart = chart_of([*FR01.treated(), FR01.ae(), FR01.ae("AE-2", data={"term": "Colitis"})])

    def touched(event: Json) -> set[str]:
        logged = decoded(event)
        return set(chart.fold(logged.event, logged.time))

    assert touched(FR01.ae("AE-3", data={"term": "Headache"})) == {"ae:AE-3"}
    assert touched(FR01.ae("AE-4", data={"term": "COLITIS "})) >= {"ae:AE-2", "ae:AE-4"}
    assert touched(FR01.ae("AE-5", data={"continues": "AE-1"})) >= {"ae:AE-1"}
    assert touched(FR01.visit("2017-03-01")) == set()
    assert touched(FR01.lab()) == {"lab:ALT", "lab:HY"}
    assert touched(FR01.lab("L-2", data={"test": "HCT"})) == {"lab:HCT"}
    assert touched(FR01.dosed("2017-02-12", data={"revision": 2}, time="2017-03-20T00:00:00Z")) >= {
        "ae:AE-1",
        "ae:AE-2",
    }
    assert touched(FR01.adjudicated("dlt", case="ae:AE-2")) == {"ae:AE-2"}
