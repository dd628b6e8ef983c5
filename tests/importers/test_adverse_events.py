"""AE: terms, grades, causality, outcome; rows that are revisions of one toxicity."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.importers.studies import one_file

AE = {
    "AESPID": "E1",
    "AETERM": "rash",
    "AEDECOD": "Rash",
    "AETOXGR": "2",
    "AESTDTC": "2014-01-05",
    "AEDTC": "2014-01-16",
}


def _ae(tmp_path: Path, mapping: Any = None, **change: str) -> dict[str, Any]:
    """The data of the event of one row."""
    (data,) = one_file(tmp_path, "ae", {**AE, **change}, **(mapping or {})).data
    return data


def test_a_row_of_ae_is_a_toxicity(tmp_path: Path) -> None:
    """With nothing in it that the row does not say."""
    (event,) = one_file(tmp_path, "ae", AE).events
    assert (event["type"], event["time"]) == ("toxwatch.ae.reported.v1", "2014-01-16T23:59:59+01:00")
    assert event["data"] == {
        "ae_id": "E1",
        "revision": 1,
        "term": "rash",
        "preferred_term": "Rash",
        "grade": 2,
        "onset": "2014-01-05",
    }


@pytest.mark.parametrize("onset", ["2014-01", "2014"])
def test_a_partial_onset_stays_partial(tmp_path: Path, onset: str) -> None:
    """Nothing is imputed."""
    assert _ae(tmp_path, AESTDTC=onset)["onset"] == onset


@pytest.mark.parametrize(
    ("word", "answer"),
    [
        ("RELATED", "related"),
        ("Not Related", "unrelated"),
        ("POSSIBLY RELATED", "possible"),
        ("UNLIKELY RELATED", "unlikely"),
        ("PROBABLE", "probable"),
        ("REMOTE", "unlikely"),
        ("", None),
        ("NOT ASSESSED", None),
    ],
)
def test_one_word_of_causality_is_about_the_study_treatment(tmp_path: Path, word: str, answer: str | None) -> None:
    """The investigator's; the study's words are in the mapping."""
    codes = {"causality": {"REMOTE": "unlikely", "NOT ASSESSED": ""}}
    found = _ae(tmp_path, {"codes": codes}, AEREL=word).get("causality")
    assert found == (None if answer is None else {"investigator": {"study-treatment": answer}})


def test_an_unknown_word_of_causality_is_told_and_left_out(tmp_path: Path) -> None:
    """Not related and unknown are two things, and neither is guessed."""
    result = one_file(tmp_path, "ae", {**AE, "AEREL": "REMOTE"})
    assert ("causality" in result.data[0], result.told("unmapped")) == (False, [(1, "AEREL", "REMOTE")])


def test_causality_may_have_several_columns(tmp_path: Path) -> None:
    """By drug, and the sponsor's own."""
    columns = [
        {"column": "AEREL"},
        {"column": "AERELA", "about": "drug-a"},
        {"column": "AERELP", "about": "injection-procedure"},
        {"column": "AERELS", "party": "sponsor", "about": "drug-a"},
    ]
    answers = {"AEREL": "RELATED", "AERELA": "POSSIBLE", "AERELP": "NOT RELATED", "AERELS": "UNLIKELY"}
    assert _ae(tmp_path, {"ae": {"causality": columns}}, **answers)["causality"] == {
        "investigator": {"study-treatment": "related", "drug-a": "possible", "injection-procedure": "unrelated"},
        "sponsor": {"drug-a": "unlikely"},
    }


