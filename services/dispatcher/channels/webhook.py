"""A webhook, signed as Standard Webhooks says: receivers in any language have a library that checks it."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Final

import httpx2
from pydantic import SecretStr
from standardwebhooks.webhooks import Webhook

from events.dates import Instant
from services.dispatcher.channels.port import Message, Outcome, what_failed
from services.dispatcher.channels.wall import to_datetime
from services.dispatcher.recipients import WebhookChannelConfig
from services.outgoing import client_options
from services.retry_after import retry_after_seconds

GONE: Final = 410
#: Statuses by which a receiver asks to be left alone for a while.
THROTTLING: Final = frozenset({429, 503})
#: Client errors that say nothing against the request itself: a timeout, and "too early".
PASSING: Final = frozenset({408, 425})
#: These would write the address, which may hold a token, into the log.
TALKATIVE: Final = ("httpx2", "httpcore2")


class WebhookChannel:
    """A receiver. ``wall`` is the machine's clock, which a signature's age is measured by."""

    def __init__(self, config: WebhookChannelConfig, secret: SecretStr, wall: Callable[[], Instant]) -> None:
        for name in TALKATIVE:
            logging.getLogger(name).setLevel(logging.WARNING)
        self._config = config
        self._signer = Webhook(secret.get_secret_value())
        self._wall = wall
        self._client = httpx2.AsyncClient(
            timeout=config.timeout, follow_redirects=False, **client_options(config.proxy)
        )

    async def send(self, message: Message) -> Outcome:
        """Post the message. Of the answer only status and headers are read: a body could be endless."""
        body = body_of(message)
        signed_at = to_datetime(self._wall())
        headers = {
            "content-type": "application/json",
            "user-agent": "Toxwatch",
            "webhook-id": message.delivery_id,
            "webhook-timestamp": str(int(signed_at.timestamp())),
            "webhook-signature": self._signer.sign(message.delivery_id, signed_at, body),
        }
        url = self._config.url.get_secret_value()
        try:
            async with (
                asyncio.timeout(self._config.timeout),
                self._client.stream("POST", url, content=body.encode(), headers=headers) as response,
            ):
                return self._outcome(response.status_code, response.headers.get("retry-after"))
        except (httpx2.HTTPError, OSError) as error:
            return Outcome("failed", what_failed(error).replace(url, "(url)"))

    async def close(self) -> None:
        """Let go of the connections."""
        await self._client.aclose()

    def _outcome(self, status: int, retry_after: str | None) -> Outcome:
        answered = f"the receiver answered {status}"
        if 200 <= status < 300:
            return Outcome("delivered")
        if status == GONE:
            return Outcome("gone", answered)
        if status in THROTTLING:
            return Outcome("throttled", answered, retry_after_seconds(retry_after, self._wall()))
        if 300 <= status < 400:
            return Outcome("rejected", f"{answered}; redirects are not followed")
        return Outcome("rejected" if 400 <= status < 500 and status not in PASSING else "failed", answered)


def body_of(message: Message) -> str:
    """The JSON text that is posted; the same at every attempt."""
    notice = message.notice
    data: dict[str, object] = {
        "alert_id": notice.alert_id,
        "revision": notice.revision,
        "trial": notice.trial,
        "urgency": notice.urgency,
        "headline": notice.headline,
        "link": message.link,
        "recipient": {"name": message.recipient.name, "role": message.recipient.role},
    }
    if notice.subject is not None:
        data |= {"subject": notice.subject, "clauses": notice.told_clauses}
        data["verdict"] = None if notice.is_withdrawn else notice.verdict
        data |= {"previous_verdict": notice.previous_verdict, "dose_level": notice.dose_level}
        data |= {"counts_as_dlt": notice.counts_as_dlt, "open_questions": len(notice.questions)}
    else:
        data |= {"case": notice.case, "sentence": notice.sentence, "count": notice.count, "out_of": notice.out_of}
    data |= {"handle": notice.handle, "telling": notice.telling, "what_changed": notice.what_changed}
    data["changed_by"] = notice.changed_by
    kind = f"toxwatch.alert.{notice.kind}.v1"
    return json.dumps({"type": kind, "timestamp": notice.detected_at, "data": data}, separators=(",", ":"))
