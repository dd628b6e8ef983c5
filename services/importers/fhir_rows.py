"""Each FHIR resource as a row with the columns of SDTM: what stands where in R4, and in the AE research guide's extensions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from projections.ctcae.analytes import analytes, named_by_loinc
from services.importers.code_lists import normal
from services.importers.mapping import Domain, Mapping

Json = dict[str, Any]
Values = dict[str, str]

#: The column that says that the resource was entered in error, so that it is a retraction.
ENTERED_IN_ERROR: Final = "ENTERED_IN_ERROR"

DOMAINS: Final[dict[str, Domain]] = {
    "ResearchSubject": "DM",
    "MedicationAdministration": "EX",
    "Encounter": "SV",
    "AdverseEvent": "AE",
    "Observation": "LB",
}
_CRITERIA: Final = {
    "34": "AESDTH",
    "21": "AESLIFE",
    "33": "AESHOSP",
    "35": "AESDISAB",
    "12": "AESCONG",
    "26": "AESMIE",
    "resultsindeath": "AESDTH",
    "islifethreatening": "AESLIFE",
    "requiresinpatienthospitalization": "AESHOSP",
    "resultsinpersistentorsignificantdisability": "AESDISAB",
    "congenitalanomalyorbirthdefect": "AESCONG",
    "othermedicallyimportantcondition": "AESMIE",
}
_OUTCOMES: Final = {
    "resolved": "RECOVERED/RESOLVED",
    "recoveredorresolved": "RECOVERED/RESOLVED",
    "recovering": "RECOVERING/RESOLVING",
    "recoveringorresolving": "RECOVERING/RESOLVING",
    "ongoing": "NOT RECOVERED/NOT RESOLVED",
    "notrecoveredorresolved": "NOT RECOVERED/NOT RESOLVED",
    "notrecoveringorresolved": "NOT RECOVERED/NOT RESOLVED",
    "resolvedwithsequelae": "RECOVERED/RESOLVED WITH SEQUELAE",
    "recoveredorresolvedwithsequelae": "RECOVERED/RESOLVED WITH SEQUELAE",
    "fatal": "FATAL",
    "unknown": "UNKNOWN",
}
_WHO: Final = ("USUBJID", "SITEID", "STUDYID", ENTERED_IN_ERROR)
COLUMNS: Final[dict[Domain, tuple[str, ...]]] = {
    "DM": (*_WHO, "RFICDTC", "DMDTC", "ARMCD", "SEX", "BRTHDTC", "DTHDTC"),
    "EX": (*_WHO, "EXSPID", "EXTRT", "EXSTDTC", "EXENDTC", "EXDOSE", "EXDOSU", "EXSTAT", "EXDTC"),
    "SV": (*_WHO, "SVSPID", "VISIT", "SVSTDTC", "SVENDTC", "SVOCCUR", "SVDTC"),
    "AE": (
        *_WHO,
        *("AESPID", "AETERM", "AEDECOD", "AEPTCD", "AETOXGR", "AESEV", "AESTDTC", "AEENDTC", "AEOUT", "AESER", "AEDTC"),
        *dict.fromkeys(_CRITERIA.values()),
        *("AEEXP", "AEAWDTC", "AEREL"),
    ),
    "LB": (
        *_WHO,
        *("LBSPID", "LBTESTCD", "LBLOINC", "LBORRES", "LBORRESU", "LBORNRLO", "LBORNRHI"),
        *("LBDTC", "LBSPEC", "LBSTAT", "VISITNUM", "LBRPTDTC"),
    ),
}


class Bundle(NamedTuple):
    """The resources of a bundle with their places, and how they are referred to."""

    entries: list[tuple[int, Json]]
    by_reference: dict[str, Json]

    def referred(self, reference: Json | None) -> Json | None:
        """The resource that a reference names, if it is in the bundle."""
        return self.by_reference.get(str((reference or {}).get("reference")))

    def subject_of(self, reference: Json | None) -> str:
        """The study's id of a subject: that of the ResearchSubject, or the identifier or id that the reference names."""
        named = str((reference or {}).get("reference") or "")
        for _, resource in self.entries:
            if resource.get("resourceType") == "ResearchSubject":
                individual = str((resource.get("individual") or {}).get("reference") or "")
                if named in (individual, f"ResearchSubject/{resource.get('id')}") and named:
                    return own_id(resource)
        identifier = (reference or {}).get("identifier") or {}
        return str(identifier.get("value") or named.rpartition("/")[2])


def row_of(resource: Json, bundle: Bundle, mapping: Mapping) -> Values:
    """The row of one resource. Raises :class:`ValueError` with a sentence where it is none."""
    kind = str(resource["resourceType"])
    subject = own_id(resource) if kind == "ResearchSubject" else bundle.subject_of(resource.get("subject"))
    status = str(resource.get("status") or _extension(resource, "status").get("valueCode") or "")
    return {
        "USUBJID": subject,
        ENTERED_IN_ERROR: "Y" if status == "entered-in-error" else "",
        **_ROWS[kind](resource, bundle, mapping),
    }


