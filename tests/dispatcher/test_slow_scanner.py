"""A mail server that has the whole mail and scans it: it is waited for, sent one copy, and keeps nobody else waiting."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from email.message import EmailMessage
from pathlib import Path

import pytest

import services.dispatcher.dispatcher as dispatcher_module
from events.dates import SECOND
from services.dispatcher.channels.port import Message, SendOutcome
from services.dispatcher.channels.smtp import SmtpChannel
from services.dispatcher.channels.smtp_client import (
    BEFORE_DOT_TIMEOUTS_MAX,
    FINAL_DOT_SECONDS_MAX,
    SmtpClient,
    notice_a_dead_peer,
)
from services.dispatcher.dispatcher import LASTING_MAX, free_turns
from services.dispatcher.lease import BEYOND_TIMEOUT_SECONDS
from services.dispatcher.notice import Notice
from services.dispatcher.recipients import Recipient, SmtpChannelConfig
from services.platform import time_source
from tests.dispatcher.alerts import AlertingTrial
from tests.dispatcher.desk import at_work, trial_in, until
from tests.dispatcher.files import mail, person, recipients
from tests.dispatcher.receivers import Mailbox, mail_server
from tests.dispatcher.test_notice import VALUES

TIMEOUT_SECONDS = 0.4
ANN = Recipient(name="ann", role="medical-monitor", channels=("mail",), address="ann@example.org")
MESSAGE = Message("D-1", Notice(**VALUES), ANN, "https://tox.example.org/alerts/ALERT", None)


@pytest.fixture
def trial(tmp_path: Path) -> Iterator[AlertingTrial]:
    with trial_in(tmp_path) as trial:
        yield trial


@asynccontextmanager
async def scanning(first: int = 1) -> AsyncIterator[tuple[Mailbox, asyncio.Event]]:
    """A mail server that scans the first mails until the event is set."""
    found_clean = asyncio.Event()

    async def scan(number: int) -> str:
        if number < first:
            await found_clean.wait()
        return "250 OK"

    async with mail_server() as box:
        box.scan = scan
        try:
            yield box, found_clean
        finally:
            found_clean.set()


def channel(port: int, final_dot_seconds: float = FINAL_DOT_SECONDS_MAX) -> SmtpChannel:
    config = SmtpChannelConfig.model_validate(
        {"type": "smtp", "host": "127.0.0.1", "port": port, "tls": "none", "from": "toxwatch@example.org"}
        | {"timeout": TIMEOUT_SECONDS}
    )
    return SmtpChannel(config, None, time_source.now, final_dot_seconds)


def slow_mail(port: int, more: str = "") -> str:
    return mail(port, f'tls = "none"\ntimeout = {TIMEOUT_SECONDS}\n{more}')


def test_the_answer_to_the_final_dot_may_take_ten_minutes() -> None:
    """RFC 5321, 4.5.3.2.6."""
    assert FINAL_DOT_SECONDS_MAX == 600.0


def test_a_scanner_is_waited_for_beyond_the_timeout() -> None:
    """Three times as long: one mail, and it is delivered."""

    async def story() -> None:
        async with mail_server() as box:

            async def scan(_number: int) -> str:
                await asyncio.sleep(3 * TIMEOUT_SECONDS)
                return "250 clean"

            box.scan = scan
            assert await channel(box.port).send(MESSAGE) == SendOutcome("delivered")
            assert len(box.mails) == 1

    asyncio.run(story())


@pytest.mark.parametrize(("answer", "kind"), [("554 it is spam", "rejected"), ("451 scanner is down", "failed")])
def test_what_the_scanner_answers_counts(answer: str, kind: str) -> None:
    """Although the mail was sent whole."""

    async def story() -> None:
        async with mail_server() as box:

            async def scan(_number: int) -> str:
                await asyncio.sleep(2 * TIMEOUT_SECONDS)
                return answer

            box.scan = scan
            outcome = await channel(box.port).send(MESSAGE)
            assert (outcome.kind, outcome.error) == (kind, f"the server answered {answer}")

    asyncio.run(story())


def test_a_scanner_that_never_answers_is_given_up_and_said_to_be_in_doubt() -> None:
    """After the ten minutes, here half a second: nobody knows whether it is delivered, and the operator reads that."""

    async def story() -> None:
        async with scanning() as (box, _):
            outcome = await channel(box.port, final_dot_seconds=0.5).send(MESSAGE)
            assert outcome == SendOutcome(
                "failed",
                "the server took the whole mail and did not answer within 0.5 s; it may be delivered",
                None,
                True,
            )
            assert len(box.mails) == 1

    asyncio.run(story())


async def _talking(answers: dict[bytes, str], pause_seconds: float) -> asyncio.Server:
    """A server that answers these commands, each after a pause, and is silent at any other."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(b"220 here\r\n")
            while (line := await reader.readline()) and (answer := answers.get(line[:4].upper())) is not None:
                await asyncio.sleep(pause_seconds)
                writer.write(f"{answer}\r\n".encode())
            await reader.read()
        finally:
            writer.close()

    return await asyncio.start_server(serve, "127.0.0.1", 0)


