"""FHIR R4 bundles, small and valid, as a hospital's server writes them."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

GUIDE = "http://hl7.org/fhir/uv/ae-research-backport-ig/StructureDefinition"
ICH = "urn:oid:2.16.840.1.113883.3.989.2.1.1.19"
PERSON = {"reference": "Patient/p1"}


def concept(code: str, display: str = "", system: str = "http://example.org") -> Json:
    coding = {"system": system, "code": code}
    return {"coding": [coding | ({"display": display} if display else {})]}


def extension(name: str, **value: Any) -> Json:
    return {"url": f"{GUIDE}/{name}", **value}


def subject() -> list[Json]:
    return [
        {"resourceType": "Patient", "id": "p1", "gender": "female", "birthDate": "1957-04-02"},
        {
            "resourceType": "ResearchSubject",
            "id": "rs1",
            "identifier": [{"value": "FR01-001"}],
            "status": "on-study",
            "period": {"start": "2017-02-01"},
            "study": {"reference": "ResearchStudy/isi-jx"},
            "individual": PERSON,
            "actualArm": "LEVEL 1",
        },
    ]


def administration(**changes: Any) -> Json:
    return {
        "resourceType": "MedicationAdministration",
        "id": "ma1",
        "status": "completed",
        "medicationCodeableConcept": {"text": "Pexa-Vec"},
        "subject": PERSON,
        "effectiveDateTime": "2017-02-13T10:00:00+01:00",
        "dosage": {"dose": {"value": 1e9, "unit": "pfu"}},
        **changes,
    }


def observation(**changes: Any) -> Json:
    return {
        "resourceType": "Observation",
        "id": "o1",
        "status": "final",
        "category": [concept("laboratory", system="http://terminology.hl7.org/CodeSystem/observation-category")],
        "code": concept("1742-6", "ALT", "http://loinc.org"),
        "subject": PERSON,
        "effectiveDateTime": "2017-02-20T08:00:00+01:00",
        "issued": "2017-02-20T16:00:00+01:00",
        "valueQuantity": {"value": 240, "unit": "U/l", "system": "http://unitsofmeasure.org", "code": "U/L"},
        "referenceRange": [{"low": {"value": 7}, "high": {"value": 40}}],
        **changes,
    }


def adverse_event(**changes: Any) -> Json:
    related = extension("suspect-entity")
    related["extension"] = [
        {"url": "instance", "valueReference": {"reference": "MedicationAdministration/ma1"}},
        {
            "url": "causality",
            "extension": [
                {"url": "entityRelatedness", "valueCodeableConcept": concept("possibly", "Possibly Related", ICH)}
            ],
        },
    ]
    criterion = extension("seriousness-criteria")
    criterion["extension"] = [
        {"url": "criterionCode", "valueCodeableConcept": concept("33", "Requires Inpatient Hospitalization", ICH)},
        {"url": "criterionPresent", "valueBoolean": True},
    ]
    grade = concept("3", "Severe")
    return {
        "resourceType": "AdverseEvent",
        "id": "ae1",
        "actuality": "actual",
        "subject": PERSON,
        "event": concept("10009887", "Colitis", "http://terminology.hl7.org/CodeSystem/MDRAE") | {"text": "colite"},
        "date": "2017-02-22",
        "recordedDate": "2017-02-24T09:00:00Z",
        "seriousness": concept("serious"),
        "outcome": concept("resolved"),
        "extension": [
            extension("ae-grade", valueCodeableConcept=grade),
            extension("resolve-date", valueDateTime="2017-02-24"),
            related,
            criterion,
        ],
        **changes,
    }


def encounter(**changes: Any) -> Json:
    return {
        "resourceType": "Encounter",
        "id": "e1",
        "status": "finished",
        "class": {"code": "AMB"},
        "type": [{"text": "W2D1"}],
        "subject": PERSON,
        "period": {"start": "2017-02-20T08:00:00+01:00", "end": "2017-02-20T12:00:00+01:00"},
        **changes,
    }


def bundle(*resources: Json) -> Json:
    entries = [{"fullUrl": f"{each['resourceType']}/{each['id']}", "resource": each} for each in resources]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}
