"""Who is who: references to people, whichever way they are written, as the study's own subject ids."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from events.envelope import SUBJECT_PATTERN
from services.importers.code_lists import normal
from services.importers.consumed import Element
from services.importers.fhir.bundles import BundledResource, Contents, FileFault, key_of
from services.importers.fhir.elements import IDENTIFIER, REFERENCE, date_of, read_word, squeezed, words_of
from services.importers.mapping import Mapping

#: Types of identifiers that a hospital or a state gives, which are never a study's (HL7 v2 table 0203), and their words.
_FOREIGN_TYPES: Final = frozenset(
    {
        "mr",
        "mrn",
        "mrt",
        "pi",
        "pt",
        "an",
        "ss",
        "ssn",
        "nh",
        "ni",
        "nnxxx",
        "dl",
        "ppn",
        "vn",
        "mc",
        "ma",
        "hc",
        "jhn",
        "pn",
        "acsn",
    }
)
_FOREIGN_WORDS: Final = re.compile(
    r"medical.?record|hospital|accession|social.?security|insurance|passport|driver|national|visit.?number|ipp|nir\b|dossier",
    re.IGNORECASE,
)
_OWN_WORDS: Final = re.compile(r"subject|study|trial|participant|screening|randomi[sz]ation|sponsor", re.IGNORECASE)


class Identifier(NamedTuple):
    """One identifier of a person, and what says whose it is."""

    system: str
    value: str
    foreign: bool
    own: bool


class Person(NamedTuple):
    """A subject of the study: its id there, and what is known of the person."""

    subject: str
    research_subject: BundledResource
    human: BundledResource | None


class People:
    """The index of an import: resources by reference, and persons as subjects."""

    def __init__(self, contents: Contents, mapping: Mapping) -> None:
        self._mapping = mapping
        self._pattern = re.compile(mapping.subject_pattern)
        self._own_pattern = mapping.subject_pattern != SUBJECT_PATTERN
        self.faults: list[FileFault] = []
        self._by_reference: dict[str, BundledResource] = {}
        self._by_identifier: dict[tuple[str, str], BundledResource] = {}
        for entry in contents.entries:
            self._index(entry)
        self.persons: dict[str, Person] = {}
        self.foreign: list[BundledResource] = []
        self._elsewhere: set[str] = set()
        self._find_persons([entry for entry in contents.entries if entry.kind == "ResearchSubject"])
        for entry in contents.entries:
            if entry.kind == "Patient":
                self._join_links(entry)

    def _join_links(self, human: BundledResource) -> None:
        """Records of one person that were merged, or are said to be of one: whichever has the subject has it for both."""
        for link in human.element["link"]:
            other = key_of(reference_text(link["other"]))
            for one, two in ((human.key, other), (other, human.key)):
                if one in self.persons:
                    self.persons.setdefault(two, self.persons[one])

    def _index(self, entry: BundledResource) -> None:
        for name in (entry.key, entry.full_url, key_of(entry.full_url) if entry.inside is None else ""):
            if name:
                self._by_reference[name] = entry
        if entry.kind in ("Patient", "ResearchSubject"):
            for each in identifiers_of(entry.element):
                self._by_identifier.setdefault((each.system, each.value), entry)
                self._by_identifier.setdefault(("", each.value), entry)

    def referred(self, reference: Element, holder: BundledResource | None = None) -> BundledResource | None:
        """The resource that a reference names, if it is here: contained, relative, absolute, versioned, urn or conditional."""
        text = reference_text(reference)
        if text.startswith("#"):
            while holder is not None and holder.inside is not None:
                holder = holder.inside
            return self._by_reference.get(f"{holder.key}{text}") if holder is not None else None
        if "?" in text:
            system, _, value = text.partition("identifier=")[2].partition("&")[0].rpartition("|")
            return self._by_identifier.get((system, value))
        found = self._by_reference.get(text) or self._by_reference.get(key_of(text)) if text else None
        if found is None and "identifier" in reference:
            for each in identifiers_of(reference):
                found = found or self._by_identifier.get((each.system, each.value))
        return found

    def subject_of(self, reference: Element, holder: BundledResource | None = None) -> str:
        """The study's id of a person: that of the ResearchSubject; else what of the reference is an id of the study."""
        reference.ignore_within(REFERENCE, reason="who it is about, which is found by the reference")
        found = self.referred(reference, holder)
        key = self._person_key(reference, found, holder)
        person = self.persons.get(key)
        if person is not None:
            return person.subject
        if key in self._elsewhere:
            return ""
        own = [each.value for each in identifiers_of(reference) if self._is_own(each.value)]
        if found is not None and found.kind in ("Patient", "ResearchSubject"):
            return self.own_id(found) if found.kind == "ResearchSubject" else self._own_of_person(found)
        return (
            next(iter(own), "")
            or next((each.value for each in identifiers_of(reference)), "")
            or key.rpartition("/")[2]
        )

    def human_of(self, reference: Element, holder: BundledResource | None = None) -> BundledResource | None:
        """The resource of the person whom a reference is about, also by way of a ResearchSubject."""
        found = self.referred(reference, holder)
        if found is None and not reference and holder is not None and holder.inside is not None:
            return self.human_of(holder.inside.element["subject"], holder.inside)
        if found is not None and found.kind == "Patient":
            return found
        person = self.persons.get(self._person_key(reference, found, holder))
        return person.human if person is not None else None

    def takes_part_elsewhere(self, reference: Element, holder: BundledResource | None = None) -> bool:
        """Whether the import knows a person only as a subject of another study."""
        return self._person_key(reference, self.referred(reference, holder), holder) in self._elsewhere

    def person_of(self, entry: BundledResource) -> Person | None:
        """The person that a ResearchSubject of this study stands for."""
        return next((person for person in self.persons.values() if person.research_subject is entry), None)

    def own_id(self, entry: BundledResource) -> str:
        """Which of a ResearchSubject's identifiers is the study's: by the pattern, never one that a hospital gave."""
        every = list(identifiers_of(entry.element))
        fitting = [each for each in every if self._pattern.fullmatch(each.value)]
        chosen = (
            [each for each in fitting if not each.foreign]
            or fitting
            or [each for each in every if not each.foreign]
            or every
        )
        chosen = [each for each in chosen if each.own] or chosen
        values = list(dict.fromkeys(each.value for each in chosen))
        if len(values) > 1:
            message = f"several of these could be the study's id of the subject: {values[0]} is taken"
            self.faults.append(
                FileFault(entry.file, entry.number, "identifier", ", ".join(values), message, "unmapped", True)
            )
        return values[0] if values else str(entry.resource.get("id") or "")

    def _own_of_person(self, human: BundledResource) -> str:
        values = [
            each.value for each in identifiers_of(human.element) if self._own_pattern and self._is_own(each.value)
        ]
        return values[0] if values else str(human.resource.get("id") or "")

    def _is_own(self, value: str) -> bool:
        return self._pattern.fullmatch(value) is not None

    def _person_key(self, reference: Element, found: BundledResource | None, holder: BundledResource | None) -> str:
        if found is None:
            text = reference_text(reference)
            return f"{holder.key}{text}" if text.startswith("#") and holder is not None else key_of(text)
        if found.kind == "ResearchSubject":
            return self._individual(found)
        return found.key

    def _individual(self, entry: BundledResource) -> str:
        """The key of the person that a ResearchSubject is: R4 calls it individual, R5 subject."""
        for name in ("individual", "subject"):
            reference = entry.element[name]
            if reference:
                found = self.referred(reference, entry)
                reference.ignore_within(REFERENCE, reason="who it is about, which is found by the reference")
                return found.key if found is not None else key_of(reference_text(reference)) or entry.key
        return entry.key

    def _find_persons(self, entries: Iterable[BundledResource]) -> None:
        """One subject a person. Of several ResearchSubjects the one of this study counts; versions of one are one."""
        groups: dict[str, list[BundledResource]] = {}
        for entry in entries:
            groups.setdefault(self._individual(entry), []).append(entry)
        for key, group in groups.items():
            latest = _latest_versions(group)
            ours = [entry for entry in latest if self._is_of_this_study(entry)]
            if not ours:
                self._elsewhere.add(key)
                self.foreign += group
                continue
            chosen = self._chosen(key, ours)
            self.foreign += [entry for entry in group if entry.key != chosen.key]
            found = self._by_reference.get(key)
            human = found if found is not None and found.kind == "Patient" else None
            self.persons[key] = Person(self.own_id(chosen), chosen, human)

    def _chosen(self, key: str, ours: list[BundledResource]) -> BundledResource:
        if len(ours) > 1:
            for test in (self._names_this_study, self._has_own_id, self._has_known_arm):
                kept = [entry for entry in ours if test(entry)]
                ours = kept or ours
        if len({self.own_id(entry) for entry in ours}) > 1:
            message = "several ResearchSubjects of one person, and none says which is this study's: the first is taken"
            ids = ", ".join(self.own_id(entry) for entry in ours)
            self.faults.append(
                FileFault(ours[0].file, ours[0].number, "ResearchSubject", f"{key}: {ids}", message, "unmapped", True)
            )
        return ours[0]

    def _is_of_this_study(self, entry: BundledResource) -> bool:
        """Not certainly of another one: the registry id of the study is known, and it is another."""
        named = {word for word in self._study_names(entry) if word.startswith("nct")}
        return not named or not self._mapping.trial or squeezed(self._mapping.trial) in named

    def _names_this_study(self, entry: BundledResource) -> bool:
        mapping = self._mapping
        wanted = {squeezed(each) for each in (mapping.trial, mapping.study, mapping.name, mapping.title) if each}
        return not wanted.isdisjoint(self._study_names(entry))

    def _study_names(self, entry: BundledResource) -> set[str]:
        reference = entry.element["study"]
        names = [
            reference_text(reference).rpartition("/")[2],
            str((reference.raw or {}).get("display") or "") if isinstance(reference.raw, dict) else "",
            *(each.value for each in identifiers_of(reference)),
        ]
        found = self.referred(reference, entry)
        if found is not None:
            names += [each.value for each in identifiers_of(found.element)]
            names += [str(found.resource.get(name) or "") for name in ("title", "name", "id")]
        return {squeezed(name) for name in names if name}

    def _has_own_id(self, entry: BundledResource) -> bool:
        return self._own_pattern and any(self._is_own(each.value) for each in identifiers_of(entry.element))

    def _has_known_arm(self, entry: BundledResource) -> bool:
        names = ("actualArm", "assignedArm", "actualComparisonGroup", "assignedComparisonGroup")
        return any(normal(str(entry.resource.get(name) or "")) in self._mapping.arms for name in names)


