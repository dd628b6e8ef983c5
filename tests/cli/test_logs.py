"""Logs: one JSON object a line, the libraries' too; no key, no clinical text, nothing that steers a terminal."""

from __future__ import annotations

import ast
import asyncio
import io
import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from events.codec import Codec
from events.errors import EventRefused
from projections.store.engine.database import StoreUnavailable
from services.platform.logs import EVENT_NAME, FIELDS, configure_logs
from tests.architecture.sources import modules
from tests.cli.stores import PROTOCOL

CLINICAL = "grade 4 neutropenia after ipilimumab"
KEY = "txw_k1_c2VjcmV0LXNlY3JldC1zZWNyZXQ"


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """The configuration is the process's: each test leaves it as it found it."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


@pytest.fixture
def stream() -> io.StringIO:
    """Where the logs of this test go."""
    stream = io.StringIO()
    configure_logs("info", stream)
    return stream


def _lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_one_json_object(stream: io.StringIO) -> None:
    """With the instant in UTC, the level, the event, and its fields."""
    counts = {"bad-field": 2}
    structlog.get_logger().info("event_taken", event_id="e-1", position="0/17", reasons=counts, seconds=0.25)
    (line,) = _lines(stream)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "level": "info",
        "event": "event_taken",
        "event_id": "e-1",
        "position": "0/17",
        "reasons": {"bad-field": 2},
        "seconds": 0.25,
    }


def test_levels(stream: io.StringIO) -> None:
    """What is below the level is not written; the level can be chosen."""
    structlog.get_logger().debug("too_small")
    assert _lines(stream) == []
    configure_logs("debug", stream)
    structlog.get_logger().debug("wanted")
    assert [line["event"] for line in _lines(stream)] == ["wanted"]


@pytest.mark.parametrize(
    "field", ["key", "api_key", "password", "secret", "token", "authorization", "subject", "text", "term"]
)
def test_a_field_that_is_not_on_the_list_is_withheld(field: str, stream: io.StringIO) -> None:
    """Secrets and clinical text by whatever name; that something was withheld is said."""
    structlog.get_logger().info("event_refused", reason="bad-field", **{field: CLINICAL + KEY})
    (line,) = _lines(stream)
    assert line["withheld"] == [field]
    assert line["reason"] == "bad-field"
    assert CLINICAL not in stream.getvalue()
    assert KEY not in stream.getvalue()


def test_the_list_has_no_name_for_a_secret_or_a_diagnosis() -> None:
    """Whoever adds a field looks here."""
    banned = (
        "secret",
        "password",
        "token",
        "credential",
        "authorization",
        "cookie",
        "subject",
        "term",
        "text",
        "body",
        "raw",
    )
    assert [field for field in FIELDS if any(word in field for word in banned)] == []
    assert {field for field in FIELDS if "key" in field} == {"key_id", "keys"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("event", CLINICAL),
        ("event_id", CLINICAL),
        ("type", CLINICAL),
        ("type", [CLINICAL]),
        ("source", CLINICAL),
        ("error", CLINICAL),
        ("reason", {CLINICAL: CLINICAL}),
    ],
)
def test_what_a_sender_wrote_freely_is_withheld(field: str, value: object, stream: io.StringIO) -> None:
    """An id is an id, a type is one of ours, an error is an exception; a sentence is none of them."""
    fields: dict[str, Any] = {"event": "event_refused", field: value}
    structlog.get_logger().info(**fields)
    (line,) = _lines(stream)
    assert line["withheld"] == [field]
    assert CLINICAL not in stream.getvalue()


def test_a_refused_event_leaves_no_word_in_the_log(stream: io.StringIO) -> None:
    """However it is logged: as an exception, as the cause of a failure, with its traceback."""
    data = {"ae_id": "AE-1", "revision": 1, CLINICAL: 1}
    envelope = {"specversion": "1.0", "id": CLINICAL, "source": "urn:site:FR01", "type": "toxwatch.ae.reported.v1"}
    raw = json.dumps({**envelope, "subject": "FR01-001", "site": "FR01", "trial": PROTOCOL.trial, "data": data})
    log = structlog.get_logger()
    with pytest.raises(EventRefused) as caught:
        Codec(PROTOCOL.contract).decode(raw.encode())
    refused = caught.value
    assert CLINICAL in refused.error
    assert refused.event_id == CLINICAL
    log.info("event_refused", reason=refused.reason, event_id=refused.event_id, error=refused, subject=refused.subject)
    log.error("judging_failed", exc_info=refused)
    try:
        raise KeyError(CLINICAL) from refused
    except KeyError:
        log.exception("judging_failed")
        logging.getLogger("somebody.else").exception("failed for %s", CLINICAL)
    assert len(_lines(stream)) == 4
    assert CLINICAL not in stream.getvalue()
    assert type(refused).__name__ in stream.getvalue()


def test_a_traceback_says_where(stream: io.StringIO) -> None:
    """Types and places of the whole chain; the words only of those that speak of connections."""
    try:
        try:
            raise StoreUnavailable("the database is locked")
        except StoreUnavailable as error:
            raise ValueError(CLINICAL) from error
    except ValueError:
        structlog.get_logger().exception("loop_failed", loop="monitor")
    (line,) = _lines(stream)
    assert line["level"] == "error"
    assert line["exception"][0] == "ValueError"
    assert "test_logs.py:" in line["exception"][1]
    assert "caused by StoreUnavailable: the database is locked" in line["exception"]


def test_a_secret_is_masked_wherever_it_stands(stream: io.StringIO) -> None:
    """In the words of an exception, in a field that may be logged, in a library's message."""
    url = "postgresql://owner:pa55@db/tox"
    structlog.get_logger().warning("store_down", error=ConnectionError(f"no route to {url}"), trouble=f"Bearer {KEY}")
    structlog.get_logger().warning("hook_failed", reason="whsec_abcdef", key_id="k1")
    logging.getLogger("uvicorn.error").warning("odd header %s", KEY)
    text = stream.getvalue()
    assert not any(secret in text for secret in ("owner", "pa55", KEY, "abcdef"))
    assert "no route to postgresql://xxxxx@db/tox" in text
    assert _lines(stream)[1]["key_id"] == "k1"


