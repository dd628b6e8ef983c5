"""rules.md §6, what concerns one event: each refusal names the field, the value and the rule broken."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from events.errors import (
    BadField,
    EventRefused,
    ForeignSource,
    ForeignSubject,
    NotJson,
    TooLarge,
    UnknownField,
    UnknownType,
    WrongTrial,
)
from tests.events.samples import accepted, ae, error_of, event, lab, line, refused

LATER = "is later than the event's own time, 2017-03-20T09:00:00Z"
AFTER = "2017-03-20T09:15:00.000001Z"
SAMPLE = "such as 2017-03-05T08:30:00+01:00"
DATE = f"is not a date: 2017, 2017-03, 2017-03-05 or a date-time with offset, {SAMPLE}"
WORDS = "recovered, recovering, not-recovered, recovered-with-sequelae, fatal or unknown"


@pytest.mark.parametrize(
    ("data", "error"),
    [
        # numbers
        ({"grade": 7}, "data.grade: 7 is not a CTCAE grade 1-5"),
        ({"grade": 0}, "data.grade: 0 is not a CTCAE grade 1-5"),
        ({"grade": 2.5}, "data.grade: 2.5 is not a CTCAE grade 1-5"),
        ({"grade": True}, "data.grade: true is not a CTCAE grade 1-5"),
        ({"grade": "3"}, "data.grade: '3' is text where a number is meant; write it without quotes"),
        (
            {"grades": [{"grade": 6, "from": "2017-03-01"}]},
            "data.grades[0].grade: 6 is not a CTCAE grade 1-5",
        ),
        ({"revision": 0}, "data.revision: 0 is not a revision, a whole number 1-9007199254740991"),
        (
            {"revision": 2**53},
            "data.revision: 9007199254740992 is not a revision, a whole number 1-9007199254740991",
        ),
        ({"revision": None}, "data.revision: null is not a revision, a whole number 1-9007199254740991"),
        # words and texts
        ({"revision": ...}, "data.revision: missing; toxwatch.ae.reported.v1 requires it"),
        ({"ae_id": ""}, "data.ae_id: empty"),
        ({"ae_id": 5}, "data.ae_id: 5 is a number where text is meant; write it in quotes"),
        ({"term": None}, "data.term: null is not text"),
        ({"term": "x" * 2001}, "data.term: 2001 characters; at most 2000 are taken"),
        ({"outcome": "died"}, f"data.outcome: 'died' is not one of {WORDS}"),
        ({"serious": "yes"}, "data.serious: 'yes' is not true or false"),
        ({"organs": "liver"}, "data.organs: 'liver' is not a list"),
        ({"causality": ["possible"]}, "data.causality: a list is not an object"),
        ({"x": 1}, "data.x: 1 is not an object"),
        (
            {"identifiers": [{"system": "s", "value": "v"}] * 501},
            "data.identifiers: 501 items; at most 500 are taken",
        ),
        # dates
        ({"onset": "last week"}, f"data.onset: 'last week' {DATE}"),
        ({"onset": "2017-W10-1"}, f"data.onset: '2017-W10-1' {DATE}"),
        ({"onset": "2017-03-05T08:30:00,5Z"}, f"data.onset: '2017-03-05T08:30:00,5Z' {DATE}"),
        ({"onset": "2017-3-5"}, f"data.onset: '2017-3-5' {DATE}"),
        ({"onset": "2017-03-05T08:30"}, f"data.onset: '2017-03-05T08:30' needs seconds and an offset, {SAMPLE}"),
        ({"onset": "2017-03-05T08:30:00"}, f"data.onset: '2017-03-05T08:30:00' needs seconds and an offset, {SAMPLE}"),
        ({"onset": "2017-02-29"}, "data.onset: '2017-02-29': not a clinical date: there is no such date"),
        ({"onset": "2017-13"}, "data.onset: '2017-13': not a clinical date: there is no such date"),
        ({"aware": "2017-03-05"}, f"data.aware: '2017-03-05' is not a date-time with seconds and offset, {SAMPLE}"),
        ({"onset": "1899-12-31"}, "data.onset: '1899-12-31': the year must lie within 1900-2200"),
        ({"onset": "2201"}, "data.onset: '2201': the year must lie within 1900-2200"),
        # across fields
        (
            {"end": "2017-03-02", "ongoing": True},
            "data.end: '2017-03-02' is given although ongoing is true; send one of the two",
        ),
        (
            {"onset": "2017-03-02", "end": "2017-03-01"},
            "data.end: '2017-03-01' is before the onset, '2017-03-02'",
        ),
        (
            {"grades": [{"grade": 1, "from": "2017-03-02"}, {"grade": 2, "from": "2017-03-01"}]},
            "data.grades[1].from: '2017-03-01' is earlier than a step before it; list them by date",
        ),
        (
            {"onset": "2017-03-02", "grades": [{"grade": 1, "from": "2017-02"}]},
            "data.grades[0].from: '2017-02' is before the onset, '2017-03-02'",
        ),
        (
            {"end": "2017-03-02", "grades": [{"grade": 1, "from": "2017-03-03"}]},
            "data.grades[0].from: '2017-03-03' is after the end, '2017-03-02'",
        ),
        ({"onset": AFTER}, f"data.onset: '{AFTER}' {LATER}"),
        ({"end": AFTER}, f"data.end: '{AFTER}' {LATER}"),
        ({"grades": [{"grade": 1, "from": AFTER}]}, f"data.grades[0].from: '{AFTER}' {LATER}"),
        ({"aware": AFTER}, f"data.aware: '{AFTER}' {LATER}"),
        ({"sponsor_aware": AFTER}, f"data.sponsor_aware: '{AFTER}' {LATER}"),
        # drugs
        (
            {"causality": {"investigator": {"aspirin": "possible"}}},
            (
                "data.causality.investigator: 'aspirin' is not a study drug of this trial; use ipilimumab, pexa-vec, "
                "study-treatment or injection-procedure"
            ),
        ),
        (
            {"causality": {"sponsor": {"pexavec": None}}},
            (
                "data.causality.sponsor: 'pexavec' is not a study drug of this trial; use ipilimumab, pexa-vec, "
                "study-treatment or injection-procedure"
            ),
        ),
        (
            {"action_taken": {"injection-procedure": "none"}},
            (
                "data.action_taken: 'injection-procedure' is not a study drug of this trial; use ipilimumab, pexa-vec "
                "or study-treatment"
            ),
        ),
    ],
)
def test_an_adverse_event_is_refused(data: dict[str, Any], error: str) -> None:
    """With a sentence that a data manager can act on."""
    refusal = refused(ae(**data))
    assert refusal.error == error
    assert isinstance(refusal, BadField)
    assert (refusal.field, refusal.event_id, refusal.subject) == (error.split(":")[0], "e-1", "FR01-001")


@pytest.mark.parametrize(
    ("kind", "data", "error"),
    [
        ("lab.resulted", {"value": -0.1}, "data.value: -0.1 is negative, which no concentration is"),
        ("lab.resulted", {"value": "5"}, "data.value: '5' is text where a number is meant; write it without quotes"),
        ("lab.resulted", {"value": float("nan")}, "NaN is not a number that JSON knows"),
        ("lab.resulted", {"collected": AFTER}, f"data.collected: '{AFTER}' {LATER}"),
        ("lab.resulted", {"comparator": "~"}, "data.comparator: '~' is not one of <, >, <= or >="),
        ("subject.enrolled", {"enrolled": AFTER}, f"data.enrolled: '{AFTER}' {LATER}"),
        ("subject.enrolled", {"birth_year": 1899}, "data.birth_year: 1899 is not a year 1900-2200"),
        ("subject.enrolled", {"dose_level": 0}, "data.dose_level: 0 is not a dose level, a whole number from 1"),
        ("subject.enrolled", {"part": "C"}, "data.part: 'C' is not one of A or B"),
        (
            "subject.enrolled",
            {"time_zone": "Europe/Lyon"},
            "data.time_zone: 'Europe/Lyon' is not an IANA time zone, such as Europe/Paris",
        ),
        ("subject.discontinued", {"date": AFTER}, f"data.date: '{AFTER}' {LATER}"),
        ("subject.discontinued", {"last_contact": AFTER}, f"data.last_contact: '{AFTER}' {LATER}"),
        ("treatment.administered", {"given": AFTER, "status": "not-given"}, f"data.given: '{AFTER}' {LATER}"),
        (
            "treatment.administered",
            {"drug": "nivolumab"},
            "data.drug: 'nivolumab' is not a drug of this protocol; use ipilimumab or pexa-vec",
        ),
        ("treatment.administered", {"lesions": 6}, "data.lesions: 6 is not a number of lesions 1-5"),
        ("visit.recorded", {"date": AFTER}, f"data.date: '{AFTER}' {LATER}"),
        (
            "visit.recorded",
            {"status": "missed", "date": "2201"},
            "data.date: '2201': the year must lie within 1900-2200",
        ),
        ("visit.recorded", {"ecog": 6}, "data.ecog: 6 is not an ECOG performance status 0-5"),
        ("response.assessed", {"date": AFTER}, f"data.date: '{AFTER}' {LATER}"),
        ("dlt.adjudicated", {"decided": AFTER}, f"data.decided: '{AFTER}' {LATER}"),
        (
            "dlt.adjudicated",
            {"signatures": [{"party": "sponsor", "by": "u-1", "at": AFTER}]},
            f"data.signatures[0].at: '{AFTER}' {LATER}",
        ),
        (
            "dlt.adjudicated",
            {"signatures": [{"party": "family", "by": "u-1", "at": AFTER}]},
            "data.signatures[0].party: 'family' is not one of investigator, sponsor or committee",
        ),
        ("ae.retracted", {"reason": ...}, "data.reason: missing; toxwatch.ae.retracted.v1 requires it"),
    ],
)
def test_every_other_type_has_its_rules(kind: str, data: dict[str, Any], error: str) -> None:
    """The dates, drugs and numbers of each."""
    assert refused(line(kind, data)).error == error


@pytest.mark.parametrize(
    ("attributes", "kind", "error"),
    [
        (
            {"time": "2017-03-20T09:00:00"},
            BadField,
            f"time: '2017-03-20T09:00:00' needs seconds and an offset, {SAMPLE}",
        ),
        ({"time": "2017-02-30T09:00:00Z"}, BadField, "time: '2017-02-30T09:00:00Z': there is no such date and time"),
        (
            {"time": "1899-12-31T23:59:59Z"},
            BadField,
            "time: '1899-12-31T23:59:59Z': the year must lie within 1900-2200",
        ),
        ({"id": ...}, BadField, "id: missing; toxwatch.ae.reported.v1 requires it"),
        ({"site": ...}, BadField, "site: missing; toxwatch.ae.reported.v1 requires it"),
        ({"whole_data": ...}, BadField, "data: missing; toxwatch.ae.reported.v1 requires it"),
        ({"whole_data": "x"}, BadField, "data: 'x' is not an object"),
        ({"specversion": "0.3"}, BadField, "specversion: '0.3' is not 1.0"),
        ({"datacontenttype": "text/xml"}, BadField, "datacontenttype: 'text/xml' is not application/json"),
        (
            {"receivedtime": "2201-01-01T00:00:00Z"},
            BadField,
            "receivedtime: '2201-01-01T00:00:00Z': the year must lie within 1900-2200",
        ),
        (
            {"trial": "NCT00000001"},
            WrongTrial,
            "trial: 'NCT00000001' is another trial; events of NCT02977156 are taken here",
        ),
        ({"site": "FR02"}, ForeignSubject, "site: 'FR02' is not the site that the subject id names (FR01)"),
        ({"type": ...}, UnknownType, "type: missing; every event names its type"),
        ({"type": 5}, UnknownType, "type: 5 is not an event type"),
        (
            {"type": "toxwatch.ae.report.v1"},
            UnknownType,
            "type: 'toxwatch.ae.report.v1' is not a known event type; the nearest known type is toxwatch.ae.reported.v1",
        ),
        (
            {"type": "toxwatch.ae.reported.v2"},
            UnknownType,
            "type: 'toxwatch.ae.reported.v2' is a version that is not known here; the version known is toxwatch.ae.reported.v1",
        ),
        (
            {"type": "toxwatch.ae.reported"},
            UnknownType,
            "type: 'toxwatch.ae.reported' lacks its version; use toxwatch.ae.reported.v1",
        ),
        ({"type": "☃"}, UnknownType, "type: '☃' is not a known event type"),
    ],
)
def test_the_envelope_has_its_rules(attributes: dict[str, Any], kind: type[EventRefused], error: str) -> None:
    """And the kind of refusal says which."""
    raw = event("ae.reported", **attributes)
    if "whole_data" in attributes:
        del raw["data"]
        if attributes["whole_data"] is not ...:
            raw["data"] = raw.pop("whole_data")
    refusal = refused(json.dumps(raw).encode())
    assert refusal.error == error
    assert type(refusal) is kind


@pytest.mark.parametrize(
    ("data", "field", "nearest"),
    [
        ({"grad": 3}, "data.grad", "; the nearest known one is grade"),
        ({"Onset": "2017"}, "data.Onset", "; the nearest known one is onset"),
        (
            {"grades": [{"grade": 3, "form": "2017", "from": "2017"}]},
            "data.grades[0].form",
            "; the nearest known one is from",
        ),
        (
            {"grades": [{"grade": 3, "from_": "2017", "from": "2017"}]},
            "data.grades[0].from_",
            "; the nearest known one is from",
        ),
        ({"causality": {"sponser": {}}}, "data.causality.sponser", "; the nearest known one is sponsor"),
        ({"zzzz": 1}, "data.zzzz", ""),
    ],
)
def test_an_unknown_field_is_told_its_nearest(data: dict[str, Any], field: str, nearest: str) -> None:
    """And where a field of one's own belongs."""
    refusal = refused(ae(**data))
    assert refusal.error == f"{field}: unknown field{nearest}; the place for a field of your own is data.x"
    assert isinstance(refusal, UnknownField)


