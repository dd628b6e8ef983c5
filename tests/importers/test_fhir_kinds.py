"""The same thing said in other ways: each kind of word, shape and reference that FHIR allows, with what it means."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.importers.bundles import (
    ICH,
    administration,
    adverse_event,
    bundle,
    concept,
    encounter,
    extension,
    observation,
    subject,
)
from tests.importers.fhir_imports import ANY_ID, Imported, Json

NCI = "http://ncicb.nci.nih.gov/xml/owl/EVS/Thesaurus.owl"
SNOMED = "http://snomed.info/sct"
IPILIMUMAB = administration(id="ma3", medicationCodeableConcept={"text": "Ipilimumab"})


def without(resource: Json, *names: str) -> Json:
    return {key: value for key, value in resource.items() if key not in names}


def reported(tmp_path: Path, event: Json, *others: Json) -> Imported:
    return Imported(tmp_path, bundle(*subject(), administration(), IPILIMUMAB, *others, event))


def suspect(instance: Json, *answers: Json) -> Json:
    causality = [
        {"url": "causality", "extension": [{"url": "entityRelatedness", "valueCodeableConcept": answer}]}
        for answer in answers
    ]
    return extension("suspect-entity") | {"extension": [{"url": "instance", **instance}, *causality]}


GRADES = [
    ({"coding": [{"system": NCI, "code": "C41338"}]}, 1),
    ({"coding": [{"system": NCI, "code": "C41339"}]}, 2),
    ({"coding": [{"system": NCI, "code": "C41337"}]}, 4),
    ({"coding": [{"system": NCI, "code": "C48275", "display": "Death Related to Adverse Event"}]}, 5),
    ({"text": "CTCAE v4.03 Grade 3"}, 3),
    ({"text": "G4"}, 4),
    ({"text": "grade III"}, 3),
    ({"coding": [{"code": "unknown-code", "display": "Grade 3"}]}, 3),
    ({"coding": [{"code": "odd"}, {"code": "4"}]}, 4),
    ({"coding": [{"code": "2"}, {"code": "3"}]}, 3),
    ({"text": "3/4"}, 4),
    ({"coding": [{"code": "severe"}]}, 3),
]


@pytest.mark.parametrize(("grade", "meant"), GRADES, ids=[str(grade) for grade, _ in GRADES])
def test_a_grade_is_found_in_any_coding_in_the_text_and_in_the_display(tmp_path: Path, grade: Json, meant: int) -> None:
    """Of two that differ the worse is written."""
    event = adverse_event(extension=[extension("ae-grade", valueCodeableConcept=grade)])
    assert reported(tmp_path, event).data("ae.reported")["grade"] == meant


def test_a_grade_that_is_in_no_list_is_an_urgent_line(tmp_path: Path) -> None:
    event = adverse_event(extension=[extension("ae-grade", valueCodeableConcept=concept("C99999", "unheard of"))])
    found = reported(tmp_path, event)
    assert "grade" not in found.data("ae.reported")
    assert any("extension[0]" in line for line in found.urgent)
    assert found.code == 2


@pytest.mark.parametrize(
    "value", [{"valueInteger": 4}, {"valueString": "Grade 4"}, {"valueCode": "4"}, {"valueCoding": {"code": "4"}}]
)
def test_a_grade_is_read_whatever_the_type_of_its_value(tmp_path: Path, value: Json) -> None:
    found = reported(tmp_path, adverse_event(extension=[extension("severity-or-grade", **value)]))
    assert found.data("ae.reported")["grade"] == 4


OUTCOMES = [
    (concept("C49494", system=NCI), "not-recovered"),
    (concept("C49495", system=NCI), "recovered-with-sequelae"),
    (concept("C49496", system=NCI), "recovering"),
    (concept("C49498", system=NCI), "recovered"),
    (concept("C48275", system=NCI), "fatal"),
    (concept("5", system=ICH), "fatal"),
    (concept("3", system=ICH), "not-recovered"),
    (concept("resolvedWithSequelae"), "recovered-with-sequelae"),
    (concept("419099009", "Dead", SNOMED), "fatal"),
    ({"text": "Décès"}, "fatal"),
    ([concept("resolved"), concept("fatal")], "fatal"),
    ([concept("resolved"), concept("ongoing")], "not-recovered"),
]


@pytest.mark.parametrize(("outcome", "meant"), OUTCOMES, ids=[str(outcome) for outcome, _ in OUTCOMES])
def test_an_outcome_is_the_guides_r4s_e2bs_or_snomeds(tmp_path: Path, outcome: Any, meant: str) -> None:
    """R5 has a list of them: the worst counts."""
    assert reported(tmp_path, adverse_event(outcome=outcome)).data("ae.reported")["outcome"] == meant


CRITERIA = [
    ("C48275", "death"),
    ("C84266", "life-threatening"),
    ("C83052", "hospitalisation"),
    ("C11338", "disability"),
    ("C113380", "disability"),
    ("C83117", "congenital-anomaly"),
    ("C82521", "medically-important"),
    ("34", "death"),
    ("21", "life-threatening"),
    ("26", "medically-important"),
    ("requiresPreventImpairment", "medically-important"),
]


@pytest.mark.parametrize(("code", "meant"), CRITERIA)
def test_a_criterion_of_seriousness_is_the_guides_or_e2bs(tmp_path: Path, code: str, meant: str) -> None:
    criterion = extension("seriousness-criteria")
    criterion["extension"] = [
        {"url": "criterionCode", "valueCodeableConcept": concept(code)},
        {"url": "criterionPresent", "valueBoolean": True},
    ]
    found = reported(tmp_path, adverse_event(extension=[criterion]))
    assert found.data("ae.reported")["seriousness"] == [meant]


def test_a_criterion_that_is_not_present_is_not_counted_and_one_that_is_not_known_is_told(tmp_path: Path) -> None:
    def criterion(code: str, present: bool) -> Json:
        parts = [
            {"url": "criterionCode", "valueCodeableConcept": concept(code)},
            {"url": "criterionPresent", "valueBoolean": present},
        ]
        return extension("seriousness-criteria") | {"extension": parts}

    found = reported(tmp_path, adverse_event(extension=[criterion("34", False), criterion("C00000", True)]))
    assert "seriousness" not in found.data("ae.reported")
    assert any("extension[1]" in line for line in found.urgent)


WORDS = [
    ("Certain", "certain"),
    ("Probably-Likely", "probable"),
    ("probably-likely", "probable"),
    ("Possible", "possible"),
    ("Unlikely", "unlikely"),
    ("Conditional-Classified", "conditional"),
    ("Unassessable-Unclassifiable", "unclassifiable"),
    ("C53256", "unrelated"),
    ("C53257", "unlikely"),
    ("C53258", "possible"),
    ("C53259", "probable"),
    ("C53260", "related"),
    ("notrelated", "unrelated"),
]


@pytest.mark.parametrize(("code", "meant"), WORDS)
def test_causality_is_in_the_words_of_who_umc_the_guide_or_the_nci(tmp_path: Path, code: str, meant: str) -> None:
    entity = {"instance": {"reference": "MedicationAdministration/ma1"}, "causality": [{"assessment": concept(code)}]}
    found = reported(tmp_path, adverse_event(extension=[], suspectEntity=[entity]))
    assert found.data("ae.reported")["causality"] == {"investigator": {"pexa-vec": meant}}


def test_r5s_shape_of_an_adverse_event_is_read(tmp_path: Path) -> None:
    """code, occurrence[x], outcome as a list, suspectEntity with entityRelatedness, status, resultingEffect."""
    r5 = without(adverse_event(), "event", "date", "extension") | {
        "status": "completed",
        "code": concept("10009887", "Colitis", "http://terminology.hl7.org/CodeSystem/MDRAE"),
        "occurrencePeriod": {"start": "2017-02-22", "end": "2017-03-05"},
        "outcome": [concept("ongoing")],
        "extension": [extension("severity-or-grade", valueCodeableConcept=concept("3", "Severe"))],
        "suspectEntity": [
            {
                "instanceReference": {"reference": "MedicationAdministration/ma1"},
                "causality": {"entityRelatedness": concept("unlikely")},
            },
            {"instanceCodeableConcept": {"text": "Ipilimumab"}, "causality": {"entityRelatedness": concept("related")}},
        ],
        "resultingEffect": [{"reference": "Condition/c1"}],
    }
    effect = {
        "resourceType": "Condition",
        "id": "c1",
        "code": {"text": "bloody diarrhoea"},
        "subject": {"reference": "Patient/p1"},
    }
    data = reported(tmp_path, r5, effect).data("ae.reported")
    assert (data["term"], data["onset"], data["end"], data["grade"]) == ("Colitis", "2017-02-22", "2017-03-05", 3)
    assert data["causality"] == {"investigator": {"pexa-vec": "unlikely", "ipilimumab": "related"}}


@pytest.mark.parametrize("order", [1, -1])
def test_answers_within_one_assessment_are_or_ed_in_any_order(tmp_path: Path, order: int) -> None:
    answers = [concept("C53256", "Not Related", NCI), concept("C53260", "Related", NCI)][::order]
    event = adverse_event(
        extension=[suspect({"valueReference": {"reference": "MedicationAdministration/ma1"}}, *answers)]
    )
    assert reported(tmp_path, event).data("ae.reported")["causality"] == {"investigator": {"pexa-vec": "related"}}


def test_a_no_beside_a_silence_on_the_same_drug_settles_nothing(tmp_path: Path) -> None:
    here = {"valueReference": {"reference": "MedicationAdministration/ma1"}}
    event = adverse_event(extension=[suspect(here, concept("C53256")), suspect(here)])
    assert reported(tmp_path, event).data("ae.reported")["causality"] == {
        "investigator": {"pexa-vec": "unclassifiable"}
    }


def test_a_related_suspect_that_nobody_can_name_puts_every_no_in_doubt(tmp_path: Path) -> None:
    """It may be a study drug: the reference leads nowhere, and has no display."""
    both = [
        suspect({"valueReference": {"reference": "MedicationAdministration/ma1"}}, concept("C53256")),
        suspect({"valueReference": {"reference": "MedicationAdministration/ma3"}}, concept("C53256")),
    ]
    elsewhere = suspect({"valueReference": {"reference": "MedicationAdministration/elsewhere"}}, concept("C53260"))
    grade = extension("ae-grade", valueCodeableConcept=concept("4"))
    found = reported(tmp_path, adverse_event(extension=[*both, elsewhere, grade]))
    assert set(found.data("ae.reported")["causality"]["investigator"].values()) == {"unclassifiable"}
    assert any("whether it is a study drug" in line for line in found.urgent)
    assert found.verdicts()["ae:ae1"]["DLT-1"] == "possible"


def test_a_device_says_nothing_of_the_study_treatment(tmp_path: Path) -> None:
    device = {"resourceType": "Device", "id": "d1", "type": {"text": "Needle"}}
    event = adverse_event(extension=[suspect({"valueReference": {"reference": "Device/d1"}}, concept("C53256"))])
    assert "causality" not in reported(tmp_path, event, device).data("ae.reported")


REFERENCES = [
    "Patient/p1",
    "Patient/p1/_history/3",
    "https://ehr.example/fhir/Patient/p1",
    "https://ehr.example/fhir/Patient/p1/_history/2",
    "urn:uuid:0b1e5b5e-0000-4000-8000-000000000001",
    "ResearchSubject/rs1",
    "https://ehr.example/fhir/ResearchSubject/rs1",
    "Patient?identifier=http://hospital.example|MRN0099",
]


@pytest.mark.parametrize("reference", REFERENCES)
@pytest.mark.parametrize("mapping", [None, ANY_ID], ids=["own pattern", "any id"])
def test_a_person_is_one_subject_however_referred_to(tmp_path: Path, reference: str, mapping: str | None) -> None:
    document = bundle(*subject(), administration(), observation(subject={"reference": reference}))
    document["entry"][0]["fullUrl"] = "urn:uuid:0b1e5b5e-0000-4000-8000-000000000001"
    document["entry"][0]["resource"]["identifier"] = [{"system": "http://hospital.example", "value": "MRN0099"}]
    found = Imported(tmp_path, document, mapping) if mapping else Imported(tmp_path, document)
    assert {event["subject"] for event in found.events} == {"FR01-001"}
    assert found.all("lab.resulted")


def test_a_reference_by_identifier_alone_finds_the_person(tmp_path: Path) -> None:
    people = subject()
    people[0]["identifier"] = [{"system": "http://hospital.example", "value": "MRN0099"}]
    logical = observation(subject={"identifier": {"system": "http://hospital.example", "value": "MRN0099"}})
    found = Imported(tmp_path, bundle(*people, logical), ANY_ID)
    assert {event["subject"] for event in found.events} == {"FR01-001"}


STATUSES = [
    ("completed", "given"),
    ("in-progress", "given"),
    ("stopped", "partial"),
    ("not-done", "not-given"),
    ("on-hold", None),
    ("unknown", None),
    (None, None),
    ("made-up", None),
]


@pytest.mark.parametrize(("status", "written"), STATUSES)
def test_what_was_given_is_given_only_when_it_was(tmp_path: Path, status: str | None, written: str | None) -> None:
    resource = administration(status=status) if status else without(administration(), "status")
    found = Imported(tmp_path, bundle(*subject(), resource))
    assert [each["status"] for each in found.all("treatment.administered")] == ([written] if written else [])
    assert (written is None) == any("whether it was given" in line for line in found.urgent)


def test_a_doubtful_first_dose_before_a_certain_one_makes_day_1_uncertain(tmp_path: Path) -> None:
    """On hold on 13 February, given on the 27th: a grade 4 on the 22nd is in the window or before it. Possible, never nothing."""
    held = administration(status="on-hold")
    sure = administration(id="ma2", effectiveDateTime="2017-02-27T10:00:00+01:00")
    event = adverse_event(
        extension=[*adverse_event()["extension"][2:], extension("ae-grade", valueCodeableConcept=concept("4"))]
    )
    found = Imported(tmp_path, bundle(*subject(), held, sure, event))
    assert sorted(each["given"] for each in found.all("treatment.administered")) == [
        "2017-02",
        "2017-02-27T10:00:00+01:00",
    ]
    assert found.verdicts()["ae:ae1"]["DLT-1"] == "possible"


UNDATED = [
    ({"effectivePeriod": {"end": "2017-02-13T11:00:00+01:00"}}, "2017-02"),
    ({"meta": {"lastUpdated": "2017-02-20T10:00:00Z"}}, "2017-02"),
    ({}, "2017-02"),
]


@pytest.mark.parametrize(("dates", "written"), UNDATED, ids=["its end", "its update", "the extract"])
def test_a_first_dose_without_a_start_leaves_day_1_in_doubt(tmp_path: Path, dates: Json, written: str) -> None:
    """Bounded by the enrolment, and by its end or the date of the extract; told of urgently."""
    resource = without(administration(), "effectiveDateTime") | dates
    found = Imported(tmp_path, bundle(*subject(), resource, observation()))
    assert found.data("treatment.administered")["given"] == written
    assert any("day 1 is uncertain" in line for line in found.urgent)


ENCOUNTERS = [
    ("finished", "completed"),
    ("in-progress", "completed"),
    ("completed", "completed"),
    ("discharged", "completed"),
    ("cancelled", "missed"),
    ("planned", None),
    ("unknown", None),
]


@pytest.mark.parametrize(("status", "written"), ENCOUNTERS)
def test_a_visit_has_taken_place_only_when_it_has(tmp_path: Path, status: str, written: str | None) -> None:
    found = Imported(tmp_path, bundle(*subject(), encounter(status=status)))
    assert [each["status"] for each in found.all("visit.recorded")] == ([written] if written else [])


SUBJECTS = [
    ("on-study", True, None),
    ("follow-up", True, None),
    ("withdrawn", True, "withdrawal"),
    ("off-study", True, "other"),
    ("ineligible", False, None),
    ("candidate", False, None),
    ("screening", False, None),
    ("not-registered", False, None),
]


@pytest.mark.parametrize(("status", "enrolled", "left"), SUBJECTS)
def test_who_takes_part_has_taken_part_or_never_did(
    tmp_path: Path, status: str, enrolled: bool, left: str | None
) -> None:
    people = subject()
    people[1] |= {"status": status, "period": {"start": "2017-02-01", "end": "2017-02-25"}}
    found = Imported(tmp_path, bundle(*people))
    assert bool(found.all("subject.enrolled")) == enrolled
    assert [each["reason"] for each in found.all("subject.discontinued")] == ([left] if left else [])


def test_r5s_states_of_a_subject_are_read(tmp_path: Path) -> None:
    people = subject()
    people[1] = without(people[1], "individual", "actualArm", "period") | {
        "status": "active",
        "subject": {"reference": "Patient/p1"},
        "actualComparisonGroup": "LEVEL 1",
        "progress": [
            {"subjectState": concept("on-study"), "startDate": "2017-02-01"},
            {"subjectState": concept("withdrawn"), "startDate": "2017-02-25"},
        ],
    }
    found = Imported(tmp_path, bundle(*people))
    assert found.data("subject.enrolled")["enrolled"] == "2017-02-01"
    assert found.data("subject.enrolled")["dose_level"] == 1
    assert found.data("subject.discontinued")["date"] == "2017-02-25"


DEATHS: list[tuple[Json, str]] = [
    ({"deceasedBoolean": True}, "2017-02"),
    ({"deceasedDateTime": "2017-02-26"}, "2017-02-26"),
    ({"deceasedDateTime": "last week"}, "2017-02"),
]


@pytest.mark.parametrize(("death", "date"), DEATHS)
@pytest.mark.parametrize("status", ["on-study", "withdrawn"])
def test_a_death_is_asked_about_also_after_leaving_the_study(
    tmp_path: Path, death: Json, date: str, status: str
) -> None:
    people = subject()
    people[0] |= death
    people[1] |= {"status": status, "period": {"start": "2017-02-01", "end": "2017-02-25"}}
    found = Imported(tmp_path, bundle(*people, administration(), observation()))
    ended = found.data("subject.discontinued")
    assert (ended["reason"], ended["date"]) == ("death", date)
    assert found.verdicts() == {"lab:ALT": {"DLT-2": "possible"}, "discontinued:death": {"DLT-1": "possible"}}


def test_an_adverse_event_without_any_date_is_written_all_the_same(tmp_path: Path) -> None:
    event = without(
        adverse_event(extension=[extension("ae-grade", valueCodeableConcept=concept("4"))]), "date", "recordedDate"
    )
    found = reported(tmp_path, event, observation())
    assert found.data("ae.reported")["grade"] == 4
    assert found.verdicts()["ae:ae1"]["DLT-1"] == "possible"
    assert any("no date of onset" in line for line in found.urgent)


def test_an_adverse_event_without_a_term_is_written_and_asked_about(tmp_path: Path) -> None:
    found = reported(tmp_path, without(adverse_event(), "event"))
    assert found.data("ae.reported")["term"] == "no term given"
    assert any("no term" in line for line in found.urgent)


def test_an_end_before_its_onset_is_doubt_and_not_silence(tmp_path: Path) -> None:
    """Nobody knows which of the two dates is wrong: neither is written, and the verdict asks."""
    grade = extension("ae-grade", valueCodeableConcept=concept("4"))
    event = adverse_event(extension=[grade, extension("resolve-date", valueDateTime="2017-02-14")])
    found = reported(tmp_path, event)
    assert {"onset", "end"}.isdisjoint(found.data("ae.reported"))
    assert any("before the onset" in line for line in found.urgent)
    assert found.verdicts()["ae:ae1"]["DLT-1"] == "possible"


def test_a_dose_that_ends_before_it_starts_leaves_day_1_in_doubt(tmp_path: Path) -> None:
    period = {"start": "2017-02-13", "end": "2017-02-06"}
    resource = without(administration(), "effectiveDateTime") | {"effectivePeriod": period}
    found = Imported(tmp_path, bundle(*subject(), resource))
    assert found.data("treatment.administered")["given"] == "2017-02"
    assert any("day 1 is uncertain" in line for line in found.urgent)


def test_resources_that_an_operation_returned_as_parameters_are_read(tmp_path: Path) -> None:
    answer = {"resourceType": "Parameters", "id": "p", "parameter": [{"name": "return", "resource": observation()}]}
    found = Imported(tmp_path, bundle(*subject(), administration(), answer))
    assert found.grades() == {("ALT", "high"): 3}


def test_records_of_one_person_that_were_merged_are_one_subject(tmp_path: Path) -> None:
    """The laboratory still writes to the record that was replaced."""
    link = {"other": {"reference": "Patient/p1"}, "type": "replaced-by"}
    old = {"resourceType": "Patient", "id": "old", "link": [link]}
    result = observation(subject={"reference": "Patient/old"})
    found = Imported(tmp_path, bundle(*subject(), old, administration(), result), ANY_ID)
    assert {event["subject"] for event in found.events} == {"FR01-001"}


def test_a_date_years_ahead_is_doubt_and_not_silence_until_then(tmp_path: Path) -> None:
    """2071 for 2017: an event of that time would be known in fifty years."""
    grade = extension("ae-grade", valueCodeableConcept=concept("4"))
    found = reported(tmp_path, adverse_event(date="2071-02-22", extension=[grade]), observation())
    assert "onset" not in found.data("ae.reported")
    assert any("years after anything" in line for line in found.urgent)
    assert found.verdicts()["ae:ae1"]["DLT-1"] == "possible"
