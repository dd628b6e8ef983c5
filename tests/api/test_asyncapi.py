"""``GET /asyncapi.json``: every event type, described so that other people's tools can work from it."""

from __future__ import annotations

import copy
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker, validators

from events.catalog import CLASS_BY_TYPE
from events.codec import Codec
from events.schema_files import DIRECTORY
from projections.protocols.isi_jx import PROTOCOL
from services.api.asyncapi import asyncapi_document
from services.api.event_examples import DATA, example_of

FOREIGN = Path(__file__).resolve().parents[1] / "foreign"
DOCUMENT = asyncapi_document("https://toxwatch.example/trial/")

Json = dict[str, Any]


@pytest.fixture(scope="module")
def foreign() -> Path:
    """The directory of other people's JavaScript, with what it needs."""
    if shutil.which("node") is None or not (FOREIGN / "node_modules").is_dir():
        pytest.skip("needs Node and `npm ci` in tests/foreign (make foreign)")
    return FOREIGN


def _said_by_the_parser(foreign: Path, document: Json) -> Json:
    done = subprocess.run(
        ["node", foreign / "asyncapi_check.mjs"],
        input=json.dumps(document).encode(),
        capture_output=True,
        check=True,
        timeout=60,
    )
    said: Json = json.loads(done.stdout)
    return said


def test_its_own_parser_has_no_complaint(foreign: Path) -> None:
    """And finds the channels with every message that travels on them."""
    said = _said_by_the_parser(foreign, DOCUMENT)
    assert said["complaints"] == []
    channels = said["channels"]
    assert set(channels["toxwatch.clinical.v1"]) | set(channels["toxwatch.alerts.v1"]) == set(CLASS_BY_TYPE)
    assert set(channels["toxwatch.alerts.v1"]) == {n for n in CLASS_BY_TYPE if ".alert." in n}
    assert channels["/v1/alerts/stream"] == channels["toxwatch.alerts.v1"]
    assert channels["/v1/events"] == channels["toxwatch.intake.{producer}"]
    assert not any("clock" in name or "alert" in name or "protocol" in name for name in channels["/v1/events"])
    assert "toxwatch.dead-letters.v1" in channels


def test_the_parser_would_complain(foreign: Path) -> None:
    """Of a reference that leads nowhere, and of an action that there is not."""
    for place, value in ((("channel", "$ref"), "#/channels/nowhere"), (("action",), "shout")):
        broken = copy.deepcopy(DOCUMENT)
        target = broken["operations"]["tellAlerts"]
        for step in place[:-1]:
            target = target[step]
        target[place[-1]] = value
        assert _said_by_the_parser(foreign, broken)["complaints"]


def test_it_has_the_shape_of_the_published_schema(foreign: Path) -> None:
    """AsyncAPI 3.0.0, as its authors publish it."""
    path = foreign / "node_modules" / "@asyncapi" / "specs" / "schemas" / "3.0.0.json"
    schema = json.loads(path.read_text(encoding="utf-8"))
    validator = validators.validator_for(schema)(schema)
    assert [error.message for error in validator.iter_errors(DOCUMENT)] == []
    assert not validator.is_valid({**DOCUMENT, "channels": []})


@pytest.mark.parametrize("name", CLASS_BY_TYPE)
def test_the_example_of_each_type_is_one(name: str) -> None:
    """By the published schema, by the schema in the document, and by the codec of the trial."""
    (shown,) = DOCUMENT["components"]["messages"][name]["examples"]
    example = shown["payload"]
    published = json.loads((DIRECTORY / f"{name}.json").read_text(encoding="utf-8"))
    assert list(Draft202012Validator(published, format_checker=FormatChecker()).iter_errors(example)) == []
    assert list(_validator_in_the_document(name).iter_errors(example)) == []
    assert Codec(PROTOCOL.contract).decode(json.dumps(example).encode()).event.type == name


@pytest.mark.parametrize("name", CLASS_BY_TYPE)
def test_the_schema_in_the_document_refuses_what_the_published_one_refuses(name: str) -> None:
    """It is the same schema, its shared parts in another place."""
    example = example_of(name)
    for broken in ({**example, "data": {**example["data"], "ungiven": 1}}, {**example, "time": "today"}):
        assert not _validator_in_the_document(name).is_valid(broken)


def test_every_type_has_an_example_and_nothing_else_has() -> None:
    """A new type must bring one."""
    assert set(DATA) == set(CLASS_BY_TYPE)


def test_the_gateway_is_where_the_deployment_is_reached() -> None:
    """Scheme, host and path of its public address."""
    gateway = DOCUMENT["servers"]["gateway"]
    assert (gateway["protocol"], gateway["host"], gateway["pathname"]) == ("https", "toxwatch.example", "/trial")
    assert "pathname" not in asyncapi_document("http://127.0.0.1:8080")["servers"]["gateway"]


def _validator_in_the_document(name: str) -> Draft202012Validator:
    payload = DOCUMENT["components"]["messages"][name]["payload"]
    return Draft202012Validator({**payload, "components": DOCUMENT["components"]})
