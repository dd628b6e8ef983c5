"""A study's own configuration, TOML or JSON, under the clauses of ISI-JX; and what a wrong one is told."""

from __future__ import annotations

import json
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from projections.protocols.isi_jx import PROTOCOL
from projections.rules.logic.trial_protocol import Part, TrialProtocol
from services.trials.protocol_files import ProtocolFile
from services.trials.protocols import ProtocolError, find_protocol
from tests.files.command_line import assess
from tests.files.writing import FR01, RELATED, Site

OTHER_STUDY = """
base = "isi-jx"
name = "isi-jx-be"
version = "2"
title = "The Belgian arm"
trial = "NCT00000002"
subject_pattern = '^(?P<site>BE[0-9])-[0-9]{2}$'
drugs = ["vaccine", "antibody"]
time_zone = "America/Sao_Paulo"
window_days = 21
counted_part = "B"
sponsor_sources = ["urn:ghent:*"]
one_system = [["urn:edc:a", "urn:edc:b"]]
signatures = "attested"
committee_sources = ["urn:board:*"]
subject_sites = { "BE1-*" = "BE1" }
shared_sources = { "urn:lab:x" = ["BE1", "BE2"] }
ctcae_version = "5.0"
cohort_design = "3+3"

[assumptions]
stopping_lookback_days = 30
open_case_keeps_pending = false
"""
BE = Site("BE1-01", "BE1", "urn:edc:a", "NCT00000002", "vaccine")


@pytest.fixture
def toml(tmp_path: Path) -> str:
    path = tmp_path / "study.toml"
    path.write_text(OTHER_STUDY, encoding="utf-8")
    return str(path)


def test_every_setting_of_a_protocol_can_be_given_but_its_clauses_and_organs() -> None:
    """Clauses are code, to be read by a physician. A version has its day where it is an amendment."""
    given = set(ProtocolFile.model_fields) - {"base", "counted_part", "amendment"}
    code = {"clauses", "major_organs", "minor_organs"}
    of_amendments = {"earlier", "effective", "applies_to"}
    assert given - {"part"} | {"parts"} == {field.name for field in fields(TrialProtocol)} - code - of_amendments


def test_what_is_given_replaces_and_what_is_not_stays(toml: str) -> None:
    protocol = find_protocol(toml)
    assert (protocol.name, protocol.version, protocol.title) == ("isi-jx-be", "2", "The Belgian arm")
    assert (protocol.trial, protocol.drugs) == ("NCT00000002", ("vaccine", "antibody"))
    assert (protocol.time_zone, protocol.window_days) == ("America/Sao_Paulo", 21)
    assert (protocol.presumed_part.name, protocol.ctcae_version) == ("B", "5.0")
    assert (protocol.sponsor_sources, protocol.one_system) == (("urn:ghent:*",), (("urn:edc:a", "urn:edc:b"),))
    assert (protocol.signatures, protocol.committee_sources) == ("attested", ("urn:board:*",))
    assert protocol.subject_sites == (("BE1-*", "BE1"),)
    assert protocol.shared_sources == (("urn:lab:x", frozenset({"BE1", "BE2"})),)
    assert protocol.assumptions.stopping_lookback_days == 30
    assert protocol.assumptions.open_case_keeps_pending is False
    assert protocol.assumptions.replaceable_only_when_nothing_open is True
    assert protocol.clauses == PROTOCOL.clauses
    assert protocol.major_organs == PROTOCOL.major_organs


def test_toml_and_json_say_the_same(toml: str, tmp_path: Path) -> None:
    as_json = tmp_path / "study.json"
    as_json.write_text(json.dumps(tomllib.loads(OTHER_STUDY)), encoding="utf-8")
    assert find_protocol(str(as_json)) == find_protocol(toml)