@pytest.mark.parametrize(
    ("answers", "pause_seconds", "timeouts_max"),
    [
        ({}, 0.0, 1),
        ({b"EHLO": "250 here", b"MAIL": "250 OK", b"RCPT": "250 OK"}, 0.0, 1),
        (
            {b"EHLO": "250 here", b"MAIL": "250 OK", b"RCPT": "250 OK", b"DATA": "354 go on"},
            0.9 * TIMEOUT_SECONDS,
            BEFORE_DOT_TIMEOUTS_MAX,
        ),
    ],
    ids=["at EHLO", "at DATA", "always nearly too late"],
)
def test_a_connection_that_dies_before_the_dot_fails_quickly(
    answers: dict[bytes, str], pause_seconds: float, timeouts_max: int
) -> None:
    """Within the timeout of that command; all commands together within three."""

    async def story() -> None:
        server = await _talking(answers, pause_seconds)
        began = time_source.elapsed_seconds()
        async with asyncio.timeout(30):
            outcome = await channel(server.sockets[0].getsockname()[1]).send(MESSAGE)
        took = time_source.elapsed_seconds() - began
        server.close()
        await asyncio.sleep(0.01)  # for the connection to close: the loop ends now
        assert outcome == SendOutcome("failed", "it took too long")
        assert timeouts_max * TIMEOUT_SECONDS <= took < timeouts_max * TIMEOUT_SECONDS + 5

    asyncio.run(story())


def test_the_system_is_asked_to_notice_a_dead_machine() -> None:
    """One that acknowledges nothing for the timeout is not waited for ten minutes, also after the dot."""
    with socket.socket() as connection:
        notice_a_dead_peer(connection, 20.0)
        assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 20_000
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 20


def test_a_line_that_begins_with_a_dot_arrives_as_it_is() -> None:
    """And does not end the mail."""
    text = "first\n.\n..\n.hidden\nlast\n"

    async def story() -> None:
        async with mail_server() as box:
            mail = EmailMessage()
            mail["From"] = mail["To"] = "toxwatch@example.org"
            mail.set_content(text)
            async with asyncio.timeout(30) as limit:
                client = SmtpClient(
                    final_dot_seconds=5.0, before_dot=limit, hostname="127.0.0.1", port=box.port, start_tls=False
                )
                await client.connect()
                await client.send_message(mail)
                await client.quit()
            assert box.mails[0].get_content().replace("\r\n", "\n") == text

    asyncio.run(story())


def test_a_second_dispatcher_sends_no_copy_while_the_first_waits(trial: AlertingTrial, tmp_path: Path) -> None:
    """However long the scan lasts, since the lease is renewed. News overtakes the slow mail; what is no news waits for it."""

    async def story() -> None:
        async with scanning() as (box, found_clean):
            people = recipients(tmp_path, slow_mail(box.port) + person("ann", "mail"))
            async with (
                at_work(trial, people, is_alone=False) as one,
                at_work(trial, people, is_alone=False) as other,
            ):
                trial.raises()
                began = trial.clock.now()
                await one.comes_to(lambda: len(box.mails) == 1)
                for _ in range(2):
                    trial.clock.turn(round((BEYOND_TIMEOUT_SECONDS - 1) * SECOND))
                    await one.comes_to(lambda: trial.attempts()[0].renewed_at == trial.clock.now())
                await one.is_at_rest()
                await other.is_at_rest()
                assert len(box.mails) == 1
                trial.revises()
                await other.comes_to(lambda: [row.state for row in trial.rows()] == ["superseded", "delivered"])
                trial.withdraws()
                await one.is_at_rest()
                await other.is_at_rest()
                assert len(box.mails) == 2
                found_clean.set()
                await one.comes_to(lambda: [row.state for row in trial.rows()] == ["delivered"] * 3)
            assert ["Withdrawn" in got["Subject"] for got in box.mails] == [False, False, True]
            first = next(row for row in trial.attempts() if row.delivery_id == trial.rows()[0].id)
            assert (first.attempt, first.at, first.outcome) == (1, began, "delivered")
            assert len(trial.attempts()) == 3

    asyncio.run(story())


