"""DM, EX, SV and DS: who takes part, what was given, which visits took place, who left."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.importers.studies import Imported, csv_file, imported, one_file

DM = {"RFICDTC": "2014-01-02", "DMDTC": "2014-01-03", "SEX": "F", "BRTHDTC": "1950-12-26", "ARMCD": "LOW"}
EX = {"EXSEQ": "1", "EXTRT": "Drug A", "EXDOSE": "54", "EXDOSU": "mg", "EXSTDTC": "2014-01-02"}
SV = {"VISITNUM": "1", "VISIT": "WEEK 2", "SVSTDTC": "2014-01-16"}
DS = {
    "DSCAT": "DISPOSITION EVENT",
    "DSSCAT": "STUDY PARTICIPATION",
    "DSDECOD": "WITHDRAWAL BY SUBJECT",
    "DSSTDTC": "2014-03-01",
    "DSDTC": "2014-03-02",
}


def test_a_row_of_dm_is_an_enrolment(tmp_path: Path) -> None:
    """Part and dose level by the arm, the year of birth alone, the time of the collection."""
    (event,) = one_file(tmp_path, "dm", DM).events
    assert (event["type"], event["subject"], event["site"]) == ("toxwatch.subject.enrolled.v1", "S-1", "FR01")
    assert (event["source"], event["trial"], event["time"]) == (
        "urn:site:FR01:import",
        "T-1",
        "2014-01-03T23:59:59+01:00",
    )
    assert event["data"] == {
        "revision": 1,
        "part": "A",
        "dose_level": 1,
        "enrolled": "2014-01-02",
        "sex": "F",
        "birth_year": 1950,
    }


@pytest.mark.parametrize(
    ("change", "left_out", "told"),
    [
        ({"ARMCD": "MIDDLE"}, {"part", "dose_level"}, ("ARMCD", "MIDDLE")),
        ({"ARMCD": "MIDDLE", "ACTARMCD": "HIGHER"}, {"part", "dose_level"}, ("ACTARMCD", "HIGHER")),
        ({"ARMCD": ""}, {"part", "dose_level"}, None),
        ({"ARMCD": "EXP"}, {"dose_level"}, None),
        ({"SEX": "UNDIFFERENTIATED"}, {"sex"}, ("SEX", "UNDIFFERENTIATED")),
        ({"SEX": "U"}, {"sex"}, None),
        ({"BRTHDTC": "unknown"}, {"birth_year"}, ("BRTHDTC", "unknown")),
    ],
)
def test_what_is_not_known_of_a_subject_is_left_out_and_told(
    tmp_path: Path, change: dict[str, str], left_out: set[str], told: tuple[str, str] | None
) -> None:
    """Unless there was nothing, or the mapping knows that it means nothing."""
    result = one_file(tmp_path, "dm", {**DM, **change})
    everything = {"revision", "part", "dose_level", "enrolled", "sex", "birth_year"}
    assert set(result.data[0]) == everything - left_out
    assert result.told("unmapped") == ([] if told is None else [(1, *told)])


def test_a_subject_without_a_date_of_enrolment_is_refused(tmp_path: Path) -> None:
    """The mapping can name another column; nothing else stands for it."""
    result = one_file(tmp_path, "dm", {**DM, "RFICDTC": ""})
    assert (result.events, result.told("refused")) == ([], [(1, "RFICDTC", "")])
    mapped = one_file(tmp_path, "dm", {**DM, "RFICDTC": ""}, dm={"enrolled": ["RFICDTC", "DMDTC"]})
    assert mapped.data[0]["enrolled"] == "2014-01-03"


def test_a_site_in_another_time_zone_says_so_and_its_times_have_that_offset(tmp_path: Path) -> None:
    """The other sites have the protocol's zone, and do not repeat it."""
    zones = {"FR01": "America/Guadeloupe"}
    (event,) = one_file(tmp_path, "dm", {**DM, "RFICDTC": "2014-01-02T10:00"}, time_zones=zones).events
    assert event["data"]["time_zone"] == "America/Guadeloupe"
    assert event["data"]["enrolled"] == "2014-01-02T10:00:00-04:00"


def _dm_and_ds(folder: Path, ds: dict[str, str] | None, **dm: str) -> Imported:
    csv_file(folder / "dm.csv", [{"USUBJID": "S-1", **DM, "DTHDTC": "2014-02-01", "DTHFL": "Y", **dm}])
    if ds is not None:
        csv_file(folder / "ds.csv", [{"USUBJID": "S-1", **ds}])
    return imported("sdtm", folder)


def _ends(result: Imported) -> list[dict[str, Any]]:
    return [event["data"] for event in result.events if "discontinued" in event["type"]]