def test_it_is_judged_by_its_own_settings(toml: str) -> None:
    """Its trial, subjects, drugs and window; the clauses of ISI-JX."""
    events = [BE.enrolled(data={"part": "B"}), BE.dosed(), BE.ae(data={"onset": "2017-03-05", "end": "2017-03-06"})]
    outcome = assess(events, "--protocol", toml)
    assert outcome.code == 0
    assert (outcome.json["protocol"], outcome.json["protocol_version"]) == ("isi-jx-be", "2")
    (case,) = outcome.json["cases"]
    assert (case["clauses"], case["counts_as_dlt"], case["population"]) == ({"DLT-1": "met"}, True, "part-b")
    assert [(row["part"], row["dlts"]) for row in outcome.json["cohorts"]] == [("B", 1)]
    late = BE.ae(data={"onset": "2017-03-06", "end": "2017-03-07"})
    assert assess([*BE.treated(), late], "--protocol", toml).json["cases"] == []


def test_what_is_counted_is_the_configured_part(toml: str) -> None:
    """Part A is then the safety signal that does not count."""
    (case,) = assess([*BE.treated(), BE.ae()], "--protocol", toml).json["cases"]
    assert (case["population"], case["counts_as_dlt"]) == ("part-a", False)


def test_a_part_not_on_record_is_judged_as_the_counted_one(toml: str) -> None:
    """And the question says which one that is."""
    result = assess([BE.enrolled(data={"part": ...}), BE.dosed(), BE.ae()], "--protocol", toml).json
    (case,) = result["cases"]
    assert case["counts_as_dlt"] is True
    assert any("judged as Part B" in question for question in case["questions"]), case["questions"]


def test_days_are_those_of_its_own_time_zone(toml: str) -> None:
    """In Sao Paulo, three hours behind UTC then: day 21 ends on 6 March at 03:00 UTC."""
    for onset, met in (("2017-03-06T02:59:59Z", True), ("2017-03-06T03:00:00Z", False)):
        events = [*BE.treated(), BE.ae(data={"onset": onset, "end": "2017-03-07"})]
        assert bool(assess(events, "--protocol", toml).json["cases"]) is met


def test_its_second_drug_must_be_answered_for(toml: str) -> None:
    for answers, verdict in (({"vaccine": "unrelated"}, "possible"), ({"antibody": "related"}, "met")):
        events = [*BE.treated(), BE.ae(data={"causality": {"investigator": answers}})]
        assert assess(events, "--protocol", toml).json["cases"][0]["clauses"]["DLT-1"] == verdict


def test_its_sponsor_signs_from_its_own_sources(toml: str) -> None:
    events = [*BE.treated(), BE.ae(data={"grade": 1})]
    for source, verdict in (("urn:ghent:safety", "met"), ("urn:sponsor:clb:safety", "possible")):
        result = assess([*events, BE.adjudicated("dlt", source=source)], "--protocol", toml).json
        assert result["cases"][0]["clauses"] == {"DLT-5": verdict}


def test_a_configuration_may_stand_on_another(toml: str, tmp_path: Path) -> None:
    amended = tmp_path / "amended.json"
    amended.write_text(json.dumps({"base": toml, "version": "3", "window_days": 28}), encoding="utf-8")
    protocol = find_protocol(str(amended))
    assert (protocol.name, protocol.version, protocol.window_days) == ("isi-jx-be", "3", 28)


