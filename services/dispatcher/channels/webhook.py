"""A webhook, signed as Standard Webhooks says: receivers in any language have a library that checks it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, assert_never

import httpx2
from pydantic import SecretStr
from standardwebhooks.webhooks import Webhook

from events.dates import Instant, parse_instant
from projections.folds.alert_transition import AlertKind
from projections.folds.system_alerts import level_of_case
from services.dispatcher.channels.port import ChannelTest, Message, Sendable, SendOutcome, what_failed
from services.dispatcher.channels.wall_clock import to_datetime
from services.dispatcher.channels.webhook_body import (
    AlertBody,
    AlertType,
    ChannelTestBody,
    ChannelTestData,
    Clinical,
    DigestBody,
    DigestData,
    OtherAlert,
    SubjectAlert,
    WebhookRecipient,
    written,
)
from services.dispatcher.notice import Notice
from services.dispatcher.recipients import Recipient, WebhookChannelConfig
from services.http.outgoing import client_options
from services.http.retry_after import retry_after_seconds

GONE: Final = 410
#: Statuses by which a receiver asks to be left alone for a while.
THROTTLING: Final = frozenset({429, 503})
#: Client errors that say nothing against the request itself: a timeout, and "too early".
PASSING: Final = frozenset({408, 425})
#: These would write the address, which may hold a token, into the log.
TALKATIVE: Final = ("httpx2", "httpcore2")
_TYPES: Final[Mapping[AlertKind, AlertType]] = {
    "raised": "toxwatch.alert.raised.v1",
    "revised": "toxwatch.alert.revised.v1",
    "withdrawn": "toxwatch.alert.withdrawn.v1",
}


class WebhookChannel:
    """A receiver. ``wall`` is the machine's clock, which a signature's age is measured by.

    Each of the secrets signs every message, so that a receiver may hold any of them while they are replaced.
    """

    def __init__(self, config: WebhookChannelConfig, secrets: Sequence[SecretStr], wall: Callable[[], Instant]) -> None:
        for name in TALKATIVE:
            logging.getLogger(name).setLevel(logging.WARNING)
        self._config = config
        self._signers = [Webhook(secret.get_secret_value()) for secret in secrets]
        self._wall = wall
        self._client = httpx2.AsyncClient(
            timeout=config.timeout, follow_redirects=False, **client_options(config.proxy)
        )

    async def send(self, message: Sendable) -> SendOutcome:
        """Post the message. Of the answer only status and headers are read: a body could be endless."""
        body = body_of(message)
        signed_at = to_datetime(self._wall())
        headers = {
            "content-type": "application/json",
            "user-agent": "Toxwatch",
            "webhook-id": message.delivery_id,
            "webhook-timestamp": str(int(signed_at.timestamp())),
            "webhook-signature": self._signatures(message.delivery_id, signed_at, body),
        }
        url = self._config.url.get_secret_value()
        try:
            async with (
                asyncio.timeout(self._config.timeout),
                self._client.stream("POST", url, content=body.encode(), headers=headers) as response,
            ):
                return self._outcome(response.status_code, response.headers.get("retry-after"))
        except (httpx2.HTTPError, OSError) as error:
            never_sent = isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout)
            return SendOutcome("failed", what_failed(error).replace(url, "(url)"), may_have_arrived=not never_sent)

    async def close(self) -> None:
        """Let go of the connections."""
        await self._client.aclose()

    def _signatures(self, delivery_id: str, signed_at: datetime, body: str) -> str:
        """One by each secret, separated by spaces as Standard Webhooks says."""
        return " ".join(signer.sign(delivery_id, signed_at, body) for signer in self._signers)

    def _outcome(self, status: int, retry_after: str | None) -> SendOutcome:
        answered = f"the receiver answered {status}"
        if 200 <= status < 300:
            return SendOutcome("delivered")
        if status == GONE:
            return SendOutcome("gone", answered)
        if status in THROTTLING:
            return SendOutcome("throttled", answered, retry_after_seconds(retry_after, self._wall()))
        if 300 <= status < 400:
            return SendOutcome("rejected", f"{answered}; redirects are not followed")
        if 400 <= status < 500:
            return SendOutcome("failed" if status in PASSING else "rejected", answered)
        # The receiver may have broken after it had taken the message.
        return SendOutcome("failed", answered, may_have_arrived=True)


def body_of(message: Sendable) -> str:
    """The JSON text that is posted; the same at every attempt."""
    match message:
        case ChannelTest():
            return written(_test_body(message))
        case Message(parts=()):
            return written(_alert_body(message.notice, message.recipient, message.link))
        case Message():
            return written(_digest_body(message))
        case _:
            assert_never(message)


def alert_of(notice: Notice, recipient: Recipient, link: str) -> SubjectAlert | OtherAlert:
    """One alert, as this recipient may read it."""
    is_clinical = recipient.detail == "clinical"
    common: dict[str, Any] = {
        "alert_id": notice.alert_id,
        "handle": notice.handle,
        "revision": notice.revision,
        "trial": notice.trial,
        "site": notice.site,
        "urgency": notice.urgency,
        "telling": notice.telling,
        "headline": notice.headline,
        "link": link,
        "recipient": _person(recipient),
        "dose_level": notice.dose_level,
        "count": notice.count,
        "out_of": notice.out_of,
        "open_questions": len(notice.questions),
        "what_changed": notice.what_changed,
        "changed_by": notice.changed_by,
        "detail": recipient.detail,
        "clinical": Clinical(questions=notice.questions, changes=notice.changes) if is_clinical else None,
    }
    if notice.subject is None:
        return OtherAlert(**common, case=notice.case, part=_part(notice), sentence=notice.sentence or "")
    return SubjectAlert(
        **common,
        subject=notice.subject,
        population=notice.population,
        verdict=None if notice.is_withdrawn else notice.verdict,
        previous_verdict=notice.previous_verdict,
        clauses=notice.alerting_clauses,
        counts_as_dlt=notice.counts_as_dlt,
    )


def _alert_body(notice: Notice, recipient: Recipient, link: str) -> AlertBody:
    data = alert_of(notice, recipient, link)
    return AlertBody(type=_TYPES[notice.kind], timestamp=notice.detected_at, data=data)


def _digest_body(message: Message) -> DigestBody:
    alerts = [_alert_body(part.notice, message.recipient, part.link) for part in message.parts]
    newest = max((alert.timestamp for alert in alerts), key=parse_instant)
    data = DigestData(recipient=_person(message.recipient), alerts=alerts)
    return DigestBody(type="toxwatch.alert.digest.v1", timestamp=newest, data=data)


def _test_body(test: ChannelTest) -> ChannelTestBody:
    data = ChannelTestData(deployment=test.deployment, sentence=test.sentence, recipient=_person(test.recipient))
    return ChannelTestBody(type="toxwatch.test.v1", timestamp=test.sent_at, data=data)


def _person(recipient: Recipient) -> WebhookRecipient:
    return WebhookRecipient(name=recipient.name, role=recipient.role)


def _part(notice: Notice) -> str | None:
    held = level_of_case(notice.case)
    return held[0] if held is not None else None
