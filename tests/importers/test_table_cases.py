"""Tables as sponsors have delivered them: from the files to the verdict."""

from __future__ import annotations

import csv
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from services.cli.main import create_app

CASES = Path(__file__).parent / "table_cases"
AS_OF = "2017-04-30T00:00:00Z"


@dataclass
class Judged:
    """What came of a study: the exit code of the import, its report, its events, and the assessment."""

    code: int
    lines: list[dict[str, str]]
    events: list[dict[str, Any]]
    assessment: dict[str, Any]

    @property
    def verdicts(self) -> dict[str, str]:
        """Each case with its verdict."""
        return {case["case"]: case["verdict"] for case in self.assessment["cases"]}

    @property
    def urgent(self) -> list[str]:
        """The messages of the urgent lines."""
        return [line["message"] for line in self.lines if line["urgent"] == "yes"]


def judged(name: str, out: Path) -> Judged:
    """Import a study and assess it."""
    kind = "dataset-json" if name.startswith("dj") else "sdtm"
    mapping = str(CASES / name / "mapping.toml")
    events, protocol, report = out / "e.ndjson", out / "p.json", out / "r.csv"
    where = ["--out", str(events), "--protocol-out", str(protocol), "--report", str(report)]
    imported = CliRunner().invoke(create_app(), ["import", kind, str(CASES / name), "--mapping", mapping, *where])
    assert imported.exit_code in (0, 2), imported.output
    options = ["--protocol", str(protocol), "--as-of", AS_OF, "--format", "json", "--lab-grades", "all"]
    assessed = CliRunner().invoke(create_app(), ["assess", str(events), *options])
    assert assessed.exit_code == 0, assessed.output
    lines = list(csv.DictReader(report.read_text(encoding="utf-8").splitlines()))
    written = [json.loads(line) for line in events.read_text(encoding="utf-8").splitlines()]
    return Judged(imported.exit_code, lines, written, json.loads(assessed.stdout))


def test_a_count_in_every_spelling_is_the_same_grade(tmp_path: Path) -> None:
    """Eighteen thousand platelets are grade 4, whatever the laboratory calls its unit; without a line."""
    result = judged("sdtm-02-units-count", tmp_path)
    assert Counter(grade["grade"] for grade in result.assessment["lab_grades"]) == {4: 22}
    assert (result.code, [line for line in result.lines if line["action"] == "unmapped"]) == (0, [])


def test_every_date_is_kept_as_far_as_it_can_be_read(tmp_path: Path) -> None:
    """What has no year is an onset that is open; nothing is silent, save the toxicity that began before treatment."""
    result = judged("sdtm-04-ae-dates", tmp_path)
    missing = {f"ae:{number}" for number in range(1, 29)} - result.verdicts.keys()
    assert missing == {"ae:19"}
    assert {case for case, verdict in result.verdicts.items() if verdict == "possible"} == {
        f"ae:{number}" for number in (3, 7, 8, 14, 15, 16, 17, 18, 20)
    }
    told = {line["row"] for line in result.lines if line["field"] == "AESTDTC" and line["row"]}
    assert {str(number) for number in (1, 3, 5, 7, 9, 12, 14, 20, 27)} <= told
    assert result.code == 2


@pytest.mark.parametrize("name", ["sdtm-05-spid-partly-blank", "sdtm-07-lnkid-partly-blank"])
def test_a_blank_id_falls_back_to_the_sequence(name: str, tmp_path: Path) -> None:
    """The colitis of grade 4 has none, and is met."""
    assert judged(name, tmp_path).verdicts == {"ae:AESEQ=2": "met"}


def test_a_page_number_joins_no_two_toxicities(tmp_path: Path) -> None:
    """The headache of grade 1 is no revision of the colitis of grade 4; and the line is urgent."""
    result = judged("sdtm-06-spid-is-page-number", tmp_path)
    assert (result.verdicts, result.code, len(result.urgent)) == ({"ae:1": "met"}, 2, 1)
    assert len([event for event in result.events if "ae.reported" in event["type"]]) == 2


def test_rows_of_one_toxicity_are_the_steps_of_its_grade(tmp_path: Path) -> None:
    """Grade 2, then 4 from the 22nd, then 1 from the 25th of February."""
    result = judged("sdtm-08b-grade-change-current", tmp_path)
    assert result.verdicts == {"ae:E1": "met"}
    steps = [(step["grade"], step["from"]) for step in result.events[-1]["data"]["grades"]]
    assert steps == [(2, "2017-02-20"), (4, "2017-02-22"), (1, "2017-02-25")]


def test_a_death_after_leaving_the_study_is_a_case(tmp_path: Path) -> None:
    """Withdrawn on the 25th, dead on the 26th of February."""
    result = judged("sdtm-13-ds-withdrawn-dm-death", tmp_path)
    assert (result.verdicts, result.code, len(result.urgent)) == ({"discontinued:death": "possible"}, 2, 1)


def test_a_first_dose_without_a_start_leaves_day_1_uncertain(tmp_path: Path) -> None:
    """The colitis of grade 4 is not before treatment because the second dose was later."""
    result = judged("sdtm-15-first-dose-undated", tmp_path)
    assert (result.verdicts, result.code) == ({"ae:1": "possible"}, 2)


def test_glucose_in_urine_is_no_hyperglycaemia(tmp_path: Path) -> None:
    """The category says the specimen where its own column is blank."""
    result = judged("sdtm-16-urine-by-category", tmp_path)
    assert {grade["grade"] for grade in result.assessment["lab_grades"]} == {None}
    assert result.verdicts == {}


def test_another_delimiter_is_asked_about_urgently(tmp_path: Path) -> None:
    """The other files are read."""
    result = judged("csv-02-semicolon", tmp_path)
    assert (result.code, len(result.events)) == (2, 3)
    assert "which delimiter has the file?" in result.urgent[0]


def test_an_open_quotation_mark_loses_its_own_line_alone(tmp_path: Path) -> None:
    """And that is urgent: nobody knows what it said."""
    result = judged("csv-07-unbalanced-quote", tmp_path)
    assert (result.verdicts, result.code, len(result.urgent)) == ({"ae:2": "met", "ae:3": "met"}, 2, 1)


@pytest.mark.parametrize("name", ["xpt-02-two-members", "xpt-02b-two-members-one-file"])
def test_each_member_of_a_transport_file_is_a_data_set(name: str, tmp_path: Path) -> None:
    """Neither is read as rows of the other; the name of the file does not matter."""
    result = judged(name, tmp_path)
    assert result.code == 0
    assert sorted({event["type"].split(".")[1] for event in result.events}) >= ["ae", "subject"]
    assert "ae:1" in result.verdicts


def test_the_parts_of_a_split_data_set_are_joined(tmp_path: Path) -> None:
    """LBCH and LBHE both number their rows from 1: six results, all of grade 4."""
    result = judged("xpt-07-split-lb", tmp_path)
    assert Counter(grade["grade"] for grade in result.assessment["lab_grades"]) == {4: 6}
    joined = judged("dj-13-split", tmp_path)
    assert [grade["grade"] for grade in joined.assessment["lab_grades"]] == [4]
