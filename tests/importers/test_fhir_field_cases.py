"""Bundles as hospitals and sponsors write them, each from a public report of somebody's importer, with the right verdict."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.importers.fhir_imports import ANY_ID, CASES, MAPPING, Imported

Grades = dict[tuple[str, str | None], int | None]
ALT_3: Grades = {("ALT", "high"): 3}
ALT_4: Grades = {("ALT", "high"): 4}
PLAT_4: Grades = {("PLAT", "low"): 4}
MET = {"DLT-1": "met", "DLT-2": "met", "DLT-3": "possible"}
ASKED = {"DLT-1": "possible", "DLT-2": "possible", "DLT-3": "possible"}
GRADE_3_ASKED = {"DLT-2": "possible", "DLT-3": "possible"}


class Case(NamedTuple):
    """What is right: the clauses of each case, the grades, a word of the urgent lines; and the sentence that says why."""

    name: str
    why: str
    cases: dict[str, Any]
    grades: Grades | None = None
    urgent: str = ""
    code: int = 0
    mapping: str = MAPPING


LAB_ALT = {"lab:ALT": {"DLT-2": "possible"}}
LAB_ALT_4 = {"lab:ALT": {"DLT-1": "possible", "DLT-2": "possible"}}
LAB_PLAT = {"lab:PLAT": {"DLT-1": "possible", "DLT-2": "possible"}}

FIELD_CASES = [
    Case("01-guide-nci-grade", "C41340 of the guide is grade 3, C53258 is possibly related, C49494 is not recovered",
         {"ae:ae1": {"DLT-2": "met", "DLT-3": "possible"}}),
    Case("03-two-suspects-same-drug", "unlikely after one administration and related after the next is related", {"ae:ae1": MET}),
    Case("03b-other-order", "and in the other order as well", {"ae:ae1": MET}),
    Case("03c-silent", "the other drug's no does not undo it", {"ae:ae1": MET}),
    Case("04-r4-causality-conditional-classified", "WHO-UMC's conditional settles nothing: ask", {"ae:ae1": GRADE_3_ASKED}),
    Case("04-r4-causality-unassessable-unclassifiable", "nor does unclassifiable", {"ae:ae1": GRADE_3_ASKED}),
    Case("05b-range-age", "an adult's limits, not the neonate's: 130 is 3.25 times 40", {}, {("ALT", "high"): 2}),
    Case("06-range-unit", "120 g/L is 12 g/dL", {}, {("HGB", "low"): 1, ("HGB", "high"): 0}),
    Case("06b-range-unit-bili", "21 umol/L are 1.23 mg/dL, so that 6.0 mg/dL is grade 3",
         {"lab:BILI": {"DLT-2": "possible"}}, {("BILI", "high"): 3}),
    Case("07-range-text", "limits written as 7 - 40 U/L", LAB_ALT, ALT_3),
    Case("07b-range-text-lt", "limits written as <40", LAB_ALT, ALT_3),
    Case("09-valuestring-unit", "> 900 U/L in a text is a number", LAB_ALT_4, ALT_4),
    Case("09c-valueinteger", "an integer is a number", LAB_ALT_4, ALT_4),
    Case("09d-valuerange", "of a range the lower end is certain: at least 900", LAB_ALT_4, ALT_4, "a range, 900 to 1000", 2),
    Case("09e-absent", "not performed is not done", {}, {("ALT", None): None}),
    Case("09f-component", "a panel's components are results",
         {"lab:NEUT": {"DLT-1": "possible", "DLT-2": "possible"}, **LAB_PLAT}, {("NEUT", "low"): 4, **PLAT_4}),
    Case("10-effectiveinstant", "an instant of collection", LAB_ALT, ALT_3),
    Case("10b-effectiveperiod-end", "a period that has only an end", LAB_ALT, ALT_3),
    Case("11-synthea-creatinine", "LOINC 38483-4 is creatinine in blood",
         {"lab:CREAT": {"DLT-1": "possible", "DLT-2": "possible"}}, {("CREAT", "high"): 4}),
    Case("11b-synthea-calcium", "LOINC 49765-1 is calcium in blood",
         {"lab:CA": {"DLT-1": "possible", "DLT-2": "possible"}}, {("CA", "high"): 4, ("CA", "low"): 0}),
    Case("11c-loinc-oid", "LOINC by its object identifier", LAB_ALT, ALT_3),
    Case("11d-synonym-code", "PLT is PLAT", LAB_PLAT, PLAT_4),
    Case("12-deceasedboolean", "a death without a date is a death: ask which event it was",
         {"discontinued:death": {"DLT-1": "possible"}}, None, "a death without a date", 2),
    Case("13-withdrawn", "withdrawn is the end of taking part", {}),
    Case("14-planned-encounter", "a planned visit has not taken place", {}),
    Case("14d-planned-three-subjects", "nor do three of them complete anybody's window", {}),
    Case("15-onhold", "on hold is not given for certain", {}, None, "whether it was given is not known", 2),
    Case("15b-unknown", "nor is unknown", {}, None, "whether it was given is not known", 2),
    Case("16-shared-identifier", "one accession number, two results", {**LAB_ALT, **LAB_PLAT}, {**ALT_3, **PLAT_4}),
    Case("17-absolute-ref", "an absolute reference", LAB_ALT, ALT_3),
    Case("17c-urn-uuid-mixed", "a urn beside a relative reference: one person", LAB_ALT, ALT_3),
    Case("17d-absolute-ref-default-pattern", "never a second subject p1", LAB_ALT, ALT_3, mapping=ANY_ID),
    Case("18-mrn-first", "the hospital's number is no id of the study", {}),
    Case("18b-mrn-first-default-pattern", "also where any id could be", {}, mapping=ANY_ID),
    Case("19-next-page", "there is more at another page", LAB_ALT, ALT_3, "another page", 2),
    Case("20d-delete", "what was deleted is taken back", {}, {}),
    Case("20f-ae-history-error", "the retraction is above every report of its record", {}),
    Case("23-contained", "a result inside its report", LAB_PLAT, PLAT_4),
    Case("25-category-text", "a category that is only a text", LAB_ALT, ALT_3),
    Case("25b-category-multi", "the category in a second coding", LAB_ALT, ALT_3),
    Case("27-grade-second-coding", "a grade with two codings", {"ae:ae1": GRADE_3_ASKED}),
    Case("27e-fatal-nci", "C48275 is fatal, and that is grade 5", {"ae:ae1": ASKED}, None, "no date of onset", 2),
    Case("29-urine-loinc-local-code", "calcium in urine is not calcium in blood", {}, {("CA", None): None}),
    Case("30-serum-specimen", "SNOMED 119364003 is serum", LAB_ALT, ALT_3),
    Case("33-contained-medication", "a medication inside its administration", {}),
    Case("34b-specimen-elsewhere", "a specimen that is elsewhere may be blood: ask", {}, {("GLUC", None): None},
         "which specimen", 2),
    Case("36-suspect-concept", "suspects by name", {"ae:ae1": MET}),
    Case("37-suspect-concomitant", "both drugs are no; the concomitant one says nothing of them", {}, None, "no study drug", 2),
    Case("38-registered-with-value", "a value is a value", LAB_ALT_4, ALT_4, "yet there is a value", 2),
    Case("42-ineligible", "who never took part was not enrolled", {}),
    Case("43-two-studies", "one person in two studies has this study's id here", LAB_ALT_4, ALT_4),
    Case("44-only-concomitant-not-related", "a concomitant drug's no is none of the study treatment's", {"ae:ae1": ASKED},
         None, "not in the mapping's [drugs]", 2),
    Case("44c-only-concomitant-related", "nor is its yes", {"ae:ae1": ASKED}, None, "no study drug", 2),
    Case("47-guide-death", "a death by the guide's codes is grade 5 and a DLT", {"ae:ae1": {"DLT-1": "met"}}),
]  # fmt: skip


@pytest.mark.parametrize("case", FIELD_CASES, ids=[case.name for case in FIELD_CASES])
def test_a_field_case_has_the_right_verdict(case: Case, tmp_path: Path) -> None:
    """The verdicts, the grades and the exit code of each; the sentence beside it says why."""
    found = Imported(tmp_path, json.loads((CASES / f"{case.name}.json").read_text(encoding="utf-8")), case.mapping)
    assert found.raised is None
    assert found.verdicts() == case.cases, case.why
    if case.grades is not None:
        assert found.grades() == case.grades, case.why
    assert any(case.urgent in line for line in found.urgent) or not case.urgent, found.urgent
    assert found.code == case.code, found.lines
    assert {event["subject"] for event in found.events} <= {"FR01-001", "FR01-002", "FR01-003"}


def test_every_field_case_has_its_sentence() -> None:
    assert {case.name for case in FIELD_CASES} == {path.stem for path in CASES.glob("*.json")}


def test_planned_visits_complete_nobodys_window(tmp_path: Path) -> None:
    """Three subjects with nothing but a planned visit after day 35 are pending: they are no reason to escalate."""
    document = json.loads((CASES / "14d-planned-three-subjects.json").read_text(encoding="utf-8"))
    (cohort,) = Imported(tmp_path, document).assess()["cohorts"]
    assert (cohort["treated"], cohort["pending"], cohort["decision"]) == (3, 3, "pending")


def test_on_hold_does_not_make_a_subject_treated(tmp_path: Path) -> None:
    document = json.loads((CASES / "15-onhold.json").read_text(encoding="utf-8"))
    found = Imported(tmp_path, document)
    assert not found.all("treatment.administered")
    assert not found.assess()["cohorts"]


def test_withdrawn_ends_taking_part(tmp_path: Path) -> None:
    document = json.loads((CASES / "13-withdrawn.json").read_text(encoding="utf-8"))
    ended = Imported(tmp_path, document).data("subject.discontinued")
    assert (ended["scope"], ended["date"], ended["reason"]) == ("study", "2017-02-25", "withdrawal")


def test_an_unknown_specimen_raises_a_question(tmp_path: Path) -> None:
    document = json.loads((CASES / "34b-specimen-elsewhere.json").read_text(encoding="utf-8"))
    (query,) = Imported(tmp_path, document).assess()["queries"]
    assert "specimen" in query["question"]


def test_a_file_of_a_bulk_export_is_read_with_its_neighbours(tmp_path: Path) -> None:
    """Observation.ndjson alone: who p1 is, the ResearchSubject beside it says. In a folder the files are one export."""
    shutil.copy(CASES / "Observation.ndjson", tmp_path / "Observation.ndjson")
    people = json.loads((CASES / "18-mrn-first.json").read_text(encoding="utf-8"))["entry"]
    for kind in ("Patient", "ResearchSubject", "MedicationAdministration"):
        lines = [json.dumps(each["resource"]) for each in people if each["resource"]["resourceType"] == kind]
        (tmp_path / f"{kind}.ndjson").write_text("\n".join([*lines, ""]), encoding="utf-8")
    out = tmp_path / "out"
    out.mkdir()
    alone = Imported(out, tmp_path / "Observation.ndjson")
    assert [event["type"].split(".")[1] for event in alone.events] == ["lab"]
    assert alone.events[0]["subject"] == "FR01-001"
    whole = Imported(out, tmp_path)
    assert whole.grades() == ALT_3


def test_a_file_of_a_bulk_export_without_neighbours_is_read_by_the_ids_that_it_has(tmp_path: Path) -> None:
    found = Imported(tmp_path, CASES / "Observation.ndjson", ANY_ID)
    assert (found.code, found.events[0]["subject"], found.grades()) == (0, "p1", ALT_3)
