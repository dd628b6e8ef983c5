"""A FHIR import from the command line, and what the monitor says of its events."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from services.cli.main import create_app

Json = dict[str, Any]

CASES = Path(__file__).parent / "fhir_cases"
AS_OF = "2017-04-30T00:00:00Z"

#: The study of all cases: ids have its pattern, and say the site.
MAPPING = """
name = "isi-jx-fhir"
trial = "NCT02977156"
time_zone = "Europe/Paris"
subject_pattern = '^(?P<site>FR[0-9]{2})-[0-9]{3,5}$'
[drugs]
"PEXA-VEC" = "pexa-vec"
"IPILIMUMAB" = "ipilimumab"
[arms]
"LEVEL 1" = { part = "A", dose_level = 1 }
"""
#: The same without a pattern: any id could be a subject's.
ANY_ID = MAPPING.replace("subject_pattern = '^(?P<site>FR[0-9]{2})-[0-9]{3,5}$'", 'site = "FR01"')


class Imported:
    """What came of an import: the exit code, the data of the events by type, and the report."""

    def __init__(self, directory: Path, document: object, mapping: str = MAPPING) -> None:
        path = directory / "bundle.json"
        if isinstance(document, Path):
            path = document
        else:
            path.write_text(json.dumps(document), encoding="utf-8")
        self._directory = directory
        (directory / "mapping.toml").write_text(mapping, encoding="utf-8")
        words = ["import", "fhir", str(path), "--mapping", str(directory / "mapping.toml")]
        outcome = CliRunner().invoke(create_app(), [*words, "--out", str(directory / "events.ndjson")])
        self.code = outcome.exit_code
        self.said = outcome.output
        self.raised = None if isinstance(outcome.exception, SystemExit) else outcome.exception
        events = directory / "events.ndjson"
        self.events: list[Json] = (
            [json.loads(line) for line in events.read_text(encoding="utf-8").splitlines()] if events.exists() else []
        )
        report = directory / "import-report.csv"
        self.report = list(csv.DictReader(report.read_text(encoding="utf-8").splitlines())) if report.exists() else []

    def all(self, stem: str) -> list[Json]:
        return [each["data"] for each in self.events if each["type"] == f"toxwatch.{stem}.v1"]

    def data(self, stem: str) -> Json:
        (found,) = self.all(stem)
        return found

    def told(self, action: str) -> list[str]:
        return [f"{line['row']} {line['field']}: {line['message']}" for line in self.report if line["action"] == action]

    @property
    def lines(self) -> list[str]:
        return [" ".join(line.values()) for line in self.report if line["action"] != "summary"]

    @property
    def urgent(self) -> list[str]:
        return [f"{line['field']}: {line['message']}" for line in self.report if line["urgent"]]

    def assess(self) -> Json:
        events, protocol = self._directory / "events.ndjson", self._directory / "protocol.json"
        words = ["assess", str(events), "--protocol", str(protocol), "--as-of", AS_OF, "--format", "json"]
        outcome = CliRunner().invoke(create_app(), [*words, "--lab-grades", "all"])
        assert outcome.exit_code == 0, outcome.output
        found: Json = json.loads(outcome.stdout)
        return found

    def verdicts(self) -> dict[str, Json]:
        return {case["case"]: case["clauses"] for case in self.assess()["cases"]}

    def grades(self) -> dict[tuple[str, str | None], int | None]:
        return {(each["test"], each["direction"]): each["grade"] for each in self.assess()["lab_grades"]}
