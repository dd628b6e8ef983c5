"""``toxwatch assess``: what goes in, what was known when, and what comes out."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from events.dates import parse_instant
from projections.protocols.isi_jx import PROTOCOL
from tests.files.command_line import AS_OF, assess, toxwatch
from tests.files.writing import FR01, Json, Site, lines, write

CASE_KEYS = {
    "subject": str,
    "case": str,
    "verdict": (str, type(None)),
    "clauses": dict,
    "population": str,
    "dose_level": (int, type(None)),
    "counts_as_dlt": bool,
    "overruled": bool,
    "due": (str, type(None)),
    "basis": (str, type(None)),
    "last_confirmed": (str, type(None)),
    "urgency": str,
    "adjudications": list,
    "reasons": list,
    "questions": list,
    "evidence": list,
    "protocol_version": str,
}
COHORT_KEYS = {
    "part": str,
    "dose_level": (int, type(None)),
    "treated": int,
    "evaluable": int,
    "pending": int,
    "replaceable": int,
    "dlts": int,
    "hold": bool,
    "decision": (str, type(None)),
    "best_case": (str, type(None)),
    "worst_case": (str, type(None)),
    "pending_reasons": dict,
}
SHAPES: dict[str, dict[str, Any]] = {
    "cases": CASE_KEYS,
    "cohorts": COHORT_KEYS,
    "queries": {"subject": str, "record": str, "question": str},
    "refused": {"file": str, "line": int, "id": (str, type(None)), "error": str, "urgent": bool},
}


def story() -> list[Json]:
    """A DLT, an overruled case, an open one, somebody pending, a data query, and a line that is refused."""
    second, third = Site(subject="FR01-002"), Site(subject="FR02-001", site="FR02")
    return [
        *FR01.treated(),
        FR01.ae(),
        FR01.adjudicated("dlt"),
        *second.treated(dose_level=...),
        second.ae("AE-2", data={"grade": 3, "end": ..., "ongoing": True, "outcome": "recovered"}),
        *third.treated(),
        third.ae(data={"causality": ...}),
        third.ae("AE-9", data={"grade": 7}),
    ]


def test_the_json_has_exactly_the_keys_of_the_contract() -> None:
    """EVENTS: other people's programs read it."""
    result = assess(story()).json
    assert list(result) == [
        "as_of",
        "protocol",
        "protocol_version",
        "events",
        "cases",
        "lab_grades",
        "cohorts",
        "queries",
        "refused",
    ]
    assert (result["as_of"], result["protocol"], result["protocol_version"]) == (AS_OF, "isi-jx", PROTOCOL.version)
    assert result["events"] == len(story()) - 1
    assert result["lab_grades"] == []


@pytest.mark.parametrize("name", SHAPES)
def test_each_row_has_exactly_its_keys_and_types(name: str) -> None:
    """And a boolean is no number."""
    rows = assess(story()).json[name]
    assert rows, f"the story has no {name}"
    for row in rows:
        assert list(row) == list(SHAPES[name])
        for key, kind in SHAPES[name].items():
            assert isinstance(row[key], kind), (key, row[key])
            assert kind is bool or not isinstance(row[key], bool), key


def test_an_adjudicated_case_lists_who_decided_what() -> None:
    (case,) = (case for case in assess(story()).json["cases"] if case["subject"] == "FR01-001")
    assert case["clauses"] == {"DLT-1": "met", "DLT-5": "met"}
    assert case["adjudications"] == [
        {
            "adjudication_id": "ADJ-1",
            "verdict": "dlt",
            "decided": "2017-03-20T08:00:00Z",
            "effective": True,
            "parties": ["investigator", "sponsor"],
        }
    ]
    assert {"source": "urn:sponsor:clb:safety", "id": "FR01-001.dlt.adjudicated.ADJ-1.r1"} in case["evidence"]
    assert all(set(evidence) == {"source", "id"} for evidence in case["evidence"])


def test_a_log_in_pieces_is_one_log(tmp_path: Path) -> None:
    """Files in the order given, standard input among them."""
    events = story()
    first, last = write(tmp_path / "a.ndjson", events[:4]), write(tmp_path / "c.ndjson", events[7:])
    in_pieces = toxwatch(
        "assess", first, "-", last, "--as-of", AS_OF, "--format", "json", stdin=lines(events[4:7])
    ).json
    whole = assess(events).json
    assert in_pieces["refused"] == [{**whole["refused"][0], "file": last, "line": len(events) - 7}]
    assert {**in_pieces, "refused": []} == {**whole, "refused": []}


def test_the_order_of_lines_is_immaterial() -> None:
    forward, backward = assess(story()).json, assess(reversed(story())).json
    assert {**forward, "refused": []} == {**backward, "refused": []}


