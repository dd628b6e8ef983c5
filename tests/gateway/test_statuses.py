"""Each status for what it is for, limits, and the form of errors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from projections.store.engine.database import Database
from services.gateway.bodies import BODY_BYTES_MAX
from services.http.problems import Problem
from services.http.rate import RateLimit
from tests.gateway.serving import BATCHED, LINES, STRUCTURED, Gateway, ae, gateway_on, served, statuses


def problem(answer: httpx2.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = answer.json()
    assert document["status"] == status
    assert document["type"].startswith("urn:toxwatch:problem:")
    assert document["title"]
    assert document["detail"]
    return document


def test_202_207_and_422(gateway: Gateway) -> None:
    """All accepted or duplicate, some refused, all refused; what is counted."""
    bad = ae(2, data={"grade": 9})
    assert gateway.post([ae(1), ae(1)], LINES).status_code == 202
    assert gateway.post([ae(1), bad, ae(3)], LINES).status_code == 207
    assert gateway.post([bad, bad], LINES).status_code == 422
    kind = "toxwatch.ae.reported.v1"
    assert gateway.counts.events == {(kind, "accepted"): 2, (kind, "duplicate"): 2, ("unknown", "refused"): 3}
    assert gateway.woken == ["log", "log", "outbox"]


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic Zm9vOmJhcg==",
        "Bearer txw_",
        "Bearer txw_000000000000_" + "a" * 43,
        "Bearer {key}x",
        "Bearer x{key}",
        "{key}",
        "Bearer \u00e9",
        "Bearer " + "a" * 7000,
    ],
)
def test_401_is_one_and_the_same_whatever_is_wrong_with_the_key(gateway: Gateway, authorization: str) -> None:
    """And nothing is read: an event without a key leaves no trace."""
    missing = problem(gateway.post(ae(1, data={"grade": 9}), who=None), 401)
    key = authorization.replace("{key}", gateway.key("FR01").text).encode("latin-1")
    answer = gateway.client.post("/v1/events", content=b"{", headers={"authorization": key, "content-type": "a/b"})
    assert problem(answer, 401) == missing
    assert answer.headers["www-authenticate"] == 'Bearer realm="toxwatch"'
    assert gateway.letters() == []


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "text/plain"},
        {"content-type": ""},
        {},
        {"content-type": "application/cloudevents+avro"},
        {"content-type": "application/cloudevents"},
        {"content-type": STRUCTURED + "; charset=iso-8859-1"},
        {"content-type": STRUCTURED, "content-encoding": "gzip"},
    ],
)
def test_415(gateway: Gateway, headers: dict[str, str]) -> None:
    """A content type, character set or encoding that is not read here; the answer says which are."""
    given = {"authorization": f"Bearer {gateway.key('FR01').text}", **headers}
    answer = gateway.client.post("/v1/events", content=json.dumps(ae(1)).encode(), headers=given)
    problem(answer, 415)
    assert STRUCTURED in answer.headers["accept-post"]


@pytest.mark.parametrize("content_type", [STRUCTURED + "; charset=utf-8", STRUCTURED.upper() + ' ;charset="UTF-8"'])
def test_content_types_in_other_spellings(gateway: Gateway, content_type: str) -> None:
    """As other people's libraries write them."""
    assert gateway.post(ae(1), content_type).status_code == 202


