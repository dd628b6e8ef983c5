"""AdverseEvent, as R4 and R5 have it and as the AE research guide extends both. Of several answers the worst is written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, TypeVar

from services.importers.code_lists import OUTCOME, normal
from services.importers.consumed import Element
from services.importers.fhir.bundles import BundledResource
from services.importers.fhir.causality import causality
from services.importers.fhir.codes import OUTCOMES_BY_WEIGHT, criterion_of, grade_of, outcome_of, serious_of
from services.importers.fhir.elements import (
    Word,
    any_time_of,
    contradict,
    date_of,
    extension_value,
    extensions,
    ignore_extension,
    ignore_known,
    meanings,
    read_word,
    value_of,
    words_of,
)
from services.importers.fhir.identity import record_id
from services.importers.fhir.reading import ENTERED_IN_ERROR, FhirReading, Made, NotReadError, Values

T = TypeVar("T")

CRITERIA: Final = ("AESDTH", "AESLIFE", "AESHOSP", "AESDISAB", "AESCONG", "AESMIE")
NO_TERM: Final = "no term given"
_GRADES: Final = ("ae-grade", "severity-or-grade", "severityOrGrade", "adverse-event-grade", "ctcae-grade", "grade")
_SEVERE: Final = 3
_KNOWN: Final = (
    "subject", "category", "encounter", "location", "recorder", "contributor", "participant", "referenceDocument", "study",
    "supportingInfo", "subjectMedicalHistory", "contributingFactor", "preventiveAction", "mitigatingAction",
)  # fmt: skip
#: Extensions of the guide that say who took part and what was done about it.
_KNOWN_EXTENSIONS: Final = ("participant", "research-subject-ref", "supporting-info", "contributing-factor", "mitigating-action",
                            "preventive-action", "supporting-medication-info")  # fmt: skip


def adverse_event(entry: BundledResource, reading: FhirReading) -> Iterator[Made]:
    """A toxicity as a row of AE."""
    resource = entry.element
    common = reading.common(entry)
    if resource["actuality"].text() == "potential":
        raise NotReadError("a potential adverse event, which has not happened: not read")
    _ignore_known(resource)
    if common[ENTERED_IN_ERROR]:
        when = reading.updated_or_latest(entry, date_of(resource["recordedDate"]))
        resource.ignore(reason="it was entered in error: whatever it says is taken back")
        yield "AE", {**common, "AESPID": record_id(entry), "AEDTC": when}
        return
    onset, ended = _dates(entry, reading)
    values = {
        **common,
        "AESPID": record_id(entry),
        **_terms(entry, reading),
        "AETOXGR": _grade(entry, reading),
        "AESEV": _severity(resource),
        "AESTDTC": onset,
        "AEENDTC": ended,
        "AEOUT": _worst(entry, reading, resource["outcome"], _outcomes(entry, reading)),
        **_seriousness(resource),
        "AEEXP": _expected(resource),
        "AEAWDTC": "",
        **causality(entry, reading),
    }
    recorded, detected = date_of(resource["recordedDate"]), date_of(resource["detected"])
    if "T" in detected:
        values["AEAWDTC"] = detected
    elif detected:
        reading.say(entry, f"{entry.kind}.detected", detected, "a day, where the contract has an instant: left out")
    dates = [onset, ended]
    values["AEDTC"] = reading.updated(entry, recorded) if any(dates) else reading.updated_or_latest(entry, recorded)
    if not onset:
        message = "no date of onset: it lies anywhere up to the first date that is known"
        reading.say(entry, f"{entry.kind}.date", "", message, urgent=matters(values))
    yield "AE", values


def matters(values: Values) -> bool:
    """Whether what a row of AE says is severe, serious or fatal, or may be: no grade."""
    grade = values.get("AETOXGR", "")
    says = values.get("AESER") == "Y" or values.get("AEOUT") == "FATAL" or any(values.get(name) for name in CRITERIA)
    return says or not grade.isdigit() or int(grade) >= _SEVERE


def _dates(entry: BundledResource, reading: FhirReading) -> tuple[str, str]:
    """Onset and end: R4 has ``date``, R5 ``occurrence[x]``; the end is the guide's, or that of the period.

    Of an end before the onset nobody knows which is wrong: neither is written, so that the verdict asks.
    """
    resource = entry.element
    start, end = any_time_of(resource, "occurrence")
    for stem in ("effect", "event"):
        if not start:
            start, end = any_time_of(resource, stem)
    date = date_of(resource["date"])
    resolved = date_of(extension_value(resource, "resolve-date", "resolved-date", "resolution-date"))
    onset, ended = start or date, resolved or end
    if reading.impossible(onset) or reading.impossible(ended):
        message = "a date years after anything that was written: left out, and when it was must be asked"
        reading.say(entry, f"{entry.kind}.date", f"{onset} to {ended}", message, urgent=True)
        return "", ""
    if contradict(onset, ended, reading.zone):
        message = "the end lies before the onset: neither date is written, and when it was must be asked"
        reading.say(entry, f"{entry.kind}.date", f"{onset} to {ended}", message, urgent=True)
        return "", ""
    return onset, ended


def _terms(entry: BundledResource, reading: FhirReading) -> Values:
    """The verbatim term, and the preferred term with its MedDRA code."""
    resource = entry.element
    concepts = [concept for concept in (resource["event"], resource["code"]) if concept]
    term = next((word for word in [read_word(concept) for concept in concepts] if word), "")
    effects = _effects(entry, reading)
    if not term and effects:
        term = effects[0]
    elif effects:
        reading.say(
            entry, "resultingEffect", ", ".join(effects), "what came of it, beside the term: kept in this report alone"
        )
    if not term:
        term = NO_TERM
        reading.say(entry, "AdverseEvent.event", "", f"no term: {NO_TERM!r} is written; code the term", urgent=True)
    meddra = next((coding for concept in concepts for coding in concept["coding"] if _is_meddra(coding)), None)
    display = meddra["display"].text() if meddra is not None else ""
    for concept in concepts:
        for coding in concept["coding"]:
            code = coding["code"].text()
            if code and code != term and not _is_meddra(coding):
                reading.say(entry, coding.path, code, "a code that is not MedDRA's: the event has the term alone")
    return {"AETERM": term, "AEDECOD": display, "AEPTCD": meddra["code"].text() if meddra is not None else ""}


def _effects(entry: BundledResource, reading: FhirReading) -> list[str]:
    """The conditions that the event resulted in, by their codes or displays."""
    resource = entry.element
    references = [*resource["resultingCondition"], *resource["resultingEffect"]]
    references += [value_of(each) for each in extensions(resource, "resultingEffect", "resulting-effect")]
    words: list[str] = []
    for reference in references:
        found = reading.referred(reference, entry)
        display = reference["display"].text() if isinstance(reference.raw, dict) else ""
        ignore_known(
            reference, "reference", "type", "identifier", "id", reason="the resource was found by it, or could not be"
        )
        word = read_word(found.element["code"]) if found is not None else ""
        words += [each for each in [word or display] if each]
        if not word and not display:
            reference.unread()
    return words


def _grade(entry: BundledResource, reading: FhirReading) -> str:
    grades: list[int] = []
    places = [value_of(each) for each in extensions(entry.element, *_GRADES)]
    codes = reading.mapping.codes.grade
    for place in places:
        grades += meanings(place, lambda word: grade_of(word) or codes.get(normal(word.text)) or None)
    known = sorted(set(grades), reverse=True)
    if len(known) > 1:
        message = f"several grades are said: the highest is written, {known[0]}"
        reading.say(entry, "grade", ", ".join(map(str, known)), message, urgent=known[0] >= _SEVERE)
    return str(known[0]) if known else ""


def _outcomes(entry: BundledResource, reading: FhirReading) -> list[str]:
    """Every outcome that is said, by the words of the guide and of R4, or by those of the mapping."""
    codes = reading.mapping.codes.outcome
    cdisc = {meaning: word for word, meaning in OUTCOME.items()}

    def known(word: Word) -> str | None:
        return outcome_of(word) or cdisc.get(codes.get(normal(word.text), ""))

    return [outcome for each in entry.element["outcome"] for outcome in meanings(each, known)]


def _severity(resource: Element) -> str:
    """R4's severity, which is no grade."""
    concept = resource["severity"]
    word = read_word(concept)
    code = next((word.text for word in words_of(concept)), "")
    return (code or word).upper()


