"""Laboratory Observations: every value[x], range, specimen, code and status, and what is asked where one is in doubt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.importers.bundles import administration, bundle, concept, observation, subject
from tests.importers.fhir_imports import Imported, Json

LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"


def without(resource: Json, *names: str) -> Json:
    return {key: value for key, value in resource.items() if key not in names}


def measured(tmp_path: Path, result: Json, *others: Json, person: Json | None = None) -> Imported:
    people = subject()
    people[0] |= person or {}
    return Imported(tmp_path, bundle(*people, administration(), *others, result))


def valued(**value: Any) -> Json:
    return without(observation(), "valueQuantity") | value


U_PER_L = {"unit": "U/L", "code": "U/L"}
VALUES: list[tuple[Json, Json]] = [
    ({"valueString": "> 900 U/L"}, {"value": 900, "comparator": ">", "unit": "U/L"}),
    ({"valueString": "240"}, {"value": 240}),
    ({"valueString": "12,5 U/L"}, {"value": 12.5, "unit": "U/L"}),
    ({"valueString": "1,200 U/L"}, {"text": "1,200 U/L"}),
    ({"valueString": "haemolysed"}, {"text": "haemolysed"}),
    ({"valueInteger": 900}, {"value": 900}),
    (
        {"valueRange": {"low": {"value": 900, **U_PER_L}, "high": {"value": 1000, **U_PER_L}}},
        {"value": 900, "comparator": ">="},
    ),
    ({"valueRange": {"high": {"value": 30, **U_PER_L}}}, {"value": 30, "comparator": "<=", "unit": "U/L"}),
    (
        {"valueRatio": {"numerator": {"value": 240, "unit": "U"}, "denominator": {"value": 1, "unit": "L"}}},
        {"value": 240},
    ),
    ({"valueRatio": {"numerator": {"value": 1}, "denominator": {"value": 128}}}, {"text": "1 / 128"}),
    ({"valueCodeableConcept": {"text": "<5 U/L"}}, {"value": 5, "comparator": "<", "unit": "U/L"}),
    ({"valueCodeableConcept": concept("positive", "Positive")}, {"text": "Positive"}),
    ({"valueBoolean": True}, {"text": "true"}),
    ({"valueTime": "10:00:00"}, {"text": "10:00:00"}),
    ({"valueDateTime": "2017"}, {"text": "datetime 2017"}),
    ({"valueQuantity": {"value": 240, "unit": "U/l"}}, {"value": 240, "unit": "U/l"}),
    ({"valueQuantity": {"value": 240, "code": "odd", "unit": "U/L"}}, {"value": 240, "unit": "U/L"}),
]


@pytest.mark.parametrize(("value", "written"), VALUES, ids=[str(value) for value, _ in VALUES])
def test_every_type_of_value_is_read(tmp_path: Path, value: Json, written: Json) -> None:
    data = measured(tmp_path, valued(**value)).data("lab.resulted")
    assert {key: data.get(key) for key in written} == written


def test_a_value_that_nothing_reads_is_an_event_without_a_value_and_a_line(tmp_path: Path) -> None:
    found = measured(
        tmp_path, valued(valueSampledData={"origin": {"value": 1}, "period": 1, "dimensions": 1, "data": "900"})
    )
    assert "value" not in found.data("lab.resulted")
    assert any("valueSampledData" in line for line in found.lines)
    assert any("must be asked" in line for line in found.urgent)
    assert found.assess()["queries"]


def test_a_unit_whose_code_and_text_differ_is_no_unit(tmp_path: Path) -> None:
    found = measured(
        tmp_path,
        valued(valueQuantity={"value": 6, "code": "mg/dL", "unit": "umol/L"}, code=concept("1975-2", system=LOINC)),
    )
    assert "unit" not in found.data("lab.resulted")
    assert any("which is something else" in line for line in found.urgent)


def limits(*ranges: Json, **changes: Any) -> Json:
    return observation(referenceRange=list(ranges), **changes)


def limit(low: float | None, high: float | None, unit: str = "", **changes: Any) -> Json:
    ends = {"low": low, "high": high}
    quantities = {
        name: {"value": value, **({"unit": unit} if unit else {})} for name, value in ends.items() if value is not None
    }
    return {**quantities, **changes}


FEMALE, MALE = concept("female", "Female"), {"text": "Men"}
ADULT = {"low": {"value": 18, "unit": "a", "code": "a"}}
CHILD = {"high": {"value": 17, "unit": "years"}}
RANGES = [
    ((limit(7, 40), limit(10, 50, appliesTo=[MALE])), (7, 40)),
    ((limit(7, 35, appliesTo=[FEMALE]), limit(10, 50, appliesTo=[MALE])), (7, 35)),
    (
        (
            limit(10, 50, appliesTo=[concept("248153007", system=SNOMED)]),
            limit(7, 35, appliesTo=[concept("248152002")]),
        ),
        (7, 35),
    ),
    ((limit(10, 150, age=CHILD), limit(7, 40, age=ADULT)), (7, 40)),
    ((limit(0, 500, type=concept("treatment")), limit(7, 40, type=concept("normal"))), (7, 40)),
    ((limit(7, 40), limit(7, 40)), (7, 40)),
    ((limit(7, 40), limit(8, 45)), (None, None)),
    ((limit(10, 50, appliesTo=[MALE]),), (None, None)),
    ((limit(0, 500, type=concept("therapeutic")),), (None, None)),
    (({"text": "7-40"},), (7, 40)),
    (({"text": "7 – 40 U/L"},), (7, 40)),
    (({"text": "up to 40"},), (None, 40)),
    (({"text": "> 7"},), (7, None)),
    (({"text": "see the laboratory's leaflet"},), (None, None)),
]


@pytest.mark.parametrize(("ranges", "kept"), RANGES, ids=[str(ranges) for ranges, _ in RANGES])
def test_of_several_ranges_the_one_that_applies_is_written_else_none(
    tmp_path: Path, ranges: tuple[Json, ...], kept: tuple[float | None, float | None]
) -> None:
    """To sex, age and type; where several are left, or none, no limit is written, and there is a line."""
    found = measured(tmp_path, limits(*ranges))
    data = found.data("lab.resulted")
    assert (data.get("lln"), data.get("uln")) == kept
    assert kept != (None, None) or any("referenceRange" in line for line in found.lines)


def test_a_range_for_one_sex_is_not_taken_where_the_sex_is_not_known(tmp_path: Path) -> None:
    found = measured(tmp_path, limits(limit(7, 35, appliesTo=[FEMALE])), person={"gender": "unknown"})
    assert "uln" not in found.data("lab.resulted")
    assert any("cannot be told" in line for line in found.lines)


def test_limits_in_a_unit_that_cannot_be_converted_are_left_out(tmp_path: Path) -> None:
    found = measured(tmp_path, limits(limit(7, 40, "g/L")))
    assert "uln" not in found.data("lab.resulted")
    assert any("cannot be converted" in line for line in found.lines)


def test_the_range_in_the_values_own_unit_is_preferred(tmp_path: Path) -> None:
    bilirubin = {"code": concept("1975-2", system=LOINC), "valueQuantity": {"value": 6, "code": "mg/dL"}}
    found = measured(tmp_path, limits(limit(3, 21, "umol/L"), limit(0.2, 1.2, "mg/dL"), **bilirubin))
    assert found.data("lab.resulted")["uln"] == 1.2
    assert found.grades() == {("BILI", "high"): 3}


CODES = [
    (concept("1742-6", system="https://loinc.org/"), "ALT"),
    (concept("1742-6", system="urn:oid:2.16.840.1.113883.6.1"), "ALT"),
    ({"coding": [{"system": "http://lab.example", "code": "X77"}, {"system": LOINC, "code": "777-3"}]}, "PLAT"),
    (concept("ANC", system="http://lab.example"), "NEUT"),
    (concept("plt", system="http://lab.example"), "PLAT"),
    ({"text": "Alanine aminotransferase"}, "ALT"),
    (concept("X12", "Platelets"), "PLAT"),
    ({"text": "Hemoglobin"}, "HGB"),
]


@pytest.mark.parametrize(("code", "test"), CODES, ids=[str(code) for code, _ in CODES])
def test_a_test_is_known_by_loinc_by_its_code_or_by_its_name(tmp_path: Path, code: Json, test: str) -> None:
    assert measured(tmp_path, observation(code=code)).data("lab.resulted")["test"] == test


def test_codes_of_two_tests_are_asked_about(tmp_path: Path) -> None:
    code = {"coding": [{"system": LOINC, "code": "777-3"}, {"system": "http://lab.example", "code": "ALT"}]}
    found = measured(tmp_path, observation(code=code))
    assert any("codes of several tests" in line for line in found.urgent)
    assert found.assess()["queries"]


SPECIMENS = [
    (concept("119364003", "Serum specimen", SNOMED), "serum"),
    (concept("119361006", system=SNOMED), "plasma"),
    (concept("119297000", system=SNOMED), "blood"),
    (concept("122575003", system=SNOMED), "urine"),
    ({"text": "Serum specimen"}, "serum"),
    ({"text": "Venous blood (EDTA)"}, "blood"),
    ({"text": "24 h urine"}, "urine"),
    (concept("SER", system="http://terminology.hl7.org/CodeSystem/v2-0487"), "serum"),
    ({"text": "tube with a red cap"}, "other"),
    ({"coding": [{"display": "Blood"}, {"display": "Urine"}]}, "other"),
]


@pytest.mark.parametrize(("kind", "written"), SPECIMENS, ids=[str(kind) for kind, _ in SPECIMENS])
def test_a_specimen_is_known_by_snomed_by_hl7_or_by_its_text(tmp_path: Path, kind: Json, written: str) -> None:
    """What is not known is asked about, and never graded as blood."""
    specimen = {"resourceType": "Specimen", "id": "s1", "type": kind}
    found = measured(tmp_path, observation(specimen={"reference": "Specimen/s1"}), specimen)
    assert found.data("lab.resulted")["specimen"] == written
    if written == "other":
        assert found.urgent
        assert found.assess()["queries"]


STATUSES = [
    ("final", True, "final"),
    ("preliminary", True, "preliminary"),
    ("amended", True, "corrected"),
    ("registered", True, "preliminary"),
    ("unknown", True, "preliminary"),
    ("cancelled", True, "unreliable"),
    ("registered", False, "not-done"),
    ("cancelled", False, "not-done"),
    ("made-up", True, "preliminary"),
]


@pytest.mark.parametrize(("status", "valued", "written"), STATUSES)
def test_a_status_says_what_becomes_of_a_value(tmp_path: Path, status: str, valued: bool, written: str) -> None:
    result = observation(status=status)
    found = measured(tmp_path, result if valued else without(result, "valueQuantity"))
    assert found.data("lab.resulted")["status"] == written


TIMES: list[tuple[Json, str]] = [
    ({"effectiveInstant": "2017-02-20T08:00:00.123+01:00"}, "2017-02-20T08:00:00.123+01:00"),
    ({"effectivePeriod": {"start": "2017-02-20", "end": "2017-02-21"}}, "2017-02-20"),
    ({"effectivePeriod": {"end": "2017-02-21"}}, "2017-02-21"),
    ({"effectiveTiming": {"event": ["2017-02-21", "2017-02-20"]}}, "2017-02-20"),
    ({"effectiveTiming": {"repeat": {"boundsPeriod": {"start": "2017-02-20"}}}}, "2017-02-20"),
    ({"specimen": {"reference": "Specimen/s1"}}, "2017-02-19"),
    ({}, "2017"),
]


@pytest.mark.parametrize(("when", "written"), TIMES, ids=[str(when) for when, _ in TIMES])
def test_every_type_of_effective_time_is_read(tmp_path: Path, when: Json, written: str) -> None:
    """Without one the specimen says when it was taken; else only that it was before the issue is known, and told."""
    specimen = {
        "resourceType": "Specimen",
        "id": "s1",
        "type": {"text": "Serum"},
        "collection": {"collectedDateTime": "2017-02-19"},
    }
    found = measured(tmp_path, without(observation(), "effectiveDateTime") | when, specimen)
    assert found.data("lab.resulted")["collected"] == written


def test_a_component_has_its_own_value_range_and_absence(tmp_path: Path) -> None:
    panel = without(observation(code=concept("58410-2", "CBC panel", LOINC)), "valueQuantity", "referenceRange") | {
        "component": [
            {
                "code": concept("777-3", system=LOINC),
                "valueQuantity": {"value": 18, "code": "10*9/L"},
                "referenceRange": [limit(150, 400)],
            },
            {"code": concept("718-7", system=LOINC), "dataAbsentReason": concept("not-performed")},
            {"code": concept("751-8", system=LOINC), "valueString": "< 0.3 10*9/L"},
        ]
    }
    results = {each["test"]: each for each in measured(tmp_path, panel).all("lab.resulted")}
    assert set(results) == {"PLAT", "HGB", "NEUT"}
    assert (results["PLAT"]["uln"], results["HGB"]["status"], results["NEUT"]["comparator"]) == (400, "not-done", "<")
    assert len({each["lab_id"] for each in results.values()}) == 3


ABSENT = [("not-performed", "not-done"), ("asked-declined", "not-done"), ("error", "final"), ("unknown", "final")]


@pytest.mark.parametrize(("reason", "status"), ABSENT)
def test_an_absent_value_is_not_done_or_asked_about(tmp_path: Path, reason: str, status: str) -> None:
    result = without(observation(), "valueQuantity") | {"dataAbsentReason": concept(reason)}
    found = measured(tmp_path, result)
    assert found.data("lab.resulted")["status"] == status
    assert bool(found.assess()["queries"]) == (status == "final")


@pytest.mark.parametrize("reference", ["Patient/p1", "Encounter/", "#"])
def test_a_reference_that_names_no_encounter_has_a_line(tmp_path: Path, reference: str) -> None:
    """The result is written without a visit."""
    found = measured(tmp_path, observation(encounter={"reference": reference}))
    assert "visit_id" not in found.data("lab.resulted")
    assert [line["value"] for line in found.report if line["field"] == "Observation.encounter"] == [reference]


@pytest.mark.parametrize(
    "reference", ["Encounter/e1", "https://fhir.example.org/r4/Encounter/e1/_history/2", "urn:uuid:e1"]
)
def test_a_reference_to_an_encounter_is_the_visit(tmp_path: Path, reference: str) -> None:
    """Relative, absolute with a version, or by a name."""
    found = measured(tmp_path, observation(encounter={"reference": reference}))
    assert found.data("lab.resulted")["visit_id"] == "e1"