def own_id(resource: Json) -> str:
    """The first identifier of a resource, else its id."""
    identifiers = resource.get("identifier") or []
    identifiers = identifiers if isinstance(identifiers, list) else [identifiers]
    return next((str(each["value"]) for each in identifiers if each.get("value")), str(resource.get("id") or ""))


def _research_subject(resource: Json, bundle: Bundle, _mapping: Mapping) -> Values:
    person = bundle.referred(resource.get("individual")) or {}
    return {
        "RFICDTC": _text((resource.get("period") or {}).get("start")),
        "DMDTC": _updated(resource),
        "ARMCD": _text(resource.get("actualArm") or resource.get("assignedArm")),
        "SEX": {"female": "F", "male": "M"}.get(str(person.get("gender")), ""),
        "BRTHDTC": _text(person.get("birthDate")),
        "DTHDTC": _text(person.get("deceasedDateTime")),
    }


def _administration(resource: Json, bundle: Bundle, _mapping: Mapping) -> Values:
    dose = (resource.get("dosage") or {}).get("dose") or {}
    period = resource.get("effectivePeriod") or {}
    return {
        "EXSPID": own_id(resource),
        "EXTRT": _medication(resource, bundle),
        "EXSTDTC": _text(resource.get("effectiveDateTime") or period.get("start")),
        "EXENDTC": _text(period.get("end")),
        "EXDOSE": _text(dose.get("value")),
        "EXDOSU": _text(dose.get("code") or dose.get("unit")),
        "EXSTAT": {"not-done": "NOT DONE", "stopped": "PARTIAL"}.get(str(resource.get("status")), ""),
        "EXDTC": _updated(resource),
    }


def _encounter(resource: Json, _bundle: Bundle, _mapping: Mapping) -> Values:
    period = resource.get("period") or {}
    kinds = resource.get("type") or []
    return {
        "SVSPID": own_id(resource),
        "VISIT": _word(kinds[0] if kinds else resource.get("serviceType")) or own_id(resource),
        "SVSTDTC": _text(period.get("start")),
        "SVENDTC": _text(period.get("end")),
        "SVOCCUR": "N" if resource.get("status") == "cancelled" else "",
        "SVDTC": _updated(resource),
    }


def _adverse_event(resource: Json, bundle: Bundle, mapping: Mapping) -> Values:
    if resource.get("actuality") == "potential":
        raise ValueError("a potential adverse event, which has not happened: not read")
    event = resource.get("event") or {}
    coded = next((each for each in _codings(event) if _is_meddra(each)), {})
    grade = _extension(resource, "ae-grade", "severity-or-grade").get("valueCodeableConcept")
    serious = _code(resource.get("seriousness")).lower()
    return {
        "AESPID": own_id(resource),
        "AETERM": _word(event),
        "AEDECOD": _text(coded.get("display")),
        "AEPTCD": _text(coded.get("code")),
        "AETOXGR": _code(grade),
        "AESEV": _code(resource.get("severity")).upper(),
        "AESTDTC": _text(resource.get("date")),
        "AEENDTC": _text(_extension(resource, "resolve-date").get("valueDateTime")),
        "AEOUT": _OUTCOMES.get(_code(resource.get("outcome")).replace("-", "").lower(), _code(resource.get("outcome"))),
        "AESER": {"serious": "Y", "non-serious": "N"}.get(serious, serious),
        "AEDTC": _updated(resource) or _text(resource.get("recordedDate")),
        "AEEXP": _flag(_extension(resource, "expected-in-research-study").get("valueBoolean")),
        "AEAWDTC": _text(resource.get("detected")),
        **_criteria(resource),
        **_causality(resource, bundle, mapping),
    }


def _observation(resource: Json, bundle: Bundle, _mapping: Mapping) -> Values:
    categories = [_code(category) for category in resource.get("category") or []]
    if categories and "laboratory" not in categories:
        raise ValueError(f"an observation of category {', '.join(categories)}, not of a laboratory: not read")
    quantity = resource.get("valueQuantity") or {}
    ranges = resource.get("referenceRange") or []
    limits: Json = next((each for each in ranges if _code(each.get("type")) in ("", "normal")), {})
    loinc = next((str(each.get("code")) for each in _codings(resource.get("code")) if each.get("system") == _LOINC), "")
    period = resource.get("effectivePeriod") or {}
    status = str(resource.get("status"))
    return {
        "LBSPID": own_id(resource),
        "LBTESTCD": _test(resource.get("code"), loinc),
        "LBLOINC": loinc,
        "LBORRES": f"{quantity.get('comparator') or ''}{_text(quantity.get('value'))}" or _reported(resource),
        "LBORRESU": _text(quantity.get("code") or quantity.get("unit")),
        "LBORNRLO": _text((limits.get("low") or {}).get("value")),
        "LBORNRHI": _text((limits.get("high") or {}).get("value")),
        "LBDTC": _text(resource.get("effectiveDateTime") or period.get("start")),
        "LBSPEC": _specimen(resource.get("specimen"), bundle),
        "LBSTAT": _LAB_STATUS.get(status, status),
        "VISITNUM": _text((resource.get("encounter") or {}).get("reference")).rpartition("/")[2],
        "LBRPTDTC": _updated(resource) or _text(resource.get("issued")),
    }


