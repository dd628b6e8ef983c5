"""The same id again, and a second source for a record: what is a duplicate, what is refused, and which one stands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.files.command_line import AS_OF, assess, toxwatch
from tests.files.writing import FR01, UNRELATED, Json, Site, line, lines, write

EVENTS = [*FR01.treated(), FR01.ae()]


def reordered(event: Json) -> bytes:
    """The same content with its keys backwards, other spacing and other escapes."""

    def backwards(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: backwards(value[key]) for key in reversed(value)}
        return [backwards(item) for item in value] if isinstance(value, list) else value

    return json.dumps(backwards(event), ensure_ascii=True, separators=(" , ", " :\t")).encode()


@pytest.mark.parametrize(
    "again",
    [
        line(FR01.ae()),
        reordered(FR01.ae()),
        line({**FR01.ae(), "traceparent": "00-abc-def-01"}),
        line({**FR01.ae(), "receivedtime": "2017-03-29T00:00:00Z"}),
        line(FR01.ae()).replace(b'"grade": 4', b'"grade": 4.0'),
    ],
    ids=["the same bytes", "other order and spacing", "a trace context", "received again", "4.0 for 4"],
)
def test_the_same_id_with_the_same_content_is_a_duplicate(again: bytes) -> None:
    """Accepted, ignored, counted once."""
    outcome = assess([*EVENTS, again])
    assert (outcome.code, outcome.err, outcome.json) == (0, "", assess(EVENTS).json)


@pytest.mark.parametrize(
    "other",
    [
        FR01.ae(data={"grade": 2}),
        FR01.ae(data={"causality": UNRELATED}),
        FR01.ae(time="2017-03-20T09:00:01Z"),
        {**FR01.ae(), "actor": "crc-2"},
        {**FR01.visit("2017-03-01"), "id": FR01.ae()["id"]},
    ],
    ids=["another grade", "another causality", "another time", "another actor", "another type"],
)
def test_the_same_id_with_other_content_is_refused_and_the_first_stands(other: Json) -> None:
    outcome = assess([*EVENTS, other])
    assert outcome.code == 2
    (refusal,) = outcome.json["refused"]
    assert refusal["line"] == 4
    assert refusal["id"] == other["id"]
    assert refusal["error"].endswith("came before with other content; the first one stands")
    assert {**outcome.json, "refused": []} == assess(EVENTS).json


def test_which_is_first_is_a_matter_of_the_log() -> None:
    """A declared exception to "the order of lines is immaterial"."""
    mild = FR01.ae(data={"grade": 2})
    assert assess([*FR01.treated(), mild, FR01.ae()]).json["cases"] == []
    assert assess([*FR01.treated(), FR01.ae(), mild]).json["cases"] != []


@pytest.mark.parametrize("where", ["same file", "earlier file", "second of three", "standard input"])
@pytest.mark.parametrize("same", [True, False])
def test_wherever_the_first_one_stands_it_is_compared(where: str, same: bool, tmp_path: Path) -> None:
    """Behind many other lines too, so that it must be found again by its position."""
    others = [FR01.visit("2017-02-20", f"V-{number}") for number in range(200)]
    before, again = [*others, *EVENTS, *others[:3]], FR01.ae(data={} if same else {"grade": 2})
    first = write(tmp_path / "first.ndjson", [*before, again] if where == "same file" else before)
    second = write(tmp_path / "second.ndjson", [again])
    other = write(tmp_path / "other.ndjson", before[:1])
    paths = {
        "same file": [first],
        "earlier file": [first, second],
        "second of three": [other, first, second],
        "standard input": ["-", second],
    }[where]
    outcome = toxwatch("assess", *paths, "--as-of", AS_OF, "--format", "json", stdin=lines(before))
    assert outcome.json["events"] == 203
    assert [case["verdict"] for case in outcome.json["cases"]] == ["met"]
    named = (first, 207) if where == "same file" else (second, 1)
    assert [(row["file"], row["line"]) for row in outcome.json["refused"]] == ([] if same else [named])
    assert outcome.code == (0 if same else 2)


def test_an_id_is_a_sources_own_and_a_subjects_own() -> None:
    """Identity is (subject, source, id): elsewhere the same id is another event."""
    second = Site(subject="FR01-002")
    laboratory = Site(source="urn:site:FR01:lis")
    events = [FR01.enrolled(id="1"), second.enrolled(id="1"), laboratory.lab(id="1")]
    outcome = assess(events)
    assert (outcome.code, outcome.json["events"]) == (0, 3)


def test_what_was_refused_owns_neither_its_id_nor_its_record() -> None:
    """The corrected event may come under the same id, and from another source."""
    refused = FR01.ae(data={"grade": 7})
    outcome = assess([*FR01.treated(), refused, FR01.ae(), Site(source="urn:site:FR01:lis").ae("AE-2")])
    assert [row["line"] for row in outcome.json["refused"]] == [3]
    assert [case["case"] for case in outcome.json["cases"]] == ["ae:AE-1", "ae:AE-2"]


def test_a_clock_event_with_a_known_id_is_a_duplicate_whatever_its_time() -> None:
    """EVENTS: its id is derived from trial, subject, case and due, its time from when it was made."""
    due = {"due": "2017-03-01T00:00:00Z", "case": "ae:AE-1"}
    clocks = [FR01.event("clock.reached", due, time=time, source="urn:toxwatch:demo") for time in (AS_OF, due["due"])]
    outcome = assess([*EVENTS, *clocks])
    assert (outcome.code, outcome.json) == (0, assess(EVENTS).json)


LATER = "2017-03-21T09:00:00Z"
SECOND = Site(source="urn:cro:edc")


@pytest.mark.parametrize(
    ("kind", "foreign"),
    [
        ("ae 'AE-1'", SECOND.ae(data={"revision": 2, "grade": 1}, time=LATER)),
        ("ae 'AE-1'", SECOND.retracted("ae", {"ae_id": "AE-1"}, time=LATER)),
        ("administration 'A-1'", SECOND.dosed(data={"revision": 2, "status": "not-given"}, time=LATER)),
        ("administration 'A-1'", SECOND.retracted("treatment", {"administration_id": "A-1"}, time=LATER)),
        ("enrolment", SECOND.enrolled(data={"revision": 2, "part": "B"}, time=LATER)),
        ("lab 'L-1'", SECOND.retracted("lab", {"lab_id": "L-1"}, time=LATER)),
        ("visit 'V-1'", SECOND.retracted("visit", {"visit_id": "V-1"}, time=LATER)),
    ],
)
def test_a_second_source_may_not_write_to_a_record(kind: str, foreign: Json) -> None:
    """Nor take it back. The first source owns it."""
    events = [*EVENTS, FR01.lab(), FR01.visit("2017-03-01")]
    outcome = assess([*events, foreign])
    (refusal,) = outcome.json["refused"]
    assert refusal["error"] == (
        f"source: 'urn:cro:edc' writes to {kind}, which belongs to 'urn:site:FR01:edc' (record-owner-conflict)"
    )
    assert outcome.code == 2
    assert {**outcome.json, "refused": []} == assess(events).json


def test_a_site_may_not_take_back_the_sponsors_adjudication() -> None:
    events = [*EVENTS, FR01.adjudicated("dlt")]
    outcome = assess([*events, FR01.retracted("dlt", {"adjudication_id": "ADJ-1"}, time=LATER)])
    assert [row["line"] for row in outcome.json["refused"]] == [5]
    assert outcome.json["cases"] == assess(events).json["cases"]


def test_a_record_is_a_subjects_own() -> None:
    """AE-1 of one subject and AE-1 of another have nothing to do with each other."""
    assert assess([*EVENTS, Site(subject="FR01-002", source="urn:cro:edc").ae()]).code == 0


@pytest.mark.parametrize(
    ("groups", "accepted"),
    [
        ([["urn:site:FR01:edc", "urn:cro:edc"]], True),
        ([["urn:site:*:edc", "urn:cro:*"]], True),
        ([["urn:site:FR02:edc", "urn:cro:edc"]], False),
        ([["urn:site:FR01:edc"], ["urn:cro:edc"]], False),
    ],
)
def test_configuration_can_say_that_two_sources_are_one(
    groups: list[list[str]], accepted: bool, tmp_path: Path
) -> None:
    """``one_system``: then the second writes to the record, and takes it back."""
    configured = tmp_path / "one.json"
    configured.write_text(json.dumps({"base": "isi-jx", "one_system": groups}), encoding="utf-8")
    back = SECOND.retracted("ae", {"ae_id": "AE-1"}, time=LATER)
    outcome = assess([*EVENTS, back], "--protocol", str(configured))
    assert outcome.code == (0 if accepted else 2)
    assert bool(outcome.json["cases"]) is not accepted
