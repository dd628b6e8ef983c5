"""The changes of ``make mutants`` are changes, each of one place, of a file that still parses."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.mutants.points import mutants

ROOT = Path(__file__).parents[2]


def test_each_operator_bound_and_constant_is_changed_once() -> None:
    source = 'def f(a: int = 3) -> bool:\n    """Text 1."""\n    return a >= 2 and not any(b < a for b in (0, True))\n'
    changed = [(one.before, one.after) for one in mutants(source)]
    assert changed == [
        ("a >= 2", "(a > 2)"),
        ("a >= 2 and not any(b < a for b in (0, True))", "(a >= 2 or not any((b < a for b in (0, True))))"),
        ("2", "(3)"),
        ("not any(b < a for b in (0, True))", "(any((b < a for b in (0, True))))"),
        ("any(b < a for b in (0, True))", "(all((b < a for b in (0, True))))"),
        ("b < a", "(b <= a)"),
        ("0", "(1)"),
        ("True", "(False)"),
    ]


def test_how_a_class_is_declared_is_not_changed() -> None:
    """That it is frozen changes nothing that it does."""
    source = "@dataclass(frozen=True)\nclass A:\n    x = 1\n"
    assert [one.before for one in mutants(source)] == ["1"]


@pytest.mark.parametrize(
    "path",
    ["projections/rules/facts/window.py", "projections/rules/cases/hys_law.py", "projections/store/write/batch.py"],
)
def test_a_changed_file_parses_and_says_something_else(path: str) -> None:
    source = (ROOT / path).read_text(encoding="utf-8")
    found = mutants(source)
    assert len(found) > 10
    for one in found:
        assert ast.dump(ast.parse(one.applied(source))) != ast.dump(ast.parse(source))
