"""Publishing: everything arrives once, whatever happens on the way; what is refused is listed; the key is never shown."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import typer

from services.cli.publish import publish
from services.files.publish import LineResult, PublishError, SourceLine, gateway_client, publish_lines
from tests.cli.command_line import run
from tests.cli.gateways import KEY, RESET, Gateway, Memory, Received, Reply, after, event, gateway
from tests.files.command_line import Outcome


@pytest.fixture(autouse=True)
def _bare_environment() -> Iterator[None]:
    """The variables of whoever runs the tests do not count."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TOXWATCH_")}
    with patch.dict(os.environ, kept, clear=True):
        yield


def _publish(server: Gateway, *arguments: str, **options: Any) -> Outcome:
    app = typer.Typer()
    app.command()(publish)
    return run(app, *arguments, "--to", server.url, environment={"TOXWATCH_KEY": KEY}, **options)


def _sent(server: Gateway, lines: list[bytes], **options: Any) -> list[LineResult]:
    named = [SourceLine(f"line {n}", raw) for n, raw in enumerate(lines)]
    with gateway_client(server.url, KEY) as client:
        return [result for chunk in publish_lines(client, named, **options) for result in chunk]


def _file(directory: Path, *lines: bytes, name: str = "events.ndjson") -> str:
    path = directory / name
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return str(path)


def test_lines_arrive_in_order_with_the_key(tmp_path: Path) -> None:
    """As NDJSON, byte for byte, each once; blank lines are passed over."""
    memory = Memory()
    lines = [event(n) for n in range(1201)]
    with gateway(memory) as server:
        outcome = _publish(
            server, _file(tmp_path, *lines[:700], b"", b"  "), _file(tmp_path, *lines[700:], name="more")
        )
    assert outcome.code == 0
    assert outcome.out == ""
    assert "1201 events answered: 1201 accepted, 0 known already, 0 refused" in outcome.err
    assert [line for request in server.received for line in request.lines] == lines
    assert [len(request.lines) for request in server.received] == [500, 500, 201]
    for request in server.received:
        assert request.path == "/v1/events"
        assert request.headers["authorization"] == f"Bearer {KEY}"
        assert request.headers["content-type"] == "application/x-ndjson"


def test_a_request_stays_below_the_limit(tmp_path: Path) -> None:
    """Long lines: fewer in a request."""
    lines = [event(n, 200_000) for n in range(60)]
    with gateway(Memory()) as server:
        results = _sent(server, lines)
    assert len(results) == 60
    sizes = [sum(len(line) + 1 for line in request.lines) for request in server.received]
    assert max(sizes) < 5 * 1024 * 1024
    assert len(sizes) == 3


def test_standard_input(tmp_path: Path) -> None:
    """``-``, beside files."""
    with gateway(Memory()) as server:
        outcome = _publish(server, "-", stdin=event(1) + b"\n" + event("bad") + b"\n")
    assert outcome.code == 2
    assert "-:2: refused (id e-bad): data.grade: 7 is not a CTCAE grade 1-5" in outcome.err


def test_refused_lines_are_listed_and_the_rest_is_sent(tmp_path: Path) -> None:
    """By file and line, on standard error, across requests; what would steer a terminal is escaped."""
    lines = [event(f"bad\x1b[2J{n}" if n in (3, 600) else n) for n in range(700)]
    with gateway(Memory()) as server:
        path = _file(tmp_path, *lines)
        outcome = _publish(server, path)
    assert outcome.code == 2
    refused = [line for line in outcome.err.splitlines() if "refused (id" in line]
    assert [line.partition(": refused")[0] for line in refused] == [f"{path}:4", f"{path}:601"]
    assert "\x1b" not in outcome.err
    assert "698 accepted, 0 known already, 2 refused" in outcome.err


