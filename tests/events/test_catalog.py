"""The catalogue is complete, and every event ever published decodes for ever."""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from jsonschema import Draft202012Validator

import events
from events.alert import AlertEvent
from events.catalog import CLASS_BY_TYPE, EVENT_ADAPTER, AnyEvent, type_name
from events.envelope import Envelope, SubjectEvent
from events.schema_files import DIRECTORY, schema_texts, write
from tests.events.samples import CODEC, GOLDEN

ABSTRACT = {SubjectEvent, AlertEvent}
RETRACTIONS = {"ae", "lab", "treatment", "visit", "dlt", "response"}


def _classes(base: type[Envelope]) -> Iterator[type[Envelope]]:
    for cls in base.__subclasses__():
        yield cls
        yield from _classes(cls)


def _golden() -> list[tuple[str, bytes]]:
    return [(path.stem, line) for path in sorted(GOLDEN.glob("*.ndjson")) for line in path.read_bytes().splitlines()]


def test_every_event_class_is_in_the_catalogue() -> None:
    """And nothing else is."""
    for module in pkgutil.iter_modules(events.__path__):
        importlib.import_module(f"events.{module.name}")
    found = {cls for cls in _classes(Envelope) if cls.__module__.startswith("events.")} - ABSTRACT
    assert found == set(get_args(AnyEvent)) == set(CLASS_BY_TYPE.values())
    assert len(CLASS_BY_TYPE) == len(found) == 19


@pytest.mark.parametrize("name", CLASS_BY_TYPE)
def test_the_name_of_a_type_is_that_of_its_class(name: str) -> None:
    """Name, kind of record, and whether it takes one back."""
    cls = CLASS_BY_TYPE[name]
    assert type_name(cls) == name
    assert name.startswith("toxwatch.")
    assert name.endswith(".v1")
    assert cls.record_kind
    assert cls.retracts == (".retracted." in name)


def test_a_retraction_is_a_revision_of_the_same_record() -> None:
    """It has the kind of what it takes back."""
    by_subject = {name.split(".")[1]: cls for name, cls in CLASS_BY_TYPE.items() if not cls.retracts}
    for subject in RETRACTIONS:
        assert CLASS_BY_TYPE[f"toxwatch.{subject}.retracted.v1"].record_kind == by_subject[subject].record_kind


def test_every_type_has_golden_events() -> None:
    """At least a minimal and a full one."""
    counts = dict.fromkeys(CLASS_BY_TYPE, 0)
    for name, _ in _golden():
        counts[name] += 1
    assert min(counts.values()) >= 2


@pytest.mark.parametrize(("name", "line"), _golden())
def test_a_golden_event_decodes_for_ever(name: str, line: bytes) -> None:
    """As its type, without loss; it fits the published schema."""
    event = CODEC.decode(line).event
    assert event.type == name
    assert json.loads(CODEC.encode(event)) == json.loads(line)
    assert CODEC.decode(CODEC.encode(event)).event == event
    Draft202012Validator(json.loads((DIRECTORY / f"{name}.json").read_bytes())).validate(json.loads(line))


@pytest.mark.parametrize(("name", "line"), [pair for pair in _golden() if b"-full" in pair[1]])
def test_a_full_golden_event_has_every_field(name: str, line: bytes) -> None:
    """So that no field can be dropped or renamed unnoticed."""
    event: Any = CODEC.decode(line).event
    assert set(type(event).model_fields) <= event.model_fields_set
    assert set(type(event.data).model_fields) <= event.data.model_fields_set


def test_a_record_is_named_by_its_id() -> None:
    """The scope, for a discontinuation; an enrolment needs none."""
    ids = {name: CODEC.decode(line).event.record_id for name, line in _golden() if b"-min" in line}
    assert ids["toxwatch.subject.enrolled.v1"] == ""
    assert ids["toxwatch.subject.discontinued.v1"] == "treatment"
    assert ids["toxwatch.ae.reported.v1"] == "AE-1"
    assert ids["toxwatch.ae.retracted.v1"] == ids["toxwatch.response.retracted.v1"] == "R-1"
    assert ids["toxwatch.alert.raised.v1"] == "a-1"
    assert Envelope.record_id.__get__(CODEC.decode(_golden()[0][1]).event) == ""


def test_an_event_cannot_be_changed() -> None:
    """Nor its data."""
    event: Any = CODEC.decode(_golden()[0][1]).event
    for holder, name in ((event, "id"), (event.data, "revision")):
        with pytest.raises(ValueError, match="frozen"):
            setattr(holder, name, 1)


def test_the_schemas_are_current(tmp_path: Path) -> None:
    """``python -m events.schema_files`` would change nothing, and removes what is no longer a type."""
    assert {path.name: path.read_text(encoding="utf-8") for path in DIRECTORY.iterdir()} == schema_texts()
    (tmp_path / "toxwatch.gone.v1.json").write_text("{}")
    write(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == set(schema_texts())


@pytest.mark.parametrize("name", CLASS_BY_TYPE)
def test_a_schema_is_json_schema_2020_12(name: str) -> None:
    """And refuses what is unknown inside ``data``, and takes extension attributes."""
    schema = json.loads((DIRECTORY / f"{name}.json").read_bytes())
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    whole = next(json.loads(line) for found, line in _golden() if found == name)
    assert validator.is_valid(whole | {"extension": "x"})
    assert not validator.is_valid(whole | {"data": whole["data"] | {"unknown": 1}})


@pytest.mark.reference_data
def test_every_event_of_the_scenarios_decodes(reference_data: Path) -> None:
    """And fits its schema."""
    scenarios = json.loads((reference_data.parent / "scenarios" / "isi-jx.json").read_bytes())
    whole = [event for scenario in scenarios for event in scenario["events"]]
    assert len(whole) > 200
    for event in whole:
        CODEC.decode(json.dumps(event).encode())
        schema = json.loads((DIRECTORY / f"{event['type']}.json").read_bytes())
        Draft202012Validator(schema).validate(event)


def test_the_adapter_takes_what_the_codec_takes() -> None:
    """The union alone, without the rules across fields."""
    for _, line in _golden():
        assert EVENT_ADAPTER.validate_json(line) == CODEC.decode(line).event
