"""The CloudEvents SDKs of other people, in each of their modes, against the running gateway."""

from __future__ import annotations

import json
import shutil
import subprocess
from datetime import datetime
from typing import Any

import pytest
from cloudevents.core.bindings.http import to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent

from tests.interfaces.live import ROOT, Live, clean_environment
from tests.interfaces.messages import BATCHED, Event, ae, new_subject

pytestmark = pytest.mark.xdist_group("interfaces")

FOREIGN = ROOT / "tests" / "foreign"


def french_event() -> Event:
    """An event with accents, in an attribute and in the data, which every mode writes in another way."""
    return ae(new_subject(), {"term": "Œdème aigu du poumon « sévère »", "grade": 2}, actor="Zoë Lefèvre, 100 %")


def sdk_event(sent: Event) -> CloudEvent:
    attributes = {name: value for name, value in sent.items() if name != "data"}
    return CloudEvent({**attributes, "time": datetime.fromisoformat(sent["time"])}, sent["data"])


def by_sdk(live: Live, mode: str, sent: Event) -> list[str]:
    """Send with the Python SDK; the status of each result."""
    event = sdk_event(sent)
    if mode == "batch":
        body = b"[" + b",".join([to_structured_event(event).body] * 2) + b"]"
        answer = live.send(body, kind=BATCHED)
    else:
        message = (to_structured_event if mode == "structured" else to_binary_event)(event)
        answer = live.client.post(
            f"{live.url}/v1/events", content=message.body, headers={**message.headers, **live.as_("FR01")}
        )
    assert answer.status_code == 202, answer.text
    return [result["status"] for result in answer.json()["results"]]


@pytest.mark.parametrize("first", ["structured", "binary", "batch"])
def test_python_sdk_sends_one_event_in_every_mode(live: Live, first: str) -> None:
    """Whichever mode comes first, the same event in another mode is a duplicate, never a conflict."""
    sent = french_event()
    others = [mode for mode in ("structured", "binary", "batch") if mode != first]
    assert by_sdk(live, first, sent) == (["accepted", "duplicate"] if first == "batch" else ["accepted"])
    for mode in others:
        assert set(by_sdk(live, mode, sent)) == {"duplicate"}


@pytest.mark.parametrize("first", [None, "application/json"])
def test_a_content_type_left_out_means_json(live: Live, first: str | None) -> None:
    """``datacontenttype`` absent is ``application/json``: an event with and without it is one event, in every mode."""
    sent = french_event()
    second = "application/json" if first is None else None
    statuses = []
    for content_type in (first, second):
        written = {**sent, **({"datacontenttype": content_type} if content_type else {})}
        statuses += [result["status"] for result in live.send(written).json()["results"]]
        statuses += by_sdk(live, "binary", written)
    assert statuses == ["accepted", "duplicate", "duplicate", "duplicate"]


def test_what_was_sent_in_binary_mode_is_stored_as_it_was_meant(live: Live) -> None:
    """Accents of percent-encoded attributes and of the body reach the log."""
    sent = french_event()
    by_sdk(live, "binary", sent)
    exported = live.toxwatch("export", "--data", live.data).ndjson
    (stored,) = [event for event in exported if event["id"] == sent["id"]]
    assert stored["actor"] == sent["actor"]
    assert stored["data"] == sent["data"]


needs_javascript = pytest.mark.skipif(
    shutil.which("node") is None or not (FOREIGN / "node_modules").is_dir(),
    reason="Node.js, or what tests/foreign needs (`make foreign`), is not installed here",
)


def by_javascript(live: Live, sent: Event) -> list[list[dict[str, Any]]]:
    """What was answered to the JavaScript SDK: in each pass another way of sending comes first."""
    ran = subprocess.run(
        ["node", FOREIGN / "send_modes.mjs", f"{live.url}/v1/events"],
        input=json.dumps(sent),
        env=clean_environment(TOXWATCH_KEY=live.key()),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    passes: list[list[dict[str, Any]]] = json.loads(ran.stdout)
    return passes


@needs_javascript
def test_javascript_sdk_sends_one_event_in_every_mode(live: Live) -> None:
    """Five ways of sending, each first in one pass: accepted once, then a duplicate in every other mode."""
    for answers in by_javascript(live, {**french_event(), "actor": "crc-3"}):
        statuses = [[result["status"] for result in answer["results"]] for answer in answers]
        assert statuses[0][0] == "accepted", answers
        others = statuses[0][1:] + [status for mode in statuses[1:] for status in mode]
        assert set(others) == {"duplicate"}, answers


@needs_javascript
def test_an_attribute_that_an_sdk_did_not_encode_is_named(live: Live) -> None:
    """The JavaScript SDK writes accents into headers as they are (ISO 8859-1): that is taken, or the error names it."""
    (answers, *_) = by_javascript(live, {**french_event(), "actor": "Zoë"})
    for answer in answers:
        for result in answer["results"]:
            assert result["status"] in ("accepted", "duplicate") or result["error"].startswith(("actor", "ce-actor"))
