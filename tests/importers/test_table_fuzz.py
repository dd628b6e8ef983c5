"""Files that something has happened to: nothing raises, and nothing severe is lost without a line.

``TOXWATCH_FUZZ=10000`` gives the number of mutated files of each format; without it there are a few.
"""

from __future__ import annotations

import io
import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from services.files.rows import ImportFailedError
from services.importers.datasets import Kind
from services.importers.mapping import Mapping
from services.importers.report import ImportReport
from services.importers.run import import_study
from tests.importers.studies import STUDY, csv_file, dataset_json, xpt_file

FILES = int(os.environ.get("TOXWATCH_FUZZ", "60"))
SEED = 20261130

WHO = {"STUDYID": "T", "USUBJID": "S-1"}
AE = [
    {
        **WHO,
        "AESEQ": str(at),
        "AETERM": f"Colitis {at}",
        "AETOXGR": "4",
        "AEREL": "RELATED",
        "AESTDTC": f"2017-02-2{at}",
    }
    for at in range(1, 5)
]
EX = [{**WHO, "EXSEQ": "1", "EXTRT": "DRUG A", "EXDOSE": "3", "EXSTDTC": "2017-02-13"}]
WORDS = [
    b'"', b",", b";", b"\n", b"\r", b"\0", b"\xff", b"\xc3\xa9", b"=1+1", b"--", b"2017---15", b"24:00", b"1e999", b"-", b"null",
    b"[", b"{", b"}", b"]", b"HEADER RECORD*******MEMBER  HEADER RECORD!!!!!!!", b"99999999999999999999", b"\\ud800", b" " * 80,
]  # fmt: skip


def _mutated(content: bytes, draw: random.Random, *, cut: bool) -> bytes:
    """One to four things that happen to files: bytes changed, taken out, doubled, put in, cut off."""
    found = bytearray(content)
    for _ in range(draw.randint(1, 4)):
        at = draw.randrange(len(found) + 1)
        match draw.randrange(6):
            case 0 if found:
                found[at % len(found)] = draw.randrange(256)
            case 1:
                del found[at : at + draw.randint(1, 30)]
            case 2:
                found[at:at] = found[at : at + draw.randint(1, 120)]
            case 3:
                found[at:at] = draw.choice(WORDS)
            case 4 if cut and draw.random() < 0.3:
                del found[at:]
            case _ if found:
                end = min(at + draw.randint(1, 6), len(found))
                found[at:end] = bytes(draw.randrange(32, 127) for _ in range(end - at))
    return bytes(found)


def _csv(folder: Path) -> Path:
    return csv_file(folder / "ae.csv", AE)


def _xpt(folder: Path) -> Path:
    return xpt_file(folder / "ae.xpt", "AE", AE)


def _document(folder: Path) -> Path:
    path = folder / "ae.json"
    path.write_text(json.dumps(dataset_json("AE", AE)), encoding="utf-8")
    return path


def _lines(folder: Path) -> Path:
    content = dataset_json("AE", AE)
    rows = content.pop("rows")
    path = folder / "ae.ndjson"
    path.write_text("".join(json.dumps(line) + "\n" for line in [content, *rows]), encoding="utf-8")
    return path


FORMATS: list[tuple[str, Kind, Callable[[Path], Path]]] = [
    ("csv", "sdtm", _csv),
    ("xpt", "sdtm", _xpt),
    ("json", "dataset-json", _document),
    ("ndjson", "dataset-json", _lines),
]


@pytest.mark.parametrize(("name", "kind", "make"), FORMATS, ids=[name for name, _, _ in FORMATS])
def test_a_mutated_file_loses_no_toxicity_without_a_line(
    name: str, kind: Kind, make: Callable[[Path], Path], tmp_path: Path
) -> None:
    """Each of the four toxicities of grade 4 is an event that says so, or the report has a line that is urgent.

    Or the file cannot be read at all, which is a sentence. What only changed a letter of a value cannot be known.
    """
    path = make(tmp_path)
    content, draw = path.read_bytes(), random.Random(f"{SEED} {name}")
    mapping = Mapping.model_validate(STUDY)
    for _ in range(FILES):
        # CSV says nowhere how many rows there are: one that was cut off behind a row cannot be known.
        mutated = _mutated(content, draw, cut=name != "csv")
        path.write_bytes(mutated)
        events, report = io.BytesIO(), io.StringIO()
        try:
            import_study(kind, path, mapping, events, ImportReport(report, "ndjson"))
        except ImportFailedError as failed:
            assert str(failed), mutated  # noqa: PT017
            continue
        written = [json.loads(line)["data"] for line in events.getvalue().splitlines()]
        lines = [json.loads(line) for line in report.getvalue().splitlines()]
        if len([data for data in written if "ae_id" in data]) < len(AE):
            assert any(_tells(line) for line in lines), mutated


def _tells(line: dict[str, Any]) -> bool:
    """Whether a line says that something of the file is missing or repeated."""
    return bool(line["urgent"]) or (line["action"] in ("refused", "note") and line["row"] is not None)