def test_it_can_be_started_again(tmp_path: Path) -> None:
    """Stopped in the middle, by a gateway that is gone: the second run sends all, and the gateway knows the first part."""
    memory = Memory()
    path = _file(tmp_path, *(event(n) for n in range(1200)))
    served: list[Received] = []

    def dies(request: Received) -> Reply:
        served.append(request)
        return memory(request) if len(served) == 1 else RESET

    with gateway(dies) as server:
        first = _publish(server, path, "--patience", "0.2")
    assert first.code == 1
    assert "500 events answered: 500 accepted" in first.err
    assert "no progress for 0 s" in first.err
    with gateway(memory) as server:
        second = _publish(server, path)
    assert second.code == 0
    assert "1200 events answered: 700 accepted, 500 known already, 0 refused" in second.err
    assert memory.ids == [f"e-{n}" for n in range(1200)]


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_what_cannot_be_taken_now_is_sent_again(status: int) -> None:
    """The same bytes, after the time that was asked for."""
    rests: list[float] = []
    busy = Reply(status, {"detail": "later"}, {"Retry-After": "7"})
    with gateway(after(busy, busy, then=Memory())) as server:
        results = _sent(server, [event(1)], rest=rests.append)
    assert [result.status for result in results] == ["accepted"]
    assert [request.lines for request in server.received] == [[event(1)]] * 3
    assert rests == [7.0, 7.0]


def test_without_a_time_to_wait_the_pauses_grow() -> None:
    """Up to a bound."""
    rests: list[float] = []
    with gateway(after(*[Reply(503, {})] * 9, then=Memory())) as server:
        _sent(server, [event(1)], rest=rests.append, patience_seconds=1000)
    assert rests == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]


def test_a_connection_that_breaks_is_made_again() -> None:
    """Torn down before an answer: whether it was taken is not known, and does not matter."""
    waits: list[str] = []
    with gateway(after(RESET, RESET, then=Memory())) as server:
        results = _sent(server, [event(1)], rest=lambda _: None, on_wait=waits.append)
    assert [result.status for result in results] == ["accepted"]
    assert len(waits) == 2


def test_an_answer_that_was_lost_costs_nothing() -> None:
    """The gateway took it, the connection broke: known already."""
    memory = Memory()

    def takes_then_breaks(request: Received) -> Reply:
        first = not memory.ids
        reply = memory(request)
        return RESET if first else reply

    with gateway(takes_then_breaks) as server:
        results = _sent(server, [event(1)], rest=lambda _: None)
    assert [result.status for result in results] == ["duplicate"]


