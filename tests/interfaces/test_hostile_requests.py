"""Requests that no client library would send: each is answered or dropped, none is a 5xx, and good ones go on being taken."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from tests.interfaces.live import Live, until
from tests.interfaces.messages import BATCHED, LINES, STRUCTURED, ae, body_of, new_subject, visit
from tests.interfaces.wire import exchange, head

pytestmark = pytest.mark.xdist_group("interfaces")

AS_JSON = f"Content-Type: {STRUCTURED}"
AS_BATCH = f"Content-Type: {BATCHED}"
CLOSE = "Connection: close"


@pytest.fixture(autouse=True)
def _lives_on(live: Live) -> Iterator[None]:
    """After every test the process runs, a good event is accepted at once, and nothing unforeseen was logged."""
    seen = live.stderr.stat().st_size
    yield
    assert live.is_alive()
    answer = live.client.post(
        f"{live.url}/v1/events",
        content=body_of(visit(new_subject()), STRUCTURED),
        headers={"content-type": STRUCTURED, **live.as_("FR01")},
        timeout=5,
    )
    assert answer.status_code == 202
    logged = live.stderr.read_bytes()[seen:].decode(errors="replace")
    assert "Traceback" not in logged
    assert '"level": "error"' not in logged


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("nothing", b""),
        ("half a request line", b"POST /v1/ev"),
        ("no headers", b"POST /v1/events HTTP/1.1\r\n\r\n"),
        ("not HTTP", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 300),
        ("another version", b"POST /v1/events HTTP/3.7\r\nHost: x\r\n\r\n"),
        ("no host", b"GET /v1/alerts HTTP/1.1\r\n\r\n"),
        ("a method of its own", b"BREW /v1/events HTTP/1.1\r\nHost: x\r\n\r\n"),
        ("a NUL in the path", b"GET /v1/al\x00erts HTTP/1.1\r\nHost: x\r\n\r\n"),
        ("bytes in the path", b"GET /v1/alerts/\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n"),
        ("a header without a colon", b"GET /v1/alerts HTTP/1.1\r\nHost: x\r\nnonsense\r\n\r\n"),
        ("a header with a NUL", b"GET /v1/alerts HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \x00\r\n\r\n"),
        ("a header with bytes", b"GET /v1/alerts HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \xff\xfe\r\n\r\n"),
        ("a folded header", b"GET /v1/alerts HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer\r\n x\r\n\r\n"),
        ("bare line feeds", b"GET /v1/alerts HTTP/1.1\nHost: x\n\n"),
        ("a length below zero", b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n"),
        ("a length that is none", b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: ten\r\n\r\n"),
        ("two lengths", b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
        (
            "length and chunks",
            b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        ("a chunk that is none", b"POST /v1/events HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
    ],
)
def test_broken_requests(live: Live, name: str, sent: bytes) -> None:
    """Without a key, each is answered with a 4xx or not at all."""
    answer = exchange(live, sent, half_close=True)
    assert all(400 <= status < 500 for status in answer.statuses), (name, answer.raw)


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("one header of 1 MiB", [f"X-Long: {'a' * 1_048_576}"]),
        ("5,000 headers", [f"X-{number}: a" for number in range(5_000)]),
        ("a huge attribute", [f"ce-actor: {'a' * 200_000}"]),
    ],
)
def test_huge_heads(live: Live, name: str, lines: list[str]) -> None:
    """Refused, not kept in memory."""
    answer = exchange(live, head(live, AS_JSON, CLOSE, "Content-Length: 2", *lines) + b"{}")
    assert all(400 <= status < 500 for status in answer.statuses), (name, answer.raw[:300])


def test_a_body_that_ends_too_soon_is_not_taken(live: Live) -> None:
    """The length promises more than comes: the event is not in the log, and whole, it is accepted afterwards."""
    event = visit(new_subject())
    body = body_of(event, STRUCTURED)
    answer = exchange(live, head(live, AS_JSON, f"Content-Length: {len(body) + 50}") + body, half_close=True)
    assert answer.status == 0 or 400 <= answer.status < 500
    assert live.accept(event)[0]["status"] == "accepted"


def test_lines_cut_off_by_the_network_take_nothing(live: Live) -> None:
    """NDJSON whose connection breaks in the middle: what was whole may not be taken without an answer that says so."""
    events = [visit(new_subject()) for _ in range(3)]
    body = body_of(events, LINES)
    exchange(live, head(live, f"Content-Type: {LINES}", "Content-Length: 9999") + body[:-40], half_close=True)
    assert [result["status"] for result in live.accept(*events)] == ["accepted"] * 3


def test_a_length_that_is_too_short_spoils_only_itself(live: Live) -> None:
    """What is left over is another request, and a broken one."""
    body = body_of(visit(new_subject()), STRUCTURED)
    answer = exchange(live, head(live, AS_JSON, f"Content-Length: {len(body) - 20}") + body, wait=1.5)
    assert answer.statuses
    assert all(400 <= status < 500 for status in answer.statuses)


def test_waiting_connections_do_not_stand_in_the_way(live: Live) -> None:
    """Two hundred half-open requests; a good one passes them (the fixture sends it)."""
    opened = [socket.create_connection(("127.0.0.1", live.port), timeout=5) for _ in range(200)]
    try:
        for number, connection in enumerate(opened):
            connection.sendall(head(live, AS_JSON, "Content-Length: 500")[: 40 + number])
        assert live.send(visit(new_subject())).status_code == 202
    finally:
        for connection in opened:
            connection.close()


def chunks(*parts: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (*parts, b""))


def test_chunks_are_a_body_like_any_other(live: Live) -> None:
    """Cut within a character of several bytes, too."""
    event = ae(new_subject(), {"term": "Œdème", "grade": 1})
    body = json.dumps(event, ensure_ascii=False).encode()
    parts = [body[start : start + 7] for start in range(0, len(body), 7)]
    answer = exchange(live, head(live, AS_JSON, CLOSE, "Transfer-Encoding: chunked") + chunks(*parts))
    assert answer.status == 202
    assert live.accept(event)[0]["status"] == "duplicate"


def test_chunks_over_the_limit_are_cut_off(live: Live) -> None:
    """Without a length, too, 10 MiB are the limit."""
    sent = head(live, f"Content-Type: {LINES}", CLOSE, "Transfer-Encoding: chunked") + chunks(*[b" " * 65_536] * 170)
    answer = exchange(live, sent)
    assert answer.status in (0, 413)


def test_413_is_told_before_the_body_is_sent(live: Live) -> None:
    """A sender who asks first (``Expect: 100-continue``) with a length over the limit is spared the sending."""
    answer = exchange(live, head(live, AS_JSON, CLOSE, "Expect: 100-continue", f"Content-Length: {11 * 1024 * 1024}"))
    assert answer.statuses == [413]


def test_expect_continue_is_honoured(live: Live) -> None:
    """``100 Continue`` comes, then the body is sent, then the answer."""
    body = body_of(visit(new_subject()), STRUCTURED)
    with socket.create_connection(("127.0.0.1", live.port), timeout=10) as connection:
        connection.sendall(head(live, AS_JSON, CLOSE, "Expect: 100-continue", f"Content-Length: {len(body)}"))
        assert connection.recv(4096).startswith(b"HTTP/1.1 100")
        connection.sendall(body)
        answer = b""
        while chunk := connection.recv(4096):
            answer += chunk
    assert answer.startswith(b"HTTP/1.1 202")


def test_401_is_told_without_reading_the_body(live: Live) -> None:
    """Nothing is read for who has no key, nor invited by ``100 Continue``."""
    lines = (AS_JSON, CLOSE, "Expect: 100-continue", "Content-Length: 1000")
    answer = exchange(live, head(live, *lines, who=None))
    assert answer.statuses == [401]


def test_pipelined_requests_are_answered_in_their_order(live: Live) -> None:
    """Good, refused, good, without waiting for an answer."""
    events = [visit(new_subject()), ae(new_subject(), {"grade": 7}), visit(new_subject())]
    bodies = [body_of(event, STRUCTURED) for event in events]
    requests = [
        head(live, AS_JSON, f"Content-Length: {len(body)}", *([CLOSE] if last else [])) + body
        for body, last in zip(bodies, (False, False, True), strict=True)
    ]
    answer = exchange(live, b"".join(requests))
    assert answer.statuses == [202, 422, 202]
    places = [answer.raw.index(event["id"].encode()) for event in events]
    assert places == sorted(places)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "GET", "HEAD", "OPTIONS", "TRACE", "CONNECT"])
def test_other_methods_change_nothing(live: Live, method: str) -> None:
    """405 (or what the server says of TRACE and CONNECT), with ``Allow``."""
    answer = exchange(live, head(live, AS_JSON, CLOSE, "Content-Length: 2", method=method) + b"{}")
    assert 400 <= answer.status < 500, answer.raw
    if method in ("PUT", "DELETE", "PATCH", "GET"):
        assert answer.status == 405
        assert b"allow: post" in answer.raw.lower()


@pytest.mark.parametrize("method", ["PUT", "DELETE", "POST", "PATCH"])
@pytest.mark.parametrize("path", ["/v1/alerts", "/v1/dead-letters", "/v1/dead-letters/1", "/v1/assessment"])
def test_what_is_read_cannot_be_written(live: Live, method: str, path: str) -> None:
    """Whatever the role."""
    for who in ("data-manager", "operator"):
        answer = exchange(live, head(live, CLOSE, "Content-Length: 0", method=method, path=path, who=who))
        assert answer.status == 405, answer.raw


@pytest.mark.parametrize(
    "path",
    [
        "/v1/../v1/alerts",
        "/v1//alerts",
        "//v1/alerts",
        "/v1/alerts/",
        "/v1/alerts%00",
        "/v1/alerts/%2e%2e/status",
        "/v1/alerts/..%2f..%2fetc%2fpasswd",
        "/v1/alerts/%00",
        "/v1/alerts/'%20OR%201=1--",
        "/v1/alerts/" + "a" * 5_000,
        "/v1/alerts;x=1",
        "/V1/ALERTS",
        "/v1/dead-letters/-1",
        "/v1/dead-letters/99999999999999999999999",
        "/v1/dead-letters/0x1",
        "/v1/dead-letters/%D9%A1",
        "/static/../../../etc/passwd",
        "/docs",
        "http://127.0.0.1/v1/alerts",
        "*",
    ],
)
def test_tricks_with_the_path(live: Live, path: str) -> None:
    """A path opens what it names or nothing; without a key it opens nothing at all."""
    for who in (None, "FR01", "operator"):
        answer = exchange(live, head(live, CLOSE, method="GET", path=path, who=who))
        assert 300 <= answer.status < 500, (who, answer.raw[:300])
        assert b"root:" not in answer.raw
    assert 200 <= exchange(live, head(live, CLOSE, method="GET", path=path, who="inspector")).status < 500


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=501",
        "limit=1e3",
        "limit=99999999999999999999",
        "after=-1",
        "after=99999999999999999999",
        "after=%00",
        "subject=%00",
        "subject=FR01-001%0d%0aX-Injected:%201",
        "subject='%20OR%20''='",
        "verdict=dlt",
        "state=acknowledged-maybe",
        "subject=FR01-001&subject=FR02-001&limit=x",
        "limit=%D9%A1",
    ],
)
def test_filters_that_cannot_be_taken(live: Live, query: str) -> None:
    """422 with a problem that names the parameter."""
    answer = live.client.get(f"{live.url}/v1/alerts?{query}", headers=live.as_("inspector"))
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert query.split("=")[0] in answer.text or "limit" in answer.text


@pytest.mark.parametrize(
    "query",
    [
        "as_of=yesterday",
        "as_of=2017-03-01",
        "as_of=2017-03-01T00:00:00",
        "as_of=0000-01-01T00:00:00Z",
        "as_of=9999-12-31T23:59:59-14:00",
        "as_of=-9999-01-01T00:00:00Z",
        "as_of_axis=sideways",
        "subject=%00",
    ],
)
def test_instants_that_are_none(live: Live, query: str) -> None:
    """422, never a 5xx; an instant at the end of time may be taken."""
    answer = live.client.get(f"{live.url}/v1/assessment?{query}", headers=live.as_("inspector"))
    assert answer.status_code in ((200, 422) if "9999-12-31" in query or "0000" in query else (422,)), answer.text


NESTED = b'{"specversion":"1.0","data":' + b"[" * 100_000 + b"]" * 100_000 + b"}"


@pytest.mark.parametrize(
    ("name", "element"),
    [
        ("nothing", b""),
        ("null", b"null"),
        ("a number", b"7"),
        ("a text", b'"event"'),
        ("a list", b"[]"),
        ("an empty object", b"{}"),
        ("cut off", b'{"id": "x'),
        ("not UTF-8", b'{"id": "\xff\xfe"}'),
        ("an overlong NUL", b'{"id": "\xc0\x80"}'),
        ("a NUL byte", b'{"id": "\x00"}'),
        ("an escaped NUL", b'{"id": "\\u0000"}'),
        ("half a surrogate pair", b'{"id": "\\ud800"}'),
        ("NaN", b'{"id": NaN}'),
        ("Infinity", b'{"id": 1e999}'),
        ("a very long number", b'{"id": ' + b"9" * 100_000 + b"}"),
        ("very deep", NESTED),
        ("a name twice", b'{"id": "a", "id": "b"}'),
        ("a byte order mark", b"\xef\xbb\xbf{}"),
        ("a comment", b"{/* */}"),
        ("a trailing comma", b'{"id": "x",}'),
        ("two objects", b"{} {}"),
    ],
)
@pytest.mark.parametrize("kind", [BATCHED, LINES])
def test_one_broken_element_in_the_middle(live: Live, kind: str, name: str, element: bytes) -> None:
    """The good before and after it are effective, each in its place among the results; the broken one is parked."""
    good = [visit(new_subject()), visit(new_subject())]
    first, last = (json.dumps(event).encode() for event in good)
    if kind == LINES:
        body = b"\n".join([first, element, last]) + b"\n"
    else:
        body = b"[" + b",".join([first, element, last]) + b"]"
    answer = live.send(body, kind=kind)
    assert answer.status_code == 207 or (name == "nothing" and answer.status_code == 202), answer.text[:500]
    results = answer.json()["results"]
    assert (results[0]["status"], results[0]["id"]) == ("accepted", good[0]["id"])
    assert (results[-1]["status"], results[-1]["id"]) == ("accepted", good[1]["id"])
    assert {result["status"] for result in results[1:-1]} <= {"refused"}
    assert all(result["error"] for result in results[1:-1])


@pytest.mark.parametrize(
    "body",
    [b"", b"[", b"]", b"{", b"null", b"\x00", b"\xff", b"[" * 100_000, b"[[[]]]", b'"', b"\xef\xbb\xbf[]", b"[,]"],
    ids=lambda body: repr(body[:12]),
)
@pytest.mark.parametrize("kind", [STRUCTURED, BATCHED, LINES, "application/json"])
def test_bodies_that_are_no_events(live: Live, kind: str, body: bytes) -> None:
    """A 4xx that says what is wrong; nothing accepted."""
    answer = live.send(body, kind=kind)
    empty = (kind, body) in ((LINES, b""), (BATCHED, b"\xef\xbb\xbf[]"))
    assert 400 <= answer.status_code < 500 or (empty and answer.status_code == 202), answer.text[:300]
    assert "accepted" not in answer.text


ESCAPES = "\x1b]0;owned\x07\x1b[2J\r\nX-Injected: yes\u202e\u2028\x9b31m"


@pytest.mark.parametrize("attribute", ["id", "source", "type", "subject", "site", "trial", "time", "actor"])
def test_control_characters_go_nowhere_as_they_are(live: Live, attribute: str) -> None:
    """In whatever attribute: neither in an answer's bytes, nor in the logs, nor on a terminal that lists dead letters."""
    event: dict[str, Any] = {**ae(new_subject(), {"grade": 7}), attribute: f"zz{ESCAPES}"}
    answer = live.send(event)
    assert answer.status_code in (403, 422)
    assert "x-injected" not in answer.headers
    listed = live.toxwatch("dead-letters", "list", "--data", live.data)
    for written in (answer.text, live.stderr.read_text(errors="replace"), listed.stdout, listed.stderr):
        assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(written)