def test_a_death_that_only_dm_tells_of_is_an_end_of_study(tmp_path: Path) -> None:
    """And the report says where it comes from."""
    result = _dm_and_ds(tmp_path, None)
    assert _ends(result) == [{"revision": 1, "scope": "study", "date": "2014-02-01", "reason": "death"}]
    assert result.told("note") == [(1, "DTHDTC", "2014-02-01")]


def test_a_death_counts_even_where_the_enrolment_is_refused(tmp_path: Path) -> None:
    """Losing it would be worse than not knowing the enrolment."""
    result = _dm_and_ds(tmp_path, None, RFICDTC="")
    assert [data["reason"] for data in _ends(result)] == ["death"]
    assert result.told("refused") == [(1, "RFICDTC", "")]


def test_where_ds_tells_of_the_death_dm_does_not_tell_it_again(tmp_path: Path) -> None:
    """One record a scope."""
    (data,) = _ends(_dm_and_ds(tmp_path, {**DS, "DSDECOD": "DEATH", "DSSTDTC": "2014-02-01"}))
    assert (data["reason"], data["x"]) == ("death", {"reason": "DEATH"})


def test_a_death_beside_another_reason_in_ds_is_told_urgently(tmp_path: Path) -> None:
    """One record cannot hold both: the death is its last revision, and the other end the last contact."""
    result = _dm_and_ds(tmp_path, {**DS, "DSDECOD": "COMPLETED", "DSSTDTC": "2014-01-20"})
    assert [(data["revision"], data["reason"]) for data in _ends(result)] == [(1, "completed"), (2, "death")]
    assert _ends(result)[1]["last_contact"] == "2014-01-20"
    assert result.told("unmapped") == [(1, "DTHDTC", "2014-02-01")]
    assert result.summary.urgent == 1


def test_a_death_without_a_date_is_told_urgently(tmp_path: Path) -> None:
    """And written as of the year of the enrolment, which leaves open when it was."""
    for date in ("", "unknown"):
        result = _dm_and_ds(tmp_path, None, DTHDTC=date)
        assert _ends(result) == [{"revision": 1, "scope": "study", "date": "2014", "reason": "death"}]
        assert result.summary.urgent == 1


@pytest.mark.parametrize(
    "change",
    [
        {"DSDECOD": "DEATH", "DSCAT": "OTHER EVENT", "DSSCAT": ""},
        {"DSDECOD": "DIED OF PROGRESSION"},
        {"DSDECOD": "OTHER", "DSTERM": "Subject deceased at home"},
        {"DSDECOD": "Décès", "DSSCAT": "DRUG A"},
        {"DSDECOD": "DEATH", "DSSTDTC": ""},
    ],
)
def test_a_death_in_ds_is_never_left_out(tmp_path: Path, change: dict[str, str]) -> None:
    """Whatever the category, the scope, the words, and even without a date."""
    (data,) = one_file(tmp_path, "ds", {**DS, **change}).data
    assert (data["reason"], data["date"][:4]) == ("death", "2014")


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_of_several_ends_the_death_holds(tmp_path: Path, order: tuple[int, int]) -> None:
    """Rows of DS are no revisions of each other: the gravest is the last."""
    rows = [DS, {**DS, "DSDECOD": "DEATH", "DSSTDTC": "2014-02-01", "DSDTC": "2014-02-01"}]
    result = one_file(tmp_path, "ds", *(rows[at] for at in order))
    assert [(data["revision"], data["reason"]) for data in result.data] == [(1, "withdrawal"), (2, "death")]
    assert result.summary.urgent == 1


def test_a_row_of_ex_is_an_administration(tmp_path: Path) -> None:
    """At its date, with its dose; the words of the mapping need no capitals."""
    (event,) = one_file(tmp_path, "ex", EX).events
    assert event["type"] == "toxwatch.treatment.administered.v1"
    assert event["data"] == {
        "administration_id": "1",
        "revision": 1,
        "drug": "drug-a",
        "given": "2014-01-02",
        "status": "given",
        "dose": 54,
        "dose_unit": "mg",
    }


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"EXDOSE": "0"}, "not-given"),
        ({"EXDOSE": "0", "EXTRT": "PLACEBO"}, "given"),
        ({"EXDOSE": ""}, "given"),
        ({"EXOCCUR": "N", "EXDOSE": ""}, "not-given"),
        ({"EXOCCUR": "Y"}, "given"),
        ({"EXSTAT": "NOT DONE", "EXDOSE": ""}, "not-given"),
        ({"EXSTAT": "INCOMPLETE"}, "partial"),
    ],
)
def test_a_missed_dose_was_not_given_and_placebo_was(tmp_path: Path, change: dict[str, str], status: str) -> None:
    """Although both have a dose of zero."""
    codes = {"given": {"INCOMPLETE": "partial"}}
    assert one_file(tmp_path, "ex", {**EX, **change}, codes=codes).data[0]["status"] == status


