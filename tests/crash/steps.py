"""The steps that services announce as they pass them, gathered from the source: a new one is killed at without being asked."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
PACKAGES: Final = ("events", "projections", "services")
ANNOUNCING: Final = ("fail_point", "_fail_point")


def announced_steps() -> list[str]:
    """The name of every step, in order. Raises ``AssertionError`` where one is announced by anything but a literal."""
    return sorted({step for package in PACKAGES for file in (ROOT / package).rglob("*.py") for step in _steps(file)})


def _steps(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and _name(node.func) in ANNOUNCING:
            (step,) = node.args
            assert isinstance(step, ast.Constant), f"{file}:{node.lineno}"
            assert isinstance(step.value, str), f"{file}:{node.lineno}"
            yield step.value


def _name(called: ast.expr) -> str | None:
    if isinstance(called, ast.Attribute):
        return called.attr
    return called.id if isinstance(called, ast.Name) else None
