"""On and off a terminal, as a program of its own: colours, progress, a reader that goes away."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.files.command_line import AS_OF, program
from tests.files.writing import FR01, Site, write

COLOUR = re.compile(r"\x1b\[(?:[0-9]+;)*(?:3[0-7]|4[0-7]|9[0-7]|38;[25];[0-9;]+)m")
DONE_SECONDS = 60


@pytest.fixture(autouse=True)
def _no_opinion_on_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "CLICOLOR", "CLICOLOR_FORCE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def log(tmp_path: Path) -> str:
    return write(tmp_path / "log.ndjson", [*FR01.treated(), FR01.ae(), FR01.ae("AE-2", data={"causality": ...})])


@pytest.fixture
def long_log(tmp_path: Path) -> str:
    """With more output than a pipe holds."""
    sites = [Site(subject=f"FR01-{number}") for number in range(100, 300)]
    return write(tmp_path / "long.ndjson", [event for site in sites for event in (*site.treated(), site.ae())])


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """Our end, and the program's."""
    ours, theirs = pty.openpty()
    yield ours, theirs
    os.close(ours)


def on_a_terminal(terminal: tuple[int, int], stream: str, *arguments: str, **environment: str) -> str:
    """What the program writes to its standard output or error when that is a terminal."""
    ours, theirs = terminal
    streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, stream: theirs}
    settings = {"TERM": "xterm-256color", "COLUMNS": "200", **environment}
    with program(*arguments, environment=settings, **streams) as process:
        os.close(theirs)
        said = b""
        while select.select([ours], [], [], DONE_SECONDS)[0]:
            try:
                piece = os.read(ours, 65536)
            except OSError:
                break
            if not piece:
                break
            said += piece
        assert process.wait(DONE_SECONDS) == 0
    return said.decode()


def test_a_terminal_gets_colours(terminal: tuple[int, int], log: str) -> None:
    """Or the next test could not fail."""
    assert COLOUR.search(on_a_terminal(terminal, "stdout", "assess", log, "--as-of", AS_OF))


@pytest.mark.parametrize("command", [["assess"], ["explain", "--subject", "FR01-001", "--case", "ae:AE-1"]])
def test_no_color_is_obeyed(terminal: tuple[int, int], log: str, command: list[str]) -> None:
    said = on_a_terminal(terminal, "stdout", command[0], log, *command[1:], "--as-of", AS_OF, NO_COLOR="1")
    assert "met" in said
    assert not COLOUR.search(said)


def test_progress_is_shown_on_a_terminals_standard_error(terminal: tuple[int, int], log: str) -> None:
    assert "reading events" in on_a_terminal(terminal, "stderr", "assess", log, "--as-of", AS_OF)


@pytest.mark.parametrize("output", ["table", "json"])
def test_a_pipe_gets_data_and_nothing_else(log: str, output: str) -> None:
    """No colours, no progress, and lines wide enough to be searched."""
    with program(
        "assess", log, "--as-of", AS_OF, "--format", output, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        said, complained = process.communicate(timeout=DONE_SECONDS)
    assert process.returncode == 0
    assert complained == b""
    assert b"\x1b" not in said
    assert b"ae:AE-1" in said


@pytest.mark.parametrize("output", ["table", "json"])
def test_a_reader_that_goes_away_is_no_reason_for_a_traceback(long_log: str, output: str) -> None:
    """``toxwatch assess log | head -1``."""
    with program(
        "assess", long_log, "--as-of", AS_OF, "--format", output, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read(1)
        process.stdout.close()
        complained = process.stderr.read()
        assert process.wait(DONE_SECONDS) == 1
    assert b"Traceback" not in complained
    assert b"Exception ignored" not in complained


def test_the_program_exits_with_the_code_of_the_command(log: str, tmp_path: Path) -> None:
    spoilt = write(tmp_path / "spoilt.ndjson", [b"{}"])
    for arguments, code in (
        (["assess", log], 0),
        (["assess", str(tmp_path / "none")], 1),
        (["assess", log, spoilt], 2),
        (["assess", "--no-such-option"], 64),
    ):
        with program(*arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            assert process.wait(DONE_SECONDS) == code, arguments


def test_what_a_terminal_cannot_write_is_escaped(log: str) -> None:
    """In an encoding without the sign for "at least", the answer is whole."""
    arguments = ("explain", log, "--as-of", AS_OF, "--subject", "FR01-001", "--case", "ae:AE-1")
    said = {}
    for encoding in ("ascii", "utf-8"):
        with program(*arguments, environment={"PYTHONIOENCODING": encoding}, stdout=subprocess.PIPE) as process:
            out, _ = process.communicate(timeout=DONE_SECONDS)
        assert process.returncode == 0
        said[encoding] = out.decode(encoding)
    assert "≥" in said["utf-8"]
    assert said["ascii"] == said["utf-8"].encode("ascii", "backslashreplace").decode()
