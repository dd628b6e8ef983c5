"""Who does not need a library need not install it, and who does is told how: the extras of the distribution."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from services.cli.extras import EXTRA_OF
from services.cli.main import COMMANDS
from tests.architecture.sources import ROOT, pyproject
from tests.architecture.test_wheel import event_file

#: Makes a machine on which these modules are not installed.
WITHOUT = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {absent!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Absent())
"""
RUN = """
import asyncio, json, os, signal
from pathlib import Path
from services.cli.main import _command
from services.platform.time_source import SystemClock
from services.runtime.embedded import run_system
from services.platform.settings import read_settings
_command("run")
settings = read_settings(data=Path(sys.argv[1]), listen="127.0.0.1:0", metrics="127.0.0.1:0")
asyncio.run(run_system(settings, SystemClock(), on_ready=lambda *_: os.kill(os.getpid(), signal.SIGTERM)))
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""
CLI = """
sys.argv[0] = "toxwatch"
from services.cli.main import main
main()
"""


def _python(absent: set[str], program: str, *arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-c", WITHOUT.format(absent=absent) + program, *arguments]
    return subprocess.run(argv, cwd=cwd, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=300)


def _named(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found is not None
    return re.sub(r"[._]", "-", found[0]).lower()


def test_every_library_of_an_extra_is_known_by_its_modules() -> None:
    """Or nobody would be told which extra brings it."""
    extras = pyproject()["project"]["optional-dependencies"]
    of = {
        _named(one): extra
        for extra in ("server", "kafka", "import", "demo")
        for one in extras[extra]
        if not one.startswith("toxwatch[")
    }
    modules: dict[str, set[str]] = {}
    for module, distributions in packages_distributions().items():
        for name in distributions:
            modules.setdefault(_named(name), set()).add(module)
    assert {name: extra for name, extra in of.items() if extra not in map(EXTRA_OF.get, modules[name])} == {}


@pytest.mark.slow
def test_the_embedded_run_imports_neither_files_nor_demo_nor_kafka(tmp_path: Path) -> None:
    """It starts where none of them is installed, and none is loaded."""
    absent = {module for module, extra in EXTRA_OF.items() if extra != "server"} - {"cramjam"}
    done = _python(absent, RUN, str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert absent & set(json.loads(done.stdout.splitlines()[-1])) == set()


@pytest.mark.slow
def test_the_core_assesses_without_any_extra(tmp_path: Path) -> None:
    """From a file of events to verdicts."""
    event_file(tmp_path / "two.ndjson")
    done = _python(set(EXTRA_OF), CLI, "assess", "two.ndjson", "--as-of", "2017-03-02T00:00:00Z", cwd=tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "extra"),
    [("import", "import"), ("grade", "import"), ("demo", "demo"), ("run", "server"), ("topics", "kafka")],
)
def test_a_command_whose_extra_is_missing_says_so(command: str, extra: str, tmp_path: Path) -> None:
    """In one sentence, with the remedy; no traceback."""
    done = _python(set(EXTRA_OF), CLI, command, "whatever", "--out", "x", cwd=tmp_path)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"toxwatch: `toxwatch {command}` needs ")
    assert line.endswith(f"which is not installed here: pip install 'toxwatch[{extra}]'")


@pytest.mark.slow
def test_kafka_is_missed_when_it_is_asked_for(tmp_path: Path) -> None:
    """A server on the embedded log does without; a distributed one is told."""
    absent = {module for module, extra in EXTRA_OF.items() if extra == "kafka"} - {"cramjam"}
    program = (
        "import os; os.environ.update(TOXWATCH_LOG='kafka://127.0.0.1:9', TOXWATCH_DATABASE='postgresql://x/y')" + CLI
    )
    for command in (["topics", "check"], ["gateway"]):
        done = _python(absent, program, *command, cwd=tmp_path)
        assert done.returncode == 1, done.stderr
        assert done.stderr.splitlines()[-1].endswith("which is not installed here: pip install 'toxwatch[kafka]'")


def test_every_command_can_be_imported() -> None:
    """Each is where the command line looks for it."""
    from services.cli.main import _command

    assert [_command(name).name for name in COMMANDS] == list(COMMANDS)