def test_an_interval_is_one_administration_at_its_start_known_at_its_end(tmp_path: Path) -> None:
    """And the report says so, row by row."""
    result = one_file(tmp_path, "ex", {**EX, "EXENDTC": "2014-01-16"})
    assert result.data[0]["given"] == "2014-01-02"
    assert result.events[0]["time"] == "2014-01-16T23:59:59+01:00"
    assert result.told("note") == [(1, "EXENDTC", "2014-01-16")]
    ongoing = one_file(tmp_path, "ex", {**EX, "EXENRTPT": "ONGOING"})
    assert ongoing.told("note") == [(1, "EXENRTPT", "ONGOING")]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"EXTRT": "DRUG B"}, "EXTRT"),
        ({"EXTRT": ""}, "EXTRT"),
        ({"EXSTDTC": ""}, "EXSTDTC"),
    ],
)
def test_an_administration_that_cannot_be_told_is_refused(tmp_path: Path, change: dict[str, str], field: str) -> None:
    """Which drug, and when."""
    result = one_file(tmp_path, "ex", {**EX, **change})
    assert (result.events, result.told("refused")) == ([], [(1, field, change[field])])


@pytest.mark.parametrize(
    ("change", "given"),
    [
        ({"EXSTDTC": "", "EXENDTC": "2014-01-13"}, "2014-01"),
        ({"EXSTDTC": "", "EXENDTC": "2014-02-13"}, "2014"),
        ({"EXSTDTC": ""}, "2014"),
        ({"EXSTDTC": "2014-01-13", "EXENDTC": "2014-01-03"}, "2014-01"),
        ({"EXSTDTC": "2014-01-32"}, "2014-01"),
    ],
)
def test_a_first_dose_without_a_start_leaves_day_1_uncertain(
    tmp_path: Path, change: dict[str, str], given: str
) -> None:
    """It lies between the enrolment and the end: two weeks later is not day 1."""
    csv_file(tmp_path / "dm.csv", [{"USUBJID": "S-1", **DM}])
    later = {"USUBJID": "S-1", **EX, "EXSEQ": "2", "EXSTDTC": "2014-03-01"}
    csv_file(tmp_path / "ex.csv", [{"USUBJID": "S-1", **EX, **change}, later])
    result = imported("sdtm", tmp_path)
    doses = {
        event["data"]["administration_id"]: event["data"]["given"]
        for event in result.events
        if "given" in event["data"]
    }
    assert doses == {"1": given, "2": "2014-03-01"}


def test_a_later_dose_without_a_start_leaves_day_1_as_it_is(tmp_path: Path) -> None:
    """Its end is the day on which something was given."""
    result = one_file(tmp_path, "ex", EX, {**EX, "EXSEQ": "2", "EXSTDTC": "", "EXENDTC": "2014-02-13"})
    assert [data["given"] for data in result.data] == ["2014-01-02", "2014-02-13"]


def test_doses_of_one_id_are_doses_of_their_own(tmp_path: Path) -> None:
    """An id may be the number of a page: no dose replaces the first one."""
    rows = [{**EX, "EXSPID": "P1"}, {**EX, "EXSPID": "P1", "EXSEQ": "2", "EXSTDTC": "2014-01-16"}]
    result = one_file(tmp_path, "ex", *rows)
    assert [(data["administration_id"], data["given"]) for data in result.data] == [
        ("P1", "2014-01-02"),
        ("P1.2", "2014-01-16"),
    ]


def test_a_treatment_that_the_mapping_leaves_out_is_no_event_and_a_note(tmp_path: Path) -> None:
    """Not refused: somebody has decided."""
    result = one_file(tmp_path, "ex", {**EX, "EXTRT": "RESCUE"})
    assert (result.events, result.told("note"), result.told("refused")) == ([], [(1, "EXTRT", "RESCUE")], [])


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({}, "completed"),
        ({"SVOCCUR": "N"}, "missed"),
        ({"SVUPDES": "EXTRA LABS"}, "unscheduled"),
        ({"VISIT": "Unscheduled 5.1"}, "unscheduled"),
        ({"VISIT": "WEEK 4: UNSCHEDULED 01"}, "unscheduled"),
    ],
)
def test_a_row_of_sv_is_a_visit(tmp_path: Path, change: dict[str, str], status: str) -> None:
    """Completed, missed or unscheduled."""
    (event,) = one_file(tmp_path, "sv", {**SV, **change}).events
    name = change.get("VISIT", "WEEK 2")
    assert event["type"] == "toxwatch.visit.recorded.v1"
    assert event["data"] == {"visit_id": "1", "revision": 1, "name": name, "date": "2014-01-16", "status": status}


