"""``toxwatch grade``: a table in, the same table with grades out."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

import services.cli.grade
from projections.ctcae.cuts import Range
from projections.ctcae.grader import Assay, Baseline, Context, exact
from projections.ctcae.grading import grade_result
from services.cli.main import create_app
from services.files import csv_records
from services.grading.vectors import COLUMNS

HEADER = "test,value,unit,lln,uln,fasting,baseline"


def run(text: str, *options: str) -> tuple[int, list[dict[str, str]], str]:
    outcome = CliRunner().invoke(create_app(), ["grade", "-", *options], input=text)
    return outcome.exit_code, list(csv.DictReader(io.StringIO(outcome.stdout))), outcome.stderr


def graded(row: str, *options: str, header: str = HEADER) -> dict[str, str]:
    code, rows, _ = run(f"{header}\n{row}\n", *options)
    assert code == 0
    return rows[0]


def bounds(row: dict[str, str], direction: str) -> list[str]:
    return [row[f"grade_{direction}{end}"] for end in ("", "_min", "_max")]


ROWS = [
    ("ALT,200,U/L,7,40,,", "high", ["2", "2", "2"]),
    ("ALT,>300,U/L,7,40,,", "high", ["", "3", "4"]),
    ("ALT,≥ 300,U/L,7,40,,", "high", ["", "3", "4"]),
    ("ANC,0.3,10*9/L,,,,", "low", ["4", "4", "4"]),
    ("NEUT,5,10*9/L,,,,", "low", ["", "0", "1"]),
    ("K,3.2,mmol/L,3.5,5.1,,", "low", ["1", "1", "1"]),
    ("K,3.2,mmol/L,3.5,5.1,,", "high", ["0", "0", "0"]),
    ("GLUC,10,mmol/L,3.9,6.1,Y,", "high", ["2", "2", "2"]),
    ("GLUC,10,mmol/L,3.9,6.1,no,", "high", ["0", "0", "0"]),
    ("GLUC,10,mmol/L,3.9,6.1,,", "high", ["", "0", "2"]),
    ("CREAT,160,umol/L,50,200,,50", "high", ["3", "3", "3"]),
    ("ALT,haemolysed,U/L,7,40,,", "high", ["", "", ""]),
    ("ALT,,U/L,7,40,,", "high", ["", "", ""]),
    ("ALT,20,furlong,7,40,,", "high", ["", "", ""]),
]


@pytest.mark.parametrize(("row", "direction", "expected"), ROWS, ids=[row for row, _, _ in ROWS])
def test_a_row_is_graded_as_the_rules_say(row: str, direction: str, expected: list[str]) -> None:
    assert bounds(graded(row), direction) == expected


def test_every_column_is_kept_and_the_grades_come_behind() -> None:
    """Cells with commas and quotes too."""
    row = graded('"Doe, ""J""",ALT,201,U/L,40', header="who,LBTESTCD,LBORRES,LBORRESU,LBORNRHI")
    assert list(row) == ["who", "LBTESTCD", "LBORRES", "LBORRESU", "LBORNRHI", *COLUMNS]
    assert (row["who"], row["LBORRES"], row["grade_high"]) == ('Doe, "J"', "201", "3")


def test_the_names_of_adam_are_understood() -> None:
    assert graded("ALT,201,40", header="PARAMCD,AVAL,ANRHI")["grade_high"] == "3"


def test_version_5_grades_against_the_baseline() -> None:
    row = "ALT,130,U/L,7,40,,60"
    assert (graded(row)["grade_high"], graded(row, "--ctcae", "5.0")["grade_high"]) == ("2", "1")


def test_calcium_is_corrected_by_an_albumin_column() -> None:
    header = "test,value,unit,lln,uln,albumin"
    assert graded("CA,1.9,mmol/L,2.1,2.6,25", header=header)["grade_low"] == "0"
    assert graded("CA,1.9,mmol/L,2.1,2.6,", header=header)["grade_low"] == "2"
    in_mass = graded("CA,7.6,mg/dL,8.4,10.4,2.5,g/dL", header=f"{header},albumin_unit")
    assert in_mass["grade_low"] == "0"


def test_what_is_open_says_why_and_with_an_option_everything_does() -> None:
    assert graded("ALT,201,U/L,7,40,,")["why"] == ""
    assert ">5.0 - 20.0 x ULN" in graded("ALT,201,U/L,7,40,,", "--why")["why"]
    assert "the exact value" in graded("ALT,>300,U/L,7,40,,")["why"]
    assert "unit furlong is not known" in graded("ALT,20,furlong,7,40,,")["why"]


