"""Which difference between two revisions of an alert is news, and in which words it is shown."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from events.alert import AlertData
from events.envelope import EventRef
from projections.folds.alert_news import changes_of, says_the_same, telling_of
from projections.rules.cases.finding import Finding
from projections.rules.logic.truth import EventKey

CAUSE = EventRef(source="urn:site:FR01:edc", id="E-2")
POSSIBLE = Finding(
    case="ae:AE-1",
    protocol_version="1",
    verdict="possible",
    clauses={"DLT-1": "possible", "DLT-2": "watch"},
    population="part-a",
    dose_level=2,
    counts_as_dlt=False,
    overruled=False,
    due=None,
    basis=None,
    last_confirmed=None,
    rulings=(),
    reasons=("DLT-1 possible: grade 4",),
    questions=("Is it related?",),
    evidence=(EventKey("urn:site:FR01:edc", "E-1"),),
    urgency="prompt",
    worst_grade=4,
    occurrences=1,
)


def told(finding: Finding, **otherwise: Any) -> AlertData:
    """The alert that says what a finding says, as it was told last."""
    said = {
        "alert_id": "A-1",
        "revision": 1,
        "reasons": list(finding.reasons),
        "questions": list(finding.questions),
        "evidence": [ref._asdict() for ref in finding.evidence],
        "detected_at": "2017-03-01T00:00:00Z",
        "caused_by": CAUSE.model_dump(),
        "protocol_version": "1",
        "telling": "news",
        **{
            name: getattr(finding, name)
            for name in (
                *("case", "verdict", "clauses", "urgency", "population", "dose_level", "counts_as_dlt"),
                *("worst_grade", "occurrences"),
            )
        },
    }
    return AlertData.model_validate({**said, **otherwise})


DIFFERENCES: list[tuple[str, dict[str, Any], str, list[tuple[str, str | None, str | None]]]] = [
    ("a clause is stronger", {"clauses": {"DLT-1": "met"}}, "news", [("DLT-1", "possible", "met")]),
    ("a clause is new", {"clauses": {"DLT-1": "possible", "DLT-3": "possible"}}, "news", [("DLT-3", "no", "possible")]),
    (
        "a watch has begun to stand",
        {"clauses": {"DLT-1": "possible", "DLT-2": "met"}},
        "news",
        [("DLT-2", "no", "met")],
    ),
    ("the worst grade is higher", {"worst_grade": 5}, "news", [("worst grade", "4", "5")]),
    ("the worst grade is lower", {"worst_grade": 3}, "quiet", [("worst grade", "4", "3")]),
    ("the grade was taken back", {"worst_grade": None}, "quiet", [("worst grade", "4", "not on record")]),
    ("it counts from now on", {"counts_as_dlt": True}, "news", [("counts as a DLT", "no", "yes")]),
    ("another part", {"population": "part-b"}, "news", [("population", "part-a", "part-b")]),
    ("another dose level", {"dose_level": 1}, "news", [("dose level", "2", "1")]),
    ("the dose level was taken back", {"dose_level": None}, "news", [("dose level", "2", "not on record")]),
    ("more urgent", {"urgency": "urgent"}, "news", [("urgency", "prompt", "urgent")]),
    ("less urgent", {"urgency": "routine"}, "quiet", [("urgency", "prompt", "routine")]),
    ("one more row or course", {"occurrences": 2}, "news", []),
    ("a question is settled", {"questions": ()}, "silent", [("question settled", "Is it related?", None)]),
    (
        "a question more",
        {"questions": ("Is it related?", "What was the grade?")},
        "silent",
        [("question", None, "What was the grade?")],
    ),
    (
        "evidence more",
        {"evidence": (*POSSIBLE.evidence, EventKey("urn:site:FR01:lab", "E-3"))},
        "silent",
        [("evidence", "1 event", "2 events")],
    ),
]


@pytest.mark.parametrize(("_sentence", "now", "telling", "shown"), DIFFERENCES, ids=[d[0] for d in DIFFERENCES])
def test_a_difference_is_told_as_what_it_is(
    _sentence: str, now: dict[str, Any], telling: str, shown: list[tuple[str, str | None, str | None]]
) -> None:
    """News wakes somebody, what is weaker is told quietly, and the rest is silent; each is shown, before and after."""
    before, after = told(POSSIBLE), replace(POSSIBLE, **now)
    assert not says_the_same(before, after)
    assert telling_of("revised", before, after) == telling
    found = changes_of(before, after, CAUSE, None, version="1")
    assert [(one.what, one.before, one.after) for one in found] == shown
    assert all(one.by == CAUSE for one in found)


@pytest.mark.parametrize(
    ("strong", "weak"),
    [
        ({"clauses": {"DLT-1": "met"}}, {"clauses": {"DLT-1": "possible"}}),
        ({"clauses": {"DLT-1": "possible", "DLT-3": "possible"}}, {"clauses": {"DLT-1": "possible"}}),
        ({"counts_as_dlt": True}, {"counts_as_dlt": False}),
        ({"worst_grade": 1}, {"worst_grade": None}),
    ],
)
def test_what_is_weaker_is_told_quietly(strong: dict[str, Any], weak: dict[str, Any]) -> None:
    assert telling_of("revised", told(replace(POSSIBLE, **strong)), replace(POSSIBLE, **weak)) == "quiet"
    assert telling_of("revised", told(replace(POSSIBLE, **weak)), replace(POSSIBLE, **strong)) == "news"


def test_a_watch_and_other_words_are_nothing_that_an_alert_says() -> None:
    after = replace(POSSIBLE, clauses={"DLT-1": "possible"}, reasons=("in other words",), due=5)
    assert says_the_same(told(POSSIBLE), after)
    assert changes_of(told(POSSIBLE), after, CAUSE, None, version="1") == []
    assert telling_of("revised", told(POSSIBLE), after) == "silent"


def test_what_older_software_told_says_nothing_of_the_grade_or_the_number_of_rows() -> None:
    """That they are known now is no news; a stronger clause is."""
    before = told(POSSIBLE, telling=None, worst_grade=None, occurrences=None)
    assert telling_of("revised", before, POSSIBLE) == "silent"
    assert telling_of("revised", before, replace(POSSIBLE, clauses={"DLT-1": "met"})) == "news"


def test_raising_is_news_and_withdrawing_is_quiet() -> None:
    assert telling_of("raised", None, POSSIBLE) == "news"
    assert telling_of("withdrawn", told(POSSIBLE), None) == "quiet"
    assert (
        telling_of("withdrawn", told(POSSIBLE), replace(POSSIBLE, clauses={"DLT-1": "met"}, overruled=True)) == "quiet"
    )


def test_what_is_told_anew_after_a_withdrawal_shows_what_it_is_now() -> None:
    found = changes_of(None, POSSIBLE, CAUSE, None, version="1")
    assert [(one.what, one.before, one.after) for one in found] == [("DLT-1", "no", "possible")]


def test_a_withdrawal_shows_each_clause_that_is_gone_the_ruling_and_the_reason_given() -> None:
    """A case that is gone, and one that was overruled: the machine's verdict stays visible, and alerts no more."""
    reason = "entered in error " * 200
    gone = changes_of(told(POSSIBLE), None, CAUSE, reason, version="1")
    assert [(one.what, one.before, one.after) for one in gone] == [
        ("DLT-1", "possible", "no"),
        ("reason given", None, reason[:2000]),
    ]
    overruled = changes_of(told(POSSIBLE), replace(POSSIBLE, overruled=True), CAUSE, None, version="1")
    assert [(one.what, one.before, one.after) for one in overruled] == [
        ("DLT-1", "possible", "no"),
        ("adjudicated", None, "not dose-limiting"),
    ]
