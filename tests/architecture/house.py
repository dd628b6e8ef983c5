"""Draws the house: its rooms, and who uses whom, from the imports. ``make house`` writes the picture into ``docs/house.md``."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.architecture.sources import PACKAGES, ROOT, Module, modules

PAGE = ROOT / "docs" / "house.md"
BEGIN, END = "<!-- made by `make house` -->", "<!-- end -->"
#: Packages whose folders are rooms, and those whose folders' folders are.
DEEP = frozenset({"projections.rules", "projections.store"})

Arrows = Mapping[str, frozenset[str]]


def room_of(path: str) -> str:
    """The room of a module, by its path: ``services.gateway``, ``projections.rules.cases``, ``events``."""
    parts = Path(path).parent.parts
    depth = 3 if ".".join(parts[:2]) in DEEP else 2
    return ".".join(parts[:depth]) if parts[0] != "events" else "events"


def arrows() -> Arrows:
    """Which rooms each room imports from."""
    paths = {module.name.removesuffix(".py").replace("/", ".") for module in modules(*PACKAGES)}
    found: dict[str, set[str]] = defaultdict(set)
    for module in modules(*PACKAGES):
        room = room_of(module.name)
        for name in _imported(module, paths):
            other = room_of(name.replace(".", "/") + ".py")
            if other != room:
                found[room].add(other)
    return {room: frozenset(others) for room, others in found.items()}


def _imported(module: Module, paths: set[str]) -> Iterator[str]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.partition(".")[0] in PACKAGES:
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in paths else node.module


def circle(found: Arrows) -> list[str]:
    """Rooms that lead back to themselves; none where there is no circle."""
    return sorted(room for room in found if room in _reached(found, found[room]))


def _reached(found: Arrows, rooms: frozenset[str]) -> set[str]:
    seen: set[str] = set()
    waiting = list(rooms)
    while waiting:
        room = waiting.pop()
        if room not in seen:
            seen.add(room)
            waiting += found.get(room, frozenset())
    return seen


def drawn(found: Arrows) -> str:
    """The picture as Mermaid. An arrow that others imply is left out, or nobody could follow any."""
    lines = ["```mermaid", "flowchart TD"]
    for package in reversed(PACKAGES):
        rooms = sorted({*found, *(other for others in found.values() for other in others)})
        lines.append(f"  subgraph {package}_[{package}]")
        lines += [f'    {_id(room)}["{_label(room)}"]' for room in rooms if room.partition(".")[0] == package]
        lines.append("  end")
    for room, others in sorted(found.items()):
        needed = {
            other for other in others if not any(other in _reached(found, found.get(by, frozenset())) for by in others)
        }
        lines += [f"  {_id(room)} --> {_id(other)}" for other in sorted(needed)]
    return "\n".join([*lines, "```"])


def _id(room: str) -> str:
    return room.replace(".", "_")


def _label(room: str) -> str:
    return room.partition(".")[2] or room


def counts(found: Arrows) -> str:
    """How large the house is, in a sentence."""
    rooms = {*found, *(other for others in found.values() for other in others)}
    files = [len(module.text.splitlines()) for module in modules(*PACKAGES)]
    return (
        f"{len(rooms)} rooms, {sum(len(others) for others in found.values())} arrows between them, {len(files)} files with "
        f"{sum(files):,} lines, {sum(lines > 300 for lines in files)} of them over 300 lines."
    )


def page(text: str) -> str:
    """The page with today's picture."""
    made = f"{BEGIN}\n\n{drawn(arrows())}\n\n{END}"
    return re.sub(f"{re.escape(BEGIN)}.*?{re.escape(END)}", lambda _: made, text, flags=re.DOTALL)


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    print(counts(arrows()))
