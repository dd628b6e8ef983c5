"""FHIR R4 bundles as events, with a line in the report for whatever is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from projections.ctcae.grader import Assay
from projections.ctcae.grading import grade_result
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
from tests.importers.fhir_imports import Imported, Json


def test_a_whole_bundle_becomes_events_of_one_subject(tmp_path: Path) -> None:
    """Each resource in turn; the subject is the study's, not the hospital's."""
    found = Imported(tmp_path, bundle(*subject(), administration(), encounter(), adverse_event(), observation()))
    assert found.code == 0, found.lines
    assert {event["subject"] for event in found.events} == {"FR01-001"}
    assert [event["type"].split(".")[1] for event in found.events] == ["subject", "treatment", "visit", "ae", "lab"]
    enrolled = {"part": "A", "dose_level": 1, "enrolled": "2017-02-01", "sex": "F", "birth_year": 1957}
    assert enrolled.items() <= found.data("subject.enrolled").items()
    assert found.data("treatment.administered")["drug"] == "pexa-vec"
    assert found.data("visit.recorded")["name"] == "W2D1"


def test_a_laboratory_observation_is_complete(tmp_path: Path) -> None:
    """Code by LOINC, comparator, UCUM unit, limits, specimen, status, encounter; and it is graded as it was reported."""
    quantity = {"value": 300.0, "comparator": ">", "unit": "U/l", "code": "U/L"}
    specimen = {"resourceType": "Specimen", "id": "s1", "type": {"text": "Plasma"}}
    reported = observation(
        status="preliminary",
        valueQuantity=quantity,
        specimen={"reference": "Specimen/s1"},
        encounter={"reference": "Encounter/e1"},
    )
    data = Imported(tmp_path, bundle(*subject(), specimen, reported)).data("lab.resulted")
    assert data == {
        "lab_id": "o1",
        "revision": 1,
        "test": "ALT",
        "loinc": "1742-6",
        "value": 300.0,
        "comparator": ">",
        "unit": "U/L",
        "lln": 7,
        "uln": 40,
        "collected": "2017-02-20T08:00:00+01:00",
        "specimen": "plasma",
        "status": "preliminary",
        "visit_id": "e1",
    }
    (grade,) = grade_result("4.03", Assay("ALT", data["unit"], data["lln"], data["uln"], ">"), data["value"])
    assert (grade.grade_min, grade.grade_max) == (3, 4)


def test_an_adverse_event_is_read_with_the_names_of_the_guide(tmp_path: Path) -> None:
    """Grade, resolution, seriousness and causality stand in extensions in R4."""
    found = Imported(tmp_path, bundle(*subject(), administration(), adverse_event()))
    data = found.data("ae.reported")
    expected = {
        "term": "colite",
        "preferred_term": "Colitis",
        "meddra_code": "10009887",
        "grade": 3,
        "onset": "2017-02-22",
        "end": "2017-02-24",
        "outcome": "recovered",
        "serious": True,
        "seriousness": ["hospitalisation"],
        "causality": {"investigator": {"pexa-vec": "possible"}},
    }
    assert {key: data[key] for key in expected} == expected


def test_r4s_own_suspected_entity_is_read_as_well(tmp_path: Path) -> None:
    suspect = {
        "instance": {"reference": "MedicationAdministration/ma1"},
        "causality": [{"assessment": concept("related", "Related", ICH)}],
    }
    graded = [extension("severity-or-grade", valueCodeableConcept=concept("4", "Life Threatening"))]
    event = adverse_event(extension=graded, suspectEntity=[suspect])
    data = Imported(tmp_path, bundle(*subject(), administration(), event)).data("ae.reported")
    assert (data["grade"], data["causality"]) == (4, {"investigator": {"pexa-vec": "related"}})


def test_what_was_entered_in_error_is_taken_back(tmp_path: Path) -> None:
    meta = {"lastUpdated": "2017-03-01T09:00:00Z"}
    wrong = adverse_event(meta=meta)
    wrong["modifierExtension"] = [extension("status", valueCode="entered-in-error")]
    found = Imported(tmp_path, bundle(*subject(), wrong, observation(status="entered-in-error", meta=meta)))
    assert found.data("ae.retracted")["ae_id"] == "ae1"
    assert found.data("lab.retracted") == {"lab_id": "o1", "revision": 1, "reason": "entered in error"}


LINES = [
    (observation(category=[concept("vital-signs")], code={"text": "Pulse"}), "refused", "not of a laboratory"),
    (observation(subject={"reference": "Patient/p2"}), "refused", "not a subject id"),
    (adverse_event(actuality="potential"), "refused", "has not happened"),
    (
        administration(id="ma2", medicationCodeableConcept={"text": "Aspirin"}),
        "refused",
        "not in the mapping's [drugs]",
    ),
    ({"resourceType": "Condition", "id": "c1"}, "refused", "not a resource that is imported"),
    (encounter(status="planned"), "note", "not known to have taken place"),
    ({"resourceType": "Organization", "id": "org"}, "note", "says nothing about what happened"),
]


@pytest.mark.parametrize(("resource", "action", "said"), LINES, ids=[said for _, _, said in LINES])
def test_what_is_no_event_has_a_line(tmp_path: Path, resource: Json, action: str, said: str) -> None:
    """And what comes behind it is read all the same."""
    found = Imported(tmp_path, bundle(*subject(), resource, observation(id="o9")))
    assert found.code == (2 if action == "refused" else 0)
    assert any(said in line for line in found.told(action)), found.lines
    assert found.events[-1]["data"]["lab_id"] == "o9"


def test_one_bad_element_does_not_lose_its_resource(tmp_path: Path) -> None:
    """A date that is none: the result is read, dated by its issue alone, and both are told of, the loss urgently."""
    found = Imported(tmp_path, bundle(*subject(), administration(), observation(effectiveDateTime="yesterday")))
    assert found.data("lab.resulted")["collected"] == "2017"
    assert any("effectiveDateTime" in line for line in found.told("unmapped"))
    assert any("not valid FHIR" in line for line in found.told("note"))
    assert any("no date of collection" in line for line in found.urgent)
    assert found.code == 2


def test_a_retraction_without_a_date_is_dated_by_the_extract(tmp_path: Path) -> None:
    """It takes the record back all the same: its revision is above every report's."""
    wrong = observation(status="entered-in-error", issued=None)
    found = Imported(tmp_path, bundle(*subject(), {k: v for k, v in wrong.items() if v is not None}, observation()))
    (report, retraction) = found.events[1:]
    assert report["data"]["revision"] < retraction["data"]["revision"]
    assert retraction["type"] == "toxwatch.lab.retracted.v1"


def test_a_specimen_that_is_not_known_is_not_taken_for_blood(tmp_path: Path) -> None:
    found = Imported(tmp_path, bundle(*subject(), observation(specimen={"display": "Tube 7"})))
    assert found.data("lab.resulted")["specimen"] == "other"
    assert any("which specimen" in line for line in found.urgent)


@pytest.mark.parametrize("document", [[], {"resourceType": "Observation"}, "text"])
def test_a_file_that_is_no_bundle_is_an_error(tmp_path: Path, document: object) -> None:
    found = Imported(tmp_path, document)
    assert found.code == 1
    assert "not a FHIR Bundle" in found.said
