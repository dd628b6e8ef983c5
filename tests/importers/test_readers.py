"""The three formats: what is read of them, and what is wrong with a file."""

from __future__ import annotations

import gzip
import json
import zlib
from pathlib import Path
from typing import Any

import pytest

from services.files.rows import DataSet, Defect, ImportFailedError, Row
from services.importers.columns import TextFormat
from services.importers.dataset_json import open_dataset_json
from services.importers.sdtm_csv import open_csv
from services.importers.xpt import open_xpt
from tests.importers.studies import dataset_json, xpt_file

ROWS = [{"USUBJID": "S-1", "AESEQ": 1}, {"USUBJID": "S-2", "AESEQ": 2}]


def _values(data: DataSet) -> list[Any]:
    return [dict(row.values) if isinstance(row, Row) else row.message for row in data.rows()]


def _write(path: Path, content: dict[str, Any]) -> Path:
    if path.suffix == ".ndjson":
        rows = content.pop("rows", [])
        path.write_text("".join(json.dumps(line) + "\n" for line in [content, *rows]), encoding="utf-8")
    else:
        path.write_text(json.dumps(content), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["ae.json", "ae.ndjson"])
def test_dataset_json_gives_rows_of_text(tmp_path: Path, name: str) -> None:
    """Numbers as they are written, null as nothing; the file's own name is known."""
    rows = [
        {"USUBJID": "S-1", "AESEQ": 1, "V": 2.5, "W": 4.0, "B": True},
        dict.fromkeys(["USUBJID", "AESEQ", "V", "W", "B"]),
    ]
    data = open_dataset_json(_write(tmp_path / name, dataset_json("AE", rows)))
    assert (data.name, data.columns) == ("AE", ("USUBJID", "AESEQ", "V", "W", "B"))
    assert _values(data) == [
        {"USUBJID": "S-1", "AESEQ": "1", "V": "2.5", "W": "4", "B": "Y"},
        {"USUBJID": "", "AESEQ": "", "V": "", "W": "", "B": ""},
    ]


@pytest.mark.parametrize("name", ["ae.json", "ae.ndjson"])
@pytest.mark.parametrize("records", [1, 3])
def test_a_wrong_count_of_records_is_a_defect_of_the_file(tmp_path: Path, name: str, records: int) -> None:
    """The rows that are there are read: odmlib does not look."""
    data = open_dataset_json(_write(tmp_path / name, {**dataset_json("AE", ROWS), "records": records}))
    *rows, defect = data.rows()
    assert len(rows) == 2
    assert isinstance(defect, Defect)
    assert (defect.number, defect.field, defect.value) == (0, "records", str(records))
    assert f"announces {records} records and has 2" in defect.message


@pytest.mark.parametrize("name", ["ae.json", "ae.ndjson"])
def test_a_row_of_the_wrong_length_is_not_read(tmp_path: Path, name: str) -> None:
    """Nor is what is no row; the others are, with their own numbers."""
    content = {
        **dataset_json("AE", ROWS),
        "rows": [["S-1"], ["S-1", 1, 2], {"USUBJID": "S-1"}, ["S-2", 2]],
        "records": 4,
    }
    found = list(open_dataset_json(_write(tmp_path / name, content)).rows())
    assert [type(row) for row in found] == [Defect, Defect, Defect, Row]
    assert "1 values where there are 2 columns" in found[0].message  # type: ignore[union-attr]
    assert found[3].number == 4


