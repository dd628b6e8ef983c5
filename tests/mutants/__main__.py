"""Makes small changes, one at a time, in a copy of the tree, and runs the tests that should notice.

    make mutants MUTANTS_ARGS="--sample 100 --seed 3 projections/rules projections/ctcae"

What was tried is kept in ``build/mutants.ndjson``: a run that was stopped goes on where it was, and a file that has changed
is tried anew. The report names every change that was not noticed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from tests.mutants.points import Mutant, mutants

ROOT: Final = Path(__file__).parents[2]
KEPT: Final = ROOT / "build" / "mutants.ndjson"
KNOWN: Final = Path(__file__).with_name("known.toml")
LIMIT_SECONDS: Final = 600

#: Which tests should notice a change, the quickest first: the first that fails ends it.
TESTS: Final[dict[str, list[list[str]]]] = {
    "events": [["tests/events", "tests/rules"], ["tests/gateway", "tests/files"]],
    "projections/rules": [
        ["tests/rules", "tests/ctcae"],
        ["tests/folds", "tests/second_reader", "tests/files"],
        ["tests/properties"],
    ],
    "projections/ctcae": [["tests/ctcae", "tests/grading"], ["tests/rules", "tests/folds"]],
    "projections/folds": [["tests/folds", "tests/rules"], ["tests/properties", "tests/store", "tests/dispatcher"]],
    "projections/store": [["tests/store"], ["tests/monitor", "tests/api", "tests/runtime"]],
    "services/gateway": [["tests/gateway"], ["tests/interfaces"]],
    "services/dispatcher": [["tests/dispatcher"], ["tests/runtime", "tests/interfaces"]],
    "services/clock": [["tests/clock"], ["tests/runtime"]],
    "services/monitor": [["tests/monitor"], ["tests/runtime"]],
}


class Tried(NamedTuple):
    """One change of one version of a file, and whether a test noticed."""

    path: str
    sha256: str
    name: str
    noticed: bool


def main(arguments: Sequence[str]) -> int:
    """Try a sample. The exit status is 1 where an unknown change went unnoticed, 2 where none can be tried."""
    parser = argparse.ArgumentParser(prog="make mutants")
    parser.add_argument("packages", nargs="*", default=list(TESTS), help=f"any of {', '.join(TESTS)}, or files in them")
    parser.add_argument("--sample", type=int, default=100, help="how many changes (default 100)")
    parser.add_argument("--seed", type=int, default=0, help="which changes (default 0)")
    asked = parser.parse_args(arguments)
    chosen = _sample(asked.packages, asked.sample, asked.seed)
    kept = {(tried.path, tried.sha256, tried.name): tried for tried in _kept()}
    results: list[Tried] = []
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        copy = _copied(Path(folder))
        if failing := _failing_without_a_change(copy, chosen):
            print(f"without any change the tests fail in {failing}: nothing can be said of changes", file=sys.stderr)
            return 2
        for number, (path, mutant) in enumerate(chosen, start=1):
            source = (ROOT / path).read_text(encoding="utf-8")
            identity = (path, hashlib.sha256(source.encode()).hexdigest(), mutant.name)
            tried = kept.get(identity)
            if tried is None:
                tried = Tried(*identity, noticed=_is_noticed(copy, path, source, mutant))
                _keep(tried)
            print(
                f"{number}/{len(chosen)} {'noticed' if tried.noticed else 'NOT NOTICED'} {path}:{mutant.name}",
                flush=True,
            )
            results.append(tried)
    return _report(results)


def _sample(packages: Sequence[str], count: int, seed: int) -> list[tuple[str, Mutant]]:
    """So many changes, drawn evenly from all there are."""
    files = sorted(
        {
            file.relative_to(ROOT).as_posix()
            for package in packages
            for file in ([ROOT / package] if package.endswith(".py") else (ROOT / package).rglob("*.py"))
            if "migrations" not in file.parts
        }
    )
    found = [(path, mutant) for path in files for mutant in mutants((ROOT / path).read_text(encoding="utf-8"))]
    return sorted(random.Random(seed).sample(found, min(count, len(found))))


def _copied(folder: Path) -> Path:
    for name in ("events", "projections", "services", "tests", "docs", "deploy", "pyproject.toml", "README.md"):
        origin = ROOT / name
        if origin.is_dir():
            shutil.copytree(origin, folder / name, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
        else:
            shutil.copy(origin, folder / name)
    return folder


def _is_noticed(copy: Path, path: str, source: str, mutant: Mutant) -> bool:
    target = copy / path
    target.write_text(mutant.applied(source), encoding="utf-8")
    try:
        package = next(name for name in TESTS if path.startswith(name))
        return any(_fails(copy, folders) for folders in TESTS[package])
    finally:
        target.write_text(source, encoding="utf-8")


def _failing_without_a_change(copy: Path, chosen: Sequence[tuple[str, Mutant]]) -> str | None:
    """The tests that notice a change which is none: of everything else they would say that it was noticed, too."""
    packages = {name for name in TESTS if any(path.startswith(name) for path, _ in chosen)}
    folders = {tuple(together): together for name in sorted(packages) for together in TESTS[name]}
    return next((" ".join(together) for together in folders.values() if _fails(copy, together)), None)


def _fails(copy: Path, folders: Sequence[str]) -> bool:
    there = [folder for folder in folders if (copy / folder).exists()]
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-n0", "--no-header", "-p", "no:cacheprovider", *there]
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1", "CI": ""}
    try:
        ended = subprocess.run(
            command, cwd=copy, env=environment, capture_output=True, timeout=LIMIT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        # A loop without an end is noticed, too.
        return True
    return ended.returncode not in (0, 5)


def _kept() -> list[Tried]:
    if not KEPT.exists():
        return []
    return [Tried(**json.loads(line)) for line in KEPT.read_text(encoding="utf-8").splitlines()]


def _keep(tried: Tried) -> None:
    KEPT.parent.mkdir(exist_ok=True)
    with KEPT.open("a", encoding="utf-8") as out:
        out.write(json.dumps(tried._asdict()) + "\n")


def _report(results: Sequence[Tried]) -> int:
    """By file: how many were noticed; then every change that was not."""
    known: dict[str, dict[str, Any]] = tomllib.loads(KNOWN.read_text(encoding="utf-8"))
    by_file: dict[str, list[Tried]] = defaultdict(list)
    for tried in results:
        by_file[tried.path].append(tried)
    missed: list[Tried] = []
    counted = 0
    for path, tries in sorted(by_file.items()):
        real = [tried for tried in tries if tried.name.partition(": ")[2] not in known.get(path, {})]
        unseen = [tried for tried in real if not tried.noticed]
        counted += len(real)
        missed += unseen
        print(f"{path}: {len(real) - len(unseen)} of {len(real)} noticed")
    for tried in missed:
        print(f"not noticed: {tried.path}:{tried.name}")
    share = 100 * (counted - len(missed)) / counted if counted else 100.0
    print(f"{counted - len(missed)} of {counted} changes noticed ({share:.0f} %)")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
