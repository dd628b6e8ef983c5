"""Which version of a protocol judges a subject, and what an amendment changes for whom (rules.md §7)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from events.errors import EventRefused
from projections.rules.logic.trial_protocol import TrialProtocol
from tests.files.command_line import Outcome, explain, toxwatch
from tests.files.writing import Json, Site, lines
from tests.protocols.study import RELATED
from tests.protocols.two_versions import FOR_EVERYONE, PROTOCOL, VERSION_1, X, Y
from tests.rules.scenario import assess, decoded

AS_OF = "2024-09-01T00:00:00Z"
TIME = "2024-08-15T00:00:00Z"
MODULE = str(Path(__file__).with_name("two_versions.py"))


def site(subject: str = "IN001.A01", day_1: str = "2024-05-27", drug: str = "beta") -> Site:
    return Site(subject=subject, site="IN001", source="urn:hospital:1", trial="CTRI-2024-001", drug=drug, day_1=day_1)


def enrolled(enrolled: str = "2024-05-20", day_1: str = "2024-05-27", **data: Any) -> list[Json]:
    """In part X at dose level 1, and treated on day 1."""
    one = site(day_1=day_1)
    whole = {"part": "X", "dose_level": 1, "enrolled": enrolled, **data}
    return [one.enrolled(data=whole, time="2024-07-10T00:00:00Z"), one.dosed()]


def toxicity(day: str = "2024-06-16", **data: Any) -> Json:
    """Related nausea of grade 3 for two days: on day 21 of somebody treated on 27 May."""
    usual = {"term": "Nausea", "grade": 3, "onset": day, "end": day, "causality": RELATED}
    return site().ae(data={**usual, **data}, time=TIME)


def judged(events: list[Json], protocol: TrialProtocol = PROTOCOL, as_of: str = AS_OF) -> Json:
    return assess(decoded(events, protocol), as_of, protocol)


def the_case(events: list[Json], protocol: TrialProtocol = PROTOCOL) -> Json:
    (case,) = judged(events, protocol)["cases"]
    found: Json = case
    return found


def about_version(questions: list[str]) -> list[str]:
    return [question for question in questions if "version" in question]


def test_a_shorter_window_withdraws_nothing_of_somebody_treated_under_the_old_one() -> None:
    """Enrolled before the amendment: day 21 is in the window of 28 days, although the amendment has come since."""
    case = the_case([*enrolled(), toxicity()])
    assert (case["verdict"], case["protocol_version"], case["questions"]) == ("met", "1", [])


def test_who_is_enrolled_from_the_day_of_the_amendment_on_is_judged_by_it() -> None:
    """Day 14 is in the new window, day 15 is not."""
    after = enrolled("2024-06-01", day_1="2024-06-03")
    assert the_case([*after, toxicity("2024-06-16")])["protocol_version"] == "2"
    assert judged([*after, toxicity("2024-06-17")])["cases"] == []


@pytest.mark.parametrize(
    ("date", "version"),
    [
        ("2024-05-31", "1"),
        ("2024-06-01", "2"),
        ("2024-05-31T18:29:59Z", "1"),
        ("2024-05-31T18:30:00Z", "2"),
    ],
)
def test_a_version_is_in_force_from_local_midnight_in_the_time_zone_of_the_protocol(date: str, version: str) -> None:
    """In Kolkata, five and a half hours before it is midnight in Greenwich."""
    assert the_case([*enrolled(date), toxicity("2024-06-05")])["protocol_version"] == version


def test_the_enrolment_may_name_the_version() -> None:
    """Whatever its date says."""
    assert the_case([*enrolled(protocol_version="2"), toxicity("2024-06-05")])["protocol_version"] == "2"
    assert judged([*enrolled(protocol_version="2"), toxicity()])["cases"] == []
    assert the_case([*enrolled("2024-06-10", protocol_version="1"), toxicity()])["protocol_version"] == "1"


def test_a_version_that_is_not_configured_is_asked_about() -> None:
    """And the date decides."""
    result = judged([*enrolled(protocol_version="1.3"), toxicity()])
    assert [case["protocol_version"] for case in result["cases"]] == ["1"]
    (query,) = result["queries"]
    assert query["record"] == "enrolment"
    assert "'1.3', which is not configured (configured: 1, 2)" in query["question"]


def test_without_an_enrolment_day_1_decides_and_without_either_the_newest_version() -> None:
    """An adverse event of somebody of whom nothing else is on record may have been in the window."""
    assert the_case([site(day_1="2024-05-27").dosed(), toxicity()])["protocol_version"] == "1"
    assert the_case([site(day_1="2024-06-03").dosed(), toxicity("2024-06-10")])["protocol_version"] == "2"
    assert the_case([toxicity()])["protocol_version"] == "2"


def test_day_1_decides_also_by_a_drug_of_another_version() -> None:
    """Gamma is a drug of version 2 alone, and was given before it: that is asked about, and no day 1 under version 1."""
    result = judged([site(day_1="2024-05-27", drug="gamma").dosed(), toxicity()])
    assert [(case["protocol_version"], case["verdict"]) for case in result["cases"]] == [("1", "possible")]
    assert any("gamma is not a drug of version 1" in query["question"] for query in result["queries"])


def test_a_date_across_the_change_is_judged_by_each_and_the_stronger_verdict_stands() -> None:
    """Enrolled some time in May or June: day 21 is in the window of the old version alone. It is asked which one it is."""
    year = enrolled("2024")
    case = the_case([*year, toxicity()])
    assert (case["verdict"], case["protocol_version"], case["counts_as_dlt"]) == ("met", "1", True)
    (question,) = about_version(case["questions"])
    assert "version 2 came into force on 2024-06-01: judged by each." in question


def test_the_stronger_verdict_may_be_the_newer_versions() -> None:
    """With a longer window in the amendment, it is its verdict that stands."""
    longer = VERSION_1.amended("2", "2024-06-01", window_days=40)
    late = toxicity("2024-07-02")  # day 37
    assert judged([*enrolled(), late], longer)["cases"] == []
    case = the_case([*enrolled("2024"), late], longer)
    assert (case["verdict"], case["protocol_version"]) == ("met", "2")
    assert about_version(case["questions"])


def test_of_two_verdicts_alike_the_older_versions_stands_with_the_question() -> None:
    case = the_case([*enrolled("2024"), toxicity("2024-06-05")])
    assert (case["verdict"], case["protocol_version"]) == ("met", "1")
    assert about_version(case["questions"])


def test_nobodys_window_is_over_before_it_is_under_each_version_that_may_judge() -> None:
    """Seen on day 20: beyond the window of 14 days, within that of 28."""
    seen = site().visit("2024-06-15", time=TIME)
    assert judged([*enrolled(), seen])["cohorts"][0]["pending"] == 1
    assert judged([*enrolled(protocol_version="2"), seen])["cohorts"][0]["evaluable"] == 1
    result = judged([*enrolled("2024"), seen])
    assert result["cohorts"][0]["pending"] == 1
    assert [query["record"] for query in result["queries"]] == ["enrolment"]


def test_consent_to_the_amendment_moves_the_subject() -> None:
    """A later revision of the enrolment names the new version: its window and its clauses hold from then on."""
    lasting = toxicity("2024-05-30", grade=2, end="2024-06-08")
    again = site().enrolled(
        data={"revision": 2, "part": "X", "dose_level": 1, "enrolled": "2024-05-20", "protocol_version": "2"},
        time="2024-08-20T00:00:00Z",
    )
    assert the_case([*enrolled(), lasting])["clauses"] == {"TOX-LASTING": "met"}
    assert judged([*enrolled(), lasting, again])["cases"] == []
    before = judged([*enrolled(), lasting, again], as_of="2024-08-19T00:00:00Z")
    assert [case["protocol_version"] for case in before["cases"]] == ["1"]


def test_an_overrule_under_the_old_version_lapses_where_the_new_one_is_stricter() -> None:
    """What was no finding when the board decided is one now: somebody has to look again."""
    stricter = VERSION_1.amended("2", "2024-06-01", window_days=60)
    late = toxicity("2024-07-10")  # day 45
    at = "2024-08-16T00:00:00Z"
    ruling = site().adjudicated(
        "not-dlt",
        data={"decided": at, "signatures": [{"party": "committee", "by": "chair", "at": at}]},
        source="urn:board:india",
        time=at,
    )
    again = site().enrolled(
        data={"revision": 2, "part": "X", "dose_level": 1, "enrolled": "2024-05-20", "protocol_version": "2"},
        time="2024-08-20T00:00:00Z",
    )
    assert the_case([*enrolled(), late, ruling], stricter)["overruled"]
    case = the_case([*enrolled(), late, ruling, again], stricter)
    assert (case["verdict"], case["overruled"]) == ("met", False)
    assert any("Adjudicate again?" in question for question in case["questions"])


def test_another_version_of_ctcae_grades_every_result_anew() -> None:
    """ALT of ten times the limit over a raised baseline: grade 3 by the limit (4.03), grade 2 by the baseline (5.0)."""
    graded_otherwise = VERSION_1.amended("2", "2024-06-01", ctcae_version="5.0")
    baseline = site().lab("L-0", data={"value": 120, "collected": "2024-05-20"}, time=TIME)
    raised = site().lab("L-1", data={"value": 400, "collected": "2024-06-05"}, time=TIME)

    def grades(events: list[Json]) -> dict[str, int]:
        rows = judged([*events, baseline, raised], graded_otherwise)["lab_grades"]
        return {row["lab_id"]: row["grade"] for row in rows}

    assert grades(enrolled())["L-1"] == 3
    assert grades(enrolled(protocol_version="2"))["L-1"] == 2
    moved = site().enrolled(
        data={"revision": 2, "part": "X", "dose_level": 1, "enrolled": "2024-05-20", "protocol_version": "2"}, time=TIME
    )
    assert grades([*enrolled(), moved])["L-1"] == 2


def test_an_amendment_for_everyone_judges_everyone_anew() -> None:
    """Also who is enrolled under the old version by name."""
    assert the_case([*enrolled(), toxicity("2024-06-05")], FOR_EVERYONE)["protocol_version"] == "2"
    assert judged([*enrolled(), toxicity()], FOR_EVERYONE)["cases"] == []
    assert judged([*enrolled(protocol_version="1"), toxicity()], FOR_EVERYONE)["queries"] == []
    assert judged([*enrolled(protocol_version="1"), toxicity()], FOR_EVERYONE)["cases"] == []


def test_of_three_versions_each_judges_its_own() -> None:
    third = PROTOCOL.amended("3", "2024-07-01", window_days=7)
    events = {
        "1": enrolled("2024-05-20"),
        "2": enrolled("2024-06-10", day_1="2024-06-11"),
        "3": enrolled("2024-07-02", day_1="2024-07-03"),
    }
    onsets = {"1": "2024-06-05", "2": "2024-06-13", "3": "2024-07-05"}
    for version, before in events.items():
        assert the_case([*before, toxicity(onsets[version])], third)["protocol_version"] == version


def test_the_parts_are_the_protocols() -> None:
    """Part Y does not count and has no window; part Z is one of the amendment alone; and there is no part A."""
    case = the_case([*enrolled(part="Y"), toxicity("2024-08-10")])
    assert (case["population"], case["verdict"], case["counts_as_dlt"]) == ("part-y", "met", False)
    case = the_case([*enrolled(part=...), toxicity()])
    assert (case["population"], case["counts_as_dlt"]) == ("part-unknown", True)
    assert case["questions"] == ["Which part of the study is the subject in? Not on record: judged as Part X."]
    in_z = judged([*enrolled(part="Z", protocol_version="2"), toxicity("2024-06-05")])
    assert [(row["part"], row["dlts"]) for row in in_z["cohorts"]] == [("Z", 1)]
    with pytest.raises(EventRefused, match=r"data\.part: 'A' is not one of X, Y or Z"):
        _ = judged(enrolled(part="A"))


def test_a_part_that_the_judging_version_does_not_have_counts_and_is_asked_about() -> None:
    """Somebody in part Z, enrolled before there was one."""
    result = judged([*enrolled(part="Z"), toxicity()])
    (case,) = result["cases"]
    assert (case["population"], case["counts_as_dlt"]) == ("part-z", True)
    assert any("Version 1 of the protocol has no Part Z: judged as Part X." in text for text in case["questions"])


def run(command: list[Json], *arguments: str, environment: dict[str, str] | None = None) -> Outcome:
    whole = ("assess", "-", "--as-of", AS_OF, "--format", "json", *arguments)
    return toxwatch(*whole, stdin=lines(command), environment=environment)


def test_a_protocol_named_on_the_command_line_is_a_what_if_and_says_so() -> None:
    """It judges everybody by its newest version; as a setting, each subject is judged by their own."""
    events = [*enrolled(), toxicity("2024-06-05")]
    own = run(events, environment={"TOXWATCH_PROTOCOL": MODULE})
    assert [case["protocol_version"] for case in own.json["cases"]] == ["1"]
    assert own.err == ""
    what_if = run(events, "--protocol", MODULE)
    assert [case["protocol_version"] for case in what_if.json["cases"]] == ["2"]
    assert "what if: --protocol judges every subject by made-up-3 version 2" in what_if.words


def test_explain_names_the_version_that_judged() -> None:
    events = [*enrolled(), toxicity("2024-06-05")]
    outcome = explain(events, "ae:AE-1", "--protocol", MODULE, subject="IN001.A01", as_of=AS_OF)
    assert "every subject by made-up-3 version 2" in outcome.words
    assert "Judged by version 2 of the protocol." in outcome.words


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"version": "1"}, "version: two versions have the same name"),
        ({"effective": "2024-06"}, "effective: '2024-06' is not a day"),
        ({"trial": "NCT1"}, "trial: belongs to the trial, and no amendment changes it"),
        ({"window_days": 0}, "window_days: 0 is not a number of days"),
        ({"parts": (Y,)}, "parts: at least one has to count"),
        ({"parts": (X, replace(Y, name="x"))}, "parts: two have the same name"),
    ],
)
def test_an_amendment_that_cannot_be_meant_is_refused(changes: dict[str, Any], sentence: str) -> None:
    """With the field and the rule."""
    with pytest.raises(ValueError, match=sentence):
        VERSION_1.amended(**{"version": "2", "effective": "2024-06-01", **changes})


def test_versions_follow_each_other() -> None:
    with pytest.raises(ValueError, match="version '3' is in force from no later day than '2'"):
        PROTOCOL.amended("3", "2024-06-01")