@pytest.mark.parametrize(
    ("column", "word", "field", "value"),
    [
        ("AEACN", "DOSE NOT CHANGED", "action_taken", {"study-treatment": "none"}),
        ("AEACN", "DRUG WITHDRAWN", "action_taken", {"study-treatment": "withdrawn"}),
        ("AEACN", "DRUG INTERRUPTED", "action_taken", {"study-treatment": "interrupted"}),
        ("AEACN", "DOSE REDUCED", "action_taken", {"study-treatment": "reduced"}),
        ("AEOUT", "RECOVERED/RESOLVED", "outcome", "recovered"),
        ("AEOUT", "RECOVERED/RESOLVED WITH SEQUELAE", "outcome", "recovered-with-sequelae"),
        ("AEOUT", "FATAL", "outcome", "fatal"),
        ("AESER", "Y", "serious", True),
        ("AESER", "N", "serious", False),
        ("AESHOSP", "Y", "seriousness", ["hospitalisation"]),
        ("AESMIE", "Y", "seriousness", ["medically-important"]),
        ("AEENRTPT", "ONGOING", "ongoing", True),
        ("AEENRF", "ONGOING", "ongoing", True),
        ("AETOXGR", "Grade 4", "grade", 4),
    ],
)
def test_the_terms_of_cdisc_are_known(tmp_path: Path, column: str, word: str, field: str, value: object) -> None:
    """Without a mapping."""
    assert _ae(tmp_path, **{column: word})[field] == value


@pytest.mark.parametrize(
    ("column", "word"),
    [("AEACN", "DOSE INCREASED"), ("AEOUT", "BETTER"), ("AESER", "MAYBE"), ("AETOXGR", "0"), ("AEENRTPT", "AFTER")],
)
def test_other_words_are_told(tmp_path: Path, column: str, word: str) -> None:
    """And the event goes without them."""
    assert one_file(tmp_path, "ae", {**AE, column: word}).told("unmapped") == [(1, column, word)]


@pytest.mark.parametrize("outcome", ["NOT RECOVERED/NOT RESOLVED", "RECOVERING/RESOLVING"])
def test_what_has_not_resolved_goes_on(tmp_path: Path, outcome: str) -> None:
    """Unless an end is given: then both are written as they are, and the report says so."""
    assert _ae(tmp_path, AEOUT=outcome)["ongoing"] is True
    result = one_file(tmp_path, "ae", {**AE, "AEOUT": outcome, "AEENDTC": "2014-01-12"})
    assert ("ongoing" in result.data[0], result.data[0]["end"]) == (False, "2014-01-12")
    assert result.told("note") == [(1, "AEOUT", outcome)]


def test_criteria_and_seriousness_may_contradict_each_other(tmp_path: Path) -> None:
    """Both are written; a criterion that the contract lacks is told urgently, unless the mapping counts it as another."""
    result = one_file(tmp_path, "ae", {**AE, "AESER": "N", "AESHOSP": "Y", "AESLIFE": "Y", "AESCAN": "Y"})
    assert (result.data[0]["serious"], result.data[0]["seriousness"]) == (
        False,
        ["life-threatening", "hospitalisation"],
    )
    assert (result.told("note"), result.told("unmapped")) == ([(1, "AESER", "N")], [(1, "AESCAN", "Y")])
    assert result.summary.urgent == 1
    mapping = {"ae": {"seriousness": {"medically-important": ["AESMIE", "AESCAN"]}, "other_criteria": []}}
    assert _ae(tmp_path, mapping, AESCAN="Y")["seriousness"] == ["medically-important"]


def test_a_severity_is_no_grade(tmp_path: Path) -> None:
    """It is kept beside it, and its absence told, unless the mapping decides to read it as one."""
    result = one_file(tmp_path, "ae", {**AE, "AETOXGR": "", "AESEV": "SEVERE"})
    assert ("grade" in result.data[0], result.data[0]["x"]) == (False, {"severity": "SEVERE"})
    assert result.told("unmapped") == [(1, "AESEV", "SEVERE")]
    codes = {"severity_as_grade": {"SEVERE": 3}}
    assert _ae(tmp_path, {"codes": codes}, AETOXGR="", AESEV="SEVERE")["grade"] == 3
    assert _ae(tmp_path, {"codes": codes}, AETOXGR="4", AESEV="SEVERE")["grade"] == 4


def test_a_reference_date_of_ongoing_is_when_the_row_was_true(tmp_path: Path) -> None:
    """AEENTPT is no end; the row cannot have been written before it."""
    row = {**AE, "AEDTC": "", "AEENRTPT": "ONGOING", "AEENTPT": "2014-05-20"}
    (event,) = one_file(tmp_path, "ae", row).events
    assert (event["time"], event["data"]["ongoing"], "end" in event["data"]) == (
        "2014-05-20T23:59:59+02:00",
        True,
        False,
    )


