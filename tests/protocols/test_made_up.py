"""MADE-UP-1, the second protocol that is bundled: everything about it is its own, and only its page knows ISI-JX's from its."""

from __future__ import annotations

from typing import Any

import pytest

from tests.architecture.sources import modules
from tests.files import command_line
from tests.files.command_line import Outcome
from tests.files.writing import FR01, Json, Site

NAME = "made-up"
AS_OF = "2024-12-01T00:00:00Z"
TIME = "2024-11-01T00:00:00Z"
RELATED = {"investigator": {"lumavir": "related"}}
CHICAGO = Site(
    subject="US01.A001", site="US01", source="urn:site:US01:edc", trial="MADE-UP-1", drug="lumavir", day_1="2024-05-10"
)
#: Where a trial may be named: on its page, by the simulator of one, and in the examples of the published documents.
MAY_NAME = ("projections/protocols/", "services/simulator/", "services/api/event_examples.py")


def treated(part: str) -> list[Json]:
    data = {"part": part, "dose_level": 1, "enrolled": "2024-05-01"}
    return [CHICAGO.enrolled(data=data, time="2024-05-01T12:00:00Z"), CHICAGO.dosed()]


def ae(**data: Any) -> Json:
    """Related nausea of grade 3 from day 6 to day 12."""
    usual = {"term": "Nausea", "grade": 3, "onset": "2024-05-15", "end": "2024-05-21", "causality": RELATED}
    return CHICAGO.ae("AE-1", data={**usual, **data}, time=TIME)


def assess(*events: Json) -> Outcome:
    return command_line.assess(events, "--protocol", NAME, "--lab-grades", "all", as_of=AS_OF)


def case_of(*events: Json) -> Json | None:
    outcome = assess(*events)
    assert outcome.json["refused"] == []
    cases: list[Json] = outcome.json["cases"]
    return cases[0] if cases else None


def test_it_is_bundled_and_judges_by_its_own_clauses() -> None:
    """Grade 3 for over 3 days is its own limit; ISI-JX's are 7."""
    outcome = assess(*treated("escalation"), ae())
    assert (outcome.json["protocol"], outcome.json["protocol_version"]) == (NAME, "1.0")
    (case,) = outcome.json["cases"]
    assert (case["clauses"], case["counts_as_dlt"]) == ({"NON-HAEM": "met"}, True)
    assert [(row["part"], row["dlts"]) for row in outcome.json["cohorts"]] == [("escalation", 1)]


def test_events_of_the_other_trial_are_refused() -> None:
    """Either way round."""
    assert len(assess(*FR01.treated(), FR01.ae()).json["refused"]) == 3
    assert len(command_line.assess([*treated("escalation"), ae()], as_of=AS_OF).json["refused"]) == 3


@pytest.mark.parametrize(
    ("part", "onset", "end", "found"),
    [
        ("escalation", "2024-06-06", "2024-06-20", True),  # day 28
        ("escalation", "2024-06-07", "2024-06-20", False),  # day 29
        ("backfill", "2024-07-04", "2024-07-10", True),  # day 56
        ("backfill", "2024-07-05", "2024-07-10", False),  # day 57
        ("expansion", "2024-10-01", "2024-10-10", True),
    ],
)
def test_each_part_has_its_own_window(part: str, onset: str, end: str, found: bool) -> None:
    """28 days, 56 days, and none that ends."""
    case = case_of(*treated(part), ae(onset=onset, end=end))
    assert (case is not None and case["verdict"] == "met") == found
    if case is not None:
        assert (case["population"], case["counts_as_dlt"]) == (f"part-{part}", part == "escalation")


def test_days_are_those_of_its_sites() -> None:
    """Day 1 ends at midnight in Chicago, when it is 7 o'clock in the morning in Paris."""
    before, after = "2024-06-07T03:00:00Z", "2024-06-07T06:00:00Z"  # 22:00 of day 28, 1:00 of day 29
    assert case_of(*treated("escalation"), ae(onset=before, end="2024-06-20")) is not None
    assert case_of(*treated("escalation"), ae(onset=after, end="2024-06-20")) is None


def test_results_are_graded_by_its_version_of_ctcae() -> None:
    """Glucose of 15 mmol/L is grade 3 by value in v4.03; v5.0 asks what was done about it."""
    result = {
        "test": "GLUC",
        "value": 15,
        "unit": "mmol/L",
        "lln": 4,
        "uln": 6,
        "fasting": True,
        "collected": "2024-05-20",
    }
    here = assess(*treated("escalation"), CHICAGO.lab("L-1", data=result, time=TIME)).json["lab_grades"]
    theirs = {**result, "collected": "2017-02-20"}
    events = [*FR01.treated(), FR01.lab("L-1", data=theirs)]
    there = command_line.assess(events, "--lab-grades", "all", as_of=AS_OF).json["lab_grades"]
    bounds = [(one["grade_min"], one["grade_max"]) for one in (*here, *there) if one["direction"] == "high"]
    assert bounds == [(0, 1), (3, 3)]


def test_only_pages_name_a_trial() -> None:
    """No rule, no store and no service has the id, a drug or a clause of either protocol in its code."""
    words = ("NCT02977156", "MADE-UP-1", "pexa-vec", "ipilimumab", "lumavir")
    naming = {
        module.name: [word for word in words if f'"{word}"' in module.text]
        for module in modules("events", "projections", "services")
        if not module.name.startswith(MAY_NAME)
    }
    assert {name: found for name, found in naming.items() if found} == {}
