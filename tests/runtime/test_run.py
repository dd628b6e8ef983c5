"""Starting and stopping: what is wrong is said, one process works on a directory, and SIGTERM ends it in order."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

TOXWATCH = Path(sys.executable).with_name("toxwatch")
ANYWHERE = ("--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0")

pytestmark = pytest.mark.slow


@contextmanager
def running(data: Path, log: Path, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that listens."""
    with log.open("wb") as err:
        process = subprocess.Popen([TOXWATCH, "run", "--data", data, *ANYWHERE, *options], stderr=err)
    try:
        _until_said(process, log, '"role": "metrics"')
        yield process
    finally:
        process.kill()
        process.wait(10)


def _until_said(process: subprocess.Popen[bytes], log: Path, what: str) -> None:
    end = time.monotonic() + 60
    while what not in log.read_text():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.02)


def _refused(*arguments: str | Path) -> str:
    done = subprocess.run([TOXWATCH, "run", *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1, done.stderr
    assert done.stdout == ""
    return done.stderr


def test_sigterm_ends_it_in_order(tmp_path: Path) -> None:
    with running(tmp_path / "data", tmp_path / "log") as process:
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert time.monotonic() - began < 10
    assert '"event": "stopped"' in (tmp_path / "log").read_text()


def test_a_second_process_on_the_same_data_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    with running(tmp_path / "data", tmp_path / "log") as process:
        assert "another toxwatch is running" in _refused("--data", tmp_path / "data", *ANYWHERE)
        assert process.poll() is None


def test_the_tables_of_another_version_are_left_alone(tmp_path: Path) -> None:
    """It says what to do."""
    with running(tmp_path / "data", tmp_path / "log"):
        pass
    with closing(sqlite3.connect(tmp_path / "data" / "toxwatch.db")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    assert "later version of Toxwatch" in _refused("--data", tmp_path / "data", *ANYWHERE)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--recipients", "nowhere.toml"), "nowhere.toml"),
        (("--protocol", "nothing"), "protocol 'nothing'"),
        (("--listen", "192.0.2.1:80"), "cannot listen on 192.0.2.1:80"),
    ],
)
def test_what_cannot_be_started_with_is_said(tmp_path: Path, options: tuple[str, str], sentence: str) -> None:
    said = _refused("--data", tmp_path / "data", *ANYWHERE, *options)
    assert sentence in said
    assert "Traceback" not in said


def test_without_a_place_for_the_data_it_is_wrong_usage() -> None:
    done = subprocess.run([TOXWATCH, "run"], capture_output=True, text=True, timeout=60, env={"PATH": "/usr/bin"})
    assert done.returncode == 64
    assert "--data" in done.stderr
