"""Files and bundles: histories, transactions, deletions, bundles in bundles, NDJSON, and what is no FHIR at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.importers.fhir import bundles
from tests.importers import fhir_fuzz
from tests.importers.bundles import administration, adverse_event, bundle, concept, extension, observation, subject
from tests.importers.fhir_imports import ANY_ID, Imported, Json


def version(resource: Json, number: int, day: int, **changes: Any) -> Json:
    return {**resource, **changes, "meta": {"versionId": str(number), "lastUpdated": f"2017-02-{day}T09:00:00Z"}}


ERROR = {"modifierExtension": [extension("status", valueCode="entered-in-error")]}
VERSIONS = [version(adverse_event(), 1, 24), version(adverse_event(), 2, 25), version(adverse_event(), 3, 26, **ERROR)]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (2, 0, 1)])
def test_a_retraction_outranks_every_report_of_its_record_in_any_order_of_a_history(
    tmp_path: Path, order: tuple[int, ...]
) -> None:
    history = bundle(*subject(), administration(), *(VERSIONS[each] for each in order)) | {"type": "history"}
    found = Imported(tmp_path, history)
    revisions = {event["type"]: event["data"]["revision"] for event in found.events if ".ae." in event["type"]}
    assert revisions["toxwatch.ae.retracted.v1"] > revisions["toxwatch.ae.reported.v1"]
    assert not found.verdicts()


def test_a_retraction_outranks_reports_that_have_no_version_and_later_dates(tmp_path: Path) -> None:
    """The report's own dates are later than the retraction's: nothing says for certain that it was written after it."""
    wrong = {**observation(), "status": "entered-in-error", "meta": {"lastUpdated": "2017-02-20T09:00:00Z"}}
    report = {key: value for key, value in observation(effectiveDateTime="2017-02-25").items() if key != "issued"}
    found = Imported(tmp_path, bundle(*subject(), administration(), wrong, report))
    revisions = {event["type"]: event["data"]["revision"] for event in found.events}
    assert revisions["toxwatch.lab.retracted.v1"] > revisions["toxwatch.lab.resulted.v1"]


def test_versions_of_a_result_are_its_revisions_and_the_latest_counts(tmp_path: Path) -> None:
    later = version(observation(valueQuantity={"value": 900, "code": "U/L"}), 4, 22)
    found = Imported(tmp_path, bundle(*subject(), administration(), later, version(observation(), 3, 21)))
    assert [(each["revision"], each["value"]) for each in found.all("lab.resulted")] == [(3, 240), (4, 900)]
    assert found.grades() == {("ALT", "high"): 4}


def test_two_contents_under_one_id_and_version_are_two_records(tmp_path: Path) -> None:
    """Nothing says which holds, so that neither hides the other."""
    grave = adverse_event(
        extension=[*adverse_event()["extension"][2:], extension("ae-grade", valueCodeableConcept=concept("4"))]
    )
    mild = adverse_event(
        extension=[*adverse_event()["extension"][2:], extension("ae-grade", valueCodeableConcept=concept("1"))]
    )
    for pair in ((grave, mild), (mild, grave)):
        found = Imported(tmp_path, bundle(*subject(), administration(), *pair))
        assert sorted(each["grade"] for each in found.all("ae.reported")) == [1, 4]
        assert any("says something else" in line for line in found.urgent)
        assert any(clauses.get("DLT-1") for clauses in found.verdicts().values())


def test_a_deletion_takes_back_what_the_import_knows_and_else_says_that_it_cannot(tmp_path: Path) -> None:
    document = bundle(*subject(), administration(), adverse_event())
    gone = {"response": {"status": "204", "lastModified": "2017-02-28T15:00:00Z"}}
    document["entry"] += [
        {"request": {"method": "DELETE", "url": "https://ehr.example/fhir/AdverseEvent/ae1"}, **gone},
        {"request": {"method": "DELETE", "url": "AdverseEvent/ae2"}, **gone},
    ]
    found = Imported(tmp_path, document)
    assert found.data("ae.retracted")["ae_id"] == "ae1"
    assert [line for line in found.urgent if "whose record it was" in line]
    assert found.code == 2


def test_a_transaction_names_new_resources_by_urn(tmp_path: Path) -> None:
    people = subject()
    entries: list[dict[str, Any]] = [
        {"fullUrl": f"urn:uuid:0000-{place}", "resource": each}
        for place, each in enumerate([*people, administration()])
    ]
    result = {key: value for key, value in observation(subject={"reference": "urn:uuid:0000-0"}).items() if key != "id"}
    people[1]["individual"] = {"reference": "urn:uuid:0000-0"}
    entries[2]["resource"]["subject"] = {"reference": "urn:uuid:0000-0"}
    entries.append(
        {"fullUrl": "urn:uuid:0000-9", "resource": result, "request": {"method": "POST", "url": "Observation"}}
    )
    for entry in entries[:1]:
        del entry["resource"]["id"]
    found = Imported(tmp_path, {"resourceType": "Bundle", "type": "transaction", "entry": entries})
    assert {event["subject"] for event in found.events} == {"FR01-001"}
    assert found.data("lab.resulted")["lab_id"] == "0000-9"


def test_a_bundle_inside_a_bundle_is_read(tmp_path: Path) -> None:
    inner = bundle(observation())
    outer = bundle(*subject(), administration())
    outer["entry"].append({"resource": inner, "response": {"status": "200"}})
    assert Imported(tmp_path, outer).grades() == {("ALT", "high"): 3}


def test_a_report_whose_results_are_elsewhere_is_an_urgent_line(tmp_path: Path) -> None:
    report = {
        "resourceType": "DiagnosticReport",
        "id": "d1",
        "status": "final",
        "code": {"text": "CBC"},
        "subject": {"reference": "Patient/p1"},
        "result": [{"reference": "Observation/elsewhere"}],
        "conclusion": "Grade 4 neutropenia",
    }
    found = Imported(tmp_path, bundle(*subject(), report))
    assert any("it is missing" in line for line in found.urgent)
    assert any("conclusion" in line for line in found.urgent)


def test_a_study_drug_in_a_resource_that_is_not_imported_is_an_urgent_line(tmp_path: Path) -> None:
    """Pexa-Vec is a vaccinia virus: a hospital may well file it as an immunisation."""
    shot = {"resourceType": "Immunization", "id": "i1", "status": "completed", "vaccineCode": {"text": "Pexa-Vec"}}
    found = Imported(tmp_path, bundle(*subject(), shot | {"patient": {"reference": "Patient/p1"}}))
    assert any("a study drug" in line for line in found.urgent)


def test_somebody_in_another_study_alone_is_not_a_subject_here(tmp_path: Path) -> None:
    people = subject()
    people[1]["study"] = {"reference": "ResearchStudy/x", "display": "NCT00000001"}
    found = Imported(tmp_path, bundle(*people, observation()), ANY_ID)
    assert not found.events
    assert any("another study" in line for line in found.told("note"))


def nested(depth: int) -> str:
    return '{"resourceType":"Bundle","entry":' + "[" * depth + "]" * depth + "}"


NOT_FHIR = [
    ("[]", "not a FHIR Bundle"),
    ("{", "not JSON"),
    ("\x00", "not JSON"),
    ('{"resourceType": "Bundle", "entry": []}', "nothing that becomes an event"),
    (json.dumps(bundle(subject()[0])), "nothing that becomes an event: 1 Patient"),
    (nested(150), "nested deeper"),
    (nested(200_000), "nested deeper"),
    ('{"resourceType": "Bundle", "n": ' + "9" * 5000 + "}", "not JSON"),
]


@pytest.mark.parametrize(("text", "said"), NOT_FHIR, ids=[said + text[:12] for text, said in NOT_FHIR])
def test_what_cannot_be_imported_ends_in_a_sentence(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "odd.json"
    path.write_text(text, encoding="utf-8")
    found = Imported(tmp_path, path)
    assert found.raised is None
    assert found.code == 1
    assert said in found.said


def test_a_file_that_is_too_large_ends_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundles, "BYTES_MAX", 100)
    found = Imported(tmp_path, bundle(*subject()))
    assert (found.code, found.raised) == (1, None)
    assert "split the export" in found.said


def test_a_line_of_ndjson_that_cannot_be_read_is_an_urgent_line_and_the_others_are_read(tmp_path: Path) -> None:
    path = tmp_path / "Observation.ndjson"
    path.write_text(
        "\n".join([json.dumps(observation()), "{", "[]", json.dumps(observation(id="o2"))]), encoding="utf-8"
    )
    found = Imported(tmp_path, path, ANY_ID)
    assert [each["lab_id"] for each in found.all("lab.resulted")] == ["o1", "o2"]
    assert len(found.urgent) == 2
    assert found.code == 2


@settings(max_examples=60, deadline=None)
@given(place=st.integers(min_value=0), value=st.sampled_from([1, "x", True, {"deep": {"er": 1}}, ["a"]]))
def test_an_unknown_member_anywhere_appears_in_the_report(
    tmp_path_factory: pytest.TempPathFactory, place: int, value: Any
) -> None:
    """In any object of any resource, and of the bundle itself; and everything else is read as before."""
    directory = tmp_path_factory.mktemp("unknown")
    document = fhir_fuzz.base()
    path = directory / "bundle.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    before = fhir_fuzz.outcome_of(path)
    containers = [document, *(node[key] for node, key in fhir_fuzz.places(document) if isinstance(node[key], dict))]
    containers[place % len(containers)]["zzUnknown"] = value
    path.write_text(json.dumps(document), encoding="utf-8")
    after = fhir_fuzz.outcome_of(path)
    # The check against the published models would find it as well: here it is what nothing reads.
    added = [line for line in after.lines - before.lines if "not valid FHIR" not in line]
    assert any("zzUnknown" in line for line in added), (place, added)
    assert after.events == before.events


def test_mutated_files_raise_nothing_and_lose_nothing_without_a_line(tmp_path: Path) -> None:
    """A few of the files; ``make fuzz-fhir`` imports ten thousand."""
    assert not fhir_fuzz.run(tmp_path, 150, seed=20261130)