def test_a_visit_can_carry_what_the_study_has_beside_it(tmp_path: Path) -> None:
    """Performance status and weight, where a column of the study has them; what is no number is told."""
    sv = {"ecog": "ECOG", "weight_kg": "WT"}
    result = one_file(tmp_path, "sv", {**SV, "ECOG": "1", "WT": "71.5"}, {**SV, "VISITNUM": "2", "ECOG": "1-2"}, sv=sv)
    assert (result.data[0]["ecog"], result.data[0]["weight_kg"]) == (1, 71.5)
    assert result.told("unmapped") == [(2, "ECOG", "1-2")]


def test_a_visit_without_a_date_or_that_ends_before_it_begins_is_refused(tmp_path: Path) -> None:
    """A visit that is expected has no date yet."""
    result = one_file(tmp_path, "sv", {**SV, "SVSTDTC": ""}, {**SV, "SVENDTC": "2014-01-15"})
    assert result.told("refused") == [(1, "SVSTDTC", ""), (2, "SVENDTC", "2014-01-15")]


@pytest.mark.parametrize(
    ("change", "scope", "reason"),
    [
        ({}, "study", "withdrawal"),
        ({"DSSCAT": "STUDY TREATMENT", "DSDECOD": "ADVERSE EVENT"}, "treatment", "adverse-event"),
        ({"DSSCAT": "", "EPOCH": "TREATMENT", "DSDECOD": "PROGRESSIVE DISEASE"}, "treatment", "progression"),
        ({"DSSCAT": "", "EPOCH": "FOLLOW-UP", "DSDECOD": "LOST TO FOLLOW-UP"}, "study", "lost-to-follow-up"),
        ({"DSDECOD": "Physician Decision"}, "study", "other"),
        ({"DSDECOD": "COMPLETED"}, "study", "completed"),
        ({"DSDECOD": "DEATH"}, "study", "death"),
        ({"DSCAT": "", "DSDECOD": "COMPLETED"}, "study", "completed"),
    ],
)
def test_a_row_of_ds_is_an_end(tmp_path: Path, change: dict[str, str], scope: str, reason: str) -> None:
    """Of treatment or study, with the contract's reason and the study's own beside it."""
    row = {**DS, **change}
    (event,) = one_file(tmp_path, "ds", row).events
    assert (event["type"], event["time"]) == ("toxwatch.subject.discontinued.v1", "2014-03-02T23:59:59+01:00")
    assert event["data"] == {
        "revision": 1,
        "scope": scope,
        "date": "2014-03-01",
        "reason": reason,
        "x": {"reason": row["DSDECOD"]},
    }


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"DSDECOD": ""}, "DSDECOD"),
        ({"DSSCAT": "DRUG A"}, "DSSCAT"),
        ({"DSSCAT": ""}, "DSSCAT"),
        ({"DSSTDTC": ""}, "DSSTDTC"),
    ],
)
def test_an_end_that_cannot_be_told_is_refused(tmp_path: Path, change: dict[str, str], field: str) -> None:
    """Why, of what, when: no event can go without them."""
    result = one_file(tmp_path, "ds", {**DS, **change})
    assert (result.events, result.told("refused")) == ([], [(1, field, change[field])])


@pytest.mark.parametrize(("word", "reason"), [("MOVED AWAY", "other"), ("DRUG TOXICITY", "adverse-event")])
def test_a_reason_that_is_in_no_list_is_never_milder_than_its_words(tmp_path: Path, word: str, reason: str) -> None:
    """Told urgently."""
    result = one_file(tmp_path, "ds", {**DS, "DSDECOD": word})
    assert (result.data[0]["reason"], result.summary.urgent) == (reason, 1)


@pytest.mark.parametrize("change", [{"DSCAT": "PROTOCOL MILESTONE"}, {"DSSCAT": "", "EPOCH": "SCREENING"}])
def test_a_milestone_is_no_end(tmp_path: Path, change: dict[str, str]) -> None:
    """Noted, so that it is not missed."""
    result = one_file(tmp_path, "ds", {**DS, **change})
    assert (result.events, len(result.told("note")), result.told("refused")) == ([], 1, [])


def test_two_scopes_are_two_records(tmp_path: Path) -> None:
    """A subject stops treatment first, and leaves the study later."""
    result = one_file(tmp_path, "ds", DS, {**DS, "DSSCAT": "STUDY TREATMENT", "DSSTDTC": "2014-02-01"})
    assert [(data["scope"], data["revision"]) for data in result.data] == [("study", 1), ("treatment", 1)]