def test_no_value_is_endless(stream: io.StringIO) -> None:
    """A hostile id does not fill the disk."""
    structlog.get_logger().info("event_taken", reason="x" * 100_000)
    assert len(stream.getvalue()) < 1_000


def test_libraries_log_through_the_same(stream: io.StringIO) -> None:
    """uvicorn as it words it; of others the pattern alone; statements and requests not at all."""
    logging.getLogger("uvicorn.error").info("Uvicorn running on %s://%s:%d", "http", "127.0.0.1", 8080)
    logging.getLogger("uvicorn.access").info('%s - "GET %s"', "127.0.0.1:5", "/v1/alerts?subject=FR01-001")
    logging.getLogger("sqlalchemy.engine.Engine").info("SELECT %s", CLINICAL)
    logging.getLogger("httpx2").info("HTTP Request: POST %s", "https://hook.example.org/token")
    logging.getLogger("some.library").warning("strange value %r", CLINICAL)
    lines = _lines(stream)
    assert [line["event"] for line in lines] == ["Uvicorn running on http://127.0.0.1:8080", "strange value %r"]
    assert [(line["level"], line["logger"]) for line in lines] == [
        ("info", "uvicorn.error"),
        ("warning", "some.library"),
    ]


def test_a_task_that_failed_unseen_is_told_without_its_words(stream: io.StringIO) -> None:
    """asyncio puts the exception's words into its message."""

    async def fail() -> None:
        raise KeyError(CLINICAL)

    async def forget() -> None:
        task = asyncio.ensure_future(fail())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        del task

    asyncio.run(forget())
    (line,) = _lines(stream)
    assert line["event"] == "Task exception was never retrieved"
    assert line["exception"][0] == "KeyError"
    assert CLINICAL not in stream.getvalue()


def test_on_a_terminal_it_is_for_people(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines with colours, without them under NO_COLOR; what would steer the terminal is shown."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    terminal = Terminal()
    configure_logs("info", terminal)
    structlog.get_logger().info("event_taken", site="FR01\x1b[2J")
    structlog.get_logger().error("loop_failed", exc_info=KeyError(CLINICAL))
    coloured = terminal.getvalue()
    assert "event_taken" in coloured
    assert "\x1b[2J" not in coloured
    assert "\x1b[" in coloured
    assert "KeyError" in coloured
    assert CLINICAL not in coloured
    monkeypatch.setenv("NO_COLOR", "1")
    plain = Terminal()
    configure_logs("info", plain)
    structlog.get_logger().info("event_taken", reason="a\x1b[2Jb")
    assert "\x1b" not in plain.getvalue()
    assert "a\\x1b[2Jb" in plain.getvalue()


def test_logs_go_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    """Standard output is for data."""
    configure_logs()
    structlog.get_logger().info("started")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert json.loads(captured.err)["event"] == "started"
    assert sys.stderr.isatty() is False


LEVELS = {"debug", "info", "warning", "error", "critical", "exception"}


def _log_calls() -> Iterator[tuple[str, ast.Call]]:
    """Every call of a structlog logger in the services, with where it stands."""
    for module in modules("services"):
        if "get_logger" not in module.text:
            continue
        for node in ast.walk(module.tree):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in LEVELS
                and "log" in ast.unparse(node.func.value).lower()
            ):
                yield f"{module.name}:{node.lineno}", node


def test_services_log_nothing_that_would_be_withheld() -> None:
    """Each event has a name, and each field is on the list: what is withheld at run time was meant to be read."""
    calls = list(_log_calls())
    assert calls
    wrong = []
    for where, call in calls:
        name = call.args[0].value if len(call.args) == 1 and isinstance(call.args[0], ast.Constant) else None
        if not isinstance(name, str) or not EVENT_NAME.fullmatch(name):
            wrong.append(f"{where}: the event is no name")
        for keyword in call.keywords:
            if keyword.arg is None:
                continue  # Fields that are only put together at run time are seen by the processor alone.
            if keyword.arg not in {*FIELDS, "exc_info"}:
                wrong.append(f"{where}: {keyword.arg} is not in services.platform.logs.FIELDS")
            elif keyword.arg == "error" and not _is_exception(keyword.value):
                wrong.append(f"{where}: error is the exception itself, not a text")
    assert wrong == []


def _is_exception(value: ast.expr) -> bool:
    return isinstance(value, ast.Name) or (isinstance(value, ast.Attribute) and value.attr in ("__name__", "__cause__"))