@pytest.mark.parametrize(
    ("as_of", "events", "cases"),
    [
        ("2017-02-06T11:59:59Z", 0, []),
        ("2017-02-06T12:00:00Z", 1, []),
        ("2017-03-20T08:59:59.999999Z", 2, []),
        ("2017-03-20T09:00:00Z", 3, ["ae:AE-1"]),
        ("2017-03-20T10:00:00+01:00", 3, ["ae:AE-1"]),
        ("2017-03-20t09:00:00z", 3, ["ae:AE-1"]),
    ],
)
def test_what_was_recorded_later_is_not_yet_known(as_of: str, events: int, cases: list[str]) -> None:
    """An event is known from its ``time`` on, the instant itself included."""
    result = assess([*FR01.treated(), FR01.ae()], as_of=as_of).json
    assert result["events"] == events
    assert [case["case"] for case in result["cases"]] == cases


@pytest.mark.parametrize(("axis", "known"), [("recorded", True), ("received", False)])
def test_between_recording_and_receipt_the_axes_differ(axis: str, known: bool) -> None:
    """A site that was offline: it knew of the toxicity on 20 March, we on 28 March."""
    events = [*FR01.treated(), FR01.ae(receivedtime="2017-03-28T00:00:00Z")]
    result = assess(events, "--as-of-axis", axis, as_of="2017-03-27T00:00:00Z").json
    assert bool(result["cases"]) is known
    assert result["events"] == 2 + known
    assert assess(events, "--as-of-axis", axis, as_of="2017-03-28T00:00:00Z").json["cases"] != []


def test_without_a_receipt_the_recording_stands_for_it() -> None:
    for as_of, cases in (("2017-03-20T08:59:59Z", 0), ("2017-03-20T09:00:00Z", 1)):
        result = assess([*FR01.treated(), FR01.ae()], "--as-of-axis", "received", as_of=as_of).json
        assert len(result["cases"]) == cases


def test_without_as_of_it_is_now() -> None:
    """To the second at which it runs."""
    before = datetime.now(UTC)
    result = toxwatch("assess", "-", "--format", "json", stdin=lines(FR01.treated())).json
    told = datetime.fromisoformat(result["as_of"])
    assert before <= told <= datetime.now(UTC)
    assert parse_instant(result["as_of"])


def test_clock_events_are_not_counted_and_a_protocol_is_counted_once() -> None:
    """EVENTS: ``protocol.activated`` is written to every partition under one id."""
    clock = FR01.event("clock.reached", {"due": "2017-03-01T00:00:00Z", "case": "ae:AE-1"}, source="urn:toxwatch:demo")
    assert assess([*FR01.treated(), clock, _activated(), _activated()]).json["events"] == 3


@pytest.mark.parametrize("subject", ["FR01-001", ["FR01-001"], {"a": 1}, 7, None], ids=str)
def test_a_protocol_activation_that_names_a_subject_is_about_none_or_refused(subject: object) -> None:
    """It may have no subject. Whether that is ignored or refused, the run goes on and the id is counted once."""
    outcome = assess([*FR01.treated(), FR01.ae(), _activated(), {**_activated(), "subject": subject}])
    assert outcome.code in (0, 2)
    assert outcome.json["events"] == 4
    assert [case["case"] for case in outcome.json["cases"]] == ["ae:AE-1"]


def _activated() -> Json:
    data = {"protocol": "isi-jx", "version": "1", "rules_version": "1", "sha256": "0" * 64}
    about_nobody = {"subject": ..., "site": ..., "id": "p-1", "source": "urn:toxwatch:demo"}
    return FR01.event("protocol.activated", data, **about_nobody)


def test_the_table_shows_cases_board_and_questions() -> None:
    """For people: every case with its clauses and reasons, every cohort with its decision."""
    outcome = toxwatch("assess", "-", "--as-of", AS_OF, stdin=lines(story()))
    assert outcome.code == 2
    for told in (
        "isi-jx version 1, as of 2017-04-01T00:00:00Z, 10 events",
        "Cases",
        "FR01-001 ae:AE-1 met DLT-1 met, DLT-5 met A 2 yes",
        "FR01-002 ae:AE-2 met DLT-2 met A - yes",
        "possible",
        "Is it related to ipilimumab?",
        "Cohorts",
        "treated evaluable pending replaceable DLTs decision best worst",
        "A 2 2 1 1 0 1 pending pending stop",
        "A - 1 1 0 0 1 - - -",
        "pending FR02-001: ae:AE-1 is open: DLT-1 possible",
        "1 data query:",
        "FR01-002 ae:AE-2: It is ongoing, yet its outcome is recovered: is it over, and since when?",
        "1 line refused, listed on standard error",
        "-:11: URGENT refused (id FR02-001.ae.reported.AE-9.r1): data.grade: 7 is not a CTCAE grade 1-5",
    ):
        assert told in outcome.words, told


def test_a_level_on_hold_and_an_overruled_case_are_named_in_the_table() -> None:
    second, third = Site(subject="FR01-002"), Site(subject="FR01-003")
    events = [event for site in (FR01, second, third) for event in (*site.treated(), site.ae())]
    decided = {"decided": "2017-03-20T12:00:00Z"}
    events.append(third.adjudicated("not-dlt", time="2017-03-21T00:00:00Z", data=decided))
    words = toxwatch("assess", "-", "--as-of", AS_OF, stdin=lines(events)).words
    assert "stop HOLD stop stop" in words
    assert "FR01-003 ae:AE-1 overruled DLT-1 met A 2 no" in words