WRONG = [
    ("value,unit\n1,g/L\n", "no column 'test'"),
    ("test,LBTESTCD,value\nALT,ALT,1\n", "both say the test"),
    ("test;value\nALT;1\n", "which delimiter has the file?"),
    ('test,"value\nALT,1\n', "the header cannot be read"),
    (",".join(f"c{at}" for at in range(20_000)) + "\n", "20,000 columns"),
    ("test,value,why\nALT,1,x\n", "column 'why' is what grades are written to"),
    ("", "the table is empty"),
]


@pytest.mark.parametrize(("text", "said"), WRONG, ids=[said for _, said in WRONG])
def test_a_table_that_cannot_be_read_is_1_and_a_sentence(text: str, said: str) -> None:
    code, _, err = run(text)
    assert code == 1
    assert said in err


def test_a_table_of_any_length_goes_through_piece_by_piece(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One header, every row, and complaints name the line of the file."""
    monkeypatch.setattr(services.cli.grade, "ROWS_AT_A_TIME", 3)
    path, out = tmp_path / "lb.csv", tmp_path / "graded.csv"
    path.write_text(f"{HEADER}\n" + "".join(f"ALT,{value},U/L,7,40,,\n" for value in range(195, 206)), encoding="utf-8")
    outcome = CliRunner().invoke(create_app(), ["grade", str(path), "--out", str(out)])
    assert outcome.exit_code == 0
    rows = list(csv.DictReader(out.read_text(encoding="utf-8").splitlines()))
    assert [row["grade_high"] for row in rows] == ["2"] * 6 + ["3"] * 5
    odd = f"{HEADER}\n" + "ALT,1,U/L,7,40,,\n" * 7 + "ALT,1,U/L,x,40,,\n"
    assert "line 9: lln: 'x' is not a number" in run(odd)[2]


ODD = [
    ("ALT,900,U/L,7,40,,", None),
    ("ALT,900,U/L,<7,40,,", "lln: '<7' is not a number; taken as not given"),
    ("ALT,900,U/L,7,1e999,,", "uln: '1e999' is beyond every number; taken as not given"),
    ("ALT,900,U/L,7,40,maybe,", "fasting: 'maybe' is neither yes nor no; taken as not given"),
    ("ALT,900,U/L,7", "4 values where there are 7 columns: not graded"),
    ("ALT,900,U/L,7,40,,,,x", "9 values where there are 7 columns: not graded (beyond the last column: , x)"),
    ('ALT,900,"U/L,7,40,,', "a quotation mark is not closed"),
    ('ALT,900,"U"/L,7,40,,', "a quotation mark in the middle of a cell"),
]


@pytest.mark.parametrize(("row", "said"), ODD, ids=[row for row, _ in ODD])
def test_one_odd_row_is_told_and_the_others_are_graded(row: str, said: str | None) -> None:
    """Whatever is wrong with it: a cell, the number of values, a quotation mark that is never closed."""
    good = "ALT,201,U/L,7,40,,"
    code, rows, err = run(f"{HEADER}\n{good}\n{row}\n{good}\n{good}\n")
    assert (code, len(rows)) == (0, 4)
    assert [rows[at]["grade_high"] for at in (0, 2, 3)] == ["3"] * 3
    if said is None:
        assert "line" not in err
    else:
        assert said in rows[1]["why"]
        assert f"line 3: {said}" in err


def test_a_byte_that_is_not_utf_8_stops_nothing() -> None:
    """A micro sign as Latin-1 writes it is a micro sign."""
    text = f"{HEADER}\nCREAT,900,\xb5mol/L,50,110,,\nALT,201,U/L,7,40,,\n".encode("latin-1")
    outcome = CliRunner().invoke(create_app(), ["grade", "-"], input=text)
    assert [row["grade_high"] for row in csv.DictReader(io.StringIO(outcome.stdout))] == ["4", "3"]


def test_an_archive_is_unpacked_up_to_a_limit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A small file may unpack to more than any disk holds; what is cut off says so."""
    path = tmp_path / "lb.csv.gz"
    path.write_bytes(gzip.compress(f"{HEADER}\nALT,201,U/L,7,40,,\n".encode() + b"x" * 5_000_000))
    monkeypatch.setattr(csv_records, "UNPACKED_BYTES_MAX", 1_000_000)
    outcome = CliRunner().invoke(create_app(), ["grade", str(path)])
    assert (outcome.exit_code, "unpacks to more than 1,000,000 bytes" in outcome.stderr) == (1, True)
    path.write_bytes(gzip.compress(f"{HEADER}\nALT,201,U/L,7,40,,\n".encode())[:-9])
    outcome = CliRunner().invoke(create_app(), ["grade", str(path)])
    assert "the file cannot be read on" in outcome.stdout


FIELD = {
    "grade-meq-mg-ca": ("low high", ["3 0", "3 0", "2 0", "0 3", "0 3", "0 3", "0 3", "3 0", "3 0"]),
    "grade-micro": ("high", ["4"] * 3),
    "grade-negative-limit": ("high", ["4", ""]),
    "grade-one-odd-limit": ("high", ["4", "4"]),
    "grade-sdtm-units": ("low high", [" 4", "0 4", "4 ", "4 ", "4 ", " 4", " 4", " 4"]),
}


@pytest.mark.parametrize("name", FIELD)
def test_tables_as_laboratories_write_them(name: str) -> None:
    """Equivalents use the cut-offs in mmol/L; every micro sign is one; an odd limit concerns its row; specimens in words."""
    directions, expected = FIELD[name]
    text = (Path(__file__).parent / "field_cases" / f"{name}.csv").read_text(encoding="utf-8")
    _, rows, _ = run(text)
    assert [" ".join(row[f"grade_{each}"] for each in directions.split()) for row in rows] == expected


def test_the_category_says_the_specimen_where_no_column_does() -> None:
    """Glucose in urine is no hyperglycaemia."""
    header = "LBTESTCD,LBORRES,LBORRESU,LBCAT,LBSPEC"
    assert graded("GLUC,900,mg/dL,URINE CHEMISTRY,", header=header)["why"].startswith("in urine")
    assert graded("GLUC,900,mg/dL,CHEMISTRY,", header=header)["grade_high"] == "4"
    assert graded("GLUC,900,mg/dL,URINALYSIS,SERUM", header=header)["grade_high"] == "4"


ABSURD = ["5e-324", "1.7e308", "0", "1", "-1", "-1.7e308", "1e300", ""]


@given(st.lists(st.sampled_from(ABSURD), min_size=6, max_size=6), st.sampled_from(["4.03", "5.0"]))
def test_absurd_numbers_raise_nothing(numbers: list[str], version: str) -> None:
    """Whatever float they are, in every place."""
    value, lln, uln, base, base_uln, albumin = numbers
    tests = [("ALT", "U/L"), ("CA", "mmol/L"), ("CA", "meq/L"), ("HGB", "g/dL"), ("CREAT", "mg/dL"), ("FIBRINO", "g/L")]
    text = "".join(f"{test},{value},{unit},{lln},{uln},{base},{base_uln},{albumin}\n" for test, unit in tests)
    code, rows, err = run(f"test,value,unit,lln,uln,baseline,baseline_uln,albumin\n{text}", "--ctcae", version, "--why")
    assert (code, len(rows)) == (0, len(tests)), err


NUMBERS = st.decimals("0.01", "2000", places=2).map(str)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["ALT", "NEUT", "CREAT", "K", "HGB", "GLUC", "FOO"]),
            st.sampled_from(["", "<", ">", "<=", ">="]),
            NUMBERS,
            st.sampled_from(["", "U/L", "10*9/L", "umol/L", "mmol/L", "g/L", "mg/dL"]),
            NUMBERS | st.just(""),
            NUMBERS | st.just(""),
            st.sampled_from(["", "Y", "N"]),
            NUMBERS | st.just(""),
        ),
        min_size=1,
        max_size=20,
    )
)
def test_by_columns_is_as_one_by_one(rows: list[tuple[str, ...]]) -> None:
    """Whatever stands together in a table."""
    text = "\n".join(",".join((test, sign + value, *rest)) for test, sign, value, *rest in rows)
    _, found, _ = run(f"{HEADER}\n{text}\n")
    for (test, sign, value, unit, lln, uln, fasting, base), row in zip(rows, found, strict=True):
        limits = (float(lln) if lln else None, float(uln) if uln else None)
        assay = Assay(test, unit or None, *limits, sign or None, {"Y": True, "N": False}.get(fasting))
        number = exact(float(base)) if base else None
        abnormal = None if limits[1] is None or number is None else number > (exact(limits[1]) or 0)
        context = Context(Baseline(Range(number, number), abnormal) if number is not None else None)
        for grade in grade_result("4.03", assay, float(value), context):
            if grade.direction is None:
                assert row["why"] == grade.why
                continue
            wanted = [grade.grade, grade.grade_min, grade.grade_max]
            assert bounds(row, grade.direction) == ["" if each is None else str(each) for each in wanted]
