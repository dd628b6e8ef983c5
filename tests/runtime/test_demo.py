"""The demonstration: a trial over HTTP at speed, and its alerts on the terminal, in a mailbox and at a webhook."""

from __future__ import annotations

import json
import mailbox
import re
import subprocess
import sys
from pathlib import Path

import pytest

TOXWATCH = Path(sys.executable).with_name("toxwatch")
DAYS = 45

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("demo")]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Where the data of a demonstration are kept, and what it said."""
    directory = tmp_path_factory.mktemp("demo") / "kept"
    command = [TOXWATCH, "demo", "--days", str(DAYS), "--speed", "600000", "--keep", directory]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    return directory, done.stderr


def test_every_alert_arrives_on_each_channel(played: tuple[Path, str]) -> None:
    """As many lines, messages and calls as there were deliveries, and none of them waits."""
    directory, said = played
    lines = re.findall(r"^\d{4}-.* (?:(?:URGENT|PROMPT|ROUTINE) \w+|Revised|Withdrawn): .*$", said, re.MULTILINE)
    messages = list(mailbox.Maildir(directory / "mailbox", create=False))
    calls = [json.loads(line) for line in (directory / "webhook.ndjson").read_text().splitlines()]
    assert len(lines) == len(messages) == len(calls) > 0
    assert f"in the mailbox {len(messages)}, at the webhook {len(calls)}" in said
    assert "waiting" not in said


def test_every_link_leads_to_where_the_gateway_listened(played: tuple[Path, str]) -> None:
    """On the port that it found free; and the demonstration says with which password a browser opens it."""
    _, said = played
    found = re.search(r"^gateway on (127\.0\.0\.1:[1-9]\d*), ", said, re.MULTILINE)
    assert found is not None
    links = re.findall(r"https?://\S+/alerts/\S+", said)
    assert links
    assert {link.rpartition("/alerts/")[0] for link in links} == {f"http://{found[1]}"}
    assert re.search(r"with any name and the password txw_\w{12}_\S{43}$", said, re.MULTILINE)


def test_revisions_of_an_alert_are_one_thread(played: tuple[Path, str]) -> None:
    messages = list(mailbox.Maildir(played[0] / "mailbox", create=False))
    ids = {message["Message-ID"] for message in messages}
    answers = [message["In-Reply-To"] for message in messages if message["In-Reply-To"]]
    assert answers
    assert set(answers) <= ids


def test_what_was_kept_says_what_its_log_says(played: tuple[Path, str]) -> None:
    """The law, on the directory that a demonstration leaves behind; and nothing differs."""
    directory, _ = played
    as_of = "2017-03-12T00:00:00Z"
    exported = subprocess.run([TOXWATCH, "export", "--data", directory], capture_output=True, check=True).stdout
    from_log = subprocess.run(
        [TOXWATCH, "assess", "-", "--as-of", as_of, "--format", "json"], input=exported, capture_output=True, check=True
    )
    stored = subprocess.run(
        [TOXWATCH, "assessment", "--as-of", as_of, "--format", "json", "--data", directory],
        capture_output=True,
        check=True,
    )
    assert json.loads(stored.stdout) == json.loads(from_log.stdout)
    verified = subprocess.run([TOXWATCH, "verify", "--data", directory], capture_output=True, text=True)
    assert (verified.returncode, verified.stdout) == (0, "")