WRONG: list[tuple[str, Any, str]] = [
    ("no base", {"window_days": 35}, "base: Field required"),
    (
        "an unknown base",
        {"base": "isi-jy"},
        "'isi-jy': neither one of ours (isi-jx, made-up), nor a file, nor a module",
    ),
    ("an unknown setting", {"base": "isi-jx", "windw_days": 35}, "windw_days"),
    ("an unknown assumption", {"base": "isi-jx", "assumptions": {"lookback": 1}}, "assumptions.lookback"),
    ("text for a number", {"base": "isi-jx", "window_days": "35"}, "window_days"),
    ("a fraction of a day", {"base": "isi-jx", "window_days": 0.5}, "window_days"),
    ("no day", {"base": "isi-jx", "window_days": 0}, "window_days: 0 is not a number of days"),
    ("text for a list", {"base": "isi-jx", "drugs": "pexa-vec"}, "drugs"),
    ("no drug", {"base": "isi-jx", "drugs": []}, "drugs: a protocol needs at least one study drug"),
    ("no such time zone", {"base": "isi-jx", "time_zone": "Europe/Lyon"}, "'Europe/Lyon' is not an IANA time zone"),
    ("no such design", {"base": "isi-jx", "cohort_design": "BOIN"}, "'BOIN' is not one of ['3+3']"),
    ("no such CTCAE", {"base": "isi-jx", "ctcae_version": "4.0"}, "ctcae_version"),
    ("a broken pattern", {"base": "isi-jx", "subject_pattern": "^(FR[0-9]{2}$"}, "subject_pattern"),
    ("a negative delay", {"base": "isi-jx", "assumptions": {"routine_delivery_delay_hours": -1}}, "delay_hours"),
    ("a list at the top", [], "dictionary"),
    ("a number for a switch", {"base": "isi-jx", "assumptions": {"open_case_keeps_pending": 1}}, "keeps_pending"),
    ("a part that there is not", {"base": "isi-jx", "counted_part": "C"}, "counted_part"),
    ("broken JSON", '{"base": ', "Expecting value"),
    ("nothing", "", "Expecting value"),
    ("Latin-1", '{"base": "isi-jx", "title": "Étude"}'.encode("latin-1"), "utf-8"),
]


def refused(protocol: str) -> str:
    """The sentence, which must be there, and alone."""
    outcome = assess([*FR01.treated(), FR01.ae(data={"causality": RELATED})], "--protocol", protocol)
    assert (outcome.code, outcome.out) == (64, "")
    assert "Traceback" not in outcome.err
    assert "Invalid value for --protocol: protocol '" in outcome.words
    return outcome.words.partition("Invalid value for --protocol: ")[2]


