"""Makes small changes, one at a time, in a copy of the tree, and runs the tests that should notice.

    make mutants MUTANTS_ARGS="--sample 100 --seed 3 projections/rules projections/ctcae"

What was tried is kept in ``build/mutants.ndjson``: a run that was stopped goes on where it was, and a file that has changed
is tried anew; ``--again`` also what no test noticed. The report names every change that was not noticed.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import multiprocessing
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from tests.mutants.points import Mutant, mutants

ROOT: Final = Path(__file__).parents[2]
KEPT: Final = ROOT / "build" / "mutants.ndjson"
KNOWN: Final = Path(__file__).with_name("known.toml")
#: Stands for the test files that name the changed module: they notice most, and soonest.
NAMING: Final = "the tests that name it"
#: More files than these are no shortcut.
NAMING_FILES_MAX: Final = 6
#: What no test may take, and what a test may take that runs on a changed file: so many times what it took before, and a little.
LIMIT_SECONDS: Final = 900
LIMIT_TIMES: Final = 3
LIMIT_MORE_SECONDS: Final = 20

#: Of the properties the files that soonest notice: hours are spent on what nothing notices.
PROPERTIES: Final = "tests/properties/test_alerts_and_assess.py"
ALERTS: Final = "tests/properties/test_alerts.py"
#: And of the monitor's.
MONITORED: Final = ("tests/monitor/test_history.py", "tests/monitor/test_parking.py", "tests/monitor/test_rebuild.py")

#: Which tests should notice a change, the quickest first: the first that fails ends it.
TESTS: Final[dict[str, tuple[str, ...]]] = {
    "events": ("tests/events", NAMING, "tests/rules", "tests/gateway/test_refused_input.py"),
    "projections/rules": ("tests/rules", NAMING, "tests/folds", "tests/second_reader", "tests/ctcae", PROPERTIES),
    "projections/ctcae": (NAMING, "tests/ctcae", "tests/grading", "tests/rules", "tests/folds", "tests/second_reader"),
    "projections/folds": ("tests/folds", NAMING, "tests/rules", PROPERTIES, ALERTS),
    "projections/store": (NAMING, "tests/store", *MONITORED),
    "services/gateway": (NAMING, "tests/gateway", "tests/interfaces"),
    "services/dispatcher": (NAMING, "tests/dispatcher", "tests/interfaces/test_alerts_live.py"),
    "services/clock": (NAMING, "tests/clock/test_time_source.py", "tests/clock/test_watch.py"),
    "services/monitor": (NAMING, "tests/monitor"),
}  # fmt: skip


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
    parser.add_argument("--again", action="store_true", help="try again what no test noticed before")
    asked = parser.parse_args(arguments)
    chosen = _sample(asked.packages, asked.sample, asked.seed)
    kept = {(tried.path, tried.sha256, tried.name): tried for tried in _kept() if tried.noticed or not asked.again}
    results: list[Tried] = []
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        bench = Bench(_copied(Path(folder)))
        for number, (path, mutant) in enumerate(chosen, start=1):
            source = (ROOT / path).read_text(encoding="utf-8")
            identity = (path, hashlib.sha256(source.encode()).hexdigest(), mutant.name)
            tried = kept.get(identity)
            if tried is None:
                try:
                    tried = Tried(*identity, noticed=bench.notices(path, source, mutant))
                except FailsAnyhowError as failing:
                    print(f"without any change {failing} fails: nothing can be said of changes", file=sys.stderr)
                    return 2
                _keep(tried)
            print(
                f"{number}/{len(chosen)} {'noticed' if tried.noticed else 'NOT NOTICED'} {path}:{mutant.name}",
                flush=True,
            )
            results.append(tried)
    return _report(results)


def _sample(packages: Sequence[str], count: int, seed: int) -> list[tuple[str, Mutant]]:
    """So many changes, drawn evenly from all there are, save those that are known to change nothing."""
    known = _known()
    files = sorted(
        {
            file.relative_to(ROOT).as_posix()
            for package in packages
            for file in ([ROOT / package] if package.endswith(".py") else (ROOT / package).rglob("*.py"))
            if "migrations" not in file.parts
        }
    )
    found = [
        (path, mutant)
        for path in files
        for mutant in mutants((ROOT / path).read_text(encoding="utf-8"))
        if mutant.name.partition(": ")[2] not in known.get(path, {})
    ]
    return sorted(random.Random(seed).sample(found, min(count, len(found))))


def _copied(folder: Path) -> Path:
    for name in ("events", "projections", "services", "tests", "docs", "deploy", "pyproject.toml", "README.md"):
        origin = ROOT / name
        if origin.is_dir():
            shutil.copytree(origin, folder / name, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
        else:
            shutil.copy(origin, folder / name)
    return folder


class FailsAnyhowError(Exception):
    """A test fails without any change: it would say of everything that it noticed."""


class Bench:
    """Runs tests in a copy of the tree, in forks of this process: what is no code of ours is imported once for all."""

    def __init__(self, copy: Path) -> None:
        self._copy = copy
        self._limits: dict[tuple[str, ...], float] = {}
        for name in ("hypothesis", "pydantic", "pytest", "sqlalchemy.orm"):
            importlib.import_module(name)

    def notices(self, path: str, source: str, mutant: Mutant) -> bool:
        """Whether a test fails once the change is made."""
        package = next(name for name in TESTS if path.startswith(name))
        return any(self._fails_with(path, source, mutant, chosen) for chosen in self._chosen(path, TESTS[package]))

    def _chosen(self, path: str, folders: Sequence[str]) -> Iterator[tuple[str, ...]]:
        """What is run one after the other."""
        for folder in folders:
            if folder != NAMING:
                yield (folder,)
            elif 0 < len(naming := self._naming(path, folders)) <= NAMING_FILES_MAX:
                yield tuple(naming)

    def _naming(self, path: str, folders: Sequence[str]) -> list[str]:
        package, _, name = path.removesuffix(".py").replace("/", ".").rpartition(".")
        named = re.compile(rf"\b{package}\.{name}\b|from {package} import .*\b{name}\b")
        files = sorted(file for folder in folders for file in (self._copy / folder).glob("test_*.py"))
        return [
            file.relative_to(self._copy).as_posix() for file in files if named.search(file.read_text(encoding="utf-8"))
        ]

    def _fails_with(self, path: str, source: str, mutant: Mutant, chosen: tuple[str, ...]) -> bool:
        if chosen not in self._limits:
            begun = time.monotonic()
            if self._fails(chosen, LIMIT_SECONDS):
                raise FailsAnyhowError(" ".join(chosen))
            self._limits[chosen] = LIMIT_TIMES * (time.monotonic() - begun) + LIMIT_MORE_SECONDS
        target = self._copy / path
        target.write_text(mutant.applied(source), encoding="utf-8")
        try:
            return self._fails(chosen, self._limits[chosen])
        finally:
            target.write_text(source, encoding="utf-8")

    def _fails(self, chosen: Sequence[str], limit: float) -> bool:
        """Whether a test fails, or does not end: a loop without an end is noticed, too."""
        process = multiprocessing.get_context("fork").Process(target=_pytest, args=(self._copy, chosen))
        process.start()
        process.join(limit)
        if process.exitcode is None and process.pid is not None:
            os.killpg(process.pid, signal.SIGKILL)
            process.join()
        return process.exitcode not in (0, int(pytest.ExitCode.NO_TESTS_COLLECTED))


def _pytest(copy: Path, chosen: Sequence[str]) -> None:
    """In a process of its own: the tests of the copy, on the code of the copy."""
    os.setsid()
    os.chdir(copy)
    os.environ.update(PYTHONPATH=str(copy), PYTHONDONTWRITEBYTECODE="1", CI="")
    sys.dont_write_bytecode = True
    sys.path[:] = [str(copy), *(place for place in sys.path if place not in ("", str(ROOT)))]
    for name in [
        name for name in sys.modules if name.partition(".")[0] in ("events", "projections", "services", "tests")
    ]:
        del sys.modules[name]
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    options = ["-q", "-x", "-n0", "--no-header", "-p", "no:cacheprovider", "--hypothesis-profile=ci"]
    options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
    code = pytest.main([*options, *chosen])
    # What the tests left behind, threads among it, must not keep this process.
    os._exit(int(code))


def _kept() -> list[Tried]:
    if not KEPT.exists():
        return []
    return [Tried(**json.loads(line)) for line in KEPT.read_text(encoding="utf-8").splitlines()]


def _keep(tried: Tried) -> None:
    KEPT.parent.mkdir(exist_ok=True)
    with KEPT.open("a", encoding="utf-8") as out:
        out.write(json.dumps(tried._asdict()) + "\n")


def _known() -> dict[str, dict[str, Any]]:
    return tomllib.loads(KNOWN.read_text(encoding="utf-8"))


def _report(results: Sequence[Tried]) -> int:
    """By file: how many were noticed; then every change that was not."""
    by_file: dict[str, list[Tried]] = defaultdict(list)
    for tried in results:
        by_file[tried.path].append(tried)
    missed: list[Tried] = []
    counted = len(results)
    for path, tries in sorted(by_file.items()):
        unseen = [tried for tried in tries if not tried.noticed]
        missed += unseen
        print(f"{path}: {len(tries) - len(unseen)} of {len(tries)} noticed")
    for tried in missed:
        print(f"not noticed: {tried.path}:{tried.name}")
    share = 100 * (counted - len(missed)) / counted if counted else 100.0
    print(f"{counted - len(missed)} of {counted} changes noticed ({share:.0f} %)")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
