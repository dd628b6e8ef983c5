"""Every status that ``POST /v1/events`` promises, and one result per event, in order, with its position."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from tests.interfaces.live import Commands, Live, running, until
from tests.interfaces.messages import BATCHED, LINES, STRUCTURED, ae, body_of, enrolled, new_subject, visit

pytestmark = pytest.mark.xdist_group("interfaces")

WRONG = {"grade": 7}
RFC_9457 = {"type", "title", "status", "detail"}


def statuses(answer: httpx2.Response) -> list[str]:
    return [result["status"] for result in answer.json()["results"]]


def test_202_all_taken_with_positions_that_grow(live: Live) -> None:
    """All accepted or duplicate; `export` finds each accepted one at the position that the answer names."""
    subject = new_subject()
    events = [enrolled(subject), visit(subject), visit(subject, {"visit_id": "V-2"})]
    first = live.send(events, kind=BATCHED)
    again = live.send([*events, visit(subject, {"visit_id": "V-3"})], kind=BATCHED)
    assert (first.status_code, again.status_code) == (202, 202)
    assert statuses(again) == ["duplicate"] * 3 + ["accepted"]
    results = first.json()["results"]
    assert [result["id"] for result in results] == [event["id"] for event in events]
    places = [re.fullmatch(r"(\d+)/(\d+)", result["position"]) for result in results]
    offsets = [int(place[2]) for place in places if place]
    assert len(offsets) == 3
    assert offsets == sorted(set(offsets))
    exported = live.toxwatch("export", "--from", results[0]["position"], "--to", results[2]["position"], *on(live))
    assert [event["id"] for event in exported.ndjson] == [event["id"] for event in events]


def on(live: Live) -> tuple[Any, ...]:
    return "--data", live.data


@pytest.mark.parametrize("kind", [BATCHED, LINES])
def test_207_the_good_are_taken_beside_the_bad(live: Live, kind: str) -> None:
    """A refused event stands in its place among the results, and says which field is wrong and why."""
    subject = new_subject()
    events = [visit(subject), ae(subject, WRONG), visit(subject, {"visit_id": "V-2"})]
    answer = live.send(events, kind=kind)
    assert answer.status_code == 207
    assert statuses(answer) == ["accepted", "refused", "accepted"]
    assert [result["id"] for result in answer.json()["results"]] == [event["id"] for event in events]
    assert answer.json()["results"][1]["error"] == "data.grade: 7 is not a CTCAE grade 1-5"


def test_422_all_refused(live: Live) -> None:
    """Nothing of a request can be taken, and each event says why."""
    subject = new_subject()
    answer = live.send([ae(subject, WRONG), ae(subject, {"grade": 0})], kind=LINES)
    assert (answer.status_code, statuses(answer)) == (422, ["refused", "refused"])


def test_a_duplicate_beside_a_refused_event_is_207(live: Live) -> None:
    """A duplicate counts as taken."""
    subject = new_subject()
    known = visit(subject)
    live.accept(known)
    answer = live.send([known, ae(subject, WRONG)], kind=BATCHED)
    assert (answer.status_code, statuses(answer)) == (207, ["duplicate", "refused"])


def test_one_event_twice_in_one_request(live: Live) -> None:
    """The second is a duplicate; with other content it is refused, and the first one stands."""
    subject = new_subject()
    event = ae(subject, {"grade": 1})
    other = {**event, "data": {**event["data"], "grade": 2}}
    answer = live.send([event, event, other], kind=BATCHED)
    assert (answer.status_code, statuses(answer)) == (207, ["accepted", "duplicate", "refused"])
    assert event["id"] in answer.json()["results"][2]["error"]


@pytest.mark.parametrize("kind", [STRUCTURED, BATCHED, LINES, "application/json", "text/plain"])
def test_401_without_a_key_nothing_is_read(live: Live, kind: str) -> None:
    """Not even an unreadable body is looked at, nor parked."""
    letters = live.get("/v1/status", "operator").json()["dead_letters"]
    answer = live.send(b"\xff{", who=None, kind=kind)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert_problem(answer)
    assert live.get("/v1/status", "operator").json()["dead_letters"] == letters


def assert_problem(answer: httpx2.Response) -> None:
    """An error of a whole request is an RFC 9457 problem document."""
    assert answer.headers["content-type"].startswith("application/problem+json")
    problem = answer.json()
    assert problem.keys() >= RFC_9457
    assert problem["status"] == answer.status_code


def test_403_when_the_key_may_write_none(live: Live) -> None:
    """Each event is answered and parked."""
    events = [visit(new_subject("FR02")), visit(new_subject("FR03"))]
    answer = live.send(events, kind=BATCHED)
    assert (answer.status_code, statuses(answer)) == (403, ["refused", "refused"])
    assert_problem(answer)
    letters = letters_of(live)
    assert {event["id"] for event in events} <= letters.keys()


def letters_of(live: Live) -> dict[str, dict[str, Any]]:
    """Parked input by the id that the event bore."""
    ran = live.toxwatch("dead-letters", "list", "--format", "ndjson", *on(live))
    return {letter["event_id"]: letter for letter in ran.ndjson}


def test_an_event_outside_the_authority_is_refused_singly(live: Live) -> None:
    """Among others it does not spoil the request."""
    answer = live.send([visit(new_subject("FR02")), visit(new_subject())], kind=BATCHED)
    assert (answer.status_code, statuses(answer)) == (207, ["refused", "accepted"])


def test_an_event_over_256_kib_is_refused_singly(live: Live) -> None:
    """Its neighbours are taken."""
    big = visit(new_subject(), {"x": {"note": ["x" * 1000] * 263}})
    just = visit(new_subject(), {"x": {"note": ["x" * 1000] * 255}})
    answer = live.send([big, visit(new_subject()), just], kind=LINES)
    assert (answer.status_code, statuses(answer)) == (207, ["refused", "accepted", "accepted"])
    assert "262144" in answer.json()["results"][0]["error"]


def test_413_over_10_mib(live: Live) -> None:
    """One byte too many; a problem document says how many are taken."""
    answer = live.send(b" " * (10 * 1024 * 1024 + 1), kind=LINES)
    assert answer.status_code == 413
    assert_problem(answer)


@pytest.mark.parametrize("kind", [BATCHED, LINES])
def test_413_over_10000_events(live: Live, kind: str) -> None:
    """10,001 small ones; none of them is taken."""
    event = visit(new_subject())
    answer = live.send([event] * 10_001, kind=kind)
    assert answer.status_code == 413
    assert_problem(answer)
    assert statuses(live.send(event)) == ["accepted"]


@pytest.mark.parametrize("kind", ["text/plain", "application/xml", "", "application/cloudevents+avro"])
def test_415_unknown_content_type(live: Live, kind: str) -> None:
    """A problem document."""
    answer = live.send(visit(new_subject()), kind=kind)
    assert answer.status_code == 415
    assert_problem(answer)


@pytest.mark.parametrize("kind", [STRUCTURED, BATCHED, LINES])
def test_a_content_type_may_have_parameters_and_any_case(live: Live, kind: str) -> None:
    """``; charset=utf-8`` is what most clients add."""
    body = [visit(new_subject())] if kind == BATCHED else visit(new_subject())
    answer = live.send(body_of(body, kind), kind=kind.upper() + "; charset=UTF-8")
    assert answer.status_code == 202, answer.text


@pytest.fixture(scope="module")
def tight(toxwatch: Commands, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A second Toxwatch, which takes few events a minute."""
    with running(tmp_path_factory.mktemp("tight"), toxwatch, TOXWATCH_EVENTS_PER_MINUTE="60") as deployment:
        yield deployment


