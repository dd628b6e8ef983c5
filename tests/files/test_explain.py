"""``toxwatch explain``: the proof of one case, as a physician would hold it beside the protocol."""

from __future__ import annotations

import pytest

from projections.protocols.isi_jx import PROTOCOL
from tests.files.command_line import AS_OF, Outcome, assess, explain
from tests.files.writing import FR01, TIME, UNRELATED, Json, Site

OPEN_3 = {"grade": 3, "onset": "2017-02-20T10:00:00Z", "end": ..., "ongoing": True}
SECOND = {"revision": 2}


def clause(outcome: Outcome, clause_id: str) -> Json:
    """One clause of the JSON."""
    return next(row for row in outcome.json["clauses"] if row["clause"] == clause_id)


def answers(outcome: Outcome, clause_id: str) -> dict[str, str]:
    """Of a clause judged on one interval, each predicate's answer."""
    (steps,) = clause(outcome, clause_id)["intervals"]
    return {step["predicate"]: step["answer"] for step in steps}


def as_json(*events: Json, case: str = "ae:AE-1", as_of: str = AS_OF) -> Outcome:
    return explain([*FR01.treated(), *events], case, "--format", "json", as_of=as_of)


def test_the_json_has_the_whole_proof() -> None:
    told = as_json(FR01.ae()).json
    assert list(told) == [
        "as_of",
        "protocol",
        "title",
        "subject",
        "case",
        "finding",
        "clauses",
        "questions",
        "history",
    ]
    assert (told["as_of"], told["protocol"], told["title"]) == (AS_OF, "isi-jx", PROTOCOL.title)
    assert (told["subject"], told["case"]) == ("FR01-001", "ae:AE-1")
    for row in told["clauses"]:
        assert list(row) == ["clause", "wording", "verdict", "intervals", "otherwise"]
        assert bool(row["intervals"]) is (row["otherwise"] is None)
        for step in (step for steps in row["intervals"] for step in steps):
            assert list(step) == ["predicate", "answer", "reason", "question", "events", "later"]
            assert step["answer"] in ("yes", "no", "unknown")
            assert step["reason"]


def test_it_says_the_same_as_assess() -> None:
    events = [*FR01.treated(), FR01.ae(data={"causality": ...})]
    (case,) = assess(events).json["cases"]
    assert explain(events, "ae:AE-1", "--format", "json").json["finding"] == case


@pytest.mark.parametrize("declared", PROTOCOL.clauses, ids=lambda clause: clause.id)
def test_every_clause_is_quoted_in_the_protocols_words(declared: object) -> None:
    """In the protocol's order, whether it holds or not, as text and as JSON."""
    wording: str = declared.wording  # type: ignore[attr-defined]
    clause_id: str = declared.id  # type: ignore[attr-defined]
    text = explain([*FR01.treated(), FR01.ae()])
    assert f'"{wording}"' in text.words
    assert clause(as_json(FR01.ae()), clause_id)["wording"] == wording


def test_clauses_come_in_the_protocols_order() -> None:
    assert [row["clause"] for row in as_json(FR01.ae()).json["clauses"]] == [c.id for c in PROTOCOL.clauses]


def test_each_predicate_gives_its_answer_and_its_events() -> None:
    outcome = as_json(FR01.ae())
    (steps,) = clause(outcome, "DLT-1")["intervals"]
    assert [(step["predicate"], step["answer"], [event["id"] for event in step["events"]]) for step in steps] == [
        ("grade ≥4", "yes", ["FR01-001.ae.reported.AE-1.r1"]),
        ("related to the study drugs", "yes", ["FR01-001.ae.reported.AE-1.r1"]),
        ("begun in the window", "yes", ["FR01-001.treatment.administered.A-1.r1"]),
    ]
    assert steps[2]["reason"] == "2017-02-20, day 8 of 35"


def test_what_fails_is_shown_whole_although_one_no_would_decide() -> None:
    """A physician wants to see every predicate, not the first that failed."""
    outcome = as_json(FR01.ae(data={"grade": 3, "causality": UNRELATED}))
    assert outcome.json["finding"] is None
    assert answers(outcome, "DLT-2") == {
        "grade ≥3": "yes",
        "related to the study drugs": "no",
        "begun in the window": "yes",
        "lasting more than 7 days": "no",
        "not a flu-like symptom that responds to standard therapy": "yes",
    }


def test_what_is_unknown_comes_with_its_question() -> None:
    outcome = as_json(FR01.ae(data={"causality": {"investigator": {"pexa-vec": "unrelated"}}}))
    (steps,) = clause(outcome, "DLT-1")["intervals"]
    (open_step,) = (step for step in steps if step["answer"] == "unknown")
    question = "Is it related to ipilimumab? Not assessed by the investigator."
    assert open_step["question"] == question
    assert question in outcome.json["questions"]
    text = explain([*FR01.treated(), FR01.ae(data={"causality": {"investigator": {"pexa-vec": "unrelated"}}})])
    assert f"What would settle it ? {question}" in text.words
    assert "? related to the study drugs: investigator: no causality for ipilimumab" in text.words