def test_control_characters_of_an_accepted_event(live: Live) -> None:
    """An id may be any text: where it is accepted, it is written safely too, as is what the alert quotes."""
    subject = new_subject()
    event = {**ae(subject, {"term": f"Colitis {ESCAPES}"}), "id": f"id{ESCAPES}"}
    answer = live.send(event)
    assert answer.status_code in (202, 422)
    if answer.status_code == 202:
        until(lambda: live.alerts(subject=subject), why="alert")
    for command in ("alerts", "assessment"):
        table = live.toxwatch(command, "--data", live.data).stdout
        assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(table)
        assert "\x1b" not in live.toxwatch(command, "--format", "json", "--data", live.data).stdout
    assert not {"\x1b", "\x07", "\x9b"} & set(answer.text + live.stderr.read_text(errors="replace"))


def test_ten_thousand_events_at_once(live: Live) -> None:
    """The limit itself is taken."""
    subject = new_subject()
    events = [visit(subject, {"visit_id": f"V-{number}"}) for number in range(10_000)]
    answer = live.client.post(
        f"{live.url}/v1/events",
        content=body_of(events, LINES),
        headers={"content-type": LINES, **live.as_("FR01")},
        timeout=60,
    )
    assert answer.status_code == 202
    assert [result["id"] for result in answer.json()["results"]] == [event["id"] for event in events]