_LOINC: Final = "http://loinc.org"
_LAB_STATUS: Final = {"registered": "NOT DONE", "cancelled": "NOT DONE", "amended": "CORRECTED", "entered-in-error": ""}
_ROWS: Final[dict[str, Callable[[Json, Bundle, Mapping], Values]]] = {
    "ResearchSubject": _research_subject,
    "MedicationAdministration": _administration,
    "Encounter": _encounter,
    "AdverseEvent": _adverse_event,
    "Observation": _observation,
}


def _test(code: Json | None, loinc: str) -> str:
    """The LBTESTCD: given as such, or the analyte of the LOINC code, or whatever the laboratory calls it."""
    given = next((str(each.get("code")) for each in _codings(code) if str(each.get("code")) in analytes()), "")
    named = named_by_loinc(loinc) if loinc else None
    return given or (named if named in analytes() else None) or _word(code)


def _reported(resource: Json) -> str:
    return _text(resource.get("valueString")) or _word(resource.get("valueCodeableConcept"))


def _specimen(reference: Json | None, bundle: Bundle) -> str:
    found = bundle.referred(reference)
    return _word(found.get("type")) if found is not None else _text((reference or {}).get("display"))


def _medication(resource: Json, bundle: Bundle) -> str:
    concept = resource.get("medicationCodeableConcept")
    if concept:
        return _word(concept)
    reference = resource.get("medicationReference") or {}
    found = bundle.referred(reference)
    return _word(found.get("code")) if found is not None else _text(reference.get("display"))


def _criteria(resource: Json) -> Values:
    """The criteria of seriousness that are present."""
    found: Values = {}
    for criterion in _extensions(resource, "seriousness-criteria"):
        code = _code(_extension(criterion, "criterionCode").get("valueCodeableConcept"))
        column = _CRITERIA.get(code) or _CRITERIA.get(code.lower())
        if column is not None and _extension(criterion, "criterionPresent").get("valueBoolean") is not False:
            found[column] = "Y"
    return found


def _causality(resource: Json, bundle: Bundle, mapping: Mapping) -> Values:
    """How the event is related to each suspected drug of the study; what is no such drug is about the study treatment."""
    found: Values = {}
    for instance, relatedness in _suspects(resource):
        given = bundle.referred(instance) or {}
        name = _medication(given, bundle) or _text((instance or {}).get("display"))
        drug = mapping.drugs.get(normal(name))
        found.setdefault(causality_column(drug), relatedness)
    return found


def causality_column(drug: str | None) -> str:
    """Where it is said how an event is related to a drug of the study; None: to the treatment as a whole."""
    return f"AEREL.{drug}".upper() if drug else "AEREL"


def _suspects(resource: Json) -> Iterator[tuple[Json | None, str]]:
    """R4's own suspected entities, and those of the guide's extension."""
    for suspect in resource.get("suspectEntity") or []:
        for causality in suspect.get("causality") or [{}]:
            yield suspect.get("instance"), _relatedness(causality.get("assessment"))
    for suspect in _extensions(resource, "suspect-entity"):
        causality = _extension(suspect, "causality")
        answer = _extension(causality, "entityRelatedness").get("valueCodeableConcept")
        yield _extension(suspect, "instance").get("valueReference"), _relatedness(answer)


def _relatedness(concept: Json | None) -> str:
    """The word of a code list: its display, where it has one, says it as SDTM does."""
    coding = next(iter(_codings(concept)), {})
    return _text(coding.get("display")) or _word(concept)


def _extensions(element: Json, *names: str) -> list[Json]:
    """The extensions of an element whose address ends in one of the names."""
    every = [*(element.get("extension") or []), *(element.get("modifierExtension") or [])]
    return [each for each in every if str(each.get("url", "")).rpartition("/")[2] in names]


def _extension(element: Json, *names: str) -> Json:
    return next(iter(_extensions(element, *names)), {})


def _codings(concept: Json | None) -> list[Json]:
    return list((concept or {}).get("coding") or [])


def _code(concept: Json | None) -> str:
    coding = next(iter(_codings(concept)), {})
    return _text(coding.get("code")) or _text((concept or {}).get("text"))


def _word(concept: Json | None) -> str:
    """What a person would read."""
    coding = next(iter(_codings(concept)), {})
    return _text((concept or {}).get("text")) or _text(coding.get("display")) or _text(coding.get("code"))


def _is_meddra(coding: Json) -> bool:
    system = str(coding.get("system", "")).lower()
    return "meddra" in system or system.endswith("/mdrae") or "2.16.840.1.113883.6.163" in system


def _updated(resource: Json) -> str:
    return _text((resource.get("meta") or {}).get("lastUpdated"))


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _flag(value: object) -> str:
    return {True: "Y", False: "N"}.get(value, "") if isinstance(value, bool) else ""