def test_what_never_reached_the_grade_says_so() -> None:
    outcome = as_json(FR01.ae(data={"grade": 2}))
    assert outcome.code == 0
    assert clause(outcome, "DLT-1")["otherwise"] == "never at grade ≥4: the worst grade on record is 2"
    assert "No verdict." in explain([*FR01.treated(), FR01.ae(data={"grade": 2})]).words


def test_what_was_exempted_is_said_not_hidden() -> None:
    """rules.md §3.7: fever for nine days that responded to paracetamol meets everything else of DLT-2."""
    data = {"term": "Pyrexia", "grade": 3, "end": "2017-03-01", "responded_to_therapy": True, "flu_like": True}
    outcome = as_json(FR01.ae(data=data))
    assert assess([*FR01.treated(), FR01.ae(data=data)]).json["cases"] == []
    assert answers(outcome, "DLT-2") == {
        "grade ≥3": "yes",
        "related to the study drugs": "yes",
        "begun in the window": "yes",
        "lasting more than 7 days": "yes",
        "not a flu-like symptom that responds to standard therapy": "no",
    }
    text = explain([*FR01.treated(), FR01.ae(data=data)]).words
    assert (
        "- not a flu-like symptom that responds to standard therapy: exempt: flagged flu-like; responded to"
    ) in text


def test_a_countdown_shows_what_time_alone_will_do() -> None:
    events = [*FR01.treated(), FR01.ae(data=OPEN_3, time="2017-02-21T00:00:00Z")]
    text = explain(events, as_of="2017-02-22T00:00:00Z").words
    assert "Verdict: watch (does not count as a DLT; part-a; presumed-ongoing" in text
    assert "time alone changes it at 2017-02-27T10:00:00Z" in text
    assert "from 2017-02-27T10:00:00Z yes: at grade ≥3 from 2017-02-20 11:00, still going on" in text
    (steps,) = clause(explain(events, "ae:AE-1", "--format", "json", as_of="2017-02-22T00:00:00Z"), "DLT-2")[
        "intervals"
    ]
    lasting = next(step for step in steps if step["predicate"].startswith("lasting"))
    assert [(later["at"], later["answer"]) for later in lasting["later"]] == [("2017-02-27T10:00:00Z", "yes")]


def test_the_history_tells_events_from_time_alone() -> None:
    """Watched when reported, met by the passing of time, gone with the correction of its grade."""
    events = [
        *FR01.treated(),
        FR01.ae(data=OPEN_3, time="2017-02-21T00:00:00Z"),
        FR01.ae(data={**OPEN_3, **SECOND, "grade": 2}, time="2017-03-10T00:00:00Z"),
    ]
    history = explain(events, "ae:AE-1", "--format", "json").json["history"]
    told = [(turn["at"], turn["verdict"], turn["cause"] and turn["cause"]["id"]) for turn in history]
    assert told == [
        ("2017-02-21T00:00:00Z", "watch", "FR01-001.ae.reported.AE-1.r1"),
        ("2017-02-27T10:00:00Z", "met", None),
        ("2017-03-10T00:00:00Z", None, "FR01-001.ae.reported.AE-1.r2"),
    ]
    assert [turn["due"] for turn in history] == ["2017-02-27T10:00:00Z", None, None]
    words = explain(events).words
    assert "2017-02-27T10:00:00Z met (DLT-2 met) by time alone" in words
    assert "2017-03-10T00:00:00Z nothing stands by event FR01-001.ae.reported.AE-1.r2" in words


def test_the_history_ends_where_it_is_asked() -> None:
    events = [*FR01.treated(), FR01.ae(data=OPEN_3, time="2017-02-21T00:00:00Z")]
    told = explain(events, "ae:AE-1", "--format", "json", as_of="2017-02-27T09:59:59Z").json["history"]
    assert [turn["verdict"] for turn in told] == ["watch"]


def test_on_the_axis_of_receipt_the_history_is_ours() -> None:
    events = [*FR01.treated(), FR01.ae(receivedtime="2017-03-28T00:00:00Z")]
    for axis, at in (("recorded", TIME), ("received", "2017-03-28T00:00:00Z")):
        told = explain(events, "ae:AE-1", "--format", "json", "--as-of-axis", axis).json["history"]
        assert [(turn["at"], turn["verdict"]) for turn in told] == [(at, "met")]


