"""MedicationAdministration: what was given, and what may have been. What is not certain leaves day 1 in doubt."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from services.importers.code_lists import normal
from services.importers.consumed import Element
from services.importers.fhir.bundles import BundledResource
from services.importers.fhir.elements import (
    any_time_of,
    certainly_before,
    contradict,
    covering,
    earlier,
    ignore_known,
    read_word,
    words_of,
)
from services.importers.fhir.identity import record_id
from services.importers.fhir.reading import ENTERED_IN_ERROR, FhirReading, Made, NotReadError, Values
from services.importers.mapping import Mapping

_STATUSES: Final = {
    "completed": "",
    "in-progress": "",
    "stopped": "PARTIAL",
    "not-done": "NOT DONE",
    "entered-in-error": "",
}
#: Whether it was given is not known: it was put on hold, or the server does not know.
_DOUBTFUL: Final = "whether it was given is not known"
_KNOWN: Final = (
    "partOf", "basedOn", "context", "encounter", "supportingInformation", "recorded", "isSubPotent", "performer", "reasonCode",
    "reasonReference", "reason", "request", "device", "instantiates", "instantiatesUri", "instantiatesCanonical", "eventHistory",
    "subject", "category",
)  # fmt: skip


class PossibleAdministration(NamedTuple):
    """An administration that may have been."""

    entry: BundledResource
    values: Values
    date: str


def administration(entry: BundledResource, reading: FhirReading) -> Iterator[Made]:
    """An administration that was given, in part or in whole, or certainly was not."""
    values = _values(entry, reading)
    if _status(entry) in _STATUSES or values[ENTERED_IN_ERROR]:
        yield "EX", values


def doubtful(entry: BundledResource, reading: FhirReading) -> PossibleAdministration | None:
    """An administration of a study drug of which it is not known whether it was given."""
    if _status(entry) in _STATUSES:
        return None
    values = _values(entry, reading)
    if values[ENTERED_IN_ERROR]:
        return None
    if not reading.mapping.drugs.get(normal(values["EXTRT"])):
        return None
    return PossibleAdministration(entry, values, values["EXSTDTC"])


def settle(
    doubts: list[PossibleAdministration], given: dict[str, list[str]], reading: FhirReading
) -> Iterator[tuple[BundledResource, Made]]:
    """What becomes of them: before the first certain one each makes day 1 uncertain; without any, nobody knows of a treatment."""
    for doubt in doubts:
        status = _status(doubt.entry) or "none"
        certain = min(given.get(doubt.values["USUBJID"], ()), default="")
        field = f"{doubt.entry.kind}.status"
        if certain and not certainly_before(certain, doubt.date):
            date = covering(doubt.date, certain)
            message = (
                f"{_DOUBTFUL}; it would be the first: {date} is written, so that day 1 is uncertain until somebody says"
            )
            reading.say(doubt.entry, field, status, message, urgent=True)
            yield doubt.entry, ("EX", {**doubt.values, "EXSTDTC": date, "EXENDTC": ""})
        else:
            message = f"{_DOUBTFUL}: no administration is written" + ("" if certain else "; it would be the first")
            reading.say(doubt.entry, field, status, message, urgent=True)


def _status(entry: BundledResource) -> str:
    status = entry.resource.get("status")
    return status if isinstance(status, str) else ""


def _values(entry: BundledResource, reading: FhirReading) -> Values:
    common = reading.common(entry)
    resource = entry.element
    status = resource["status"].text()
    words_of(resource["statusReason"])
    drug = drug_of(resource, entry, reading)
    start, end = _time(entry, reading, common["USUBJID"])
    ignore_known(resource, *_KNOWN, reason="who gave it, why, and on whose order: no rule needs it")
    dose = _dose(resource["dosage"])
    if common[ENTERED_IN_ERROR]:
        resource.ignore(reason="it was entered in error: whatever it says is taken back")
    return {
        **common,
        "EXSPID": record_id(entry),
        "EXTRT": drug,
        "EXSTDTC": start,
        "EXENDTC": end,
        **dose,
        "EXSTAT": _STATUSES.get(status, ""),
        "EXDTC": reading.updated_or_latest(entry) if common[ENTERED_IN_ERROR] else reading.updated(entry),
    }


def _time(entry: BundledResource, reading: FhirReading, subject: str) -> tuple[str, str]:
    """When it was given; without a start it lies between the enrolment and its end, or the extract's date."""
    resource = entry.element
    stem = next(
        (stem for stem in ("effective", "occurence", "occurrence") if any(n.startswith(stem) for n in entry.resource)),
        "effective",
    )
    start, end = any_time_of(resource, stem)
    if reading.impossible(start):
        message = "a date years after anything that was written: left out"
        reading.say(entry, f"{entry.kind}.{stem}", start, message, urgent=True)
        start, end = "", ""
    if contradict(start, end, reading.zone):
        first = earlier(start, end, reading.zone)
        date = covering(first, end if first == start else start)
        message = f"the end lies before the start: {date} is written, which covers both; day 1 is uncertain"
        reading.say(entry, f"{entry.kind}.{stem}", f"{start} to {end}", message, urgent=True)
        return date, ""
    if start:
        return start, end
    bound = end or reading.updated(entry) or reading.latest
    start = covering(reading.enrolled.get(subject, ""), bound)
    if start:
        message = f"no start: {start} is written, which its end or the date of the extract bounds; day 1 is uncertain"
        reading.say(entry, f"{entry.kind}.{stem}", "", message, urgent=True)
        return start, ""
    raise NotReadError(
        "no date of administration, and nothing that bounds it", urgent=True, field=f"{entry.kind}.{stem}"
    )