@pytest.mark.parametrize(("name", "content", "told"), WRONG, ids=[name for name, _, _ in WRONG])
def test_a_wrong_configuration_is_wrong_usage_and_named(name: str, content: Any, told: str, tmp_path: Path) -> None:
    """64, with the file, the setting and what is wrong with it."""
    path = tmp_path / "c.json"
    path.write_bytes(
        content
        if isinstance(content, bytes)
        else (content if isinstance(content, str) else json.dumps(content)).encode()
    )
    assert told in refused(str(path))


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("c.toml", "base = ", "Invalid value"),
        ("c.toml", 'base = "isi-jx"\nbase = "isi-jx"', "Cannot overwrite a value"),
        ("c.py", "VERSION = 1", "declares no PROTOCOL"),
        ("c.py", "PROTOCOL = 'isi-jx'", "declares no PROTOCOL"),
        ("c.py", "def", "invalid syntax"),
        ("c.py", "import no_such_module_anywhere", "no_such_module_anywhere"),
    ],
)
def test_a_broken_file_is_wrong_usage_and_says_what_broke(name: str, content: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    assert told in refused(str(path))


@pytest.mark.parametrize(
    "named", ["none.toml", "none.json", "none.py", "no_such_module", "os", "", ".", "..up", ".up", "a..b"]
)
def test_a_name_that_leads_nowhere_is_wrong_usage(named: str) -> None:
    assert len(refused(named)) > 10


def test_a_configuration_that_stands_on_itself_is_wrong_usage(tmp_path: Path) -> None:
    """Alone or through another."""
    first, second = tmp_path / "a.json", tmp_path / "b.json"
    first.write_text(json.dumps({"base": str(second)}), encoding="utf-8")
    second.write_text(json.dumps({"base": str(first)}), encoding="utf-8")
    assert refused(str(first))


def test_whose_word_a_signature_is_can_be_chosen(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text('base = "isi-jx"\nsignatures = "own"\n', encoding="utf-8")
    assert find_protocol(str(path)).signatures == "own"
    path.write_text('base = "isi-jx"\nsignatures = "trusted"\n', encoding="utf-8")
    with pytest.raises(ProtocolError, match="signatures"):
        find_protocol(str(path))


AMENDED = """
base = "isi-jx"
name = "isi-jx-amended"

[[part]]
name = "Run-in"
counted = true
window = 28

[[part]]
name = "Expansion"
counted = false
window = "none"

[[amendment]]
version = "2"
effective = 2017-02-15
window_days = 21
drugs = ["pexa-vec", "ipilimumab", "nivolumab"]

[amendment.assumptions]
stopping_lookback_days = 30

[[amendment]]
version = "3"
effective = "2017-06-01"
applies_to = "everyone"
ctcae_version = "5.0"
"""


def test_a_file_amends_its_base(tmp_path: Path) -> None:
    """Each amendment changes what it names, and leaves the rest as it was in the version before."""
    path = tmp_path / "amended.toml"
    path.write_text(AMENDED, encoding="utf-8")
    protocol = find_protocol(str(path))
    told = [
        (one.version, one.effective, one.window_days, one.ctcae_version, one.applies_to) for one in protocol.versions
    ]
    assert told == [
        ("1", None, 35, "4.03", "enrolled"),
        ("2", "2017-02-15", 21, "4.03", "enrolled"),
        ("3", "2017-06-01", 21, "5.0", "everyone"),
    ]
    assert [one.assumptions.stopping_lookback_days for one in protocol.versions] == [7, 30, 30]
    assert protocol.contract.drugs == {"pexa-vec", "ipilimumab", "nivolumab"}
    assert protocol.contract.parts == ("Run-in", "Expansion")
    assert {one.parts for one in protocol.versions} == {
        (Part("Run-in", counted=True, window=28), Part("Expansion", counted=False, window="none"))
    }


def test_a_file_may_stand_on_an_amended_protocol(tmp_path: Path) -> None:
    """What it configures holds for every version; and an amendment may take the clauses of another protocol."""
    (tmp_path / "first.toml").write_text(AMENDED, encoding="utf-8")
    path = tmp_path / "second.toml"
    clauses_of = str(Path(__file__).with_name("second_protocol.py"))
    more = {"version": "4", "effective": "2018-01-01", "clauses_of": clauses_of}
    text = {"base": "first.toml", "trial": "NCT00000009", "time_zone": "Asia/Tokyo", "amendment": [more]}
    (tmp_path / "second.json").write_text(json.dumps(text), encoding="utf-8")
    protocol = find_protocol(str(path.with_suffix(".json")))
    assert {(one.trial, one.time_zone) for one in protocol.versions} == {("NCT00000009", "Asia/Tokyo")}
    assert [one.version for one in protocol.versions] == ["1", "2", "3", "4"]
    assert [clause.id for clause in protocol.clauses] == ["TOX-SEVERE", "TOX-LASTING", "TOX-IMMUNE", "TOX-BOARD"]
    assert protocol.earlier[0].clauses == PROTOCOL.clauses


@pytest.mark.parametrize(
    ("amendment", "said"),
    [
        ({"version": "2"}, "amendment.0.effective: Field required"),
        ({"version": "2", "effective": "June"}, "effective: 'June' is not a day, such as 2017-06-01"),
        ({"version": "1", "effective": "2017-06-01"}, "version: two versions have the same name"),
        ({"version": "2", "effective": "2017-06-01", "trial": "NCT1"}, "amendment.0.trial: Extra inputs"),
        ({"version": "2", "effective": "2017-06-01", "part": []}, "parts: at least one has to count"),
    ],
)
def test_an_amendment_that_is_wrong_gets_a_sentence(tmp_path: Path, amendment: dict[str, Any], said: str) -> None:
    path = tmp_path / "wrong.json"
    path.write_text(json.dumps({"base": "isi-jx", "amendment": [amendment]}), encoding="utf-8")
    with pytest.raises(ProtocolError) as caught:
        find_protocol(str(path))
    assert said in str(caught.value)
