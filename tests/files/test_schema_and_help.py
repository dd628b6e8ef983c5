"""``toxwatch schema``, and what the command line says of itself."""

from __future__ import annotations

import json

import pytest
from jsonschema import Draft202012Validator

from events.catalog import CLASS_BY_TYPE
from tests.files.command_line import toxwatch
from tests.files.writing import FR01, Json

SENT = [*FR01.treated(), FR01.ae(), FR01.lab(), FR01.visit("2017-03-01"), FR01.adjudicated("dlt")]


def test_without_a_type_all_are_named() -> None:
    outcome = toxwatch("schema")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.splitlines() == sorted([*CLASS_BY_TYPE, "toxwatch.webhook.v1"])


@pytest.mark.parametrize("name", sorted(CLASS_BY_TYPE))
def test_every_type_has_a_schema(name: str) -> None:
    outcome = toxwatch("schema", name)
    assert (outcome.code, outcome.err) == (0, "")
    Draft202012Validator.check_schema(outcome.json)
    assert outcome.json["$id"] == f"urn:toxwatch:schema:{name}"


@pytest.mark.parametrize("event", SENT, ids=lambda event: event["type"])
def test_a_sender_can_check_with_it(event: Json) -> None:
    """What we take it takes, and what has a wrong field it refuses, with anybody's validator."""
    validator = Draft202012Validator(toxwatch("schema", event["type"]).json)
    assert validator.is_valid(json.loads(json.dumps(event)))
    assert not validator.is_valid({**event, "data": {**event["data"], "revison": 1}})
    assert not validator.is_valid({**event, "data": {**event["data"], "revision": "1"}})


@pytest.mark.parametrize(
    ("wrong", "near"),
    [
        ("toxwatch.ae.reportd.v1", "toxwatch.ae.reported.v1"),
        ("toxwatch.lab.result.v1", "toxwatch.lab.resulted.v1"),
        ("toxwatch.ae.reported.v2", "toxwatch.ae.reported.v1"),
    ],
)
def test_a_near_miss_is_met_half_way(wrong: str, near: str) -> None:
    outcome = toxwatch("schema", wrong)
    assert (outcome.code, outcome.out) == (64, "")
    assert f"there is no event type '{wrong}'; did you mean {near}?" in outcome.words


def test_what_is_near_to_nothing_gets_no_guess() -> None:
    outcome = toxwatch("schema", "banana")
    assert outcome.code == 64
    assert "there is no event type 'banana'" in outcome.words
    assert "did you mean" not in outcome.words


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ([], ["assess", "explain", "schema", "simulate", "import"]),
        (["assess"], ["--as-of", "--as-of-axis", "--protocol", "--lab-grades", "--format", "EVENTS..."]),
        (["explain"], ["--subject", "--case", "--as-of", "--as-of-axis", "--protocol", "--format", "EVENTS..."]),
        (["schema"], ["TYPE"]),
        (["simulate"], ["--seed", "--out", "--truth", "--subjects", "--events", "--start"]),
        (["import"], ["sdtm", "dataset-json"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_help_is_on_every_command(command: list[str], told: list[str]) -> None:
    """On standard output, exit 0."""
    outcome = toxwatch(*command, "--help")
    assert (outcome.code, outcome.err) == (0, "")
    for word in told:
        assert word in outcome.out


def test_without_a_command_the_help_is_shown_as_wrong_usage() -> None:
    outcome = toxwatch()
    assert outcome.code == 64
    assert "assess" in outcome.words