def _worst(entry: BundledResource, reading: FhirReading, element: Element, found: Sequence[str]) -> str:
    """Of several outcomes the worst, with a line."""
    ordered = [word for word in OUTCOMES_BY_WEIGHT if word in found]
    if len(ordered) > 1:
        message = f"several outcomes are said: the worst is written, {ordered[0]}"
        reading.say(entry, element.path, ", ".join(ordered), message, urgent=True)
    return next(iter(ordered), "")


def _seriousness(resource: Element) -> Values:
    """Whether it was serious, by R4's element, by the guide's extensions, or by the criteria that are present."""
    said: list[str] = meanings(resource["seriousness"], serious_of)
    criteria = meanings(Element("seriousness", resource["seriousness"].raw), criterion_of)
    for each in extensions(resource, "seriousness"):
        flag = extension_value(each, "serious").flag()
        said += [] if flag is None else ["Y" if flag else "N"]
        for criterion in extensions(each, "seriousnessCriteria"):
            criteria += meanings(value_of(criterion), criterion_of)
    for each in extensions(resource, "seriousness-criteria"):
        code = extension_value(each, "criterionCode")
        present = extension_value(each, "criterionPresent")
        found = meanings(code, criterion_of)
        if present.flag() is not False:
            criteria += found
        elif not found:
            code.ignore(reason="it is not present, whatever it is")
    serious = "Y" if "Y" in said else "N" if said else ""
    return {"AESER": serious, **dict.fromkeys(dict.fromkeys(criteria), "Y")}


def _expected(resource: Element) -> str:
    flags = [extension_value(resource, "expected-in-research-study").flag(), resource["expectedInResearchStudy"].flag()]
    said = [flag for flag in flags if flag is not None]
    return ("Y" if said[0] else "N") if said else ""


def _is_meddra(coding: Element) -> bool:
    system = str((coding.raw.get("system") if isinstance(coding.raw, dict) else "") or "").lower()
    return "meddra" in system or system.endswith("/mdrae") or "2.16.840.1.113883.6.163" in system


def _ignore_known(resource: Element) -> None:
    resource["status"].text()
    extension_value(resource, "status").text()
    ignore_known(resource, *_KNOWN, reason="who took part, where, and what was done about it: no rule needs it")
    for each in extensions(resource, *_KNOWN_EXTENSIONS):
        ignore_extension(each, reason="who took part, and what was done about it: no rule needs it")
