"""One concept, one class of that name; what a docstring refers to is there."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator

import pytest

from tests.architecture.sources import PACKAGES, ROOT, Module, modules

# ``services/log/batches.py``, ``projections.store.engine.tables``: a place in this repository, in quotes of code.
PATH = re.compile(r"``((?:events|projections|services|tests|docs|deploy)/[A-Za-z0-9_./-]+)``")
DOTTED = re.compile(r"``((?:events|projections|services|tests)(?:\.[A-Za-z_][A-Za-z0-9_]*)+)``")

# "rules.md §3.4", "design.md, "Speed"": a section of the documents.
SECTION = re.compile(r"\b([a-z]+)\.md §([0-9.]*[0-9])")
HEADING = re.compile(r"\b([a-z]+)\.md, \"([^\"]+)\"")


def _classes(module: Module) -> Iterator[str]:
    for node in module.tree.body:
        if isinstance(node, ast.ClassDef):
            yield node.name


def _docstrings(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield ast.get_docstring(node) or ""


def _is_there(dotted: str) -> bool:
    """Whether a module has that name, or has it at its top level."""
    parts = dotted.split(".")
    for length in range(len(parts), 0, -1):
        path = ROOT.joinpath(*parts[:length])
        if path.is_dir() and length == len(parts):
            return True
        if path.with_suffix(".py").is_file():
            rest = parts[length:]
            return (
                not rest
                or re.search(rf"\b{rest[0]}\b", path.with_suffix(".py").read_text(encoding="utf-8")) is not None
            )
    return False


def _dangling(module: Module) -> list[str]:
    texts = list(_docstrings(module.tree))
    paths = [path for text in texts for path in PATH.findall(text) if not (ROOT / path).exists()]
    sections = [
        f"{document}.md §{number}"
        for document, number in SECTION.findall(module.text)
        if not _has(document, f"{number}[. ]")
    ]
    headings = [
        f'{document}.md, "{title}"'
        for text in texts
        for document, title in HEADING.findall(text)
        if not _has(document, re.escape(title))
    ]
    return (
        paths + [name for text in texts for name in DOTTED.findall(text) if not _is_there(name)] + sections + headings
    )


def _has(document: str, heading: str) -> bool:
    """Whether a document of ours has a heading that begins so."""
    path = ROOT / "docs" / f"{document}.md"
    return path.is_file() and re.search(rf"^#+ {heading}", path.read_text(encoding="utf-8"), re.MULTILINE) is not None


def test_no_two_classes_have_one_name() -> None:
    """A reader who meets the name knows which one is meant."""
    found: dict[str, list[str]] = defaultdict(list)
    for module in modules(*PACKAGES):
        for name in _classes(module):
            found[name].append(module.name)
    assert {name: places for name, places in found.items() if len(places) > 1} == {}


@pytest.mark.parametrize("package", PACKAGES)
def test_what_a_docstring_refers_to_is_in_the_repository(package: str) -> None:
    """Files and modules by their names of today."""
    assert {module.name: found for module in modules(package) if (found := _dangling(module))} == {}


def test_a_dangling_reference_would_be_found() -> None:
    """As a path and as a dotted name; what is there is left alone."""
    source = '"""``services/nowhere.py``, ``events.nowhere``, ``events/dates.py``."""\n# rules.md §3.4, rules.md §99\n'
    found = ["services/nowhere.py", "events.nowhere", "rules.md §99"]
    assert _dangling(Module("a.py", source, ast.parse(source))) == found
