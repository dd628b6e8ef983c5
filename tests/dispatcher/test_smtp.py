"""E-mail against a real mail server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from projections.protocols.isi_jx import PROTOCOL
from services.dispatcher.channels.port import Message, SendOutcome
from services.dispatcher.channels.smtp import SmtpChannel, mail_of
from services.dispatcher.notice import Notice
from services.dispatcher.recipients import Recipient, Recipients, SmtpChannelConfig, load_recipients
from services.platform import time_source
from tests.dispatcher.files import mail, person, recipients, write
from tests.dispatcher.receivers import Mailbox, mail_server, make_certificate
from tests.dispatcher.test_notice import VALUES

ANN = Recipient(name="ann", role="medical-monitor", channels=("mail",), address="ann@example.org")
MESSAGE = Message("D-1", Notice(**VALUES), ANN, "https://tox.example.org/alerts/ALERT", None)
LOGIN = 'username = "toxwatch"\npassword_file = "mail.password"'


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("tls"))


def sent(
    directory: Path,
    config: str,
    certificate: Path | None = None,
    *,
    implicit: bool = False,
    login: bool = False,
    prepare: Callable[[Mailbox], None] = lambda _: None,
) -> tuple[SendOutcome, Mailbox]:
    """What came of one message, and what the server has."""

    async def send() -> tuple[SendOutcome, Mailbox]:
        async with mail_server(certificate, implicit=implicit, login=login) as box:
            prepare(box)
            return await _channel(_loaded(directory, box.port, config)).send(MESSAGE), box

    return asyncio.run(send())


def _loaded(directory: Path, port: int, more: str) -> Recipients:
    return recipients(directory, mail(port, more + "\ntimeout = 2") + person("ann", "mail"))


def _channel(loaded: Recipients) -> SmtpChannel:
    config = loaded.channels["mail"]
    assert isinstance(config, SmtpChannelConfig)
    return SmtpChannel(config, next(iter(loaded.secrets.get("mail", ())), None), time_source.now)


def test_a_mail_says_what_it_may_and_threads(tmp_path: Path) -> None:
    """Subject, text, ids and the marks of a machine's mail."""
    outcome, box = sent(tmp_path, 'tls = "none"')
    assert outcome == SendOutcome("delivered")
    (got,) = box.mails
    assert got["Subject"] == "[Toxwatch] URGENT revised: FR01-001 DLT-1, DLT-3 met; DLT-2 possible"
    assert got["From"] == "Toxwatch <toxwatch@example.org>"
    assert got["To"] == "ann@example.org"
    assert got["Message-ID"] == "<D-1@example.org>"
    assert got["Auto-Submitted"] == "auto-generated"
    assert got["Importance"] == "high"
    assert got["Date"].datetime.year > 2017
    assert got.get_content_type() == "text/plain"
    text = got.get_content()
    for line in (
        "A clause is met. Read the evidence",
        "Subject    FR01-001, part A, level 2",
        "Verdict    DLT-1 met",
        "           DLT-2 possible",
        "Counts     not as a DLT for the dose level",
        "When       2017-03-01T08:00:00Z",
        "Revision 2 of alert ",
    ):
        assert line in text
    assert "https://tox.example.org/alerts/ALERT" in text
    assert "discontinued" not in text


def test_a_later_mail_answers_the_first() -> None:
    """So that a mail program shows them as one conversation."""
    later = mail_of(MESSAGE._replace(delivery_id="D-2", thread="D-1"), "toxwatch@example.org", 0)
    assert later["Message-ID"] == "<D-2@example.org>"
    assert later["In-Reply-To"] == later["References"] == "<D-1@example.org>"
    first = mail_of(MESSAGE, "toxwatch@example.org", 0)
    assert first["In-Reply-To"] is None


def test_nothing_in_an_alert_becomes_a_header() -> None:
    """Nor a line of its own, nor a control of the terminal."""
    notice = Notice(**VALUES | {"subject": None, "case": "intake:\r\nBcc: eve@example.org\r\n\r\nhello\u2028\x1b"})
    got = mail_of(MESSAGE._replace(notice=notice), "toxwatch@example.org", 0)
    assert got["Bcc"] is None
    assert got["Subject"].startswith("[Toxwatch] URGENT revised: intake:  Bcc: eve@example.org")
    assert b"\nBcc" not in got.as_bytes()


