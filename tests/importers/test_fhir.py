"""FHIR R4 bundles as events, with a line in the report for whatever is none."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from projections.ctcae.grader import Assay
from projections.ctcae.grading import grade_result
from services.cli import create_app
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

Json = dict[str, Any]

MAPPING = """
name = "isi-jx-fhir"
trial = "NCT02977156"
time_zone = "Europe/Paris"
subject_pattern = '^(?P<site>FR[0-9]{2})-[0-9]{3,5}$'
[drugs]
"PEXA-VEC" = "pexa-vec"
"IPILIMUMAB" = "ipilimumab"
[arms]
"LEVEL 1" = { part = "A", dose_level = 1 }
"""


class Imported:
    """What came of a bundle: the exit code, the data of the events by type, and the report."""

    def __init__(self, directory: Path, document: object) -> None:
        (directory / "bundle.json").write_text(json.dumps(document), encoding="utf-8")
        (directory / "mapping.toml").write_text(MAPPING, encoding="utf-8")
        words = ["import", "fhir", str(directory / "bundle.json"), "--mapping", str(directory / "mapping.toml")]
        outcome = CliRunner().invoke(create_app(), [*words, "--out", str(directory / "events.ndjson")])
        self.code = outcome.exit_code
        self.said = outcome.output
        events = directory / "events.ndjson"
        self.events: list[Json] = (
            [json.loads(line) for line in events.read_text(encoding="utf-8").splitlines()] if events.exists() else []
        )
        report = directory / "import-report.csv"
        self.report = list(csv.DictReader(report.read_text(encoding="utf-8").splitlines())) if report.exists() else []

    def data(self, stem: str) -> Json:
        (event,) = (each for each in self.events if each["type"] == f"toxwatch.{stem}.v1")
        found: Json = event["data"]
        return found

    def told(self, action: str) -> list[str]:
        return [f"{line['row']} {line['message']}" for line in self.report if line["action"] == action]


def test_a_whole_bundle_becomes_events_of_one_subject(tmp_path: Path) -> None:
    """Each resource in turn; the subject is the study's, not the hospital's."""
    found = Imported(tmp_path, bundle(*subject(), administration(), encounter(), adverse_event(), observation()))
    assert found.code == 0, found.said
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


REFUSED = [
    (observation(code=None), "not valid FHIR R4"),
    (observation(effectiveDateTime="yesterday"), "effectiveDateTime"),
    (observation(category=[concept("vital-signs")]), "not of a laboratory"),
    (observation(subject={"reference": "Patient/p2"}), "not a subject id"),
    (adverse_event(actuality="potential"), "has not happened"),
    (administration(medicationCodeableConcept={"text": "Aspirin"}), "not in the mapping's [drugs]"),
    ({"resourceType": "Condition", "id": "c1"}, "not a resource that is imported"),
    (observation(status="entered-in-error", issued=None), "not said when"),
]


@pytest.mark.parametrize(("resource", "said"), REFUSED, ids=[said for _, said in REFUSED])
def test_what_is_no_event_has_a_line_with_its_place_in_the_bundle(tmp_path: Path, resource: Json, said: str) -> None:
    """And what comes behind it is read all the same."""
    clean = {key: value for key, value in resource.items() if value is not None}
    found = Imported(tmp_path, bundle(*subject(), clean, observation(id="o9")))
    assert found.code == 2
    (line,) = found.told("refused")
    assert line.startswith("3 ")
    assert said in line
    assert found.events[-1]["data"]["lab_id"] == "o9"


def test_a_specimen_that_is_not_known_is_not_taken_for_blood(tmp_path: Path) -> None:
    found = Imported(tmp_path, bundle(*subject(), observation(specimen={"display": "Saliva"})))
    assert found.data("lab.resulted")["specimen"] == "other"
    assert len(found.told("unmapped")) == 1


@pytest.mark.parametrize("document", [[], {"resourceType": "Observation"}, "text"])
def test_a_file_that_is_no_bundle_is_an_error(tmp_path: Path, document: object) -> None:
    found = Imported(tmp_path, document)
    assert found.code == 1
    assert "not a FHIR Bundle" in found.said
