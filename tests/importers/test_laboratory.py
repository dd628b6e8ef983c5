"""LB: values, units, limits, and what the file leaves unsaid."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from services.importers.laboratory import read_result
from tests.importers.studies import one_file

LB = {
    "LBSEQ": "7",
    "LBTESTCD": "ALT",
    "LBORRES": "232",
    "LBORRESU": "U/L",
    "LBORNRLO": "6",
    "LBORNRHI": "43",
    "LBDTC": "2014-01-16T13:17",
}


def _lb(tmp_path: Path, mapping: Any = None, **change: str) -> dict[str, Any]:
    (data,) = one_file(tmp_path, "lb", {**LB, **change}, **(mapping or {})).data
    return data


def test_a_row_of_lb_is_a_result(tmp_path: Path) -> None:
    """As reported, at the local time of collection, which is also the earliest that it can have been known."""
    (event,) = one_file(tmp_path, "lb", {**LB, "VISITNUM": "4", "LBCAT": "CHEMISTRY"}).events
    assert (event["type"], event["time"]) == ("toxwatch.lab.resulted.v1", "2014-01-16T13:17:00+01:00")
    assert event["data"] == {
        "lab_id": "7",
        "revision": 1,
        "test": "ALT",
        "value": 232,
        "unit": "U/L",
        "lln": 6,
        "uln": 43,
        "collected": "2014-01-16T13:17:00+01:00",
        "visit_id": "4",
    }


@pytest.mark.parametrize(
    ("text", "decimals", "comparator", "value"),
    [
        ("232", None, None, 232),
        ("3.80", None, None, 3.8),
        ("-0.5", None, None, -0.5),
        ("1.2e3", None, None, 1200.0),
        ("<0.2", None, "<", 0.2),
        ("> 300", None, ">", 300),
        ("<=5", None, "<=", 5),
        ("≥5", None, ">=", 5),
        ("2.45000004768372", 2, None, 2.45),
        ("33.900002", 1, None, 33.9),
        ("2.45000004768372", None, None, 2.45000004768372),
        ("33.5", 1, None, 33.5),
        ("19370", 0, None, 19370),
        ("12.00", 0, None, 12),
    ],
)
def test_a_value_is_a_number_with_its_comparator(
    text: str, decimals: int | None, comparator: str | None, value: float
) -> None:
    """Binary noise is taken off where the number of decimals is known."""
    assert read_result(text, decimals) == (comparator, value, False)


@pytest.mark.parametrize("text", ["NEGATIVE", "1,5", "1-2", "NaN", "inf", "1e999", "<", "++", "3.8 g/dL", "٣"])
def test_other_values_are_text(tmp_path: Path, text: str) -> None:
    """As reported: no number is made of them."""
    data = _lb(tmp_path, LBORRES=text)
    assert (data["text"], "value" in data) == (text, False)


def test_a_value_is_never_rounded_beyond_noise(tmp_path: Path) -> None:
    """More decimals than the mapping says: the mapping is wrong about this row, and the report tells."""
    tests = {"tests": {"ALT": {"decimals": 0}}}
    result = one_file(tmp_path, "lb", {**LB, "LBORRES": "5.4"}, lb=tests)
    assert result.data[0]["value"] == 5.4
    assert result.told("note")[0] == (1, "LBORRES", "5.4")


@pytest.mark.parametrize(
    ("unit", "ucum"),
    [
        ("U/L", "U/L"),
        ("g/dL", "g/dL"),
        ("10^9/L", "10*9/L"),
        ("THOU/uL", "10*9/L"),
        ("GI/L", "10*9/L"),
        ("NO UNITS", None),
        ("", None),
        ("Giga", "10*9/L"),
        ("mEq/L", "mmol/L"),
    ],
)
def test_units_become_ucum(tmp_path: Path, unit: str, ucum: str | None) -> None:
    """By the test's own list, the study's, and CDISC's."""
    lb = {"units": {"Giga": "10*9/L"}, "tests": {"ALT": {"units": {"mEq/L": "mmol/L"}}}}
    assert _lb(tmp_path, {"lb": lb}, LBORRESU=unit).get("unit") == ucum


def test_an_unknown_unit_is_left_out_kept_aside_and_told(tmp_path: Path) -> None:
    """What is graded as a ratio to its limits still can be."""
    result = one_file(tmp_path, "lb", {**LB, "LBORRESU": "katal"})
    assert ("unit" in result.data[0], result.data[0]["x"]) == (False, {"unit": "katal"})
    assert result.told("unmapped") == [(1, "LBORRESU", "katal")]