@pytest.mark.parametrize(
    "subject", ["Jean Dupont", "DUPONT-1957-03-05", "FR01-1", "FR01-001\n", "F", "x" * 41, 19570305]
)
def test_a_foreign_subject_is_masked(subject: object) -> None:
    """It may be a name or a birth date."""
    refusal = refused(line("lab.resulted", subject=subject))
    assert isinstance(refusal, ForeignSubject)
    assert refusal.field == "subject"
    assert refusal.subject is None
    assert str(subject).strip() not in refusal.error.replace("(masked, ", "").replace("FR01-1 ", "")
    assert refusal.error.startswith("subject: (masked")


def test_a_broken_event_of_a_foreign_subject_does_not_name_it() -> None:
    """Whatever else is wrong."""
    refusal = refused(line("ae.reported", {"grade": 7}, subject="Dupont-1957"))
    assert refusal.subject is None
    assert "Dupont" not in refusal.error


@pytest.mark.parametrize("source", ["urn:site:FR01:edc", "urn:toxwatch:", "URN:TOXWATCH:x", "x urn:toxwatch:demo"])
def test_only_toxwatch_publishes_its_own_types(source: str) -> None:
    """Clocks, protocols and alerts."""
    refusal = refused(line("clock.reached", source=source))
    assert type(refusal) is ForeignSource
    assert refusal.error.endswith(
        "may not publish toxwatch.clock.reached.v1; only Toxwatch itself does (urn:toxwatch:*)"
    )
    accepted(line("clock.reached", source="urn:toxwatch:demo"))


