"""Each question that a chart raises by itself, and that it is silent about what is in order."""

from __future__ import annotations

import pytest

from tests.files.writing import FR01, RELATED, Json
from tests.folds.charts import questions

LATER = "2017-03-21T00:00:00Z"
BACK_1 = FR01.event("ae.retracted", {"ae_id": "AE-1", "revision": 1, "reason": "error"}, time=LATER)
NOT_DLT = {"decided": "2017-03-20T08:00:00Z"}


def linked(*pairs: tuple[str, str]) -> list[Json]:
    """Rows and the row that each continues."""
    return [FR01.ae(ae_id, data={"continues": previous}) for ae_id, previous in pairs]


CIRCLE = "It continues {0}, which leads back to it: which row came first?"

ASKED: list[tuple[str, list[Json], list[tuple[str, str]]]] = [
    (
        "one revision with two contents",
        [FR01.ae(), FR01.ae(data={"grade": 2}, id="other", time=LATER)],
        [("ae:AE-1", "Revision 1 came with different contents: which one is right?")],
    ),
    (
        "one revision of an enrolment with two contents",
        [FR01.enrolled(), FR01.enrolled(data={"dose_level": 3}, id="other")],
        [("enrolment", "Revision 1 came with different contents: which one is right?")],
    ),
    (
        "one revision of a result with two contents",
        [FR01.lab(), FR01.lab(data={"value": 99}, id="other")],
        [("lab:L-1", "Revision 1 came with different contents: which one is right?")],
    ),
    (
        "a retraction older than the record",
        [FR01.ae(data={"revision": 2}), BACK_1],
        [("ae:AE-1", "A retraction of revision 1 is older than the record: is the record in error?")],
    ),
    (
        "it continues a row that is not on record",
        linked(("AE-1", "AE-0")),
        [("ae:AE-1", "It continues AE-0, which is not on record or was retracted: which row does it continue?")],
    ),
    (
        "it continues a row that was retracted",
        [*linked(("AE-2", "AE-1")), FR01.ae(), FR01.retracted("ae", {"ae_id": "AE-1"}, time=LATER)],
        [("ae:AE-2", "It continues AE-1, which is not on record or was retracted: which row does it continue?")],
    ),
    (
        "rows in a circle",
        linked(("AE-1", "AE-2"), ("AE-2", "AE-1")),
        [("ae:AE-1", CIRCLE.format("AE-2")), ("ae:AE-2", CIRCLE.format("AE-1"))],
    ),
    ("a row that continues itself", linked(("AE-1", "AE-1")), [("ae:AE-1", CIRCLE.format("AE-1"))]),
    (
        "a grade above every step",
        [FR01.ae(data={"grades": [{"grade": 2, "from": "2017-02-20"}, {"grade": 3, "from": "2017-02-21"}]})],
        [("ae:AE-1", "Grade 4 is above every dated step (at most 3): when was it reached?")],
    ),
    (
        "fatal, by its outcome, with another grade",
        [FR01.ae(data={"outcome": "fatal"})],
        [("ae:AE-1", "It was fatal, yet graded 4: fatal is grade 5.")],
    ),
    (
        "fatal, by its seriousness, with another grade",
        [FR01.ae(data={"grade": 2, "seriousness": ["death"]})],
        [("ae:AE-1", "It was fatal, yet graded 2: fatal is grade 5.")],
    ),
    (
        "ongoing and recovered",
        [FR01.ae(data={"end": ..., "ongoing": True, "outcome": "recovered-with-sequelae"})],
        [("ae:AE-1", "It is ongoing, yet its outcome is recovered-with-sequelae: is it over, and since when?")],
    ),
    (
        "related to the treatment and to none of its drugs",
        [
            FR01.ae(
                data={
                    "causality": {
                        "investigator": {
                            "study-treatment": "probable",
                            "pexa-vec": "unrelated",
                            "ipilimumab": "unlikely",
                        }
                    }
                }
            )
        ],
        [("ae:AE-1", "Related to the study treatment, yet to none of its drugs: which answer is right?")],
    ),
    (
        "a ruling against nothing on record",
        [FR01.adjudicated("not-dlt", case="ae:AE-9")],
        [("adjudication:ADJ-1", "It names ae:AE-9, of which nothing is on record: which case is meant?")],
    ),
    (
        "a ruling against a part of a case",
        [FR01.ae(), *linked(("AE-2", "AE-1")), FR01.adjudicated("not-dlt", case="ae:AE-2")],
        [("adjudication:ADJ-1", "It names ae:AE-2, a part of ae:AE-1: is the whole toxicity meant?")],
    ),
]

IN_ORDER: list[tuple[str, list[Json]]] = [
    ("one version of each", [FR01.ae(), FR01.lab(), FR01.visit("2017-03-01")]),
    ("a correction", [FR01.ae(), FR01.ae(data={"revision": 2, "grade": 2}, time=LATER)]),
    ("a retraction", [FR01.ae(), FR01.retracted("ae", {"ae_id": "AE-1"}, time=LATER)]),
    (
        "a record revived after its retraction",
        [FR01.ae(), FR01.retracted("ae", {"ae_id": "AE-1"}, time=LATER), FR01.ae(data={"revision": 3})],
    ),
    ("linked rows", [FR01.ae(), *linked(("AE-2", "AE-1"), ("AE-3", "AE-2"))]),
    ("the worst grade among the steps", [FR01.ae(data={"grades": [{"grade": 4, "from": "2017-02-20"}]})]),
    ("fatal and grade 5", [FR01.ae(data={"grade": 5, "outcome": "fatal"})]),
    ("fatal without a grade", [FR01.ae(data={"grade": ..., "outcome": "fatal"})]),
    ("ongoing and recovering", [FR01.ae(data={"end": ..., "ongoing": True, "outcome": "recovering"})]),
    (
        "related to the treatment and to one of its drugs",
        [FR01.ae(data={"causality": {"investigator": {**RELATED["investigator"], "pexa-vec": "unrelated"}}})],
    ),
    ("a ruling on a case", [FR01.ae(), FR01.adjudicated("not-dlt", data=NOT_DLT)]),
    (
        "a ruling dose-limiting on a part",
        [FR01.ae(), *linked(("AE-2", "AE-1")), FR01.adjudicated("dlt", case="ae:AE-2")],
    ),
    ("a ruling on a result", [FR01.lab(), FR01.adjudicated("not-dlt", case="lab:ALT")]),
    (
        "a ruling by a synonym",
        [FR01.lab(data={"test": "ANC", "unit": "10*9/L", "uln": 75}), FR01.adjudicated("not-dlt", case="lab:NEUT")],
    ),
]


@pytest.mark.parametrize(("name", "events", "expected"), ASKED, ids=[name for name, _, _ in ASKED])
def test_what_contradicts_itself_is_asked_about(name: str, events: list[Json], expected: list[tuple[str, str]]) -> None:
    """Whatever the order in which it came."""
    assert questions(events) == expected
    assert questions(list(reversed(events))) == expected


@pytest.mark.parametrize(("name", "events"), IN_ORDER, ids=[name for name, _ in IN_ORDER])
def test_what_is_in_order_is_not_asked_about(name: str, events: list[Json]) -> None:
    assert questions(events) == []


def test_a_question_goes_with_its_cause() -> None:
    """The correction that answers it takes it away."""
    contradictory = FR01.ae(data={"end": ..., "ongoing": True, "outcome": "recovered"})
    corrected = FR01.ae(data={"revision": 2, "outcome": "recovered"}, time=LATER)
    assert questions([contradictory]) != []
    assert questions([contradictory, corrected]) == []