def _dose(dosage: Element) -> Values:
    values = {"EXDOSE": "", "EXDOSU": ""}
    for each in dosage:
        dose = each["dose"]
        ignore_known(dose, "system", "id", reason="UCUM, or a word that is kept as it is")
        code, unit = dose["code"].text(), dose["unit"].text()
        ignore_known(
            each,
            "text",
            "site",
            "route",
            "method",
            "rateRatio",
            "rateQuantity",
            "id",
            reason="how it was given: no rule needs it",
        )
        values = {"EXDOSE": dose["value"].text(), "EXDOSU": code or unit}
    return values


def drug_of(resource: Element, entry: BundledResource, reading: FhirReading) -> str:
    """The word by which the mapping knows a drug; else what a person would read."""
    concepts = [resource["medicationCodeableConcept"], *codeable(resource["medication"])]
    references = [resource["medicationReference"], resource["medication"]["reference"]]
    return _named(concepts, references, entry, reading)


def codeable(element: Element) -> list[Element]:
    """The concept of a CodeableReference, which only R5 has."""
    return [element["concept"]] if "concept" in element else []


def _named(concepts: list[Element], references: list[Element], entry: BundledResource, reading: FhirReading) -> str:
    words: list[str] = []
    for concept in concepts:
        words += [read_word(concept), *(word.text for word in words_of(concept))]
    for reference in references:
        words += referred_words(reference, entry, reading)
    return chosen([word for word in words if word], reading.mapping)


def referred_words(reference: Element, entry: BundledResource, reading: FhirReading) -> list[str]:
    """What a reference to a medication says: its code, its ingredients, or the display."""
    if isinstance(reference.raw, dict) and "reference" in reference and isinstance(reference.raw["reference"], dict):
        reference = reference["reference"]
    ignore_known(
        reference, "reference", "type", "id", "identifier", reason="the resource was found by it, or could not be"
    )
    found = reading.referred(reference, entry)
    words = [reference["display"].text()] if isinstance(reference.raw, dict) else []
    if found is None:
        return words
    code = found.element["code"]
    found_words = [read_word(code), *(word.text for word in words_of(code))]
    for ingredient in found.element["ingredient"]:
        for item in (ingredient["itemCodeableConcept"], *codeable(ingredient["item"])):
            found_words += [word.text for word in words_of(item)]
    return [*found_words, *words]


def chosen(words: list[str], mapping: Mapping) -> str:
    """Of the words for a drug one that the mapping knows as a study drug, else one that it knows at all, else the first."""
    known = [word for word in words if normal(word) in mapping.drugs]
    drugs = [word for word in known if mapping.drugs[normal(word)]]
    return next(iter([*drugs, *known, *words]), "")