def _latest_versions(entries: list[BundledResource]) -> list[BundledResource]:
    """Of the versions of each resource the latest."""
    latest: dict[str, BundledResource] = {}
    for entry in entries:
        before = latest.get(entry.key)
        if before is None or (entry.version, entry.updated) >= (before.version, before.updated):
            latest[entry.key] = entry
    return list(latest.values())


def reference_text(reference: Element) -> str:
    """The literal reference; a plain text is one, as some servers write it."""
    raw = reference.raw
    if isinstance(raw, dict):
        raw = raw.get("reference")
    return raw if isinstance(raw, str) else ""


def identifiers_of(element: Element) -> Iterator[Identifier]:
    """The identifiers of a resource or reference, with what says whose each is. Looking at them marks nothing as read."""
    for each in element["identifier"]:
        raw = each.raw
        value = raw.get("value") if isinstance(raw, dict) else raw
        if not isinstance(value, str | int) or isinstance(value, bool) or not str(value).strip():
            continue
        words = [word.text for word in words_of(Element("type", raw.get("type")))] if isinstance(raw, dict) else []
        system = str(raw.get("system") or "") if isinstance(raw, dict) else ""
        use = str(raw.get("use") or "") if isinstance(raw, dict) else ""
        foreign = use == "old" or any(squeezed(word) in _FOREIGN_TYPES or _FOREIGN_WORDS.search(word) for word in words)
        own = any(_OWN_WORDS.search(word) for word in [*words, system])
        yield Identifier(system, str(value).strip(), foreign, own)


def ignore_identifiers(element: Element) -> None:
    """The identifiers of a resource count as read: who it is about was found by them."""
    element["identifier"].ignore_within(
        IDENTIFIER, reason="the subject was found by them; a resource is named by its id"
    )


def deceased(human: BundledResource | None) -> tuple[bool, str]:
    """Whether a person has died, and when."""
    if human is None:
        return False, ""
    when = date_of(human.element["deceasedDateTime"])
    said = human.element["deceasedBoolean"].flag()
    written = "deceasedDateTime" in human.element
    return bool(said) or written, when


__all__ = [
    "Identifier",
    "People",
    "Person",
    "deceased",
    "identifiers_of",
    "ignore_identifiers",
    "read_word",
    "reference_text",
]