def test_nobody_there_ends_when_patience_does() -> None:
    """With what it waited for."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        server = Gateway(f"http://127.0.0.1:{unused.getsockname()[1]}", [])
        with pytest.raises(PublishError, match="no progress for 0 s: ConnectError"):
            _sent(server, [event(1)], patience_seconds=0.1)


def test_a_wait_beyond_the_patience_is_not_begun() -> None:
    """An hour asked for, minutes allowed: stop now, and say so."""
    rests: list[float] = []
    limited = Reply(429, {"detail": "600000 a minute"}, {"Retry-After": "3600"})
    said = "429 Too Many Requests: 600000 a minute"
    with gateway(lambda _: limited) as server, pytest.raises(PublishError, match=said):
        _sent(server, [event(1)], rest=rests.append)
    assert rests == []


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(401, {"title": "Unauthorized", "detail": "no such key"}), "401 Unauthorized: no such key"),
        (Reply(403, {"title": "Forbidden"}), "403 Forbidden: Forbidden"),
        (Reply(404, b"<html>"), "404 Not Found"),
        (Reply(308, b"", {"Location": "https://elsewhere.example.org/v1/events"}), "308 Permanent Redirect"),
        (Reply(500, b""), "500 Internal Server Error"),
        (Reply(202, b"thank you"), "202 Accepted, with 0 results for 1 events; is this a Toxwatch gateway?"),
        (Reply(202, {"results": [{"status": "accepted"}] * 2}), "with 2 results for 1 events"),
        (Reply(202, {"results": [{"status": "perhaps"}]}), "with 0 results for 1 events"),
    ],
)
def test_what_sending_again_would_not_mend_stops_it(reply: Reply, said: str, tmp_path: Path) -> None:
    """At once, with what the gateway said, and without the key."""
    with gateway(lambda _: reply) as server:
        outcome = _publish(server, _file(tmp_path, event(1)))
    assert outcome.code == 1
    assert said in outcome.err
    assert KEY not in outcome.err
    assert len(server.received) == 1


def test_lines_that_the_key_may_not_write_are_refused_among_others() -> None:
    """A request of which it may write nothing, between two of which it may: those arrive."""
    memory = Memory()

    def behaviour(request: Received) -> Reply:
        if b"e-500" not in request.lines[0]:
            return memory(request)
        results = [{"id": None, "status": "refused", "error": "site: not this key's"} for _ in request.lines]
        return Reply(403, {"title": "Not for this key", "results": results})

    with gateway(behaviour) as server:
        results = _sent(server, [event(n) for n in range(1200)])
    assert [result.status for result in results] == ["accepted"] * 500 + ["refused"] * 500 + ["accepted"] * 200
    assert results[500].error == "site: not this key's"


def test_the_key_comes_from_a_file_before_the_environment(tmp_path: Path) -> None:
    """``--key-file``, then TOXWATCH_KEY, then TOXWATCH_KEY_FILE."""
    (tmp_path / "a").write_text("txw_a_a\n")
    (tmp_path / "c").write_text("txw_c_c\n")
    app = typer.Typer()
    app.command()(publish)
    path = _file(tmp_path, event(1))
    everything = {"TOXWATCH_KEY": "txw_b_b", "TOXWATCH_KEY_FILE": str(tmp_path / "c")}
    with gateway(Memory()) as server:
        run(app, path, "--to", server.url, "--key-file", str(tmp_path / "a"), environment=everything)
        run(app, path, "--to", server.url, environment=everything)
        run(app, path, "--to", server.url, environment={**everything, "TOXWATCH_KEY": ""})
    keys = [request.headers["authorization"] for request in server.received]
    assert keys == ["Bearer txw_a_a", "Bearer txw_b_b", "Bearer txw_c_c"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "no key: name its file"),
        (("--key-file", "{two}"), "this is no key"),
        (("--to", "gateway.example.org"), "not an http or https URL"),
        (("--to", "ftp://gateway.example.org"), "not an http or https URL"),
        (("--to", "http://["), "not an http or https URL"),
        (("--to", "https://u:p@gateway.example.org"), "does not belong into the URL"),
    ],
)
def test_wrong_usage_has_its_sentence(arguments: tuple[str, ...], said: str, tmp_path: Path) -> None:
    """Before anything is sent; a file that holds something else is not shown."""
    (tmp_path / "two").write_text("-----BEGIN SOMETHING-----\nsecret\n")
    app = typer.Typer()
    app.command()(publish)
    given = [argument.format(two=tmp_path / "two") for argument in arguments]
    outcome = run(app, _file(tmp_path, event(1)), *given)
    assert outcome.code == 64
    assert said in outcome.words
    assert "BEGIN" not in outcome.words
    assert "u:p@" not in outcome.words


def test_a_file_that_is_not_there_is_found_before_anything_is_sent(tmp_path: Path) -> None:
    """Not after the files before it."""
    with gateway(Memory()) as server:
        outcome = _publish(server, _file(tmp_path, event(1)), str(tmp_path / "absent"))
    assert outcome.code == 1
    assert "absent" in outcome.err
    assert server.received == []


def test_of_an_endless_line_the_beginning_is_sent(tmp_path: Path) -> None:
    """The gateway refuses and lists it; nothing is refused here that the monitor's people would not hear of."""
    endless = event("bad", 3_000_000)
    seen: list[bytes] = []

    def behaviour(request: Received) -> Reply:
        seen.extend(request.lines)
        return Reply(422, {"results": [{"id": None, "status": "refused", "error": "too large"} for _ in request.lines]})

    with gateway(behaviour) as server:
        outcome = _publish(server, _file(tmp_path, endless))
    assert outcome.code == 2
    assert endless.startswith(seen[0])
    assert 256 * 1024 < len(seen[0]) < 2 * 1024 * 1024


def test_an_unencrypted_way_is_warned_of(tmp_path: Path) -> None:
    """Unless it does not leave the machine."""
    with gateway(Memory()) as server:
        assert "unencrypted" not in _publish(server, _file(tmp_path, event(1))).err
    app = typer.Typer()
    app.command()(publish)
    far = ("--to", "http://gateway.invalid", "--patience", "0")
    outcome = run(app, _file(tmp_path, event(1)), *far, environment={"TOXWATCH_KEY": KEY})
    assert outcome.code == 1
    assert "unencrypted" in outcome.err
