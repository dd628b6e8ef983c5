"""The reading interface: pages, filters, one alert whole, and the stream that goes on where it was left."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest

from tests.interfaces.live import Live
from tests.interfaces.messages import Event, ae, enrolled, event, new_subject, treated

pytestmark = pytest.mark.xdist_group("interfaces")


@pytest.fixture(scope="module")
def subject(live: Live) -> str:
    """One with five alerts: one withdrawn, one possible, three met."""
    chosen = new_subject()
    live.accept(enrolled(chosen), treated(chosen))
    live.accept(*[ae(chosen, {"ae_id": f"AE-{number}", "term": f"Rash {number}"}) for number in range(1, 5)])
    live.accept(ae(chosen, {"ae_id": "AE-5", "causality": None}))
    live.alert("ae:AE-5", subject=chosen)
    live.accept(retraction(chosen))
    live.settle()
    return chosen


def retraction(subject: str) -> Event:
    return event("ae.retracted", subject, {"ae_id": "AE-1", "revision": 2, "reason": "an error"})


def cases(answer: Any) -> list[str]:
    return [alert["case"] for alert in answer.json()["alerts"]]


def test_filters(live: Live, subject: str) -> None:
    """By subject, verdict and state, alone and together."""
    expected = {
        ("open", None): {"ae:AE-2", "ae:AE-3", "ae:AE-4", "ae:AE-5"},
        ("withdrawn", None): {"ae:AE-1"},
        ("open", "met"): {"ae:AE-2", "ae:AE-3", "ae:AE-4"},
        ("open", "possible"): {"ae:AE-5"},
        ("withdrawn", "met"): set(),
    }
    for (state, verdict), found in expected.items():
        query = {"state": state, "subject": subject, **({"verdict": verdict} if verdict else {})}
        assert set(cases(live.get("/v1/alerts", **query))) == found, query


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 6])
def test_a_cursor_gives_every_alert_once(live: Live, subject: str, limit: int) -> None:
    """``next`` is null on the last page, also where it is full."""
    found: list[str] = []
    after: int | None = 0
    while after is not None:
        page = live.get("/v1/alerts", subject=subject, limit=limit, after=after)
        assert len(cases(page)) <= limit
        found += cases(page)
        after = page.json()["next"]
    assert sorted(found) == [f"ae:AE-{number}" for number in range(1, 6)]


def test_one_alert_whole(live: Live, subject: str) -> None:
    """History, reasons, the events it rests on, deliveries."""
    alert = live.alert("ae:AE-1", subject=subject)
    whole = live.whole(alert["alert_id"])
    assert [entry["kind"] for entry in whole["history"]] == ["raised", "withdrawn"]
    assert whole["reasons"]
    assert whole["deliveries"]
    met = live.whole(live.alert("ae:AE-2", subject=subject)["alert_id"])
    assert {found["event"]["id"] for found in met["evidence_events"]} == {found["id"] for found in met["evidence"]}


@pytest.mark.parametrize("name", ["no-such-alert", "00000000-0000-0000-0000-000000000000", "stream2"])
def test_an_alert_that_does_not_exist(live: Live, name: str) -> None:
    """404, a problem document."""
    answer = live.get(f"/v1/alerts/{name}")
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("application/problem+json")


def streamed_of(live: Live, subject: str, send: list[Event]) -> dict[str, Any]:
    """The first message about a subject; of a dose level on hold one more treated subject may be told before."""
    return next(told for _, told in _stream(live, send, None) if told.get("subject") == subject)


def streamed(live: Live, count: int, after: int | None = None) -> list[tuple[int, dict[str, Any]]]:
    """The first messages of the stream, with their ids."""
    return list(islice(_stream(live, None, after), count))


def _stream(live: Live, send: list[Event] | None, after: int | None) -> Iterator[tuple[int, dict[str, Any]]]:
    """``send`` is sent once the stream is open."""
    url = f"{live.url}/v1/alerts/stream"
    headers = {**live.as_("inspector"), **({} if after is None else {"last-event-id": str(after)})}
    with live.client.stream("GET", url, headers=headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        if send:
            live.accept(*send)
        for message in messages(answer.iter_lines()):
            yield int(message["id"]), json.loads(message["data"])
    raise AssertionError("the stream has ended")


def messages(lines: Iterator[str]) -> Iterator[dict[str, str]]:
    message: dict[str, str] = {}
    for line in lines:
        if not line and "data" in message:
            yield message
            message = {}
        elif line and not line.startswith(":"):
            name, _, value = line.partition(":")
            message[name] = value.removeprefix(" ")


def test_the_stream_tells_what_is_new(live: Live) -> None:
    """Without a place to go on from: from now on."""
    fresh = new_subject()
    told = streamed_of(live, fresh, send=[enrolled(fresh), treated(fresh), ae(fresh)])
    assert told["type"] == "toxwatch.alert.raised.v1"


def test_the_stream_goes_on_where_it_was_left(live: Live, subject: str) -> None:
    """``Last-Event-ID``: each event after that place once, in order; none before it."""
    everything = streamed(live, 6, after=0)
    places = [place for place, _ in everything]
    assert places == sorted(set(places))
    for left_at in (0, 2, 4):
        rest = streamed(live, 5 - left_at, after=places[left_at])
        assert [told["id"] for _, told in rest] == [told["id"] for _, told in everything[left_at + 1 :]]


@pytest.mark.parametrize("place", ["-1", "x", "1.5", "", "99999999999999999999", "0x1"])
def test_a_place_that_is_none(live: Live, place: str) -> None:
    """Never a 5xx; what cannot be a place is refused, or an empty one taken for none."""
    headers = {**live.as_("inspector"), "last-event-id": place}
    with live.client.stream("GET", f"{live.url}/v1/alerts/stream", headers=headers) as answer:
        assert answer.status_code == 422 or (place == "" and answer.status_code == 200)


def test_a_place_that_is_still_to_come(live: Live) -> None:
    """After a restore the client may be ahead: it is told so, and begins anew; the connection stays open."""
    headers = {**live.as_("inspector"), "last-event-id": "900000000"}
    with live.client.stream("GET", f"{live.url}/v1/alerts/stream", headers=headers) as answer:
        assert answer.status_code == 200


def test_a_revoked_key_ends_its_stream(live: Live) -> None:
    """Revoked "at once": an open stream does not go on for ever."""
    key = live.new_key("inspector")
    headers = {"authorization": f"Bearer {key}"}
    with live.client.stream("GET", f"{live.url}/v1/alerts/stream", headers=headers) as answer:
        assert answer.status_code == 200
        assert live.toxwatch("keys", "revoke", key.split("_")[1], "--data", live.data).code == 0
        fresh = new_subject()
        live.accept(enrolled(fresh), treated(fresh), ae(fresh))
        live.alert("ae:AE-1", subject=fresh)
        told = "".join(line for line in answer.iter_lines())
    assert fresh not in told


def test_answers_are_for_nobody_s_cache(live: Live, subject: str) -> None:
    """Clinical data are not stored on the way, nor guessed at by a browser."""
    for path in ("/v1/alerts", "/v1/assessment", "/v1/dead-letters"):
        headers = live.get(path).headers
        assert "no-store" in headers["cache-control"]
        assert headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in headers