def test_others_do_not_wait_behind_the_slow_ones(trial: AlertingTrial, tmp_path: Path) -> None:
    """Two may be sent at once, and the scanner holds two: the third recipient is told all the same."""

    async def story() -> None:
        async with scanning(first=2) as (box, found_clean):
            people = person("ann", "mail") + person("ben", "mail") + person("eve", "mail")
            text = slow_mail(box.port, "concurrency = 2") + people
            async with at_work(trial, recipients(tmp_path, text)) as desk:
                trial.raises()
                await desk.comes_to(lambda: sorted(row.state for row in trial.rows())[:1] == ["delivered"])
                assert len(box.mails) == 3
                found_clean.set()
                await desk.comes_to(lambda: [row.state for row in trial.rows()] == ["delivered"] * 3)
            assert len(box.mails) == 3

    asyncio.run(story())


@pytest.mark.parametrize(
    ("lasting", "free"),
    [
        ([], 2),
        ([0.1], 1),
        ([0.1, 0.2], 0),
        ([9.0, 9.0], 2),
        ([9.0] * LASTING_MAX, 2),
        ([9.0] * (LASTING_MAX + 1), 1),
        ([9.0] * (LASTING_MAX + 2), 0),
    ],
)
def test_how_many_may_wait_is_bounded(lasting: list[float], free: int) -> None:
    """A server counts our connections; so many slow ones beside those that take turns, and no more."""
    assert free_turns(2, 1.0, lasting) == free


def test_a_stop_does_not_wait_for_the_scanner(
    trial: AlertingTrial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After its grace it gives up, not knowing; the next start sends the mail again, under the same Message-ID."""
    monkeypatch.setattr(dispatcher_module, "STOPPING_SECONDS_MAX", 0.2)

    async def story() -> None:
        async with scanning() as (box, _):
            people = recipients(tmp_path, slow_mail(box.port) + person("ann", "mail"))
            async with asyncio.timeout(10):
                async with at_work(trial, people) as desk:
                    trial.raises()
                    await desk.comes_to(lambda: len(box.mails) == 1)
            assert [row.outcome for row in trial.attempts()] == ["started"]
            trial.clock.turn(2 * SECOND)
            async with at_work(trial, people) as desk:
                await desk.comes_to(lambda: [row.state for row in trial.rows()] == ["delivered"])
            assert [mail["Message-ID"] for mail in box.mails] == [box.mails[0]["Message-ID"]] * 2

    asyncio.run(story())


def test_what_is_told_past_the_ledger_sends_no_copies_either(trial: AlertingTrial, tmp_path: Path) -> None:
    """Who tells of a stalled part asks again every few seconds until somebody took it; the scanner has it all the while."""
    notice = Notice(**VALUES | {"subject": None, "case": "stalled:store", "kind": "raised"})

    async def story() -> None:
        async with scanning() as (box, found_clean):
            people = recipients(tmp_path, slow_mail(box.port) + person("ann", "mail"))
            async with at_work(trial, people) as desk:
                tell = desk.dispatcher.tell_directly
                assert await tell(notice) == 0
                assert await tell(notice.model_copy(update={"detected_at": "2017-03-01T08:00:05Z"})) == 0
                found_clean.set()
                await until(lambda: len(box.mails) == 1)
                assert await tell(notice) == 1
                assert len(box.mails) == 1
                assert await tell(notice) == 1
                assert len(box.mails) == 2

    asyncio.run(story())