def test_optional_answers_of_a_study(tmp_path: Path) -> None:
    """Flags, awareness, and the row that it continues."""
    ae = {"immune_related": "AEIR", "flu_like": "AEFL", "aware": "AEAW", "continues": "AECO", "meddra_version": "26.1"}
    data = _ae(tmp_path, {"ae": ae}, AEIR="Y", AEFL="N", AEAW="2014-01-06T09:00", AECO="E0", AEPTCD="10037844")
    assert (data["immune_related"], data["flu_like"], data["continues"]) == (True, False, "E0")
    assert (data["aware"], data["meddra_code"], data["meddra_version"]) == (
        "2014-01-06T09:00:00+01:00",
        "10037844",
        "26.1",
    )
    result = one_file(tmp_path, "ae", {**AE, "AEAW": "2014-01-06"}, ae=ae)
    assert result.told("unmapped") == [(1, "AEAW", "2014-01-06")]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"AESTDTC": "", "AEDTC": ""}, "time"),
        ({"AEENDTC": "2014-01-10", "AEENRTPT": "ONGOING"}, "data.end"),
        ({"AETERM": "a" * 2001}, "data.term"),
        ({"AETERM": "a\0b"}, "data.term"),
    ],
)
def test_a_row_that_cannot_be_an_event_is_refused(tmp_path: Path, change: dict[str, str], field: str) -> None:
    """Missing, contradictory, or not what the contract takes: the codec has the last word."""
    result = one_file(tmp_path, "ae", {**AE, **change})
    assert (result.events, [line[1] for line in result.told("refused")]) == ([], [field])
    assert result.summary.refused.total() == 1


@pytest.mark.parametrize("change", [{"AETOXGR": "3"}, {"AESER": "Y"}, {"AESLIFE": "Y"}, {"AEOUT": "FATAL"}])
def test_a_refused_row_that_says_something_severe_is_urgent(tmp_path: Path, change: dict[str, str]) -> None:
    """So that it is looked at first."""
    rows = [{**AE, "AETERM": "a" * 2001, "AETOXGR": "1"}, {**AE, "AETERM": "b" * 2001, **change}]
    result = one_file(tmp_path, "ae", *rows)
    assert [(line["row"], line["urgent"]) for line in result.lines if line["action"] == "refused"] == [
        (1, False),
        (2, True),
    ]


def test_a_row_without_a_term_or_an_id_is_an_event_all_the_same(tmp_path: Path) -> None:
    """The term is asked about; a blank id falls back to the sequence, else to what the row says."""
    rows = [
        {**AE, "AETERM": "", "AETOXGR": "4"},
        {**AE, "AESPID": "", "AESEQ": "2"},
        {**AE, "AESPID": "", "AESEQ": ""},
    ]
    result = one_file(tmp_path, "ae", *rows)
    first, second, third = result.data
    assert (first["term"], first["grade"], second["ae_id"]) == ("Rash", 4, "AESEQ=2")
    assert third["ae_id"].startswith("row=")
    assert result.told("unmapped") == [(1, "AETERM", "")]
    assert result.told("note") == [(2, "AESPID", ""), (3, "AESPID", "")]
    assert _ae(tmp_path, AETERM="", AEDECOD="")["term"] == "not reported"


def test_dates_that_contradict_each_other_are_both_left_out(tmp_path: Path) -> None:
    """The toxicity is not lost: when it was is open, and urgent."""
    result = one_file(tmp_path, "ae", {**AE, "AEENDTC": "2014-01-04", "AETOXGR": "4"})
    assert ("onset" in result.data[0], "end" in result.data[0], result.summary.urgent) == (False, False, 1)


def test_a_toxicity_without_any_date_is_known_at_the_latest_time_of_the_extract(tmp_path: Path) -> None:
    """When it began is open, which the rules take for possible."""
    undated = {**AE, "AESPID": "E2", "AESTDTC": "--12-15", "AEDTC": "", "AETOXGR": "4"}
    first, second = one_file(tmp_path, "ae", undated, AE).events
    assert (second["data"]["ae_id"], "onset" in second["data"], second["time"]) == ("E2", False, first["time"])


