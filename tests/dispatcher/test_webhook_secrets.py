"""Replacing a webhook's secret: while it has several, a receiver that holds any of them can verify a message."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from pathlib import Path

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from projections.protocols.isi_jx import PROTOCOL
from services.dispatcher.channels.port import SendOutcome
from services.dispatcher.channels.webhook import WebhookChannel
from services.dispatcher.recipients import WebhookChannelConfig, load_recipients
from services.platform import time_source
from tests.dispatcher.files import hook, person, write
from tests.dispatcher.receivers import Post, http_receiver
from tests.dispatcher.test_webhook import MESSAGE

NEW, OLD, STRANGE = ("whsec_" + base64.b64encode(bytes([number]) * 32).decode() for number in (1, 2, 3))


def posted(directory: Path, *secrets: str) -> Post:
    """What a channel with these secrets posts."""

    async def send() -> Post:
        async with http_receiver() as receiver:
            file = write(directory, hook(receiver.url) + person("ann", "hook"))
            (directory / "hook.secret").write_text("\n".join(secrets) + "\n", encoding="utf-8")
            loaded = load_recipients(file, PROTOCOL)
            config = loaded.channels["hook"]
            assert isinstance(config, WebhookChannelConfig)
            channel = WebhookChannel(config, loaded.secrets["hook"], time_source.now)
            try:
                assert await channel.send(MESSAGE) == SendOutcome("delivered")
            finally:
                await channel.close()
            return receiver.posts[0]

    return asyncio.run(send())


def test_the_holder_of_either_secret_verifies(tmp_path: Path) -> None:
    """With the library that receivers have; nobody else does, and a changed body does not."""
    post = posted(tmp_path, NEW, OLD)
    assert Webhook(NEW).verify(post.body, post.headers) == Webhook(OLD).verify(post.body, post.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(STRANGE).verify(post.body, post.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(OLD).verify(post.body.replace(b"met", b"not"), post.headers)


def test_the_signatures_stand_in_one_header_the_newest_first(tmp_path: Path) -> None:
    """Separated by spaces, each over id, time and body, as Standard Webhooks says; computed here by hand."""
    post = posted(tmp_path, NEW, OLD)
    signed = f"{post.headers['webhook-id']}.{post.headers['webhook-timestamp']}.".encode() + post.body
    by_hand = [
        "v1,"
        + base64.b64encode(
            hmac.digest(base64.b64decode(secret.removeprefix("whsec_")), signed, hashlib.sha256)
        ).decode()
        for secret in (NEW, OLD)
    ]
    assert post.headers["webhook-signature"].split(" ") == by_hand


def test_once_the_old_one_is_taken_out_it_verifies_nothing(tmp_path: Path) -> None:
    """The end of a rotation."""
    post = posted(tmp_path, NEW)
    assert Webhook(NEW).verify(post.body, post.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(OLD).verify(post.body, post.headers)
