"""The webhook against a receiver that checks signatures with the library receivers have, and misbehaves."""

from __future__ import annotations

import asyncio
import json
import logging
from email.utils import format_datetime
from pathlib import Path

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from events.dates import SECOND
from services.dispatcher.channels.port import Message, SendOutcome
from services.dispatcher.channels.wall_clock import to_datetime
from services.dispatcher.channels.webhook import WebhookChannel
from services.dispatcher.notice import Notice
from services.dispatcher.recipients import Recipient, WebhookChannelConfig
from services.http.retry_after import retry_after_seconds
from services.platform import time_source
from tests.dispatcher.files import WEBHOOK_SECRET, hook, person, recipients
from tests.dispatcher.receivers import Answer, Fault, HttpReceiver, Post, http_receiver
from tests.dispatcher.test_notice import VALUES

ANN = Recipient(name="ann", role="medical-monitor", channels=("hook",))
MESSAGE = Message("D-1", Notice(**VALUES), ANN, "https://tox.example.org/alerts/ALERT", None)


def sent(directory: Path, *answers: Answer | Fault, message: Message = MESSAGE) -> tuple[SendOutcome, list[Post]]:
    """What came of it, and what the receiver got."""

    async def send() -> tuple[SendOutcome, list[Post]]:
        async with http_receiver() as receiver:
            receiver.answers = list(answers)
            channel = _channel(directory, receiver)
            try:
                return await channel.send(message), receiver.posts
            finally:
                await channel.close()

    return asyncio.run(send())


def _channel(directory: Path, receiver: HttpReceiver, timeout: float = 0.5) -> WebhookChannel:
    loaded = recipients(directory, hook(receiver.url, more=f"timeout = {timeout}") + person("ann", "hook"))
    config = loaded.channels["hook"]
    assert isinstance(config, WebhookChannelConfig)
    return WebhookChannel(config, loaded.secrets["hook"], time_source.now)


def test_what_is_posted_is_signed_and_says_no_more_than_it_may(tmp_path: Path) -> None:
    """The receiver's library verifies it; the case, which may name a death, is not in it."""
    outcome, (post,) = sent(tmp_path, Answer(200))
    assert outcome == SendOutcome("delivered")
    said = Webhook(WEBHOOK_SECRET).verify(post.body, post.headers)
    assert post.headers["webhook-id"] == "D-1"
    assert said == {
        "type": "toxwatch.alert.revised.v1",
        "timestamp": "2017-03-01T08:00:00Z",
        "data": {
            "alert_id": "ALERT",
            "handle": "1WJR-E5",
            "revision": 2,
            "trial": "NCT02977156",
            "site": None,
            "urgency": "urgent",
            "telling": "news",
            "headline": "URGENT revised: FR01-001 DLT-1, DLT-3 met; DLT-2 possible",
            "link": "https://tox.example.org/alerts/ALERT",
            "recipient": {"name": "ann", "role": "medical-monitor"},
            "dose_level": 2,
            "count": None,
            "out_of": None,
            "open_questions": 0,
            "what_changed": [],
            "changed_by": None,
            "detail": "minimal",
            "clinical": None,
            "subject": "FR01-001",
            "population": "part-a",
            "verdict": "met",
            "previous_verdict": None,
            "clauses": {"DLT-1": "met", "DLT-2": "possible", "DLT-3": "met"},
            "counts_as_dlt": False,
        },
    }


def test_another_secret_does_not_verify_it(tmp_path: Path) -> None:
    """Nor a body that was changed on the way."""
    _, (post,) = sent(tmp_path, Answer(200))
    with pytest.raises(WebhookVerificationError):
        Webhook(WEBHOOK_SECRET[:-4] + "AAA=").verify(post.body, post.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(WEBHOOK_SECRET).verify(post.body.replace(b"met", b"not"), post.headers)


def test_an_alert_about_the_system_says_its_case_and_a_sentence(tmp_path: Path) -> None:
    """And no subject, verdict or clause."""
    notice = Notice(**VALUES | {"subject": None, "case": "cohort:A/2", "verdict": None})
    _, (post,) = sent(tmp_path, message=MESSAGE._replace(notice=notice))
    data = json.loads(post.body)["data"]
    assert data["case"] == "cohort:A/2"
    assert data["sentence"].startswith("The dose level is on hold")
    assert data.keys().isdisjoint({"subject", "clauses", "verdict"})


def test_a_withdrawal_has_no_verdict(tmp_path: Path) -> None:
    """Although the finding that was overruled keeps the machine's."""
    _, (post,) = sent(tmp_path, message=MESSAGE._replace(notice=Notice(**VALUES | {"kind": "withdrawn"})))
    data = json.loads(post.body)["data"]
    assert (data["verdict"], data["clauses"]) == (None, {})


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (Answer(202), "delivered"),
        (Answer(302, {"location": "/elsewhere"}), "rejected"),
        (Answer(400), "rejected"),
        (Answer(401), "rejected"),
        (Answer(408), "failed"),
        (Answer(410), "gone"),
        (Answer(429), "throttled"),
        (Answer(500), "failed"),
        (Answer(503, {"retry-after": "7"}), "throttled"),
        ("silent", "failed"),
        ("trickling", "failed"),
        ("reset", "failed"),
    ],
)
def test_what_a_receiver_does_is_told_apart(tmp_path: Path, answer: Answer | Fault, outcome: str) -> None:
    """Each is one post, within the timeout, and nothing raises; a redirect is not followed. What is in doubt is said to be."""
    began = time_source.elapsed_seconds()
    found, posts = sent(tmp_path, answer)
    assert found.kind == outcome
    assert (found.error is None) == (outcome == "delivered")
    assert found.may_have_arrived == (answer in ("silent", "trickling", "reset", Answer(500)))
    assert len(posts) == 1
    assert time_source.elapsed_seconds() - began < 5


def test_nobody_there_is_a_failed_attempt(tmp_path: Path) -> None:
    """Nobody listens on the port any more."""

    async def send() -> SendOutcome:
        async with http_receiver() as receiver:
            channel = _channel(tmp_path, receiver)
        try:
            return await channel.send(MESSAGE)
        finally:
            await channel.close()

    found = asyncio.run(send())
    assert (found.kind, found.may_have_arrived) == ("failed", False)


def test_the_address_is_in_no_log_and_no_error(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It may hold a token; the HTTP library would write it down."""
    caplog.set_level(logging.DEBUG)
    found = [sent(tmp_path, answer)[0] for answer in (Answer(200), Answer(500), "reset", "silent")]
    assert "in-the-address" not in caplog.text
    assert "in-the-address" not in repr(found)


NOW = time_source.now() // SECOND * SECOND


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("120", 120.0),
        ("9" * 5000, float("inf")),
        ("-1", None),
        ("soon", None),
        ("1.5", None),
        # Named, or two workers that begin in different seconds would collect different tests.
        pytest.param(format_datetime(to_datetime(NOW + 90 * SECOND), usegmt=True), 90.0, id="a date ahead"),
        pytest.param(format_datetime(to_datetime(NOW - 90 * SECOND), usegmt=True), 0.0, id="a date that is over"),
        ("Wed, 01 Mar 2017 08:00:00", None),
    ],
)
def test_retry_after_is_read_in_both_its_forms(text: str | None, seconds: float | None) -> None:
    """What cannot be read asks for nothing."""
    assert retry_after_seconds(text, NOW) == seconds