@pytest.mark.parametrize("announced", [True, False])
def test_413_for_more_than_10_mib(gateway: Gateway, announced: bool) -> None:
    """Whether or not the length was announced."""

    def pieces() -> Iterator[bytes]:
        for _ in range(BODY_BYTES_MAX // 65536 + 1):
            yield b" " * 65536

    problem(gateway.post(b" " * (BODY_BYTES_MAX + 1) if announced else pieces()), 413)
    fitting = b" " * (BODY_BYTES_MAX - 2000) + json.dumps(ae(1)).encode()
    assert gateway.post(fitting).status_code == 202


@pytest.mark.parametrize("content_type", [LINES, BATCHED])
def test_413_for_more_than_10_000_events(gateway: Gateway, content_type: str) -> None:
    """10,000 are taken."""
    wrap = b"[%s]" if content_type == BATCHED else b"%s"
    join = b"," if content_type == BATCHED else b"\n"
    problem(gateway.post(wrap % join.join([b"{}"] * 10_001), content_type), 413)
    answer = gateway.post(wrap % join.join([b"{}"] * 10_000), content_type)
    assert (answer.status_code, len(statuses(answer))) == (422, 10_000)
    assert [letter.times for letter in gateway.letters()] == [10_000]


def test_one_event_that_is_too_large_is_refused_singly(gateway: Gateway) -> None:
    """The others go through. Of the large one its beginning is kept, and the hash of the whole."""
    large = ae(2, data={"x": {"a": ["y" * 2000] * 200}})
    answer = gateway.post([ae(1), large, ae(3)], BATCHED)
    assert (answer.status_code, statuses(answer)) == (207, ["accepted", "refused", "accepted"])
    raw = gateway.letters()[0].raw
    assert raw[: 64 * 1024] == json.dumps(large).encode()[: 64 * 1024]
    assert b"SHA-256" in raw[64 * 1024 :]


def test_429_with_the_seconds_to_wait(sqlite: Database) -> None:
    """Counted for each key by itself; what was turned away was not taken."""
    with gateway_on(sqlite, events_per_minute=10) as gateway:
        assert gateway.post([ae(n) for n in range(8)], LINES).status_code == 202
        answer = gateway.post([ae(n) for n in range(8, 16)], LINES)
        problem(answer, 429)
        assert 30 <= int(answer.headers["retry-after"]) <= 36
        assert gateway.post(ae(1, "FR02"), who="FR02").status_code == 202
        assert len(gateway.stored()) == 9


def test_a_request_larger_than_a_minutes_worth_is_paid_off() -> None:
    """Or it could never be sent. Nothing is let through until then."""
    now = 0.0
    limit = RateLimit(60, lambda: now)
    limit.take("key", 180)
    for now, passes in ((60.0, False), (120.0, False), (121.0, True)):
        if passes:
            limit.take("key", 1)
        else:
            with pytest.raises(Problem) as caught:
                limit.take("key", 1)
            assert caught.value.headers["Retry-After"] == str(int(121 - now))


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/v1/events", 405), ("POST", "/v1/event", 404), ("DELETE", "/v1/events", 405)],
)
def test_other_errors_are_problem_documents_too(gateway: Gateway, method: str, path: str, status: int) -> None:
    """404 and 405."""
    problem(gateway.client.request(method, path), status)


@pytest.mark.parametrize("path", ["/v1/events", "/openapi.json", "/nowhere"])
def test_every_answer_has_the_security_headers(gateway: Gateway, path: str) -> None:
    """Also an error."""
    headers = gateway.client.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert headers["cache-control"] == "no-store"


def test_answers_over_a_real_server(gateway: Gateway, sqlite: Database) -> None:
    """A body in chunks, a connection that goes on after an error, one that breaks off."""
    with served(Gateway(sqlite)) as address, httpx2.Client(base_url=address) as client:
        headers = gateway.headers("FR01", STRUCTURED)
        raw = json.dumps(ae(1)).encode()
        assert client.post("/v1/events", content=iter([raw[:50], raw[50:]]), headers=headers).status_code == 202
        problem(client.post("/v1/events", content=raw), 401)
        assert client.post("/v1/events", content=raw, headers=headers).json()["results"][0]["status"] == "duplicate"
        with pytest.raises(httpx2.HTTPError):
            client.post("/v1/events", content=_broken(raw), headers=headers)
        assert client.post("/v1/events", content=raw, headers=headers).status_code == 202
    assert gateway.letters() == []


def _broken(raw: bytes) -> Iterator[bytes]:
    yield raw[:50]
    raise httpx2.ReadError("the sender has gone")