def test_several_faults_are_told_at_once_and_not_without_end() -> None:
    """At most five, with the number of the rest."""
    refusal = refused(ae(grade=9, onset="x", serious=1, outcome="?", end="y", aware="z", term=1))
    assert refusal.error.startswith(
        "data.term: 1 is a number where text is meant; write it in quotes; data.grade: 9 is not"
    )
    assert refusal.error.endswith("(and 2 more)")
    assert refusal.field == "data.term"


def test_a_name_cannot_break_a_list_of_refusals() -> None:
    """What is not printable is escaped."""
    refusal = refused(ae(**{"a\nb\u202e": 1}))
    assert refusal.error.startswith("data.a\\nb\\u202e: unknown field")
    assert refusal.field == "data.a\\nb\\u202e"


def _spoilt() -> Iterator[bytes]:
    broken: list[Any] = [None, True, "", "x", -1, 1.5, [], {}, [None], {"a": 1}, "2017-99-99", 10**30]
    for kind in ("ae.reported", "lab.resulted", "dlt.adjudicated", "visit.recorded", "subject.enrolled"):
        whole = event(kind)
        for holder in (whole, whole["data"]):
            for name, value in list(holder.items()):
                for bad in broken:
                    holder[name] = bad
                    yield json.dumps(whole).encode()
                holder[name] = value