def test_a_file_without_codes_and_units_has_them_from_the_mapping(tmp_path: Path) -> None:
    """By the test's name in the file; the id is all that identifies a result."""
    lb = {
        "id": "date+test+value",
        "test": "test",
        "value": "value",
        "collected": "date",
        "lln": "lo",
        "tests": {"Calcium (EDTA)": {"test": "CA", "unit": "mmol/L", "decimals": 2, "specimen": "plasma"}},
    }
    row = {"test": "Calcium (EDTA)", "value": "2.45000004768372", "lo": "2.0699999", "date": "2014-01-16"}
    result = one_file(tmp_path, "lb", row, {**row, "test": "Calcium, new"}, lb=lb)
    assert result.data[0] == {
        "lab_id": "2014-01-16.Calcium (EDTA).2.45000004768372",
        "revision": 1,
        "test": "CA",
        "value": 2.45,
        "unit": "mmol/L",
        "lln": 2.07,
        "collected": "2014-01-16",
        "specimen": "plasma",
    }
    assert result.data[1]["test"] == "Calcium, new"
    assert result.told("unmapped") == [(2, "TEST", "Calcium, new")]


@pytest.mark.parametrize(
    ("change", "field", "value"),
    [
        ({"LBCAT": "URINALYSIS"}, "specimen", "urine"),
        ({"LBCAT": "CHEMISTRY"}, "specimen", None),
        ({"LBSPEC": "Serum", "LBCAT": "URINALYSIS"}, "specimen", "serum"),
        ({"LBSPEC": "CEREBROSPINAL FLUID"}, "specimen", "csf"),
        ({"LBSTAT": "NOT DONE", "LBORRES": ""}, "status", "not-done"),
        ({"LBTPT": "PREDOSE"}, "timepoint", "pre-dose"),
        ({"LBFAST": "Y"}, "fasting", True),
        ({"LBFAST": "U"}, "fasting", None),
        ({"LBLOINC": "1742-6"}, "loinc", "1742-6"),
        ({"LBORNRLO": ""}, "lln", None),
        ({"LBORRES": ""}, "value", None),
    ],
)
def test_what_else_a_row_says(tmp_path: Path, change: dict[str, str], field: str, value: object) -> None:
    """Urine is not blood, whatever its test is called."""
    assert _lb(tmp_path, **change).get(field) == value


@pytest.mark.parametrize(
    ("column", "word"), [("LBSPEC", "ASPIRATE"), ("LBTPT", "2 H"), ("LBORNRHI", "<40"), ("LBORNRLO", "NEGATIVE")]
)
def test_what_else_cannot_be_mapped_is_told(tmp_path: Path, column: str, word: str) -> None:
    """And left out."""
    assert one_file(tmp_path, "lb", {**LB, column: word}).told("unmapped") == [(1, column, word)]


@pytest.mark.parametrize(
    ("change", "field"),
    [({"LBTESTCD": ""}, "LBTESTCD"), ({"LBDTC": ""}, "LBDTC"), ({"LBDTC": "2014"}, None)],
)
def test_a_result_needs_a_test_and_a_date(tmp_path: Path, change: dict[str, str], field: str | None) -> None:
    """Of any precision."""
    told = one_file(tmp_path, "lb", {**LB, **change}).told("refused")
    assert told == ([] if field is None else [(1, field, "")])


def test_a_negative_concentration_is_refused(tmp_path: Path) -> None:
    """By the codec, as at the gateway."""
    result = one_file(tmp_path, "lb", {**LB, "LBORRES": "-1"})
    assert [line[1] for line in result.told("refused")] == ["data.value"]


def test_what_holds_for_every_row_is_one_line_with_a_count(tmp_path: Path) -> None:
    """A report of a million lines that say the same is none."""
    result = one_file(tmp_path, "lb", LB, {**LB, "LBSEQ": "8"}, {**LB, "LBSEQ": "9", "LBDTC": "2014-01-17"})
    assert result.told("time-estimated") == [(None, "time", "3")]
    assert result.told("note") == [(None, "LBDTC", "2"), (None, "LBDTC", "2")]
    assert (result.summary.time_estimated["lb.csv"], result.summary.notes["lb.csv"]) == (3, 2)
