"""The notation of scenarios: each word becomes what it says and nothing else, and a word that is not known is an error."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from projections.protocols.isi_jx import PROTOCOL
from tests.rules.scenario import assess, decoded, mismatches
from tests.rules.scenario_files import DIRECTORY, ScenarioError, load, load_all, read

Json = dict[str, Any]

PAGE = DIRECTORY.parents[2] / "docs" / "scenarios.md"
SCENARIO = """\
- rule: "§3.3: the rule"
  scenarios:
  - id: one
    title: "A clinical sentence"
    as of: 2017-06-01 00:00Z
    events: |
      {event}
    cases: |
      {case}
"""
CASE = "ae:AE-1 met, DLT-1 met, urgent, on e1"


def scenario(event: str = 'e1  D11 09:00Z  AE-1 "Rash"', case: str = CASE, **replaced: str) -> Json:
    text = SCENARIO.format(event=event, case=case)
    for old, new in replaced.items():
        text = text.replace(f"{old.replace('_', ' ')}:", new, 1)
    (found,) = read(text, "some.yaml")
    return found


def event_of(said: str) -> Json:
    """The event of a line, recorded on day 11."""
    event: Json = scenario(f"e1  D11 09:00Z  {said}")["events"][0]
    return event


AE = {"ae_id": "AE-1", "term": "Rash", "revision": 1}


@pytest.mark.parametrize(
    ("said", "data"),
    [
        ("enrolled 2017-02-01", {"enrolled": "2017-02-01", "revision": 1}),
        (
            "enrolled D-12, rev 2, part B, level ?, F born 1957, no liver metastases, zone Pacific/Noumea",
            {
                "revision": 2,
                "part": "B",
                "dose_level": None,
                "enrolled": "2017-02-01",
                "sex": "F",
                "birth_year": 1957,
                "liver_metastases": False,
                "time_zone": "Pacific/Noumea",
            },
        ),
        (
            "pexa-vec partly given D1 10:00, lesions 2",
            {
                "administration_id": "pexa-vec-2017-02-13",
                "revision": 1,
                "drug": "pexa-vec",
                "given": "2017-02-13T10:00:00+01:00",
                "status": "partial",
                "lesions": 2,
            },
        ),
        (
            "ipilimumab not given 2017-02, id ipi-1",
            {
                "administration_id": "ipi-1",
                "revision": 1,
                "drug": "ipilimumab",
                "given": "2017-02",
                "status": "not-given",
            },
        ),
        ('AE-1 "Rash"', AE),
        ('AE-1 "Rash, or \\"rash\\""', {**AE, "term": 'Rash, or "rash"'}),
        ('AE-1 "Rash", from D8, to ?, ongoing', {**AE, "onset": "2017-02-20", "end": None, "ongoing": True}),
        (
            'AE-1 "Rash", grades 2 from D8 08:00 + 3 from D10 07:00Z',
            {
                **AE,
                "grades": [
                    {"grade": 2, "from": "2017-02-20T08:00:00+01:00"},
                    {"grade": 3, "from": "2017-02-22T07:00:00Z"},
                ],
            },
        ),
        (
            'AE-1 "Rash", investigator possible, sponsor pexa-vec ?',
            {
                **AE,
                "causality": {
                    "investigator": {"pexa-vec": "possible", "ipilimumab": "possible"},
                    "sponsor": {"pexa-vec": None},
                },
            },
        ),
        ('AE-1 "Rash", causality ?', {**AE, "causality": None}),
        (
            'AE-1 "Rash", not immune related, organs skin + liver, flu-like ?, seriousness none',
            {**AE, "immune_related": False, "organs": ["skin", "liver"], "flu_like": None, "seriousness": []},
        ),
        (
            'AE-1 "Rash", preferred term "Rash macular", action pexa-vec withdrawn + ipilimumab none',
            {
                **AE,
                "preferred_term": "Rash macular",
                "action_taken": {"pexa-vec": "withdrawn", "ipilimumab": "none"},
            },
        ),
        (
            'AE-1 "Rash", expected_rsi = "[2, 3]", x = {"a": [1, 2]}',
            {**AE, "expected_rsi": "[2, 3]", "x": {"a": [1, 2]}},
        ),
        ('AE AE-1 retracted "in error", rev 2', {"ae_id": "AE-1", "revision": 2, "reason": "in error"}),
        (
            'ruling R dlt on ae:A, decided D17 10:00Z, reason "", signed by committee u-1 + sponsor u-2 at D18 11:00Z',
            {
                "adjudication_id": "R",
                "revision": 1,
                "verdict": "dlt",
                "case": "ae:A",
                "decided": "2017-03-01T10:00:00Z",
                "reason": "",
                "signatures": [
                    {"party": "committee", "by": "u-1", "at": "2017-03-01T10:00:00Z", "meaning": "decision"},
                    {"party": "sponsor", "by": "u-2", "at": "2017-03-02T11:00:00Z", "meaning": "decision"},
                ],
            },
        ),
        (
            "ruling R dlt on ae:A, signed by nobody",
            {"adjudication_id": "R", "revision": 1, "verdict": "dlt", "case": "ae:A", "signatures": []},
        ),
        (
            "ruling R dlt on ae:A, decided D17 10:00Z, signed by committee u-1 without meaning",
            {
                "adjudication_id": "R",
                "revision": 1,
                "verdict": "dlt",
                "case": "ae:A",
                "decided": "2017-03-01T10:00:00Z",
                "signatures": [{"party": "committee", "by": "u-1", "at": "2017-03-01T10:00:00Z"}],
            },
        ),
        (
            "off study D12 for death, last contact D11",
            {
                "revision": 1,
                "scope": "study",
                "date": "2017-02-24",
                "reason": "death",
                "last_contact": "2017-02-23",
            },
        ),
        (
            "visit W5 missed D37",
            {"visit_id": "V-W5", "revision": 1, "name": "W5", "status": "missed", "date": "2017-03-21"},
        ),
        (
            "result L-1 ALT >2.0 U/L, range ? to 40, drawn D8, pre-dose",
            {
                "lab_id": "L-1",
                "revision": 1,
                "test": "ALT",
                "value": 2.0,
                "comparator": ">",
                "unit": "U/L",
                "lln": None,
                "uln": 40,
                "collected": "2017-02-20",
                "timepoint": "pre-dose",
            },
        ),
        (
            "result L-1 ALT 31 no unit, drawn D8, ULN 40",
            {"lab_id": "L-1", "revision": 1, "test": "ALT", "value": 31, "uln": 40, "collected": "2017-02-20"},
        ),
        (
            "result ALT no value U/L, drawn D8, status not-done",
            {
                "lab_id": "L-ALT-2017-02-20",
                "revision": 1,
                "test": "ALT",
                "unit": "U/L",
                "collected": "2017-02-20",
                "status": "not-done",
            },
        ),
        ("clock reached D17 07:00Z for ae:AE-1", {"due": "2017-03-01T07:00:00Z", "case": "ae:AE-1"}),
        ("event vitals.measured, revision = 1, temperature_c = 38.5", {"revision": 1, "temperature_c": 38.5}),
    ],
)
def test_an_event_has_what_its_line_says_and_nothing_else(said: str, data: Json) -> None:
    """A field that no word of the line names is absent, save the revision and the ids that the page lists."""
    assert repr(sorted(event_of(said)["data"].items())) == repr(sorted(data.items()))


def test_the_envelope_is_that_of_the_sites_own_system_unless_the_line_says_otherwise() -> None:
    """The site follows from the subject."""
    usual = {
        "specversion": "1.0",
        "id": "e1",
        "source": "urn:site:FR02:edc",
        "type": "toxwatch.ae.reported.v1",
        "subject": "FR02-001",
        "site": "FR02",
        "time": "2017-02-23T09:00:00Z",
        "trial": "NCT02977156",
        "datacontenttype": "application/json",
        "data": AE,
    }
    assert event_of('FR02-001  AE-1 "Rash"') == usual
    assert event_of('FR02-001  AE-1 "Rash", source urn:cro:safety, @actor = "u-1"') == {
        **usual,
        "source": "urn:cro:safety",
        "actor": "u-1",
    }


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("D1", "2017-02-13"),
        ("D-1", "2017-02-12"),
        ("D35 08:00", "2017-03-19T08:00:00+01:00"),
        ("D43 08:00", "2017-03-27T08:00:00+02:00"),
        ("D8 08:00-04:00", "2017-02-20T08:00:00-04:00"),
        ("D8 08:00:30Z", "2017-02-20T08:00:30Z"),
        ("2017", "2017"),
        ("2017-02-20 08:00", "2017-02-20T08:00:00+01:00"),
    ],
)
def test_a_day_of_treatment_is_counted_from_day_1_and_an_hour_is_the_trials(written: str, text: str) -> None:
    """There is no day 0; summer time counts."""
    assert event_of(f'AE-1 "Rash", from {written}')["data"]["onset"] == text


def test_a_scenario_may_have_another_day_1() -> None:
    assert scenario(as_of="day 1: 2017-10-16\n    as of:")["events"][0]["time"] == "2017-10-26T09:00:00Z"


def test_a_case_is_all_that_its_line_says_and_no_where_it_says_nothing() -> None:
    """Whether it counts, is overruled or is presumed are yes or no; when it is due is left open where nothing is said."""
    assert scenario(case="ae:AE-1 met, DLT-1 met, DLT-2 watch, urgent, on e1")["expect"] == [
        {
            "subject": "FR01-001",
            "case": "ae:AE-1",
            "verdict": "met",
            "clauses": {"DLT-1": "met", "DLT-2": "watch"},
            "counts_as_dlt": False,
            "overruled": False,
            "urgency": "urgent",
            "basis": None,
            "questions": [],
            "evidence": ["e1"],
        }
    ]
    said = "FR02-001 lab:ALT no-verdict, counts as DLT, overruled, prompt, presumed ongoing, due D9 08:00, on e1"
    (case,) = scenario(case=f"{said}\n        ? Is it, then?\n        ? When?")["expect"]
    assert (case["subject"], case["verdict"], case["counts_as_dlt"], case["overruled"]) == (
        "FR02-001",
        None,
        True,
        True,
    )
    assert (case["basis"], case["due"]) == ("presumed-ongoing", "2017-02-21T08:00:00+01:00")
    assert case["questions"] == ["Is it, then?", "When?"]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ('AE-1 "Rash", gade 3', "'gade 3' is not known here; known are: rev, preferred term"),
        ('AE-1 "Rash", grade three', "'three' is no number"),
        ('AE-1 "Rash", grade 3, grade 4', "'grade 4': grade is said twice"),
        ('AE-1 "Rash", causality possible', "'causality possible' is not known here"),
        ('AE-1 "Rash", ongoing perhaps', "'perhaps' is not known here"),
        ('AE-1 "Rash", from D0', "'D0' is no date"),
        ('AE-1 "Rash", from 2017-02 08:00', "an hour needs a whole date before it"),
        ('AE-1 "Rash", outcome fatal surely', "'fatal surely' is not one word"),
        ('AE-1 "Rash", ', "nothing is said before or after a comma"),
        ('AE-1 "Rash", preferred term "Rash', "a bracket or a quotation mark is not closed"),
        ('AE-1 "Rash", investigator pexa-vec possible + pexa-vec unlikely', "is said twice"),
        ("enrolled D-12, grade 3", "'grade 3' is not known here"),
        ("reported AE-1", "'reported AE-1' is no kind of event that is known"),
        ("", "an event is its label, when it was recorded, and what is recorded"),
    ],
)
def test_what_cannot_be_read_is_an_error_that_names_the_scenario_and_the_line(line: str, complaint: str) -> None:
    written = f"e1  D11 09:00Z  {line}".rstrip(" ") if line else "e1  D11 09:00Z"
    with pytest.raises(ScenarioError, match=re.escape(complaint)) as caught:
        scenario(f"{written} " if line.endswith(" ") else written)
    assert str(caught.value).startswith("some.yaml, scenario one, line 'e1  D11 09:00Z")


@pytest.mark.parametrize(
    ("case", "complaint"),
    [
        ("ae:AE-1 certain, on e1", "'ae:AE-1 certain' is no case with its verdict"),
        ("ae:AE-1 met, DLT-1 met, DLT-1 possible, on e1", "a clause is named twice"),
        ("ae:AE-1 met, gravely, on e1", "'gravely' is not known here"),
        ("ae:AE-1 met, urgent, on e2", "there is no event e2"),
    ],
)
def test_an_expectation_that_cannot_be_read_is_an_error(case: str, complaint: str) -> None:
    with pytest.raises(ScenarioError, match=re.escape(complaint)) as caught:
        scenario(case=case)
    assert str(caught.value).startswith(f"some.yaml, scenario one, line {case!r}")


@pytest.mark.parametrize(
    ("replaced", "complaint"),
    [
        ({"cases": "case:"}, "some.yaml, scenario one: 'case' is not known; known are ambiguous, as of, cases"),
        ({"as_of": "as_of:"}, "some.yaml, scenario one: 'as_of' is not known"),
        ({"title": "ambiguous:"}, "some.yaml, scenario one: 'title' is missing"),
        ({"rule": "rules:"}, "some.yaml: a rule with its scenarios: 'rules' is not known"),
        ({"title": "id:"}, "some.yaml: line 3: id is given twice"),
        ({"scenarios": "scenarios: [one]\n  rule:"}, "some.yaml: line 1: rule is given twice"),
        ({"as_of": "as of: []\n    future:"}, "some.yaml, scenario one: 'as of' is not a text"),
    ],
)
def test_a_key_that_is_unknown_missing_or_given_twice_is_an_error(replaced: dict[str, str], complaint: str) -> None:
    with pytest.raises(ScenarioError, match=re.escape(complaint)):
        scenario(**replaced)


def test_days_are_counted_from_the_first_administration() -> None:
    """Or ``D8`` would not be the eighth day of treatment: a scenario in which day 1 is in doubt writes its dates out."""
    counted = 0
    for path in sorted(DIRECTORY.glob("*.yaml")):
        blocks = path.read_text(encoding="utf-8").split("\n  - id: ")[1:]
        for block, one in zip(blocks, load(path), strict=True):
            if re.search(r" D-?[0-9]+\b", block.partition("events: |")[2]):
                stated = re.search(r"\n    day 1: (\S+)", block)
                assert _first_days(one) == {stated[1] if stated else "2017-02-13"}, one["id"]
                counted += 1
    assert counted > 500


def _first_days(scenario: Json) -> set[str]:
    """The local dates of the subjects' first administrations."""
    first: dict[str, str] = {}
    for event in scenario["events"]:
        if event["type"] == "toxwatch.treatment.administered.v1" and event["data"]["status"] != "not-given":
            given = event["data"]["given"]
            day = given if len(given) <= len("2017-02-13") else _local_date(given)
            first[event["subject"]] = min(day, first.get(event["subject"], day))
    return set(first.values())


def _local_date(given: str) -> str:
    return datetime.fromisoformat(given).astimezone(ZoneInfo(PROTOCOL.time_zone)).date().isoformat()


def test_the_examples_of_the_page_can_be_read_and_pass() -> None:
    """And are scenarios of the specification, word for word."""
    examples = [
        one for text in re.findall(r"```yaml\n(.*?)```", PAGE.read_text("utf-8"), re.S) for one in read(text, "page")
    ]
    known = {one["id"]: one for one in load_all()}
    assert len(examples) >= 2
    for example in examples:
        assert example == known[example["id"]]
        assert mismatches(example, assess(decoded(example["events"]), example["as_of"])) == []
