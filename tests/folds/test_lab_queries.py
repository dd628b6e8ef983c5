"""What is asked about laboratory results, and what closes it (rules.md §4)."""

from __future__ import annotations

import pytest

from tests.files.writing import FR01, Json
from tests.folds.charts import questions

ASKED = [
    ("no unit where one is needed", {"test": "PLAT", "unit": None, "uln": 400}, "In which unit"),
    ("an unknown unit", {"unit": "furlong"}, "In which unit"),
    ("no number", {"value": None, "text": "haemolysed"}, "What was the result?"),
    ("an unknown code", {"test": "ALAT"}, "Which test is it?"),
    ("LOINC of another analyte", {"loinc": "1920-8"}, "Which of the two"),
    ("incoherent limits", {"lln": 50}, "reference limits"),
    ("no upper limit", {"uln": None}, "the upper limit"),
    ("a comparator that leaves it open", {"comparator": ">", "value": 150}, "the exact value"),
    ("creatinine high, no baseline", {"test": "CREAT", "unit": "umol/L", "value": 160, "uln": 100}, "the baseline"),
]


@pytest.mark.parametrize(("_name", "data", "asked"), ASKED, ids=[name for name, _, _ in ASKED])
def test_what_is_not_graded_or_may_be_severe_is_asked_about(_name: str, data: Json, asked: str) -> None:
    """One question, about the result, that says what would settle it."""
    ((record, question),) = questions([*FR01.treated(), FR01.lab(data=data)])
    assert record == "lab:L-1"
    assert asked in question


def test_a_revision_that_answers_closes_the_question() -> None:
    events = [*FR01.treated(), FR01.lab(data={"uln": None})]
    assert len(questions(events)) == 1
    assert questions([*events, FR01.lab(data={"revision": 2})]) == []
    assert questions([*events, FR01.retracted("lab", {"lab_id": "L-1"})]) == []


def test_a_baseline_that_comes_late_closes_the_question() -> None:
    """The value before treatment settles what creatinine came to."""
    creatinine = {"test": "CREAT", "unit": "umol/L", "value": 160, "uln": 100}
    events = [*FR01.treated(), FR01.lab(data=creatinine)]
    assert len(questions(events)) == 1
    before = FR01.lab("L-0", data={**creatinine, "value": 90, "collected": "2017-02-10"}, time="2017-03-20T00:00:00Z")
    assert questions([*events, before]) == []


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"value": 900},
        {"specimen": "urine", "unit": None},
        {"status": "not-done", "value": None},
        {"status": "unreliable"},
        {"test": "HCT", "unit": "%"},
        {"test": "NEUT", "unit": "10*9/L", "value": 5, "lln": None, "uln": None},
    ],
)
def test_what_leaves_nothing_open_is_not_asked_about(data: Json) -> None:
    """Graded, not to be graded, or at worst mildly abnormal."""
    assert questions([*FR01.treated(), FR01.lab(data=data)]) == []