def test_a_line_that_was_cut_off_is_a_defect(tmp_path: Path) -> None:
    """And the count says that something is missing, if only the end of a line."""
    path = _write(tmp_path / "ae.ndjson", dataset_json("AE", ROWS))
    path.write_text(path.read_text(encoding="utf-8").rstrip()[:-4] + "\n", encoding="utf-8")
    row, defect = open_dataset_json(path).rows()
    assert isinstance(row, Row)
    assert isinstance(defect, Defect)
    assert "not JSON" in defect.message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"datasetJSONVersion": "1.0.0"}, "Dataset-JSON 1.0.0 is not read"),
        ({"datasetJSONVersion": "1.10"}, "Dataset-JSON 1.10 is not read"),
        ({"records": -1}, "not Dataset-JSON 1.1"),
        ({"columns": []}, "there is no column"),
        ({"columns": [{"name": "A"}]}, "not Dataset-JSON 1.1"),
        ({"rows": {"a": 1}}, "rows is not a list"),
        ({"name": 1}, "not Dataset-JSON 1.1"),
        ({"datasetJSONVersion": 1.1}, "not Dataset-JSON 1.1"),
        ({"columns": [1]}, "not Dataset-JSON 1.1"),
    ],
)
def test_a_file_that_is_not_dataset_json_says_why(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    """As a failure of the file, in one sentence."""
    path = _write(tmp_path / "ae.json", {**dataset_json("AE", ROWS), **change})
    with pytest.raises(ImportFailedError, match=message):
        open_dataset_json(path)


def test_extensions_of_dataset_json_are_told_and_the_rows_are_read(tmp_path: Path) -> None:
    """The standard allows attributes of one's own, of the data set and of its columns; and a compressed form."""
    content = dataset_json("AE", ROWS)
    content["custodian"] = {"name": "x"}
    content["columns"][0]["unit"] = "kg"
    data = open_dataset_json(_write(tmp_path / "ae.json", content))
    assert [name for name, _, _ in data.notes] == ["custodian", "columns.unit"]
    assert len([row for row in data.rows() if isinstance(row, Row)]) == len(ROWS)
    rows = content.pop("rows")
    lines = "\n".join(json.dumps(line) for line in [content, *rows]).encode()
    (tmp_path / "ae.dsjc").write_bytes(zlib.compress(lines))
    assert len(list(open_dataset_json(tmp_path / "ae.dsjc").rows())) == len(ROWS)
    (tmp_path / "ae.dsjc").write_bytes(zlib.compress(lines * 50)[:-20])
    with pytest.raises(ImportFailedError, match="compressed file cannot be read"):
        list(open_dataset_json(tmp_path / "ae.dsjc").rows())


def test_a_transport_file_that_was_cut_off_says_so(tmp_path: Path) -> None:
    """At any byte of its last row, also where the cut is at the end of a record."""
    path = xpt_file(tmp_path / "ae.xpt", "AE", [{"USUBJID": f"S-{at}", "AETERM": "x" * 70} for at in range(40)])
    whole = path.read_bytes()
    for cut in (81, 160, 200):
        path.write_bytes(whole[:-cut])
        defects = [row for row in open_xpt(path, "AE", TextFormat()).rows() if isinstance(row, Defect)]
        assert ["cut off" in defect.message for defect in defects] == [True], cut


def test_twenty_thousand_columns_are_a_sentence(tmp_path: Path) -> None:
    """In time that does not grow with their square."""
    path = tmp_path / "ae.csv"
    path.write_text(",".join(f"C{at}" for at in range(20_000)) + "\n", encoding="utf-8")
    with pytest.raises(ImportFailedError, match="20,000 columns"):
        open_csv(path, "AE", TextFormat())


@pytest.mark.parametrize("content", ["", "[1]", "{", '"text"'])
def test_what_is_no_object_of_json_fails(tmp_path: Path, content: str) -> None:
    """Empty, another value, cut off."""
    path = tmp_path / "ae.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ImportFailedError, match=r"ae\.json"):
        open_dataset_json(path)


def _csv(path: Path, text: str, **form: Any) -> DataSet:
    content = text.encode(form.get("encoding", "utf-8"))
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return open_csv(path, "AE", TextFormat(**form))


@pytest.mark.parametrize("name", ["ae.csv", "ae.csv.gz"])
def test_csv_gives_rows_under_names_in_capitals(tmp_path: Path, name: str) -> None:
    """Blank lines are no rows; a quoted line break is part of its value."""
    data = _csv(tmp_path / name, '\ufeffusubjid,term\r\nS-1,"a\nb"\r\n\r\nS-2,\r\n')
    assert data.columns == ("USUBJID", "TERM")
    assert _values(data) == [{"USUBJID": "S-1", "TERM": "a\nb"}, {"USUBJID": "S-2", "TERM": ""}]


def test_csv_may_have_another_form(tmp_path: Path) -> None:
    """Encoding, delimiter, and what stands for no value."""
    data = _csv(tmp_path / "ae.csv", "A;B\né;NA\n", encoding="cp1252", delimiter=";", missing=("NA",))
    assert _values(data) == [{"A": "é", "B": ""}]


def test_a_csv_row_of_the_wrong_length_or_broken_quoting_is_not_read(tmp_path: Path) -> None:
    """And the rows behind it are."""
    found = list(_csv(tmp_path / "ae.csv", 'A,B\n1,2,3\n1\n"x"y,2\n3,4\n').rows())
    assert [(row.number, type(row)) for row in found] == [(1, Defect), (2, Defect), (3, Defect), (4, Row)]
    assert "line 4" in found[2].message  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"A,a\n1,2\n", "the column A is there twice"),
        (b"A,B,,\n", "without a name"),
        (b"\xff,B\n", "not in utf-8"),
    ],
)
def test_a_csv_file_that_cannot_be_read_says_why(tmp_path: Path, content: bytes, message: str) -> None:
    """As a failure of the file."""
    path = tmp_path / "ae.csv"
    path.write_bytes(content)
    with pytest.raises(ImportFailedError, match=message):
        open_csv(path, "AE", TextFormat())