def test_an_overrule_is_shown_beside_the_machines_verdict() -> None:
    """Who decided stays visible, and so does what the machine thinks."""
    overrule = FR01.adjudicated("not-dlt", time="2017-03-25T00:00:00Z", data={"decided": "2017-03-24T00:00:00Z"})
    words = explain([*FR01.treated(), FR01.ae(), overrule]).words
    assert "Verdict: met (does not count as a DLT; part-a; overruled)" in words
    assert "2017-03-25T00:00:00Z overruled (DLT-1 met) by event FR01-001.dlt.adjudicated.ADJ-1.r1" in words
    told = as_json(FR01.ae(), overrule).json
    assert told["finding"]["overruled"] is True
    assert [turn["overruled"] for turn in told["history"]] == [False, True]


def test_an_adjudication_is_a_clause_like_the_others() -> None:
    outcome = as_json(FR01.ae(data={"grade": 1}), FR01.adjudicated("dlt"))
    assert answers(outcome, "DLT-5") == {"adjudicated dose-limiting": "yes"}
    assert "adjudicated dose-limiting (ADJ-1, investigator and sponsor)" in str(clause(outcome, "DLT-5"))


def test_several_intervals_are_told_apart() -> None:
    """Twice at grade 3: the clause is the or over both."""
    grades = [
        {"grade": grade, "from": date}
        for grade, date in ((3, "2017-02-20"), (1, "2017-02-22"), (3, "2017-03-01"), (1, "2017-03-12"))
    ]
    data = {"grade": 3, "grades": grades, "onset": "2017-02-20", "end": "2017-03-15"}
    outcome = as_json(FR01.ae(data=data))
    verdicts = [
        next(step["answer"] for step in steps if step["predicate"].startswith("lasting"))
        for steps in clause(outcome, "DLT-2")["intervals"]
    ]
    assert clause(outcome, "DLT-2")["verdict"] == "met"
    assert verdicts == ["unknown", "yes"]
    words = explain([*FR01.treated(), FR01.ae(data=data)]).words
    assert "interval 1" in words
    assert "interval 2" in words


def test_an_unknown_case_is_1_and_says_what_is_on_record() -> None:
    outcome = explain([*FR01.treated(), FR01.ae(), FR01.ae("AE-2")], "ae:AE-7")
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err == "toxwatch: FR01-001 has no case ae:AE-7 then; on record: ae:AE-1, ae:AE-2\n"


def test_an_unknown_subject_is_1_and_has_nothing_on_record() -> None:
    outcome = explain([*FR01.treated(), FR01.ae()], subject="FR09-999")
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err == "toxwatch: FR09-999 has no case ae:AE-1 then; on record: none\n"


def test_a_case_that_was_not_known_yet_is_no_case_then() -> None:
    assert explain([*FR01.treated(), FR01.ae()], as_of="2017-03-01T00:00:00Z").code == 1


def test_a_retracted_case_is_no_case_any_more() -> None:
    back = FR01.retracted("ae", {"ae_id": "AE-1"}, time="2017-03-21T00:00:00Z")
    assert explain([*FR01.treated(), FR01.ae(), back]).code == 1


def test_a_later_row_of_a_joined_case_points_to_the_first() -> None:
    events = [
        *FR01.treated(),
        FR01.ae(),
        FR01.ae("AE-2", data={"onset": "2017-02-22", "end": "2017-02-25", "continues": "AE-1"}),
        FR01.ae("AE-3", data={"onset": "2017-02-25", "end": "2017-02-26", "continues": "AE-2"}),
    ]
    for later in ("AE-2", "AE-3"):
        outcome = explain(events, f"ae:{later}")
        assert (outcome.code, outcome.out) == (1, "")
        assert outcome.err == (f"toxwatch: ae:{later} of FR01-001 is a later row of ae:AE-1: explain that case\n")
    assert explain(events).code == 0


def test_an_unexplained_stop_can_be_explained() -> None:
    """A case without an interval."""
    outcome = as_json(FR01.discontinued("2017-03-01", "death"), case="discontinued:death")
    assert answers(outcome, "DLT-1") == {"explained by an adverse event": "unknown", "dated in the window": "yes"}


def test_other_subjects_have_no_part_in_it() -> None:
    other = Site(subject="FR01-002")
    alone = as_json(FR01.ae())
    assert as_json(FR01.ae(), *other.treated(), other.ae(data={"grade": 5})).json == alone.json


def test_what_was_refused_is_listed_here_too() -> None:
    """Exit 2: perhaps the refused line is what is missing in the explanation."""
    outcome = explain([*FR01.treated(), FR01.ae(), FR01.ae("AE-2", data={"grade": 7})])
    assert outcome.code == 2
    assert "-:4: URGENT refused (id FR01-001.ae.reported.AE-2.r1)" in outcome.err


def test_a_case_whose_only_event_was_refused_says_that_it_was() -> None:
    """Or somebody would believe that nothing ever came."""
    outcome = explain([*FR01.treated(), FR01.ae(data={"grade": 7})])
    assert outcome.code != 0
    assert "-:3: URGENT refused (id FR01-001.ae.reported.AE-1.r1)" in outcome.err