def test_rows_of_one_id_with_another_term_are_toxicities_of_their_own(tmp_path: Path) -> None:
    """The id may be the number of a page. Told urgently; the rows of each are settled among each other."""
    rows = [
        {**AE, "AESEQ": "1", "AETERM": "Colitis", "AEDECOD": "", "AETOXGR": "4"},
        {**AE, "AESEQ": "2", "AETERM": "Headache", "AEDECOD": "Headache", "AETOXGR": "1"},
        {**AE, "AESEQ": "3", "AETERM": "COLITIS", "AEDECOD": "Colitis", "AETOXGR": "4", "AEOUT": "FATAL"},
    ]
    result = one_file(tmp_path, "ae", *rows)
    assert {(data["ae_id"], data["term"].lower(), data["grade"]) for data in result.data} == {
        ("E1", "colitis", 4),
        ("E1.2", "headache", 1),
    }
    assert result.summary.urgent == 1


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_rows_of_one_id_never_settle_on_the_milder(tmp_path: Path, order: tuple[int, int]) -> None:
    """Whatever their order: the last revision has the worst grade, the stronger causality, fatal, serious, withdrawn."""
    grave = {"AETOXGR": "4", "AEREL": "RELATED", "AESER": "Y", "AESLIFE": "Y", "AEACN": "DRUG WITHDRAWN"}
    mild = {"AETOXGR": "2", "AEREL": "NOT RELATED", "AESER": "N", "AESLIFE": "", "AEACN": "DOSE NOT CHANGED"}
    rows = [{**AE, **each} for each in (grave, mild)]
    result = one_file(tmp_path, "ae", *(rows[at] for at in order))
    last = result.data[-1]
    assert (last["grade"], last["serious"], last["seriousness"]) == (4, True, ["life-threatening"])
    assert last["causality"]["investigator"]["study-treatment"] == "related"
    assert last["action_taken"] == {"study-treatment": "withdrawn"}
    if order == (0, 1):
        assert "the worst grade falls from 4 to 2" in result.message("unmapped")


def test_rows_that_begin_on_different_days_are_the_steps_of_one_grade(tmp_path: Path) -> None:
    """Each row has the grade of its own days: 2, then 4, then 1."""
    days = [("05", "07", "2"), ("07", "10", "4"), ("10", "20", "1")]
    rows = [
        {**AE, "AEDTC": "", "AESTDTC": f"2014-01-{start}", "AEENDTC": f"2014-01-{end}", "AETOXGR": grade}
        for start, end, grade in days
    ]
    for mapping in ({"ae": {"grade_is": "current"}}, {}):
        last = one_file(tmp_path, "ae", *rows, **mapping).data[-1]
        assert (last["onset"], last["end"], last["grade"]) == ("2014-01-05", "2014-01-20", 4)
        steps = [(step["grade"], step["from"]) for step in last["grades"]]
        assert steps == [(2, "2014-01-05"), (4, "2014-01-07"), (1, "2014-01-10")]


def test_rows_with_one_id_are_revisions_in_the_order_of_their_updates(tmp_path: Path) -> None:
    """Whatever the order of the file; another subject's are its own."""
    rows = [
        {**AE, "AEDTC": "2014-02-03", "AEOUT": "RECOVERED/RESOLVED", "AEENDTC": "2014-02-01"},
        {**AE, "AEDTC": "2014-01-16", "AEOUT": "NOT RECOVERED/NOT RESOLVED"},
        {**AE, "USUBJID": "S-2", "AEDTC": "2014-01-20"},
    ]
    events = one_file(tmp_path, "ae", *rows).events
    assert [(e["subject"], e["data"]["revision"], e["data"].get("outcome"), e["time"][:10]) for e in events] == [
        ("S-1", 1, "not-recovered", "2014-01-16"),
        ("S-1", 2, "recovered", "2014-02-03"),
        ("S-2", 1, None, "2014-01-20"),
    ]


