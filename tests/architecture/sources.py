"""The three packages as files and syntax trees."""

from __future__ import annotations

import ast
import builtins
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("events", "projections", "services")


class Module(NamedTuple):
    """One Python file; ``name`` is its path from the repository's root."""

    name: str
    text: str
    tree: ast.Module


@cache
def modules(*packages: str) -> tuple[Module, ...]:
    """Every module of the packages, sub-packages included."""
    return tuple(_read(path) for package in packages for path in sorted((ROOT / package).rglob("*.py")))


def _read(path: Path) -> Module:
    text = path.read_text(encoding="utf-8")
    return Module(path.relative_to(ROOT).as_posix(), text, ast.parse(text, filename=str(path)))


@cache
def pyproject() -> dict[str, Any]:
    """pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def full_names(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """What is imported (by its full name, whatever it is called here) and the builtins used, each with its line."""
    imported: dict[str, str] = {name: f"builtins.{name}" for name in dir(builtins)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                imported[alias.asname or top] = alias.name if alias.asname else top
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            for alias in node.names:
                imported[alias.asname or alias.name] = f"{node.module}.{alias.name}"
                yield f"{node.module}.{alias.name}", node.lineno
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute | ast.Name):
            first, dot, rest = ast.unparse(node).partition(".")
            if first in imported:
                yield imported[first] + dot + rest, node.lineno
