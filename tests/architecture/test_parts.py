"""Parts belong to the protocol (rules.md §7): only its page, made-up stories and examples name one."""

from __future__ import annotations

import ast
from typing import Final

from tests.architecture.sources import PACKAGES, Module, modules

NAMES: Final = {"A", "B", "part-a", "part-b", "Part A", "Part B"}
#: The page of ISI-JX; the simulator, which plays its subjects; and the example of an alert.
MAY_NAME_THEM: Final = ("projections/protocols/isi_jx.py", "services/simulator/", "services/api/event_examples.py")


def _named(module: Module) -> list[str]:
    constants = (node for node in ast.walk(module.tree) if isinstance(node, ast.Constant))
    return [f"{module.name}:{node.lineno}" for node in constants if isinstance(node.value, str) and node.value in NAMES]


def test_no_code_but_the_protocols_page_knows_its_parts() -> None:
    found = [place for module in modules(*PACKAGES) for place in _named(module)]
    assert [place for place in found if not place.startswith(MAY_NAME_THEM)] == []
    assert any(place.startswith("projections/protocols/isi_jx.py") for place in found)