@pytest.mark.parametrize(
    ("choice", "listed"),
    [("none", []), ("abnormal", ["L-2", "L-3"]), ("all", ["L-1", "L-2", "L-3", "L-4"])],
)
def test_laboratory_grades_can_be_asked_for(choice: str, listed: list[str]) -> None:
    """None, those that are not certainly normal, or all, tests without a criterion included."""
    results = [
        FR01.lab(),
        FR01.lab("L-2", data={"value": 201}),
        FR01.lab("L-3", data={"unit": "furlong"}),
        FR01.lab("L-4", data={"test": "HCT"}),
    ]
    outcome = assess([*FR01.treated(), *results], "--lab-grades", choice)
    assert (outcome.code, sorted(row["lab_id"] for row in outcome.json["lab_grades"])) == (0, listed)


def test_a_laboratory_grade_has_the_keys_of_the_contract() -> None:
    """A direction where it is graded, none where it cannot be; the bounds and the reason beside the grade."""
    rows = assess([*FR01.treated(), FR01.lab(data={"value": 201}), FR01.lab("L-2", data={"unit": "x"})]).json[
        "lab_grades"
    ]
    keys = ["subject", "lab_id", "test", "direction", "grade", "grade_min", "grade_max", "why"]
    assert [list(row) for row in rows] == [keys, keys]
    assert [[row[key] for key in keys[1:7]] for row in rows] == [
        ["L-1", "ALT", "high", 3, 3, 3],
        ["L-2", "ALT", None, None, None, None],
    ]


def test_the_table_counts_laboratory_grades() -> None:
    events = [*FR01.treated(), FR01.lab(data={"value": 201}), FR01.lab("L-2", data={"uln": None})]
    words = toxwatch("assess", "-", "--as-of", AS_OF, stdin=lines(events)).words
    assert "ALT high 1 1" in words


def test_nothing_refused_is_0_and_silence_on_standard_error() -> None:
    outcome = assess([*FR01.treated(), FR01.ae()])
    assert (outcome.code, outcome.err) == (0, "")


def test_a_missing_file_is_1_and_named(tmp_path: Path) -> None:
    """Before anything is written to standard output, even behind a good file."""
    good = write(tmp_path / "good.ndjson", FR01.treated())
    for paths in ([str(tmp_path / "none.ndjson")], [good, str(tmp_path / "none.ndjson")], [str(tmp_path)]):
        outcome = toxwatch("assess", *paths, "--as-of", AS_OF)
        assert (outcome.code, outcome.out) == (1, "")
        assert outcome.err.startswith("toxwatch: ")
        assert paths[-1] in outcome.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--as-of", "yesterday"], "--as-of: 'yesterday': not an RFC 3339 date-time with offset"),
        (["--as-of", "2017-03-01"], "--as-of: '2017-03-01': not an RFC 3339 date-time with offset"),
        (["--as-of", "2017-03-01T00:00:00"], "not an RFC 3339 date-time with offset"),
        (["--as-of", "2017-02-30T00:00:00Z"], "there is no such date and time"),
        (["--as-of", "9999-12-31T23:59:59-14:00"], "--as-of"),
        (["--as-of", "0001-01-01T00:00:00+14:00"], "--as-of"),
        (["--as-of-axis", "seen"], "'seen' is not one of"),
        (["--format", "xml"], "'xml' is not one of"),
        (["--lab-grades", "some"], "'some' is not one of"),
        (["--as-off", AS_OF], "No such option"),
        (
            ["--protocol", "isi-jy"],
            "protocol 'isi-jy': neither one of ours (isi-jx, made-up), nor a file, nor a module",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_wrong_usage_is_64_and_says_what_is_wrong(arguments: list[str], told: str) -> None:
    outcome = toxwatch("assess", "-", *arguments, stdin=lines(FR01.treated()))
    assert (outcome.code, outcome.out) == (64, "")
    assert told in outcome.words


@pytest.mark.parametrize(
    "arguments", [[], ["assess"], ["asess", "-"], ["explain", "-"], ["explain", "-", "--case", "x"]]
)
def test_what_is_missing_is_wrong_usage_too(arguments: list[str]) -> None:
    assert toxwatch(*arguments).code == 64


def test_the_protocol_can_come_from_the_environment() -> None:
    outcome = toxwatch("assess", "-", stdin=b"", environment={"TOXWATCH_PROTOCOL": "no-such-protocol"})
    assert outcome.code == 64
    assert "no-such-protocol" in outcome.words
    option_wins = toxwatch(
        "assess", "-", "--protocol", "isi-jx", stdin=b"", environment={"TOXWATCH_PROTOCOL": "no-such-protocol"}
    )
    assert option_wins.code == 0
