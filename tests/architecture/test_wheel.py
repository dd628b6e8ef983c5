"""The built artefact works by itself: a wheel can lack what the checkout has."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from tests import builder
from tests.architecture.sources import PACKAGES, ROOT, pyproject

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("wheel")]

TWO_EVENTS = {
    "subject.enrolled": {"revision": 1, "part": "A", "dose_level": 1, "enrolled": "2017-02-28"},
    "treatment.administered": {
        "administration_id": "ADM-1",
        "revision": 1,
        "drug": "pexa-vec",
        "given": "2017-03-01T09:00:00+01:00",
        "status": "given",
    },
}


def event_file(path: Path) -> None:
    named = {"subject": "FR01-001", "time": "2017-03-01T10:00:00+01:00"}
    events = [builder.event(stem, data, id=f"E-{i}", **named) for i, (stem, data) in enumerate(TWO_EVENTS.items(), 1)]
    lines = [json.dumps(event) for event in events]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _run(*argv: str | Path, cwd: Path) -> str:
    """Standard output of a command that must succeed, in an environment that knows nothing of the checkout."""
    env = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    done = subprocess.run(argv, cwd=cwd, env=env, capture_output=True, text=True)
    assert done.returncode == 0, f"{argv}: {done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy: a build in place leaves directories behind that the next one picks up."""
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for package in PACKAGES:
        shutil.copytree(ROOT / package, source / package, ignore=shutil.ignore_patterns("__pycache__"))
    _run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", source / "dist", cwd=source)
    (built,) = (source / "dist").glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ``bin`` of an empty environment into which the pinned requirements and the wheel went, and nothing else."""
    directory = tmp_path_factory.mktemp("installed")
    venv.create(directory, with_pip=False)
    python = directory / "bin" / "python"
    uv = Path(sys.executable).with_name("uv")
    pip = (
        [uv, "pip", "install", "-q", "--python", python]
        if uv.is_file()
        else [sys.executable, "-m", "pip", "--python", python, "install", "-q", "--disable-pip-version-check"]
    )
    _run(*pip, "-r", ROOT / "requirements.txt", cwd=directory)
    _run(*pip, "--no-deps", wheel, cwd=directory)
    return directory / "bin"


def test_the_wheel_has_every_file_of_the_packages_and_no_other(wheel: Path) -> None:
    """Sub-packages and package data included; neither tests nor deployment."""
    files = {path for package in PACKAGES for path in (ROOT / package).rglob("*") if path.is_file()}
    expected = {path.relative_to(ROOT).as_posix() for path in files if "__pycache__" not in path.parts}
    with zipfile.ZipFile(wheel) as archive:
        found = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert found == expected


def test_every_declared_pattern_of_package_data_matches_something() -> None:
    """A pattern that matches nothing is misspelt, or left over."""
    data = pyproject()["tool"]["setuptools"]["package-data"]
    assert [f"{p}/{glob}" for p, globs in data.items() for glob in globs if not any((ROOT / p).glob(glob))] == []


def test_the_installed_command_assesses_a_file(installed: Path, tmp_path: Path) -> None:
    """From another directory, without the checkout, to JSON on standard output."""
    event_file(tmp_path / "two.ndjson")
    as_of = "2017-03-02T00:00:00Z"
    printed = _run(installed / "toxwatch", "assess", "two.ndjson", "--as-of", as_of, "--format", "json", cwd=tmp_path)
    answer = json.loads(printed)
    assert (answer["as_of"], answer["protocol"], answer["events"]) == (as_of, "isi-jx", 2)
    assert answer["refused"] == []
    assert [(row["part"], row["dose_level"], row["treated"]) for row in answer["cohorts"]] == [("A", 1, 1)]


def test_the_installed_packages_come_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    """Not from the checkout by some path that leaked in."""
    where = "import events, projections, services; print(events.__file__, projections.__file__, services.__file__)"
    printed = _run(installed / "python", "-c", where, cwd=tmp_path).split()
    assert all(Path(file).is_relative_to(installed.parent) for file in printed)