def test_503_while_the_log_cannot_take_it_then_the_same_again(tight: Live) -> None:
    """The database is held by somebody else: 503 with Retry-After, the key notwithstanding; then the same is accepted."""
    event = visit(new_subject())
    key = tight.key()
    holder = sqlite3.connect(tight.data / "toxwatch.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        answer = tight.send(event, key=key)
    finally:
        holder.execute("ROLLBACK")
        holder.close()
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["retry-after"]) > 0
    assert_problem(answer)
    until(lambda: statuses(tight.send(event)) == ["accepted"] if tight.is_alive() else None, why="taken after all")


def test_429_over_the_rate_limit(tight: Live) -> None:
    """More than the key may send: Retry-After says when; another key is not concerned."""
    subject = new_subject("FR02")
    limit = 120
    events = [visit(subject, {"visit_id": f"V-{number}"}) for number in range(limit)]
    answers = [tight.send(events[start : start + 20], "FR02", LINES) for start in range(0, limit, 20)]
    over = [answer for answer in answers if answer.status_code == 429]
    assert over, [answer.status_code for answer in answers]
    assert int(over[0].headers["retry-after"]) > 0
    assert_problem(over[0])
    assert statuses(tight.send(visit(new_subject("FR03")), "FR03")) == ["accepted"]
