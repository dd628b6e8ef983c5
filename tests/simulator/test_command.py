"""``toxwatch simulate`` as it is called."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from services.cli.simulate import simulate
from services.simulator.trial import simulate_trial

RUNNER = CliRunner()


@pytest.fixture
def app() -> typer.Typer:
    application = typer.Typer()
    application.command()(simulate)
    return application


def test_the_trial_goes_to_standard_output(app: typer.Typer) -> None:
    result = RUNNER.invoke(app, ["--seed", "5"])
    assert result.exit_code == 0
    assert result.stdout_bytes == b"".join(simulate_trial(5).lines())


def test_the_truth_lies_beside_the_events(app: typer.Typer, tmp_path: Path) -> None:
    assert RUNNER.invoke(app, ["--seed", "5", "--out", str(tmp_path / "trial.ndjson")]).exit_code == 0
    truth = json.loads((tmp_path / "trial.truth.json").read_text(encoding="utf-8"))
    assert truth["protocol"] == "isi-jx"
    assert truth["seed"] == 5
    assert truth["lines"] == len((tmp_path / "trial.ndjson").read_bytes().splitlines())


def test_the_truth_can_be_named_and_the_start_moved(app: typer.Typer, tmp_path: Path) -> None:
    out, truth = tmp_path / "events.ndjson", tmp_path / "meant.json"
    arguments = ["--out", str(out), "--truth", str(truth), "--start", "2021-03-01", "--no-received"]
    assert RUNNER.invoke(app, arguments).exit_code == 0
    assert json.loads(truth.read_text(encoding="utf-8"))["start"] == "2021-03-01"
    assert b"receivedtime" not in out.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["events.ndjson", "meant.json"]


@pytest.mark.parametrize(
    ("arguments", "lines"),
    [(["--subjects", "4"], 1600), (["--events", "900"], 900), (["--subjects", "3", "--events", "77"], 77)],
)
def test_a_load_instead_of_the_trial(app: typer.Typer, tmp_path: Path, arguments: list[str], lines: int) -> None:
    out = tmp_path / "load.ndjson"
    assert RUNNER.invoke(app, [*arguments, "--out", str(out)]).exit_code == 0
    assert len(out.read_bytes().splitlines()) == lines
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize(
    "arguments", [["--subjects", "10", "--events", "5"], ["--events", "10", "--truth", "t.json"], ["--start", "soon"]]
)
def test_wrong_usage_is_said(app: typer.Typer, arguments: list[str]) -> None:
    assert RUNNER.invoke(app, arguments).exit_code == 2
