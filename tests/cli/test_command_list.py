"""The list of commands: shown without importing any of them, and true to each one's own help."""

from __future__ import annotations

import subprocess
import sys

import pytest

from services.cli.commands import COMMANDS
from services.cli.main import _command

HELP = """
import sys
from services.cli.main import create_app
try:
    create_app()(["--help"], standalone_mode=False)
finally:
    print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""


@pytest.mark.parametrize("name", COMMANDS)
def test_the_summary_is_how_the_commands_own_help_begins(name: str) -> None:
    """One text in two places, held together here."""
    own = " ".join((_command(name).help or "").partition("\n\n")[0].split())
    assert own == COMMANDS[name].summary


def test_help_needs_no_library_of_any_command() -> None:
    """Whoever asks what there is must not wait for a database's client to load."""
    done = subprocess.run([sys.executable, "-c", HELP], capture_output=True, text=True, check=True)
    listed, _, loaded = done.stdout.rstrip().rpartition("\n")
    assert all(f"\n  {name} " in listed for name in COMMANDS)
    assert not {"sqlalchemy", "pydantic", "rich", "fastapi", "pandas"} & set(loaded.split())