def test_starttls_and_a_login(tmp_path: Path, certificate: Path) -> None:
    """The password goes over the encrypted connection only."""
    more = f'tls = "starttls"\nca_file = "{certificate}"\n{LOGIN}'
    outcome, box = sent(tmp_path, more, certificate, login=True)
    assert outcome == SendOutcome("delivered")
    assert (box.logins, box.was_encrypted) == (["toxwatch"], [True])


def test_implicit_tls(tmp_path: Path, certificate: Path) -> None:
    """Encrypted from the first byte."""
    outcome, box = sent(tmp_path, f'tls = "implicit"\nca_file = "{certificate}"', certificate, implicit=True)
    assert outcome == SendOutcome("delivered")
    assert len(box.mails) == 1


def test_a_certificate_that_nobody_vouches_for_is_not_believed(tmp_path: Path, certificate: Path) -> None:
    """Nothing is sent."""
    outcome, box = sent(tmp_path, 'tls = "starttls"', certificate)
    assert outcome.kind == "failed"
    assert "certificate" in (outcome.error or "").lower()
    assert box.mails == []


def test_a_server_without_tls_gets_nothing_where_tls_is_asked_for(tmp_path: Path) -> None:
    """An attacker in between could say that there is none."""
    outcome, box = sent(tmp_path, f'tls = "starttls"\n{LOGIN}')
    assert outcome.kind == "failed"
    assert (box.mails, box.logins) == ([], [])


def test_a_wrong_password_is_for_people_to_mend(tmp_path: Path, certificate: Path) -> None:
    """The error does not hold it."""
    more = f'tls = "starttls"\nca_file = "{certificate}"\n{LOGIN}'

    async def send() -> SendOutcome:
        async with mail_server(certificate, login=True) as box:
            file = write(tmp_path, mail(box.port, more) + person("ann", "mail"))
            (tmp_path / "mail.password").write_text("a wrong password", encoding="utf-8")
            return await _channel(load_recipients(file, PROTOCOL)).send(MESSAGE)

    outcome = asyncio.run(send())
    assert outcome.kind == "rejected"
    assert "password" not in (outcome.error or "")


@pytest.mark.parametrize(
    ("refusal", "outcome"), [("550 no such user", "rejected"), ("450 mailbox busy", "failed"), ("452 full", "failed")]
)
def test_a_refusal_for_good_is_tried_again_more_slowly(tmp_path: Path, refusal: str, outcome: str) -> None:
    """5xx needs somebody to mend it, 4xx passes."""

    def prepare(box: Mailbox) -> None:
        box.refusals = [refusal]

    found, box = sent(tmp_path, 'tls = "none"', prepare=prepare)
    assert (found.kind, box.mails) == (outcome, [])
    assert refusal in (found.error or "")


def test_what_the_server_has_taken_is_delivered_whatever_comes_after(tmp_path: Path) -> None:
    """A connection that breaks off at the good-bye makes no second mail."""

    def prepare(box: Mailbox) -> None:
        box.breaks_off_at_the_end = True

    outcome, box = sent(tmp_path, 'tls = "none"', prepare=prepare)
    assert outcome == SendOutcome("delivered")
    assert len(box.mails) == 1


def test_a_server_that_says_nothing_is_not_waited_for(tmp_path: Path) -> None:
    """Not longer than the timeout, its good-bye included."""

    async def send() -> SendOutcome:
        held = asyncio.Event()

        async def silent(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await held.wait()
            writer.close()

        server = await asyncio.start_server(silent, "127.0.0.1", 0)
        channel = _channel(_loaded(tmp_path, server.sockets[0].getsockname()[1], 'tls = "none"'))
        try:
            async with asyncio.timeout(5):
                return await channel.send(MESSAGE)
        finally:
            held.set()
            server.close()

    assert asyncio.run(send()).kind == "failed"
