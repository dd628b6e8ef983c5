"""``toxwatch test-message``: one line for each route, and no alert anywhere."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from standardwebhooks.webhooks import Webhook

from tests.dispatcher.alerts import AlertingTrial
from tests.dispatcher.desk import trial_in
from tests.dispatcher.files import WEBHOOK_SECRET, hook, mail, person, write
from tests.dispatcher.receivers import Answer, HttpReceiver, Mailbox, http_receiver, mail_server
from tests.files.command_line import Outcome, toxwatch

CONSOLE = '[channels.terminal]\ntype = "console"\n'


def tried(
    directory: Path,
    *arguments: str,
    prepare: Callable[[Mailbox, HttpReceiver], None] = lambda _box, _receiver: None,
) -> tuple[Outcome, Mailbox, HttpReceiver]:
    """What the command said, and what two receivers got: ann has mail and webhook, ben mail, the operator the terminal."""

    async def story() -> tuple[Outcome, Mailbox, HttpReceiver]:
        async with mail_server() as box, http_receiver() as receiver:
            prepare(box, receiver)
            channels = CONSOLE + mail(box.port, 'tls = "none"\ntimeout = 1') + hook(receiver.url, more="timeout = 1")
            people = person("ann", "mail hook") + person("ben", "mail") + person("operator", "terminal")
            file = str(write(directory, channels + people))
            said = await asyncio.to_thread(
                toxwatch,
                "test-message",
                *arguments,
                environment={"TOXWATCH_RECIPIENTS": file, "TOXWATCH_DEPLOYMENT": "paris"},
            )
            return said, box, receiver

    return asyncio.run(story())


def test_without_a_name_everybody_gets_one_over_each_channel(tmp_path: Path) -> None:
    """A line for each route on standard output; exit code 0."""
    said, box, receiver = tried(tmp_path)
    assert (said.code, sorted(said.out.splitlines())) == (
        0,
        [
            "ann over hook (webhook): delivered",
            "ann over mail (smtp): delivered",
            "ben over mail (smtp): delivered",
            "operator over terminal (console): delivered",
        ],
    )
    assert sorted(got["To"] for got in box.mails) == ["ann@example.org", "ben@example.org"]
    assert len(receiver.posts) == 1
    assert "Test message from paris: nothing is to be done." in said.err


def test_the_message_says_plainly_that_it_is_a_test(tmp_path: Path) -> None:
    """By mail and by webhook; a rule that looks for alerts finds none in it, and the signature is the usual one."""
    _, box, receiver = tried(tmp_path, "ann")
    (got,), (post,) = box.mails, receiver.posts
    assert got["Subject"] == "[Toxwatch test] Test message from paris: nothing is to be done"
    assert got["Importance"] is None
    text = " ".join(got.get_content().split())
    assert "This is a test message from the Toxwatch deployment paris" in text
    assert "It is no alert, it is about no subject, and you have nothing to do." in text
    assert not [word for word in ("URGENT", "raised", "Alert:", "Clause:", "/alerts/") if word in got.as_string()]
    said = Webhook(WEBHOOK_SECRET).verify(post.body, post.headers)
    assert said["type"] == "toxwatch.test.v1"
    assert said["data"]["deployment"] == "paris"


def test_one_recipient_is_tried_alone(tmp_path: Path) -> None:
    """The others get nothing."""
    said, box, receiver = tried(tmp_path, "ben")
    assert (said.code, said.out) == (0, "ben over mail (smtp): delivered\n")
    assert (len(box.mails), receiver.posts) == (1, [])


def test_what_a_server_answered_is_said_and_the_others_are_tried(tmp_path: Path) -> None:
    """Exit code 1 where one route fails; what is a temporary fault, and what somebody must mend, is told apart."""

    def prepare(box: Mailbox, receiver: HttpReceiver) -> None:
        box.refusals = ["550 no such user\x1b[2J"] * 2
        receiver.answers = [Answer(429, {"retry-after": "30"})]

    said, _, _ = tried(tmp_path, prepare=prepare)
    assert said.code == 1
    lines = {line.partition(": ")[0]: line.partition(": ")[2] for line in said.out.splitlines()}
    assert lines["operator over terminal (console)"] == "delivered"
    assert (
        lines["ann over hook (webhook)"]
        == "NOT delivered: the receiver asks to wait (the receiver answered 429); again in 30 s"
    )
    assert lines["ben over mail (smtp)"].startswith(
        "NOT delivered: the receiver or the configuration has to be put right"
    )
    assert "the server answered 550 no such user" in lines["ben over mail (smtp)"]
    assert "\x1b" not in said.out
    assert "in-the-address" not in said.out + said.err


def test_a_scanner_is_waited_for_and_said_so(tmp_path: Path) -> None:
    """The operator reads why nothing happens, and then that it is delivered."""

    def prepare(box: Mailbox, _receiver: HttpReceiver) -> None:
        async def scan(_number: int) -> str:
            await asyncio.sleep(1.5)
            return "250 OK"

        box.scan = scan

    said, _, _ = tried(tmp_path, "ben", prepare=prepare)
    assert (said.code, said.out) == (0, "ben over mail (smtp): delivered\n")
    assert "ben over mail (smtp): no answer yet, still waiting; a mail server may scan for 10 minutes" in said.err


def test_an_unknown_recipient_is_met_with_the_known_ones(tmp_path: Path) -> None:
    """Exit code 2, and nobody is sent anything."""
    said, box, receiver = tried(tmp_path, "anne")
    assert (said.code, said.out) == (2, "")
    assert said.err == "toxwatch: there is no recipient 'anne'; there is ann, ben or operator\n"
    assert (box.mails, receiver.posts) == ([], [])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("channels =", "not TOML"),
        (hook("https://a.example", more="timout = 3") + person("ann", "hook"), "the nearest is 'timeout'"),
        (CONSOLE + person("ann", "mail"), "there is no channel 'mail'"),
    ],
)
def test_a_wrong_file_is_said_in_a_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    """Exit code 2, as the service would say it at its start."""
    said = toxwatch("test-message", "--recipients", str(write(tmp_path, text)))
    assert (said.code, said.out) == (2, "")
    assert sentence in said.err
    assert "Traceback" not in said.err
    missing = toxwatch("test-message", "--recipients", str(tmp_path / "none.toml"))
    assert missing.code == 2
    wrong = toxwatch("test-message", environment={"TOXWATCH_LISTEN": "nowhere"})
    assert (wrong.code, "listen" in wrong.err) == (2, True)


def test_the_ledger_of_a_running_deployment_is_not_touched(tmp_path: Path) -> None:
    """Beside its database: no row, no attempt, no alert; the database is not even opened."""
    with trial_in(tmp_path) as trial:
        _ = AlertingTrial.raises(trial)
        before = (trial.rows(), trial.attempts(), trial.told())
        said, _, _ = tried(tmp_path, "ben")
        assert said.code == 0
        assert (trial.rows(), trial.attempts(), trial.told()) == before
    assert json.dumps(before[2]) == '[["ae:AE-1", "raised"]]'