def test_a_row_that_says_the_same_is_no_revision(tmp_path: Path) -> None:
    """It is noted; only what follows directly counts."""
    rows = [
        {**AE, "AEDTC": f"2014-01-{day}", "AETOXGR": grade}
        for day, grade in [(16, "2"), (17, "2"), (18, "3"), (19, "2")]
    ]
    result = one_file(tmp_path, "ae", *rows)
    assert [(data["revision"], data["grade"]) for data in result.data] == [(1, 2), (2, 3), (3, 3)]
    assert result.data[2]["grades"][-1] == {"grade": 2, "from": "2014-01-19"}
    assert [row for row, _, _ in result.told("note")] == [2]


def test_rows_of_one_update_stay_in_the_order_of_the_file(tmp_path: Path) -> None:
    """Nothing else orders them, and the report says so."""
    result = one_file(tmp_path, "ae", {**AE, "AETOXGR": "1"}, {**AE, "AETOXGR": "2"})
    assert [data["grade"] for data in result.data] == [1, 2]
    assert "in the file's order" in result.message("note")


def test_a_revision_may_be_the_millisecond_of_the_update(tmp_path: Path) -> None:
    """For extracts that overwrite rows: a later one has higher revisions; without an update it is counted."""
    rows = [{**AE, "AEDTC": "2014-01-16T10:00:00"}, {**AE, "AESPID": "E2", "AEDTC": ""}]
    result = one_file(tmp_path, "ae", *rows, revisions="update-time")
    assert [data["revision"] for data in result.data] == [1389862800000, 1]


def test_the_same_file_gives_the_same_events(tmp_path: Path) -> None:
    """A redelivery; a row that has changed has another id, and is not refused as one."""
    first, again = (one_file(tmp_path, "ae", AE).events for _ in range(2))
    (changed,) = one_file(tmp_path, "ae", {**AE, "AETOXGR": "3"}).events
    assert first == again
    assert first[0]["id"] != changed["id"]
    assert first[0]["id"].startswith("S-1.AE.E1.r1.")


def _course(tmp_path: Path, *rows: tuple[str, str], **change: str) -> list[tuple[int, list[tuple[int, str]] | None]]:
    """Grade and steps of each revision, of rows with an update and a grade each."""
    written = [{**AE, **change, "AEDTC": update, "AETOXGR": grade} for update, grade in rows]
    data = one_file(tmp_path, "ae", *written, ae={"grade_is": "current"}).data
    return [
        (each["grade"], [(step["grade"], step["from"]) for step in each["grades"]] if "grades" in each else None)
        for each in data
    ]


def test_grades_of_the_day_become_the_steps_of_one_grade(tmp_path: Path) -> None:
    """The first from the onset, each other one from the day of its row; the grade is the worst so far."""
    assert _course(tmp_path, ("2014-01-16", "1"), ("2014-01-30", "3"), ("2014-02-13", "1")) == [
        (1, None),
        (3, [(1, "2014-01-05"), (3, "2014-01-30")]),
        (3, [(1, "2014-01-05"), (3, "2014-01-30"), (1, "2014-02-13")]),
    ]


def test_a_row_without_a_grade_keeps_the_course(tmp_path: Path) -> None:
    """It says nothing of the grade."""
    course = _course(tmp_path, ("2014-01-16", "2"), ("2014-01-30", ""), ("2014-02-13", "3"))
    assert course == [(2, None), (3, [(2, "2014-01-05"), (3, "2014-02-13")])]


def test_a_grade_dated_after_the_end_is_no_step_and_still_the_worst(tmp_path: Path) -> None:
    """The row was written after it was over; the rules place what stands above every step."""
    rows = (("2014-01-16", "1"), ("2014-03-01", "3"))
    assert _course(tmp_path, *rows, AEENDTC="2014-02-01") == [(1, None), (3, [(1, "2014-01-05")])]


def test_without_an_onset_the_first_step_is_from_the_first_row(tmp_path: Path) -> None:
    """That is what is known."""
    course = _course(tmp_path, ("2014-01-16", "1"), ("2014-01-30", "2"), AESTDTC="")
    assert course[1] == (2, [(1, "2014-01-16"), (2, "2014-01-30")])