def test_no_message_speaks_pydantic() -> None:
    """Neither its words nor its addresses."""
    errors = list(filter(None, map(error_of, _spoilt())))
    assert len(errors) > 500
    assert max(map(len, errors)) < 1000
    assert not [text for text in errors if re.search("input should|pydantic|valid string|_error", text.lower())]


@pytest.mark.parametrize(
    ("raw", "kind", "error"),
    [
        (b"", NotJson, "the line is empty"),
        (b" \n", NotJson, "the line is empty"),
        (b"[]", NotJson, "the line is not a JSON object"),
        (b"null", NotJson, "the line is not a JSON object"),
        (b"\xef\xbb\xbf" + ae(), NotJson, "the line begins with a byte order mark; save the file as UTF-8 without it"),
        (ae(term="X").replace(b"X", b"\xff"), NotJson, "byte 248 is not UTF-8"),
        (ae()[:-20], NotJson, "the JSON breaks off before its end (was the line cut?)"),
        (b"{", NotJson, "the JSON breaks off before its end (was the line cut?)"),
        (b"{'id': 1}", NotJson, "not valid JSON: a name in double quotes is expected at character 2"),
        (b"{} {}", NotJson, "something follows the end of the JSON object, at character 4; one event a line"),
        (ae(term="\ud800"), NotJson, "half a character (an unpaired surrogate) at character 254"),
        (
            ae(term="X").replace(b"X", b"\n"),
            NotJson,
            "a control character inside a text, at character 248; JSON writes it as \\n, \\t or \\u…",
        ),
        (ae(term="a\0b"), BadField, "data.term: contains the character U+0000, which no text may"),
        (ae(x={"a": ["\0"]}), BadField, "data.x.a[0]: contains the character U+0000, which no text may"),
        (ae(x={"a\0": 1}), BadField, "data.x: a name in it contains the character U+0000, which no text may"),
        (lab(value=1).replace(b'"value": 1', b'"value": 1e999'), NotJson, "1e999 is too large for a number"),
        (ae(x={"a": float("inf")}), BadField, "data.x: inf is not a number that JSON knows"),
        (ae(x={"a": 1}).replace(b'"a": 1', b'"a": -1e999'), BadField, "data.x: -inf is not a number that JSON knows"),
        (line("ae.reported", ext=float("nan")), BadField, "ext: nan is not a number that JSON knows"),
        (line("ae.reported", ext="x" * 2001), BadField, "ext: 2001 characters; at most 2000 are taken"),
        (ae(x={"a": "x" * 2001}), BadField, "data.x: 2001 characters; at most 2000 are taken"),
        (ae(x={"a": [0] * 501}), BadField, "data.x: 501 items; at most 500 are taken"),
        (
            ae(grade=3).replace(b'"grade": 3', b'"grade": 3, "grade": 1'),
            NotJson,
            "'grade' is given twice in one object",
        ),
        (
            ae(grade=3).replace(b'"grade": 3', b'"grade": 3, "grade" : 1'),
            NotJson,
            "'grade' is given twice in one object",
        ),
        (
            ae(grade=3).replace(b'"grade": 3', b'"grade": 3, "gr\\u0061de": 1'),
            NotJson,
            "'grade' is given twice in one object",
        ),
        (ae(term="a:b", x={"a": 1}).replace(b'"a": 1', b'"a": 1, "a": 2'), NotJson, "'a' is given twice in one object"),
        (b'{"id": "i", ' + ae()[1:], NotJson, "'id' is given twice in one object"),
        (b'{"a":' * 300 + b"1" + b"}" * 300, NotJson, "nested too deeply; at most 32 levels are taken"),
        (b"[" * 200_000, NotJson, "nested too deeply; at most 32 levels are taken"),
        (lab(value=1).replace(b'"value": 1', b'"value": 1' + b"0" * 5000), NotJson, "a number has too many digits"),
        (b" " * (256 * 1024 + 1), TooLarge, "262145 bytes; at most 262144 are taken for one event"),
    ],
)
def test_what_is_not_one_json_object_is_refused(raw: bytes, kind: type[EventRefused], error: str) -> None:
    """In words about the file, not about a parser."""
    refusal = refused(raw)
    assert refusal.error == error
    assert type(refusal) is kind
    assert not refusal.retriable
