"""``toxwatch import``: options, files, exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.cli.import_files import import_app
from tests.importers.studies import csv_file

AE = {"USUBJID": "S-1", "AESEQ": 1, "AETERM": "rash", "AESTDTC": "2014-01-05", "AETOXGR": "2", "SITEID": "FR01"}
MAPPING = 'trial = "T-1"\ntime_zone = "Europe/Paris"\n[drugs]\n"DRUG A" = "drug-a"\n'


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A folder with one file and its mapping beside it."""
    folder = tmp_path / "study"
    folder.mkdir()
    csv_file(folder / "ae.csv", [AE])
    (tmp_path / "study.toml").write_text(MAPPING, encoding="utf-8")
    return folder


def _run(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(import_app, [str(argument) for argument in arguments])
    return result.exit_code, result.stdout, result.stderr


def test_events_go_to_a_file_with_report_and_protocol_beside_it(study: Path, tmp_path: Path) -> None:
    """The summary goes to standard error, nothing to standard output."""
    out = tmp_path / "out" / "events.ndjson"
    out.parent.mkdir()
    code, stdout, stderr = _run("sdtm", study, "--mapping", tmp_path / "study.toml", "--out", out)
    assert (code, stdout) == (0, "")
    assert "ae.csv" in stderr
    assert sorted(path.name for path in out.parent.iterdir()) == ["events.ndjson", "import-report.csv", "protocol.json"]
    assert json.loads(out.read_text(encoding="utf-8"))["data"]["ae_id"] == "1"
    assert json.loads((out.parent / "protocol.json").read_text(encoding="utf-8"))["drugs"] == ["drug-a"]


def test_events_go_to_standard_output(study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By default; report and protocol are then in the current directory."""
    monkeypatch.chdir(tmp_path)
    code, stdout, _ = _run("sdtm", study, "--mapping", "study.toml")
    assert (code, json.loads(stdout)["subject"]) == (0, "S-1")
    assert (tmp_path / "import-report.csv").is_file()
    assert (tmp_path / "protocol.json").is_file()


def test_the_files_may_be_elsewhere(study: Path, tmp_path: Path) -> None:
    """Report and protocol have options of their own."""
    report, protocol = tmp_path / "r.ndjson", tmp_path / "p.json"
    options = ["--report", report, "--protocol-out", protocol, "--out", tmp_path / "e.ndjson"]
    assert _run("sdtm", study, "--mapping", tmp_path / "study.toml", *options)[0] == 0
    assert json.loads(report.read_text(encoding="utf-8").splitlines()[0])["file"] == "ae.csv"
    assert protocol.is_file()


def test_a_refused_row_makes_the_exit_code_2(study: Path, tmp_path: Path) -> None:
    """The rest is written; what is severe among it is pointed out."""
    csv_file(study / "ae.csv", [AE, {**AE, "AESPID": "E2", "AETERM": "a" * 2001, "AETOXGR": "4"}])
    out = tmp_path / "events.ndjson"
    code, _, stderr = _run("sdtm", study, "--mapping", tmp_path / "study.toml", "--out", out)
    assert (code, len(out.read_text(encoding="utf-8").splitlines())) == (2, 1)
    assert "1 of the lines in the report concern severe" in stderr


def test_a_file_that_cannot_be_read_makes_it_1_and_leaves_no_events(study: Path, tmp_path: Path) -> None:
    """Half an import must not look like a whole one; an earlier one stays."""
    (study / "lb.csv.gz").write_bytes(b"not gzip")
    out = tmp_path / "events.ndjson"
    code, _, stderr = _run("sdtm", study, "--mapping", tmp_path / "study.toml", "--out", out)
    assert (code, out.exists(), "lb.csv.gz" in stderr) == (1, False, True)
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".part"] == []


@pytest.mark.parametrize(
    "arguments", [["nowhere"], ["study", "--mapping", "nowhere"], ["study", "--mapping", "bad.toml"]]
)
def test_wrong_usage_is_64(study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> None:
    """No such path, no such mapping, a mapping that says nothing sensible."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.toml").write_text("colour = 1", encoding="utf-8")
    code, stdout, stderr = _run("sdtm", *arguments)
    assert (code, stdout) == (64, "")
    assert stderr.startswith("toxwatch import: ")


def test_a_study_without_drugs_has_no_protocol(study: Path, tmp_path: Path) -> None:
    """And the command says so."""
    (tmp_path / "study.toml").write_text('trial = "T-1"', encoding="utf-8")
    options = ["--mapping", tmp_path / "study.toml", "--out", tmp_path / "e.ndjson"]
    code, _, stderr = _run("sdtm", study, *options)
    assert (code, (tmp_path / "protocol.json").exists()) == (0, False)
    assert "no protocol configuration" in stderr
