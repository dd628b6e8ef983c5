"""One command by itself, run in this process as ``toxwatch`` would run it."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import typer

import services.cli.main
from tests.files.command_line import Outcome, toxwatch


def run(command: typer.Typer, *arguments: str, **options: Any) -> Outcome:
    """``toxwatch`` with this command line in place of its own: the exit codes and the words for errors are the program's."""
    with patch.object(services.cli.main, "create_app", lambda: command):
        return toxwatch(*arguments, **options)
