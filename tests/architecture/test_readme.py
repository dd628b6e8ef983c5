"""A reader can type what the README shows: every sub-command, option and make target in it exists."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT

SEPARATORS = frozenset({"|", "||", "&", "&&", ";"})
CONSOLE_BLOCK = re.compile(r"^```console\n(.*?)^```", re.DOTALL | re.MULTILINE)
DESCRIPTOR = re.compile(r"(?<=\s)[0-9](?=[<>])")
REDIRECTION = re.compile(r"[<>&]+")
ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")


def _commands(markdown: str) -> Iterator[tuple[str, ...]]:
    """Each command behind a ``$`` in the console blocks, as words; one in a pipeline counts for itself."""
    for block in CONSOLE_BLOCK.findall(markdown):
        for line in block.replace("\\\n", " ").splitlines():
            if line.startswith("$ "):
                yield from _split(line[2:])


def _split(line: str) -> Iterator[tuple[str, ...]]:
    """The commands of a shell line, without assignments before them and redirections after them."""
    lexer = shlex.shlex(DESCRIPTOR.sub("", line), posix=True, punctuation_chars=True)
    lexer.commenters = "#"
    words: list[str] = []
    skip = False
    for word in [*lexer, ";"]:
        if skip:
            skip = False
        elif word in SEPARATORS:
            if words:
                yield tuple(words)
            words = []
        elif REDIRECTION.fullmatch(word):
            skip = True
        elif words or not ASSIGNMENT.match(word):
            words.append(word)


def _readme(program: str) -> list[tuple[str, ...]]:
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8") if readme.is_file() else ""
    return sorted({command for command in _commands(text) if command[0] == program})


def _run(*argv: str | Path) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MAKELEVEL"}}
    return subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True)


def test_the_readme_shows_how_to_set_up_and_how_to_use_it() -> None:
    """Both kinds of command are there, so the tests below are about something."""
    assert _readme("make")
    assert _readme("toxwatch")


@pytest.mark.parametrize("command", _readme("toxwatch"), ids=shlex.join)
def test_a_toxwatch_command_exists(command: tuple[str, ...]) -> None:
    """``--help`` behind the whole line: an unknown sub-command or option is refused before the help is printed."""
    done = _run(Path(sys.executable).with_name("toxwatch"), *command[1:], "--help")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("command", _readme("make"), ids=shlex.join)
def test_a_make_target_exists(command: tuple[str, ...]) -> None:
    """``--dry-run`` refuses a target that the Makefile lacks, and runs nothing."""
    done = _run("make", "--dry-run", *command[1:])
    assert done.returncode == 0, done.stderr


def test_commands_are_found_in_console_blocks_only() -> None:
    """With pipelines, continued lines, comments, assignments and redirections."""
    markdown = (
        "$ make no\n\n```console\n$ make setup  # once\nmade\n"
        "$ NO_COLOR=1 toxwatch simulate \\\n    --seed 7 2> log | toxwatch assess - > out.txt && make test\n```\n"
        "```sh\n$ make never\n```\n"
    )
    assert list(_commands(markdown)) == [
        ("make", "setup"),
        ("toxwatch", "simulate", "--seed", "7"),
        ("toxwatch", "assess", "-"),
        ("make", "test"),
    ]
