"""Small studies made for a test: written to files, imported, and read back."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyreadstat

from services.importers.datasets import Kind
from services.importers.mapping import Mapping
from services.importers.report import ImportReport
from services.importers.run import Summary, import_study

Rows = list[dict[str, Any]]

#: A study with everything that every row needs: a trial, a site, a zone, drugs.
STUDY: dict[str, Any] = {
    "trial": "T-1",
    "site": "FR01",
    "time_zone": "Europe/Paris",
    "drugs": {"DRUG A": "drug-a", "PLACEBO": "placebo", "RESCUE": ""},
    "placebo": ["placebo"],
    "arms": {"LOW": {"part": "A", "dose_level": 1}, "EXP": {"part": "B"}},
}


@dataclass
class Imported:
    """What came of an import: the events, the lines of the report without the summary, and the counts."""

    events: list[dict[str, Any]]
    lines: list[dict[str, Any]]
    summary: Summary

    @property
    def data(self) -> list[dict[str, Any]]:
        """The data of the events."""
        return [event["data"] for event in self.events]

    def told(self, action: str) -> list[tuple[int | None, str, str]]:
        """Row, field and value of the report's lines with one action."""
        return [(line["row"], line["field"], line["value"]) for line in self.lines if line["action"] == action]

    def message(self, action: str) -> str:
        """The message of the one line with this action."""
        (line,) = (line for line in self.lines if line["action"] == action and line["row"] is not None)
        return str(line["message"])


def imported(kind: Kind, path: Path, **mapping: Any) -> Imported:
    """Import ``path`` with the study's mapping, over which ``mapping`` goes."""
    return imported_with(Mapping.model_validate({**STUDY, **mapping}), kind, path)


def imported_with(mapping: Mapping, kind: Kind, path: Path) -> Imported:
    """Import ``path`` with a mapping."""
    out, report = io.BytesIO(), io.StringIO()
    summary = import_study(kind, path, mapping, out, ImportReport(report, "ndjson"))
    lines = [json.loads(line) for line in report.getvalue().splitlines()]
    events = [json.loads(line) for line in out.getvalue().splitlines()]
    return Imported(events, [line for line in lines if line["action"] != "summary"], summary)


def csv_file(path: Path, rows: Rows) -> Path:
    """The rows as CSV; what a row does not have is empty."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)
    return path


def xpt_file(path: Path, name: str, rows: Rows) -> Path:
    """The rows as a SAS transport file, which knows texts and doubles alone."""
    pyreadstat.write_xport(pd.DataFrame(rows), str(path), table_name=name, file_format_version=5)
    return path


def dataset_json(name: str, rows: Rows) -> dict[str, Any]:
    """The rows as Dataset-JSON."""
    columns = list(rows[0])
    return {
        "datasetJSONCreationDateTime": "2024-11-11T15:09:14",
        "datasetJSONVersion": "1.1.0",
        "itemGroupOID": f"IG.{name}",
        "records": len(rows),
        "name": name,
        "label": name,
        "columns": [
            {"itemOID": f"IT.{name}.{column}", "name": column, "label": column, "dataType": "string"}
            for column in columns
        ],
        "rows": [[row[column] for column in columns] for row in rows],
    }


def one_file(tmp_path: Path, domain: str, *rows: dict[str, Any], **mapping: Any) -> Imported:
    """Import the rows as the only file of a study; the subject is always the same."""
    filled = [{"USUBJID": "S-1", **row} for row in rows]
    return imported("sdtm", csv_file(tmp_path / f"{domain}.csv", filled), **mapping)
