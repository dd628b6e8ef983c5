"""A fault of Toxwatch in one subject costs that subject, who is named, and never the whole file."""

from __future__ import annotations

from pathlib import Path

import pytest

from events.codec import Codec
from events.dates import parse_instant
from projections.folds import subject_chart, trial_projection
from projections.protocols.isi_jx import PROTOCOL
from services.files.log_reading import read_log
from services.files.refusals import report_failures
from services.terminal.options import Axis
from tests.events.samples import line
from tests.files.command_line import toxwatch
from tests.monitor.events import sepsis, treated
from tests.properties.stories import on

AS_OF = parse_instant("2017-06-01T00:00:00Z")


def _log(path: Path) -> str:
    codec = Codec(PROTOCOL.contract)
    events = [one for subject in ("FR01-001", "FR01-002") for one in (*treated(subject), sepsis(subject, on(6)))]
    path.write_bytes(b"".join(codec.encode(logged.event) + b"\n" for logged in events))
    return str(path)


def test_a_subject_that_cannot_be_judged_is_named_and_the_others_are_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The rules raise for one."""
    evaluate = trial_projection.evaluate_case

    def raises(facts: object, name: str) -> object:
        if facts.subject == "FR01-001":  # type: ignore[attr-defined]
            raise ZeroDivisionError
        return evaluate(facts, name)  # type: ignore[arg-type]

    monkeypatch.setattr(trial_projection, "evaluate_case", raises)
    reading = read_log([_log(tmp_path / "log")], PROTOCOL, AS_OF, Axis.RECORDED)
    judged = reading.as_json()
    assert [(case["subject"], case["verdict"]) for case in judged["cases"]] == [("FR01-002", "met")]
    assert judged["unwatched"] == ["FR01-001"]
    assert report_failures(reading.trial.failed) == 2
    assert "URGENT FR01-001 was not judged (ZeroDivisionError)" in capsys.readouterr().err


def test_an_event_that_cannot_be_folded_is_listed_and_its_subject_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a refused line; what follows of the subject is not judged by half."""
    fold = subject_chart.SubjectChart.fold

    def raises(self: subject_chart.SubjectChart, event: object, *more: object) -> object:
        if getattr(event, "id", "") == "FR01-001-t":
            raise OverflowError
        return fold(self, event, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(subject_chart.SubjectChart, "fold", raises)
    judged = read_log([_log(tmp_path / "log")], PROTOCOL, AS_OF, Axis.RECORDED).as_json()
    assert [(refused["line"], refused["id"]) for refused in judged["refused"]] == [(2, "FR01-001-t")]
    assert "OverflowError, which is a fault of Toxwatch" in judged["refused"][0]["error"]
    assert judged["unwatched"] == ["FR01-001"]
    assert [case["subject"] for case in judged["cases"]] == ["FR01-002"]


def test_numbers_beyond_measure_end_nothing(tmp_path: Path) -> None:
    """Limits at the ends of floating point, and a level that no column holds: refused lines or reasons, and no traceback."""
    lines = [
        line("lab.resulted", {"lab_id": f"L-{number}", "value": 30.0, "unit": "U/L", "uln": uln}, id=f"l-{number}")
        for number, uln in enumerate((1.7e308, 5e-324, 1e300))
    ]
    lines.append(line("subject.enrolled", {"dose_level": 9223372036854775807}, id="e"))
    (tmp_path / "log").write_bytes(b"\n".join(lines))
    outcome = toxwatch("assess", str(tmp_path / "log"), "--format", "json", "--as-of", "2017-06-01T00:00:00Z")
    assert outcome.code == 2
    assert "Traceback" not in outcome.err
    assert [refused["line"] for refused in outcome.json["refused"]] == [1, 4]
    assert {(row["lab_id"], row["direction"], row["grade"]) for row in outcome.json["lab_grades"]} == {
        ("L-1", None, None),
        ("L-2", None, None),
    }
