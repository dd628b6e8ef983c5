"""``toxwatch keys``, as it is typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from projections.store.engine.database import Database
from services.cli.keys import keys_app
from services.gateway.keys import KeyRing
from services.platform.time_source import SystemClock
from tests.cli.command_line import run
from tests.files.command_line import Outcome


@pytest.fixture
def keys(sqlite: Database, tmp_path: Path) -> Path:
    """The directory of a deployment."""
    return tmp_path


def typed(directory: Path, *arguments: str) -> Outcome:
    return run(keys_app, *arguments, "--data", str(directory))


def test_a_key_is_printed_once_as_the_only_line(keys: Path, sqlite: Database) -> None:
    """It opens the door until it is revoked; the list has it without its secret."""
    made = typed(keys, "add", "--role", "site", "--site", "FR01", "--name", "EDC of Lyon")
    assert made.code == 0
    (line,) = made.out.splitlines()
    ring = KeyRing(sqlite, SystemClock())
    caller = ring.caller_of(line)
    assert caller is not None
    assert (caller.role, caller.site) == ("site", "FR01")
    for form in ("table", "json", "ndjson"):
        listed = typed(keys, "list", "--format", form)
        assert listed.code == 0
        assert caller.key_id in listed.out
        assert line not in listed.out
    (entry,) = json.loads(typed(keys, "list", "--format", "json").out)
    assert (entry["state"], entry["name"], entry["site"], entry["expires"]) == ("valid", "EDC of Lyon", "FR01", None)
    assert typed(keys, "revoke", caller.key_id).code == 0
    assert ring.caller_of(line) is None
    assert "revoked before" in typed(keys, "revoke", caller.key_id).err
    assert json.loads(typed(keys, "list", "--format", "ndjson").out)["state"] == "revoked"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("add", "--role", "site"), 64, "a site's key names its site"),
        (("add", "--role", "operator", "--site", "FR01"), 64, "only the key of a site has one"),
        (("add", "--role", "king"), 64, "king"),
        (("add", "--role", "operator", "--expires", "tomorrow"), 64, "--expires"),
        (("add", "--role", "operator", "--expires", "2017-01-01T00:00:00Z"), 64, "that instant has passed"),
        (("revoke", "nobody"), 1, "there is no key 'nobody'"),
    ],
)
def test_what_cannot_be_done_is_said(keys: Path, arguments: tuple[str, ...], code: int, words: str) -> None:
    """On standard error, with the exit code of its kind."""
    done = typed(keys, *arguments)
    assert (done.code, done.out) == (code, "")
    assert words in done.err


def test_an_empty_directory_is_no_deployment(tmp_path: Path) -> None:
    """Nothing is made there."""
    done = typed(tmp_path / "nowhere", "list")
    assert done.code == 1
    assert not (tmp_path / "nowhere").exists()
