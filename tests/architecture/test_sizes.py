"""Files under 400 lines, functions under 50: what a reviewer can hold in mind."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.architecture.sources import PACKAGES, Module, modules

FILE_LINES_LIMIT = 400
FUNCTION_LINES_LIMIT = 50

# Path, or path::function, and why it may be longer. What no longer needs its line here must lose it.
ALLOWED: dict[str, str] = {
    "projections/store/engine/migrations/versions/v0001_first_tables.py::upgrade": "a list of tables, written by Alembic",
    "projections/store/engine/migrations/versions/v0001_first_tables.py::downgrade": "the same list backwards",
}


def _too_long(module: Module) -> Iterator[str]:
    if len(module.text.splitlines()) >= FILE_LINES_LIMIT:
        yield module.name
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            if node.end_lineno - node.lineno + 1 >= FUNCTION_LINES_LIMIT:
                yield f"{module.name}::{node.name}"


def test_files_and_functions_are_short() -> None:
    """And every exception is written down, with its reason, for as long as it is one."""
    assert sorted({name for module in modules(*PACKAGES) for name in _too_long(module)}) == sorted(ALLOWED)


def test_a_long_file_and_a_long_function_would_be_found() -> None:
    """At the limit, not one line before it."""
    body = "    x = 1\n"
    long = "def f():\n" + body * (FUNCTION_LINES_LIMIT - 1)
    assert list(_too_long(Module("a.py", long, ast.parse(long)))) == ["a.py::f"]
    short = "def f():\n" + body * (FUNCTION_LINES_LIMIT - 2)
    assert list(_too_long(Module("a.py", short, ast.parse(short)))) == []
    file = "x = 1\n" * FILE_LINES_LIMIT
    assert list(_too_long(Module("a.py", file, ast.parse(file)))) == ["a.py"]
