"""E-mail: plain text, one message a recipient and revision; the revisions of an alert make one thread."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Final, assert_never

import aiosmtplib
from pydantic import SecretStr

from events.dates import SECOND, Instant
from services.dispatcher.channels.mail_text import subject_of, text_of
from services.dispatcher.channels.port import (
    ERROR_CHARS_MAX,
    ChannelTest,
    Message,
    Sendable,
    SendOutcome,
    what_failed,
)
from services.dispatcher.channels.smtp_client import (
    FINAL_DOT_SECONDS_MAX,
    SmtpClient,
    UnansweredDot,
    before_the_dot,
    notice_a_dead_peer,
)
from services.dispatcher.channels.wall_clock import to_datetime
from services.dispatcher.notice import Notice, plain
from services.dispatcher.recipients import SmtpChannelConfig

PERMANENT: Final = range(500, 600)
#: How long we wait for a server's good-bye, once it has taken the message.
QUIT_SECONDS_MAX: Final = 2.0


class SmtpChannel:
    """A mail server. ``wall`` is the machine's clock: a mail is dated by when it is sent, also in a demonstration."""

    def __init__(
        self,
        config: SmtpChannelConfig,
        password: SecretStr | None,
        wall: Callable[[], Instant],
        final_dot_seconds: float = FINAL_DOT_SECONDS_MAX,
    ) -> None:
        self._config = config
        self._password = password
        self._wall = wall
        self._final_dot_seconds = final_dot_seconds

    async def send(self, message: Sendable) -> SendOutcome:
        """Hand the mail to the server. A repeat has the same Message-ID, by which it can be told."""
        mail = mail_of(message, self._config.from_, self._wall())
        limit = before_the_dot(self._config.timeout)
        client = self._client(limit)
        try:
            async with limit:
                await client.connect()
                notice_a_dead_peer(client.get_transport_info("socket"), self._config.timeout)
                await client.send_message(mail)
        except aiosmtplib.SMTPRecipientsRefused as refused:
            return _refusal(refused.recipients[0])
        except aiosmtplib.SMTPResponseException as refused:
            return _refusal(refused)
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            # Without an answer to the dot nobody knows; before it the server has nothing that it may keep.
            said = error.message if isinstance(error, UnansweredDot) else what_failed(error)
            return SendOutcome("failed", said, may_have_arrived=client.is_sent)
        else:
            # It has taken the message: whatever happens to the good-bye, it is delivered.
            with suppress(aiosmtplib.SMTPException, OSError):
                async with asyncio.timeout(QUIT_SECONDS_MAX):
                    await client.quit()
            return SendOutcome("delivered")
        finally:
            client.close()

    async def close(self) -> None:
        """Connections last one message."""

    def _client(self, limit: asyncio.Timeout) -> SmtpClient:
        config = self._config
        return SmtpClient(
            final_dot_seconds=self._final_dot_seconds,
            before_dot=limit,
            hostname=config.host,
            port=config.port,
            # Without it the library looks the name up, and may wait for that.
            local_hostname=socket.gethostname(),
            username=config.username,
            password=self._password.get_secret_value() if self._password is not None else None,
            timeout=config.timeout,
            use_tls=config.tls == "implicit",
            start_tls=config.tls == "starttls",
            cert_bundle=str(config.ca_file) if config.ca_file is not None else None,
        )


def mail_of(message: Sendable, sender: str, sent_at: Instant) -> EmailMessage:
    """The mail. Its headers refuse line breaks by themselves; none gets that far."""
    subject, text = _words(message)
    mail = EmailMessage()
    mail["From"] = f"Toxwatch <{sender}>"
    mail["To"] = message.recipient.address
    mail["Subject"] = subject
    mail["Date"] = format_datetime(to_datetime(sent_at // SECOND * SECOND))
    mail["Message-ID"] = _message_id(message.delivery_id, sender)
    if isinstance(message, Message) and message.thread is not None:
        mail["In-Reply-To"] = mail["References"] = _message_id(message.thread, sender)
    mail["Auto-Submitted"] = "auto-generated"
    if isinstance(message, Message) and _is_important(message.notice):
        mail["Importance"] = "high"
    mail.set_content(text)
    return mail


def _words(message: Sendable) -> tuple[str, str]:
    """The subject line and the text."""
    match message:
        case ChannelTest():
            return f"[Toxwatch test] {message.headline}", plain(message.sentence) + "\n"
        case Message():
            return subject_of(message), text_of(message)
        case _:
            assert_never(message)


def _is_important(notice: Notice) -> bool:
    return notice.urgency == "urgent" and notice.telling == "news" and not notice.is_withdrawn


def _message_id(delivery_id: str, sender: str) -> str:
    return f"<{delivery_id}@{sender.rpartition('@')[2]}>"


def _refusal(refused: aiosmtplib.SMTPResponseException) -> SendOutcome:
    said = plain(f"the server answered {refused.code} {refused.message}")[:ERROR_CHARS_MAX]
    return SendOutcome("rejected" if refused.code in PERMANENT else "failed", said)
