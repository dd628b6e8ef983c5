"""Every line of rules.md §6 through the whole pipeline: refused, named, listed, and all the rest judged all the same."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import pytest

from tests.files.command_line import Outcome, assess
from tests.files.writing import FR01, TIME, Json, Site, line

GOOD = [*FR01.treated(), FR01.ae()]
SPOILT = Site(subject="FR01-002")


class Bad(NamedTuple):
    """What is sent, the words that its refusal must hold, and whether somebody must look at once."""

    name: str
    event: Json | bytes
    told: str
    urgent: bool = False


def ae(**data: Any) -> Json:
    """Of grade 1, so that nothing in it is urgent unless the row says so."""
    return SPOILT.ae(data={"grade": 1, "onset": ..., "end": ..., **data})


def dlt(**data: Any) -> Json:
    return SPOILT.adjudicated("dlt", data=data)


def swapped(event: Json, old: str, new: str) -> bytes:
    """What ``json.dumps`` would not write."""
    text = json.dumps(event)
    assert old in text
    return text.replace(old, new).encode()


def steps(*dates: str, **data: Any) -> Json:
    return ae(grades=[{"grade": 1, "from": date} for date in dates], **data)


LATE = "2017-03-20T09:15:01Z"
TOO_LATE = "is later than the event's own time, 2017-03-20T09:00:00Z"
SIGNED_LATE = [{"party": "sponsor", "by": "s", "at": LATE}]
FOREIGN = "may not publish"
ALERT = {
    "alert_id": "a",
    "revision": 1,
    "case": "ae:AE-1",
    "verdict": "met",
    "clauses": {},
    "urgency": "urgent",
    "population": "part-a",
    "counts_as_dlt": True,
    "reasons": [],
    "questions": [],
    "evidence": [],
    "detected_at": TIME,
    "caused_by": {"source": "s", "id": "e"},
    "protocol_version": "1",
}

REFUSED = [
    Bad("unknown type", {**ae(), "type": "toxwatch.ae.repoted.v1"}, "type: 'toxwatch.ae.repoted.v1' is not a known"),
    Bad("unknown version", {**ae(), "type": "toxwatch.ae.reported.v2"}, "type: 'toxwatch.ae.reported.v2' is a version"),
    Bad("no required field", ae(ae_id=...), "data.ae_id: missing; toxwatch.ae.reported.v1 requires it"),
    Bad("no data", {k: v for k, v in ae().items() if k != "data"}, "data: missing"),
    Bad("malformed required field", ae(revision="first"), "data.revision: 'first' is text where a number is meant"),
    Bad("revision 0", ae(revision=0), "data.revision: 0 is not a revision, a whole number 1-9007199254740991"),
    Bad("unknown field", ae(onsett="2017-02-20"), "data.onsett: unknown field; the nearest known one is onset"),
    Bad("text for a number", ae(grade="3"), "data.grade: '3' is text where a number is meant", urgent=True),
    Bad("NaN", swapped(SPOILT.lab(), '"value": 31', '"value": NaN'), "NaN"),
    Bad("Infinity", swapped(SPOILT.lab(), '"value": 31', '"value": Infinity'), "Infinity"),
    Bad("U+0000", ae(term="a\0b"), "data.term: contains the character U+0000"),
    Bad("2,001 characters", ae(term="a" * 2001), "data.term: 2001 characters; at most 2000 are taken"),
    Bad("501 items", ae(organs=["skin"] * 501), "data.organs: 501 items; at most 500 are taken"),
    Bad("time without offset", {**ae(), "time": "2017-03-20T09:00:00"}, "time: '2017-03-20T09:00:00' needs"),
    Bad("receivedtime without offset", {**ae(), "receivedtime": "2017-03-20"}, "receivedtime: '2017-03-20' is not"),
    Bad("another trial", {**ae(), "trial": "NCT00000001"}, "trial: 'NCT00000001' is another trial"),
    Bad("another drug", SPOILT.dosed(data={"drug": "aspirin"}), "data.drug: 'aspirin' is not a drug of this protocol"),
    Bad("causality to another drug", ae(causality={"investigator": {"aspirin": "related"}}), "'aspirin' is not a"),
    Bad("action on another drug", ae(action_taken={"aspirin": "none"}), "'aspirin' is not a study drug"),
    Bad("grade 0", ae(grade=0), "data.grade: 0 is not a CTCAE grade 1-5"),
    Bad("grade 6", ae(grade=6), "data.grade: 6 is not a CTCAE grade 1-5", urgent=True),
    Bad("grade of a step", ae(grades=[{"grade": 9, "from": "2017-03-01"}]), "data.grades[0].grade: 9", urgent=True),
    Bad("steps not ascending", steps("2017-03-02", "2017-03-01"), "data.grades[1].from: '2017-03-01' is earlier"),
    Bad("step before the onset", steps("2017-03-01", onset="2017-03-02"), "'2017-03-01' is before the onset"),
    Bad("step after the end", steps("2017-03-03", end="2017-03-02"), "'2017-03-03' is after the end"),
    Bad("end before onset", ae(onset="2017-03-02", end="2017-03-01"), "data.end: '2017-03-01' is before the onset"),
    Bad("end while ongoing", ae(end="2017-03-01", ongoing=True), "'2017-03-01' is given although ongoing is true"),
    Bad("late onset", ae(onset=LATE), f"data.onset: '{LATE}' {TOO_LATE}"),
    Bad("onset the day after tomorrow", ae(onset="2017-03-22"), f"data.onset: '2017-03-22' {TOO_LATE}"),
    Bad("onset next month", ae(onset="2017-04"), f"data.onset: '2017-04' {TOO_LATE}"),
    Bad("onset next year", ae(onset="2018"), f"data.onset: '2018' {TOO_LATE}"),
    Bad("late step", steps(LATE), f"data.grades[0].from: '{LATE}' {TOO_LATE}"),
    Bad("late end", ae(end=LATE), f"data.end: '{LATE}' {TOO_LATE}"),
    Bad("late awareness", ae(aware=LATE), f"data.aware: '{LATE}' {TOO_LATE}"),
    Bad("late awareness of the sponsor", ae(sponsor_aware=LATE), f"data.sponsor_aware: '{LATE}' {TOO_LATE}"),
    Bad("late collection", SPOILT.lab(data={"collected": LATE}), f"data.collected: '{LATE}' {TOO_LATE}"),
    Bad("late administration", SPOILT.dosed(LATE, time=TIME), f"data.given: '{LATE}' {TOO_LATE}"),
    Bad("late visit", SPOILT.visit("2017-03-22"), f"data.date: '2017-03-22' {TOO_LATE}"),
    Bad("late discontinuation", SPOILT.discontinued("2017-03-22", "other"), f"data.date: '2017-03-22' {TOO_LATE}"),
    Bad(
        "late last contact",
        SPOILT.discontinued("2017-03-01", "other", last_contact="2017-03-22"),
        f"data.last_contact: '2017-03-22' {TOO_LATE}",
    ),
    Bad("late enrolment", SPOILT.enrolled(data={"enrolled": "2017-03-22"}, time=TIME), f"data.enrolled: '2017-03-22' {TOO_LATE}"),
    Bad(
        "late response",
        SPOILT.event(
            "response.assessed",
            {"assessment_id": "R", "revision": 1, "date": "2017-03-22", "criteria": "irRC", "response": "SD"},
        ),
        f"data.date: '2017-03-22' {TOO_LATE}",
    ),
    Bad("late decision", dlt(decided=LATE), f"data.decided: '{LATE}' {TOO_LATE}"),
    Bad("late signature", dlt(signatures=SIGNED_LATE), f"data.signatures[0].at: '{LATE}' {TOO_LATE}"),
    Bad("negative concentration", SPOILT.lab(data={"value": -1}), "data.value: -1.0 is negative"),
    Bad("year 1899", ae(onset="1899-12-31"), "the year must lie within 1900-2200"),
    Bad("year 2201", {**ae(), "time": "2201-01-01T00:00:00Z"}, "the year must lie within 1900-2200"),
    Bad("subject of no site", {**ae(), "subject": "Dupont-1951"}, "subject: (masked, 11 characters) is not a subject id"),
    Bad("subject with a space", {**ae(), "subject": "Jean Dupont"}, "subject: (masked, 11 characters) is not a subject id"),
    Bad("subject of another site", {**ae(), "site": "FR02"}, "site: 'FR02' is not the site that the subject id names"),
    Bad("clock from a site", SPOILT.event("clock.reached", {"due": TIME, "case": "ae:AE-1"}), FOREIGN),
    Bad(
        "protocol from a site",
        SPOILT.event(
            "protocol.activated",
            {"protocol": "p", "version": "1", "rules_version": "1", "sha256": "0" * 64},
            subject=...,
            site=...,
        ),
        FOREIGN,
    ),
    Bad("alert from a site", SPOILT.event("alert.raised", ALERT), FOREIGN),
    Bad("alert withdrawn by the sponsor", SPOILT.event("alert.withdrawn", ALERT, source="urn:sponsor:x"), FOREIGN),
    Bad("not JSON", b"ae of FR01-002, grade 1", "not valid JSON"),
    Bad("cut", line(ae())[:-30], "the JSON breaks off before its end"),
    Bad("two events in a line", line(ae()) + line(ae()), "something follows the end of the JSON object"),
    Bad("a key twice", swapped(ae(), '"grade": 1', '"grade": 1, "grade": 1'), "'grade' is given twice"),
    Bad("a list", b"[]", "the line is not a JSON object"),
    Bad("serious", ae(serious=True, onset=LATE), TOO_LATE, urgent=True),
    Bad("a reason of seriousness", ae(seriousness=["hospitalisation"], onset=LATE), TOO_LATE, urgent=True),
    Bad("fatal", ae(outcome="fatal", onset=LATE), TOO_LATE, urgent=True),
    Bad("severe and cut", line(ae(grade=3))[:-9], "the JSON breaks off", urgent=True),
    Bad("severe step", steps(LATE, grade=3), TOO_LATE, urgent=True),
    Bad("a severe word in a visit", SPOILT.visit("2017-03-22", data={"serious": True}), "data.serious: unknown field"),
]  # fmt: skip

ACCEPTED: list[tuple[str, Json]] = [
    ("15 minutes ahead are tolerated", ae(onset="2017-03-20T09:15:00Z")),
    ("tomorrow has begun at UTC+14", {**ae(onset="2017-03-21"), "time": "2017-03-20T10:00:00Z"}),
    ("a missed visit may lie ahead", SPOILT.visit("2017-06-01", data={"status": "missed"})),
    ("two steps may have one date", steps("2017-03-01", "2017-03-01")),
    ("a step within a partial onset", steps("2017-03-01", onset="2017-03")),
    ("an end in the onset's month", ae(onset="2017-03", end="2017-03-01")),
    ("2,000 characters", ae(term="é" * 2000)),
    ("500 items", ae(organs=["skin"] * 500)),
    ("whole numbers with a point", ae(grade=1.0)),
    ("anything in x", ae(x={"onsett": "2017", "grade": "severe"})),
    ("an extension attribute", {**ae(), "edcversion": "4.2"}),
    ("a clock of ours", SPOILT.event("clock.reached", {"due": TIME, "case": "ae:AE-1"}, source="urn:toxwatch:demo")),
    ("the year 1900", ae(onset="1900-01-01")),
    ("a concentration of 0", SPOILT.lab(data={"value": 0})),
]


def judged(outcome: Outcome) -> tuple[list[Json], list[Json]]:
    return outcome.json["cases"], outcome.json["cohorts"]


@pytest.mark.parametrize("bad", REFUSED, ids=lambda bad: bad.name)
def test_what_breaks_a_rule_is_refused_and_everything_else_is_judged(bad: Bad) -> None:
    """With the line, the id, the field and the rule, on standard error and in the JSON; exit 2."""
    outcome = assess([GOOD[0], GOOD[1], bad.event, GOOD[2]])
    assert outcome.code == 2
    (refusal,) = outcome.json["refused"]
    assert (refusal["file"], refusal["line"], refusal["urgent"]) == ("-", 3, bad.urgent)
    assert bad.told in refusal["error"]
    assert "Traceback" not in outcome.err
    urgent = "URGENT " if bad.urgent else ""
    named = f" (id {refusal['id']})" if refusal["id"] else ""
    assert outcome.err == f"-:3: {urgent}refused{named}: {refusal['error']}\n"
    if isinstance(bad.event, dict):
        assert refusal["id"] == bad.event["id"]
    assert judged(outcome) == judged(assess(GOOD))
    assert outcome.json["events"] == 3


@pytest.mark.parametrize(("name", "event"), ACCEPTED, ids=[name for name, _ in ACCEPTED])
def test_what_keeps_within_the_rules_is_taken(name: str, event: Json) -> None:
    """The other side of each limit."""
    outcome = assess([*GOOD, event])
    assert (outcome.code, outcome.err) == (0, "")
    assert judged(outcome)[1] == judged(assess(GOOD))[1]


def test_a_subject_that_may_be_a_name_is_written_nowhere() -> None:
    outcome = assess([*GOOD, {**ae(), "id": "e-1", "subject": "Jean Dupont"}])
    assert "Dupont" not in outcome.out + outcome.err


def test_every_bad_line_of_a_log_is_listed_once_and_in_order() -> None:
    """All of the table at once, between good lines."""
    events = [*GOOD, *(bad.event for bad in REFUSED)]
    outcome = assess(events)
    assert [row["line"] for row in outcome.json["refused"]] == list(range(4, len(events) + 1))
    assert [row["urgent"] for row in outcome.json["refused"]] == [bad.urgent for bad in REFUSED]
    assert len(outcome.err.splitlines()) == len(REFUSED)
    assert judged(outcome) == judged(assess(GOOD))


def test_several_faults_of_one_line_are_told_together() -> None:
    (refusal,) = assess([ae(grade=1, onset=LATE, end="2017-03-01", ongoing=True)]).json["refused"]
    assert "data.onset" in refusal["error"]
    assert "data.end" in refusal["error"]