def test_a_compressed_file_that_was_cut_off_fails(tmp_path: Path) -> None:
    """Rather than look like a shorter one."""
    whole = gzip.compress(b"A,B\n" + b"".join(b"%d,%d\n" % (i, i * i) for i in range(9000)))
    path = tmp_path / "ae.csv.gz"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ImportFailedError, match=r"ae\.csv\.gz"):
        list(open_csv(path, "AE", TextFormat()).rows())


def test_xpt_gives_decimals_and_not_doubles(tmp_path: Path) -> None:
    """15 digits, whole numbers without a fraction, missing ones as nothing; the table names itself."""
    rows = [{"USUBJID": "S-1", "AESEQ": 1.0, "V": 0.1 + 0.2}, {"USUBJID": "", "AESEQ": 12345678.0, "V": float("nan")}]
    data = open_xpt(xpt_file(tmp_path / "x.xpt", "AE", rows), "X", TextFormat())
    assert (data.name, data.columns) == ("AE", ("USUBJID", "AESEQ", "V"))
    assert _values(data) == [
        {"USUBJID": "S-1", "AESEQ": "1", "V": "0.3"},
        {"USUBJID": "", "AESEQ": "12345678", "V": ""},
    ]


def test_xpt_is_read_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every row once, whether the last piece is full or not."""
    monkeypatch.setattr("services.importers.xpt.ROWS_AT_ONCE", 3)
    for count in (1, 3, 7):
        data = open_xpt(xpt_file(tmp_path / "x.xpt", "AE", [{"N": float(i)} for i in range(count)]), "X", TextFormat())
        assert [row.number for row in data.rows()] == list(range(1, count + 1))
        assert [row["N"] for row in _values(data)] == [str(i) for i in range(count)]


def test_what_is_no_transport_file_fails(tmp_path: Path) -> None:
    """With the name of the file."""
    path = tmp_path / "ae.xpt"
    path.write_bytes(b"not a transport file" * 20)
    with pytest.raises(ImportFailedError, match=r"ae\.xpt"):
        open_xpt(path, "AE", TextFormat())


def test_a_transport_file_that_was_cut_off_has_a_defect(tmp_path: Path) -> None:
    """The format itself cannot tell: pyreadstat reads the half of it and says nothing."""
    path = xpt_file(tmp_path / "ae.xpt", "AE", [{"A": f"text {i}", "N": float(i)} for i in range(500)])
    path.write_bytes(path.read_bytes()[:5003])
    first, *rows = open_xpt(path, "AE", TextFormat()).rows()
    assert isinstance(first, Defect)
    assert "cut off" in first.message
    assert 0 < len(rows) < 500


def test_a_transport_file_may_have_another_encoding(tmp_path: Path) -> None:
    """Which the mapping names; without it the file cannot be read, rather than be read wrongly."""
    path = xpt_file(tmp_path / "ae.xpt", "AE", [{"A": "é!", "B": "NA"}])
    path.write_bytes(path.read_bytes().replace("é!".encode(), "é! ".encode("cp1252")))
    with pytest.raises(ImportFailedError, match=r"format\.encoding"):
        list(open_xpt(path, "AE", TextFormat()).rows())
    assert _values(open_xpt(path, "AE", TextFormat(encoding="cp1252", missing=("NA",)))) == [{"A": "é!", "B": ""}]
