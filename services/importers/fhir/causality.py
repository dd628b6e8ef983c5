"""Suspected entities: how a toxicity is related to each study drug, or-ed over all that is said of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from events.adverse_event import CausalityWord
from services.importers.code_lists import normal
from services.importers.consumed import Element
from services.importers.fhir.administrations import codeable, drug_of, referred_words
from services.importers.fhir.bundles import BundledResource
from services.importers.fhir.codes import CAUSALITY_BY_WEIGHT, SAYS_NO, causality_of
from services.importers.fhir.elements import (
    Word,
    extension_value,
    extensions,
    ignore_extension,
    ignore_known,
    meanings,
    read_word,
    value_of,
    words_of,
)
from services.importers.fhir.reading import FhirReading, Values

#: Nothing is said of the drug, which settles nothing either.
UNSAID: Final[CausalityWord] = "unclassifiable"
PROCEDURE: Final = "injection-procedure"
#: What no study drug is, whatever it is called.
_NO_DRUG: Final = frozenset({"Device"})
#: Taking part in the study as a whole, which the guide allows as a suspect.
STUDY: Final = "study-treatment"
_CAUSALITY_KNOWN: Final = ("assessmentMethod", "method", "author", "id")


class Suspect(NamedTuple):
    """One suspected entity: its words, the kind of resource it is where that is known, and the answers about it."""

    words: list[str]
    kind: str
    found: bool
    answers: list[CausalityWord]
    path: str


def causality(entry: BundledResource, reading: FhirReading) -> Values:
    """The answer on each study drug. What is no study drug says nothing of the study treatment."""
    answers: dict[str, list[CausalityWord]] = {}
    unsaid: list[CausalityWord] = [UNSAID]
    unknown: list[Suspect] = []
    for suspect in _suspects(entry, reading):
        about = _about(suspect, reading)
        if about:
            answers.setdefault(about, []).extend(suspect.answers or unsaid)
        elif suspect.found or suspect.words:
            names = ", ".join(dict.fromkeys(suspect.words)) or suspect.kind
            message = "a suspect that is no study drug: what is said of it says nothing of the study treatment"
            reading.say(
                entry, suspect.path, f"{names}: {', '.join(suspect.answers)}", message, urgent=_says_yes(suspect)
            )
        else:
            unknown.append(suspect)
    return {causality_column(about): word for about, word in _settled(entry, reading, answers, unknown)}


def causality_column(drug: str | None) -> str:
    """Where a row says how an event is related to a drug of the study; None: to the treatment as a whole."""
    return f"AEREL.{drug}".upper() if drug and drug != STUDY else "AEREL"


def _settled(
    entry: BundledResource, reading: FhirReading, answers: dict[str, list[CausalityWord]], unknown: list[Suspect]
) -> Iterator[tuple[str, str]]:
    """Of all answers on a drug the worst. A suspect that nobody can name may be any of them."""
    doubt = any(not suspect.answers or _says_yes(suspect) for suspect in unknown)
    for suspect in unknown:
        message = "a suspect that is not in the import and has no name: whether it is a study drug must be asked"
        reading.say(entry, suspect.path, ", ".join(suspect.answers), message, urgent=True)
    for about, said in answers.items():
        words = [word for word in CAUSALITY_BY_WEIGHT if word in said]
        if len(words) > 1:
            message = f"several answers on {about}: the worst is written, {words[0]}"
            reading.say(entry, "suspectEntity.causality", ", ".join(words), message)
        word = words[0]
        yield about, UNSAID if doubt and word in SAYS_NO else word


def _about(suspect: Suspect, reading: FhirReading) -> str:
    """The study drug that a suspect is; the injection, of a procedure; else nothing."""
    if suspect.kind == "Procedure":
        return PROCEDURE
    if suspect.kind == "ResearchStudy":
        return STUDY
    if suspect.kind in _NO_DRUG:
        return ""
    drugs = reading.mapping.drugs
    return next((drug for word in suspect.words if (drug := drugs.get(normal(word)))), "")


def _says_yes(suspect: Suspect) -> bool:
    return any(answer not in SAYS_NO for answer in suspect.answers)


def _suspects(entry: BundledResource, reading: FhirReading) -> Iterator[Suspect]:
    """R4's and R5's own suspected entities, and those of the guide's extension."""
    for suspect in entry.element["suspectEntity"]:
        suspect["id"].ignore(reason="of the element alone")
        answers = [answer for each in suspect["causality"] for answer in _answers(each, reading)]
        concepts = [suspect["instanceCodeableConcept"], extension_value(suspect, "instance-codeable-concept")]
        references = [suspect["instance"], suspect["instanceReference"]]
        yield _suspect(entry, reading, suspect, concepts, references, answers)
    for suspect in extensions(entry.element, "suspect-entity"):
        answers = [answer for each in extensions(suspect, "causality") for answer in _answers(each, reading)]
        instances = [value_of(each) for each in extensions(suspect, "instance")]
        concepts = [
            each for each in instances if "reference" not in each and "identifier" not in each and "concept" not in each
        ]
        references = [each for each in instances if "reference" in each or "identifier" in each]
        yield _suspect(entry, reading, suspect, concepts, references, answers)


def _suspect(
    entry: BundledResource,
    reading: FhirReading,
    suspect: Element,
    concepts: list[Element],
    references: list[Element],
    answers: list[CausalityWord],
) -> Suspect:
    words: list[str] = []
    kind, found = "", False
    for concept in concepts:
        words += [read_word(concept), *(word.text for word in words_of(concept))]
    for reference in references:
        resource = reading.referred(reference, entry)
        named = (reference.raw.get("reference") if isinstance(reference.raw, dict) else reference.raw) or ""
        kind = kind or (resource.kind if resource is not None else _kind(str(named)))
        words += referred_words(reference, entry, reading)
        if resource is not None:
            found = True
            words += [drug_of(resource.element, resource, reading)]
            words += [each.text for member in ("vaccineCode", "type") for each in words_of(resource.element[member])]
    return Suspect([word for word in dict.fromkeys(words) if word], kind, found, answers, suspect.path)


def _kind(reference: str) -> str:
    parts = reference.partition("?")[0].split("/")
    return parts[-2] if len(parts) > 1 else parts[0] if "?" in reference else ""


def _answers(causality: Element, reading: FhirReading) -> list[CausalityWord]:
    """What one assessment says, in all its words: the worst of them counts, so that no display softens a code."""
    ignore_known(causality, *_CAUSALITY_KNOWN, reason="how it was assessed, and by whom: the answer counts")
    for each in extensions(causality, "assessmentMethod", "author"):
        ignore_extension(each, reason="how it was assessed, and by whom: the answer counts")
    places = [causality["assessment"], causality["entityRelatedness"], causality["productRelatedness"]]
    places += [
        value_of(each) for each in extensions(causality, "entityRelatedness", "assessment", "productRelatedness")
    ]
    codes = reading.mapping.codes.causality

    def known(word: Word) -> CausalityWord | None:
        said = codes.get(normal(word.text))
        return said if said else causality_of(word)

    answers: list[CausalityWord] = []
    for place in places:
        answers += meanings(place, known)
    return answers


def columns(drugs: tuple[str, ...]) -> dict[str, str]:
    """The columns of causality, and what each is about."""
    return {**{causality_column(drug): drug for drug in drugs}, causality_column(PROCEDURE): PROCEDURE, "AEREL": STUDY}


__all__ = ["causality", "causality_column", "codeable", "columns"]
