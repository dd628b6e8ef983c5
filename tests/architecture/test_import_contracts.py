"""services use projections, projections use events; what judges reads no clock, draws no number, does no I/O."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT, Module, full_names, modules, pyproject

RUFF_BANS = frozenset(pyproject()["tool"]["ruff"]["lint"]["flake8-tidy-imports"]["banned-api"])
BANNED = RUFF_BANS | {"time", "logging", "secrets", "builtins.input", "builtins.open", "builtins.print"}
CLOCKS = frozenset(ban for ban in RUFF_BANS if ban.startswith(("datetime.", "time.")))


def _uses(tree: ast.Module, banned: frozenset[str]) -> list[str]:
    """The banned names that the module uses, as ``name, line n``; a banned module bans all that is in it."""
    return [
        f"{name}, line {line}"
        for name, line in full_names(tree)
        if any(name == ban or name.startswith(f"{ban}.") for ban in banned)
    ]


def test_the_import_contracts_are_kept() -> None:
    """lint-imports keeps every contract of pyproject.toml."""
    lint_imports = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([lint_imports, "--no-logo", "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("module", modules("events", "projections"), ids=lambda module: module.name)
def test_what_judges_is_pure(module: Module) -> None:
    """The same events give the same verdicts, today and in ten years: "now" is data."""
    assert _uses(module.tree, BANNED) == []


@pytest.mark.parametrize(
    "module",
    [module for module in modules("services") if module.name != "services/platform/time_source.py"],
    ids=lambda module: module.name,
)
def test_only_the_clock_module_reads_the_clock(module: Module) -> None:
    """One module is replaced to run at another speed; the simulator too is told the time."""
    assert _uses(module.tree, CLOCKS) == []


@pytest.mark.parametrize(
    "source",
    [
        "from datetime import datetime\nx = datetime.now()",
        "from datetime import datetime as dt\nx = dt.now",
        "import datetime\nx = datetime.datetime.utcnow()",
        "import datetime as d\nx = d.date.today()",
        "import time as t\nx = t.monotonic()",
        "from time import time",
        "from uuid import uuid4 as new_id",
        "import uuid\nx = uuid.uuid4()",
        "import random",
        "from random import choice",
        "import logging.handlers",
        "x = open('a')",
        "print('a')",
    ],
)
def test_an_impure_module_would_be_found(source: str) -> None:
    """Whatever the name it was imported under."""
    assert _uses(ast.parse(source), BANNED)


@pytest.mark.parametrize(
    "source",
    [
        "from datetime import date, datetime, time\nx = datetime.fromisoformat(y)",
        "import uuid\nx = uuid.uuid5(space, name)",
        "def f(time, event):\n    now = event.time + time.hour\n    return path.open()",
    ],
)
def test_a_pure_module_is_left_alone(source: str) -> None:
    """Names that only look alike."""
    assert _uses(ast.parse(source), BANNED) == []
