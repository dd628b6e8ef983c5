"""The command line as a user calls it: in this process for most tests, as a program of its own where that matters."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import pytest

import services.cli.main
from tests.files.writing import Json, lines

ROOT = Path(__file__).resolve().parents[2]
AS_OF = "2017-04-01T00:00:00Z"


class Outcome(NamedTuple):
    """What a run said, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Json:
        read: Json = json.loads(self.out)
        return read

    @property
    def words(self) -> str:
        """Everything that was said as one line without frames: for sentences that the terminal has wrapped."""
        return " ".join("".join(" " if "─" <= c <= "╿" else c for c in self.out + self.err).split())


def toxwatch(*arguments: str, stdin: bytes = b"", environment: Mapping[str, str] | None = None) -> Outcome:
    """Run ``toxwatch`` in this process. Whatever is not an orderly exit comes through and fails the test."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    with ExitStack() as stack:
        stack.enter_context(patch.object(sys, "argv", ["toxwatch", *arguments]))
        stack.enter_context(patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin))))
        stack.enter_context(patch.dict(os.environ, {"COLUMNS": "120", **(environment or {})}))
        stack.enter_context(redirect_stdout(out))
        stack.enter_context(redirect_stderr(err))
        code = _exit_code()
    return Outcome(code, *(stream.buffer.getvalue().decode() for stream in (out, err)))  # type: ignore[attr-defined]


def _exit_code() -> int:
    with pytest.raises(SystemExit) as caught:
        services.cli.main.main()
    code = caught.value.code
    assert isinstance(code, int), f"exit with {code!r}"
    return code


def assess(events: Iterable[Json | bytes], *arguments: str, as_of: str = AS_OF) -> Outcome:
    """``toxwatch assess - --format json`` of some events."""
    return toxwatch("assess", "-", "--as-of", as_of, "--format", "json", *arguments, stdin=lines(events))


def explain(
    events: Iterable[Json | bytes],
    case: str = "ae:AE-1",
    *arguments: str,
    subject: str = "FR01-001",
    as_of: str = AS_OF,
) -> Outcome:
    """``toxwatch explain -`` of some events."""
    named = ("--subject", subject, "--case", case, "--as-of", as_of)
    return toxwatch("explain", "-", *named, *arguments, stdin=lines(events))


def program(*arguments: str, environment: Mapping[str, str] | None = None, **options: Any) -> subprocess.Popen[bytes]:
    """``toxwatch`` as a program of its own. The caller waits for it."""
    # Unbuffered, Python itself loses what a closing pipe did not take, without a word.
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return subprocess.Popen(
        [sys.executable, "-m", "services.cli.main", *arguments],
        cwd=ROOT,
        env={**inherited, **(environment or {})},
        **options,
    )
