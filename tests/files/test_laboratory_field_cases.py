"""Results as sites have reported them, judged from file to grade."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from services.cli.main import create_app

CASES = Path(__file__).parents[1] / "grading" / "field_cases"


def _grades(events: str, *options: str) -> dict[str, list[int | None]]:
    arguments = ["assess", str(CASES / events), "--as-of", "2017-04-30T00:00:00Z", "--format", "json"]
    outcome = CliRunner().invoke(create_app(), [*arguments, "--lab-grades", "all", *options])
    assert outcome.exit_code == 0, outcome.output
    found: dict[str, list[int | None]] = {}
    for grade in json.loads(outcome.stdout)["lab_grades"]:
        found.setdefault(grade["lab_id"], []).append(grade["grade"])
    return found


def test_equivalents_are_graded_by_the_cut_offs_in_mmol() -> None:
    """Magnesium of 2.465 meq/L is one of 1.2325 mmol/L, and both are grade 3."""
    grades = _grades("lab-01-mg-meq.ndjson")
    assert max(grade or 0 for grade in grades["M1"]) == max(grade or 0 for grade in grades["M2"]) == 3


def test_version_5_grades_a_value_before_treatment_by_its_limits() -> None:
    """No baseline comes before it. After treatment an abnormal baseline counts: unchanged is 0, 1.6 times as much is 1."""
    grades = _grades("v5-baseline.ndjson", "--protocol", str(CASES / "v5.toml"))
    worst = {lab: max(grade or 0 for grade in of_lab) for lab, of_lab in grades.items()}
    assert worst == {"B0": 1, "B1": 1, "P1": 0, "P2": 1, "Q0": 1, "Q1": 0}
