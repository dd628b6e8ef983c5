"""Observation: every value[x] of a laboratory result, with its components, its specimen and the limits that apply."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from services.importers.consumed import Element
from services.importers.fhir.bundles import BundledResource
from services.importers.fhir.codes import LABORATORY, NOT_DONE, specimen_in, specimen_of
from services.importers.fhir.elements import (
    any_time_of,
    covering,
    date_of,
    ignore_known,
    meanings,
    read_word,
    squeezed,
    words_of,
)
from services.importers.fhir.identity import record_id
from services.importers.fhir.named_tests import Test, test_of
from services.importers.fhir.quantities import RangeSubject, limits_of
from services.importers.fhir.reading import ENTERED_IN_ERROR, FhirReading, Made, NotReadError, Values
from services.importers.fhir.values import MeasuredValue, result_of

_STATUSES: Final = {
    "final": "FINAL",
    "preliminary": "PRELIMINARY",
    "amended": "CORRECTED",
    "corrected": "CORRECTED",
    "appended": "CORRECTED",
    "registered": "PRELIMINARY",
    "unknown": "PRELIMINARY",
    "cancelled": "UNRELIABLE",
}
_WITHOUT_VALUE: Final = {"registered": "NOT DONE", "cancelled": "NOT DONE"}
_KNOWN: Final = (
    "basedOn", "partOf", "subject", "performer", "bodySite", "method", "device", "derivedFrom", "triggeredBy",
    "instantiatesCanonical", "instantiatesReference", "organizer",
)  # fmt: skip
_CRITICAL: Final = frozenset({"hh", "ll", "aa", "critical", "criticalhigh", "criticallow", "criticalabnormal", "panic"})
_NOT_BLOOD: Final = frozenset({"URINE", "CSF", "OTHER FLUID"})


class _Sample(NamedTuple):
    """What all results of one Observation share."""

    common: Values
    collected: str
    specimen: str
    visit: str
    status: str
    updated: str
    who: RangeSubject


def observation(entry: BundledResource, reading: FhirReading) -> Iterator[Made]:
    """A result, or those of its components; a panel that has nothing but members is none."""
    resource = entry.element
    common = reading.common(entry)
    test = test_of(resource["code"], reading.mapping)
    categories = _categories(resource)
    if categories and not test.known and not any(_is_laboratory(word) for word in categories):
        raise NotReadError(f"an observation of category {', '.join(categories)}, not of a laboratory: not read")
    ignore_known(resource, *_KNOWN, reason="who measured it, how, and on whose order: the contract has no place for it")
    status, issued = resource["status"].text(), date_of(resource["issued"])
    if common[ENTERED_IN_ERROR]:
        for record in _records(entry, resource):
            yield "LB", {**common, "LBSPID": record, "LBRPTDTC": reading.updated_or_latest(entry, issued)}
        resource.ignore(reason="it was entered in error: whatever it says is taken back")
        return
    if status not in _STATUSES:
        reading.say(entry, "Observation.status", status, "not a status of FHIR: read as preliminary", urgent=True)
    specimen, taken = _specimen(entry, reading)
    collected = _collected(entry, reading, taken, issued)
    visit = _visit(entry, reading)
    sample = _Sample(
        common, collected, specimen, visit, status, reading.updated(entry, issued), _who(entry, reading, collected)
    )
    records = _records(entry, resource)
    members = bool(resource["hasMember"]) or bool(resource["component"])
    resource["hasMember"].ignore(reason="its members are Observations, which are read or told of by themselves")
    result = result_of(resource, test.name, reading.mapping)
    if not members or result.said:
        yield "LB", _row(entry, reading, resource, test, result, sample, records[0])
    for component, record in zip(resource["component"], records[1:], strict=True):
        part = test_of(component["code"], reading.mapping)
        component["id"].ignore(reason="of the element alone")
        yield (
            "LB",
            _row(entry, reading, component, part, result_of(component, part.name, reading.mapping), sample, record),
        )


def _records(entry: BundledResource, resource: Element) -> list[str]:
    """The ids of the result itself and of its components: by what each measures, so that their order does not matter."""
    own = record_id(entry)
    records = [own]
    for component in resource["component"]:
        words = words_of(component["code"])
        name = next((word.text for word in words if word.is_code), "") or next(
            (word.text for word in words), "component"
        )
        record = f"{own}.{name}"
        records.append(record if record not in records else f"{record}.{len(records)}")
    return records


def _row(
    entry: BundledResource,
    reading: FhirReading,
    element: Element,
    test: Test,
    result: MeasuredValue,
    sample: _Sample,
    record: str,
) -> Values:
    where = element.path
    if not test.name:
        reading.say(entry, f"{where}.code", "", "no code: which test it is must be asked", urgent=True)
    if test.several:
        message = f"codes of several tests: {test.name} is written"
        reading.say(entry, f"{where}.code", ", ".join(test.several), message, urgent=True)
    for odd in result.odd:
        reading.say(entry, f"{where}.value", f"{result.comparator}{result.value or result.text}", odd, urgent=True)
    limits = limits_of(element["referenceRange"], result.quantity, test.name, sample.who, reading.mapping)
    for odd in limits.odd:
        reading.say(entry, f"{where}.referenceRange", f"{limits.low}-{limits.high}".strip("-"), odd)
    status = _status(entry, reading, element, result, sample.status)
    _interpretation(entry, reading, element, result)
    return {
        **sample.common,
        "LBSPID": record,
        "LBTESTCD": test.name or "UNKNOWN",
        "LBLOINC": test.loinc,
        "LBORRES": f"{result.comparator}{result.value}" if result.value else result.text,
        "LBORRESU": result.unit,
        "LBORNRLO": limits.low,
        "LBORNRHI": limits.high,
        "LBDTC": sample.collected,
        "LBSPEC": _specimen_of_test(element, sample.specimen),
        "LBSTAT": status,
        "VISITNUM": sample.visit,
        "LBRPTDTC": sample.updated,
    }


def _status(entry: BundledResource, reading: FhirReading, element: Element, result: MeasuredValue, status: str) -> str:
    reasons = words_of(element["dataAbsentReason"])
    if result.said:
        if reasons:
            message = "said to be absent, and yet there is a value: the value is read"
            reading.say(entry, element["dataAbsentReason"].path, reasons[0].text, message, urgent=True)
        if status in _WITHOUT_VALUE:
            written = _STATUSES[status].lower()
            reading.say(
                entry,
                "Observation.status",
                status,
                f"{status}, and yet there is a value: written as {written}",
                urgent=True,
            )
        return _STATUSES.get(status, "PRELIMINARY")
    not_done = any(squeezed(word.text) in NOT_DONE for word in reasons)
    if not reasons and status not in _WITHOUT_VALUE:
        reading.say(entry, f"{element.path}.value", "", "no value, and no reason why: it must be asked", urgent=True)
    return "NOT DONE" if not_done else _WITHOUT_VALUE.get(status, _STATUSES.get(status, "PRELIMINARY"))


def _interpretation(entry: BundledResource, reading: FhirReading, element: Element, result: MeasuredValue) -> None:
    """A flag of the laboratory: the value says more; without one, a critical flag is all that there is."""
    words = [word.text for each in element["interpretation"] for word in words_of(each)]
    if words and not result.value:
        critical = any(squeezed(word) in _CRITICAL for word in words)
        reading.say(
            entry,
            f"{element.path}.interpretation",
            ", ".join(words),
            "a flag without a number: left out",
            urgent=critical,
        )


def _categories(resource: Element) -> list[str]:
    return [word.text for category in resource["category"] for word in words_of(category)]


def _is_laboratory(word: str) -> bool:
    return squeezed(word) in LABORATORY or "laborator" in word.lower()


def _collected(entry: BundledResource, reading: FhirReading, taken: str, issued: str) -> str:
    """When it was collected: as said here, by the specimen, by what contains it; else it lies before it was issued."""
    start, end = any_time_of(entry.element, "effective")
    if reading.impossible(start or end):
        message = "a date years after anything that was written: left out"
        reading.say(entry, "Observation.effective", start or end, message, urgent=True)
    elif start or end:
        return start or end
    if taken:
        return taken
    if entry.inside is not None:
        start, end = any_time_of(entry.inside.element, "effective")
        if start or end:
            return start or end
    bound = covering("", issued or reading.updated(entry) or reading.latest)
    if not bound:
        raise NotReadError(
            "no date of collection, and nothing that bounds it", urgent=True, field="Observation.effective"
        )
    message = f"no date of collection: {bound} is written, which the date of issue or of the extract bounds"
    reading.say(entry, "Observation.effective", "", message, urgent=True)
    return bound


def _specimen(entry: BundledResource, reading: FhirReading) -> tuple[str, str]:
    """What it was measured in, as the code lists have it; and when that was collected. What is not known keeps its words."""
    reference = entry.element["specimen"]
    if not reference:
        return "", ""
    found = reading.referred(reference, entry)
    display = reference["display"].text() if isinstance(reference.raw, dict) else ""
    named = str((reference.raw.get("reference") if isinstance(reference.raw, dict) else reference.raw) or "")
    ignore_known(
        reference, "reference", "type", "identifier", "id", reason="the specimen was found by it, or could not be"
    )
    taken, words = "", [display]
    kinds: list[str] = meanings(reference["display"], specimen_of) if display else []
    if found is not None:
        kinds = meanings(found.element["type"], specimen_of) or kinds
        words = [read_word(found.element["type"]), display]
        start, end = any_time_of(found.element["collection"], "collected")
        taken = start or end
    blood = {kind for kind in kinds if kind not in _NOT_BLOOD}
    if kinds and len(blood) in (0, len(set(kinds))):
        return kinds[0], taken
    said = " and ".join(kinds) or next((word for word in words if word), "") or f"not in the import: {named}"
    message = "which specimen this is cannot be told: it is not graded as blood, and must be asked"
    reading.say(entry, "Observation.specimen", said, message, urgent=True)
    return "OTHER FLUID", taken


def _specimen_of_test(element: Element, specimen: str) -> str:
    """The specimen; where a code's own words name another than blood, that one."""
    said = [name for word in words_of(element["code"]) if (name := specimen_in(word.text)) in _NOT_BLOOD]
    return said[0] if said and specimen in ("", "BLOOD", "SERUM", "PLASMA") else specimen


def _visit(entry: BundledResource, reading: FhirReading) -> str:
    reference = entry.element["encounter"]
    ignore_known(reference, "type", "identifier", "display", "id", reason="the visit is named by its id")
    text = reference["reference"].text() if isinstance(reference.raw, dict) else reference.text()
    path, _, name = text.partition("/_history")[0].rpartition("/")
    visit = name.rpartition(":")[2].removeprefix("#")
    if text and (not visit or path.rpartition("/")[2] not in ("", "Encounter")):
        reading.say(entry, "Observation.encounter", text, "this names no encounter: the result belongs to no visit")
        return ""
    return visit


def _who(entry: BundledResource, reading: FhirReading, collected: str) -> RangeSubject:
    human = reading.people.human_of(entry.element["subject"], entry)
    if human is None:
        return RangeSubject("", "", collected)
    sex = {"female": "F", "male": "M"}.get(str(human.resource.get("gender") or "").lower(), "")
    return RangeSubject(sex, str(human.resource.get("birthDate") or ""), collected)
