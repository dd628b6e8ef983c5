"""One import of FHIR from beginning to end: files as resources, resources as rows, and a line for whatever is left."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from events.faults import masked
from services.files.rows import DataSet, ImportFailedError, Row
from services.importers.code_lists import normal
from services.importers.consumed import may_be_severe, shown, tell_left
from services.importers.fhir.administrations import PossibleAdministration, administration, doubtful, drug_of, settle
from services.importers.fhir.adverse_events import adverse_event, matters
from services.importers.fhir.bundles import BundledResource, Contents, Deletion, read_files
from services.importers.fhir.columns import columns_of
from services.importers.fhir.elements import date_of, ignore_known, words_of
from services.importers.fhir.identity import record_id
from services.importers.fhir.observations import observation
from services.importers.fhir.people import People, deceased
from services.importers.fhir.reading import (
    ENTERED_IN_ERROR,
    ERROR_STATUS,
    FhirReading,
    Made,
    NotReadError,
    ignore_common,
    in_error,
)
from services.importers.fhir.reports import diagnostic_report
from services.importers.fhir.subjects import ignore_person, research_subject
from services.importers.fhir.validity import fault_of
from services.importers.fhir.visits import encounter
from services.importers.mapping import Domain, Mapping
from services.importers.report import Action, ImportReport

Read = Callable[[BundledResource, FhirReading], Iterator[Made]]

#: Subjects first, then what was given: what is not dated there is bounded by the enrolment.
READERS: Final[dict[str, Read]] = {
    "ResearchSubject": research_subject,
    "MedicationAdministration": administration,
    "Encounter": encounter,
    "AdverseEvent": adverse_event,
    "Observation": observation,
    "DiagnosticReport": diagnostic_report,
}
_ORDER: Final[tuple[Domain, ...]] = ("DM", "EX", "SV", "AE", "DS", "LB")
#: What is read where another resource names it, and of what its known members hold nothing more.
_CONTEXT: Final[dict[str, tuple[str, ...]]] = {
    "Medication": ("code", "status", "manufacturer", "form", "amount", "totalVolume", "ingredient", "batch", "doseForm"),
    "Specimen": ("type", "collection", "accessionIdentifier", "subject", "receivedTime", "parent", "request", "processing",
                 "container", "role"),
}  # fmt: skip
#: What says nothing about what happened to a subject.
_ADMINISTRATIVE: Final = frozenset(
    {
        "Organization",
        "Practitioner",
        "PractitionerRole",
        "Location",
        "Device",
        "DeviceDefinition",
        "Endpoint",
        "HealthcareService",
    }
    | {
        "CareTeam",
        "Group",
        "List",
        "Provenance",
        "AuditEvent",
        "ResearchStudy",
        "PlanDefinition",
        "ActivityDefinition",
        "Library",
    }
    | {
        "StructureDefinition",
        "ValueSet",
        "CodeSystem",
        "ConceptMap",
        "SearchParameter",
        "CapabilityStatement",
        "Questionnaire",
    }
    | {
        "Coverage",
        "InsurancePlan",
        "Schedule",
        "Slot",
        "Appointment",
        "Subscription",
        "ImplementationGuide",
        "NamingSystem",
    }
    | {"SubstanceDefinition", "Substance", "ObservationDefinition", "SpecimenDefinition", "MedicationKnowledge"}
)


class FhirImport:
    """Everything at one path. The resources are read in one go, since each may be needed to understand another."""

    def __init__(self, path: Path, mapping: Mapping) -> None:
        self.contents: Contents = read_files(path)
        self.people = People(self.contents, mapping)
        self._mapping = mapping
        self._rows: dict[Domain, list[Row]] = {}
        self._check()

    @property
    def name(self) -> str:
        """What the report calls the whole."""
        return self.contents.name

    def read(self, report: ImportReport) -> list[Domain]:
        """Make the rows, and tell of whatever is in none. Returns the domains that have any."""
        reading = FhirReading(self.contents, self.people, self._mapping, report)
        for fault in [*self.contents.faults, *self.people.faults]:
            message = fault.message
            report.left_over(
                fault.file, fault.number, fault.field, fault.value, message, urgent=fault.urgent, action=fault.action
            )
        ordered = list(self._in_order())
        doubts: list[PossibleAdministration] = []
        for kind, read in READERS.items():
            for entry, told in ordered:
                if entry.kind == kind:
                    self._read(entry, read, reading, told, doubts)
            if kind == "MedicationAdministration":
                given = self._given()
                for entry, made in settle(doubts, given, reading):
                    self._add(entry, made)
        self._tell_others(reading)
        for file, bundle in self.contents.bundles:
            tell_left(report, file, None, bundle)
        return [domain for domain in _ORDER if self._rows.get(domain)]

    def data_set(self, domain: Domain) -> DataSet:
        """The rows of a domain."""
        columns = columns_of(domain, self._mapping)
        blank = dict.fromkeys(columns, "")
        rows = self._rows.get(domain, [])

        def every() -> Iterator[Row]:
            yield from (Row(row.file, row.number, {**blank, **row.values}) for row in rows)

        return DataSet(self.name, domain, tuple(columns), every)

    def _check(self) -> None:
        """Raises :class:`ImportFailedError` where nothing in the files can become an event."""
        if any(entry.kind in READERS and not entry.context for entry in self.contents.entries):
            return
        if self.contents.deletions or self.contents.faults:
            return
        kinds = Counter(entry.kind for entry in self.contents.entries)
        found = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common(5)) or "no resource"
        raise ImportFailedError(f"{self.name}: nothing that becomes an event: {found}. Read are {', '.join(READERS)}")

    def _in_order(self) -> Iterator[tuple[BundledResource, bool]]:
        """The entries, the versions of each in their order, its deletion last; and whether to tell what is left of it."""
        groups: dict[str, list[BundledResource]] = {}
        for place, entry in enumerate(self.contents.entries):
            if not entry.context:
                groups.setdefault(f"{entry.kind} {entry.key or place}", []).append(entry)
        for group in groups.values():
            group.sort(key=lambda entry: (entry.version, entry.updated))
            _tell_twins(group)
            yield from ((entry, True) for entry in group)
        by_key = {entry.key: entry for entry in self.contents.entries}
        for deletion in self.contents.deletions:
            last = by_key.get(deletion.key)
            if last is not None:
                yield _as_error(last, deletion), False

    def _read(
        self, entry: BundledResource, read: Read, reading: FhirReading, told: bool, doubts: list[PossibleAdministration]
    ) -> None:
        if entry in self.people.foreign:
            message = "a subject of another study, or another ResearchSubject of a person who has one here: not read"
            reading.report.left_over(
                entry.file, entry.number, entry.kind, entry.key, message, urgent=False, action="note"
            )
            return
        urgent = False
        try:
            for domain, values in read(entry, reading):
                self._add(entry, (domain, values))
                urgent = urgent or (domain == "AE" and not values[ENTERED_IN_ERROR] and matters(values))
            if entry.kind == "MedicationAdministration":
                doubt = doubtful(entry, reading)
                doubts += [] if doubt is None else [doubt]
        except NotReadError as error:
            self._refuse(entry, error, reading)
            return
        if entry.twin:
            message = f"another resource with this id and version says something else: this one is written as {record_id(entry)}"
            reading.say(entry, f"{entry.kind}.id", entry.key, message, urgent=True)
        if told:
            fault = fault_of(entry.kind, entry.resource)
            if fault:
                message = f"not valid FHIR: {fault}; what can be read is read"
                reading.report.left_over(
                    entry.file, entry.number, entry.kind, entry.key, message, urgent=False, action="note"
                )
            tell_left(reading.report, entry.file, entry.number, entry.element, urgent=urgent)

    def _refuse(self, entry: BundledResource, error: NotReadError, reading: FhirReading) -> None:
        urgent = error.urgent or (error.refused and may_be_severe(shown(entry.resource)))
        action: Action = "refused" if error.refused else "note"
        field = error.field or entry.kind
        reading.report.left_over(entry.file, entry.number, field, entry.key, str(error), urgent=urgent, action=action)

    def _add(self, entry: BundledResource, made: Made) -> None:
        domain, values = made
        self._rows.setdefault(domain, []).append(Row(entry.file, entry.number, values))

    def _given(self) -> dict[str, list[str]]:
        """Of each subject the dates of the study drugs that were certainly given."""
        given: dict[str, list[str]] = {}
        for row in self._rows.get("EX", []):
            values = row.values
            if (
                self._mapping.drugs.get(normal(values["EXTRT"]))
                and values["EXSTAT"] != "NOT DONE"
                and not values[ENTERED_IN_ERROR]
            ):
                given.setdefault(values["USUBJID"], []).append(values["EXSTDTC"])
        return given

    def _tell_others(self, reading: FhirReading) -> None:
        """Resources that are read only with another, and those that nothing reads."""
        counts: Counter[tuple[str, str]] = Counter()
        for entry in self.contents.entries:
            if entry.context or entry.kind in READERS:
                continue
            if entry.kind == "Patient":
                self._tell_person(entry, reading)
            elif entry.kind in _CONTEXT:
                ignore_common(entry.element)
                ignore_known(entry.element, *_CONTEXT[entry.kind], reason="read where another resource names it")
                if entry.kind == "Specimen" and entry.resource.get("status") == "available":
                    entry.element["status"].text()
                tell_left(reading.report, entry.file, entry.number, entry.element)
            elif entry.kind in _ADMINISTRATIVE:
                counts[entry.file, entry.kind] += 1
            else:
                self._tell_unread(entry, reading)
        for (file, kind), count in counts.items():
            reading.report.file_note(file, kind, str(count), "says nothing about what happened to a subject: not read")
        for deletion in self.contents.deletions:
            self._tell_deletion(deletion, reading)

    def _tell_person(self, entry: BundledResource, reading: FhirReading) -> None:
        element = entry.element
        dead, when = deceased(entry)
        date_of(element["birthDate"])
        ignore_person(element)
        if dead and all(person.human is not entry for person in self.people.persons.values()):
            message = "a death of somebody who is no subject of the study here: no event says it"
            reading.report.left_over(entry.file, entry.number, "Patient.deceased", when, message, urgent=True)
        for part in element.left():
            # What it says may name a person.
            urgent = may_be_severe(f"{part.path} {part.value}")
            reading.report.left_over(
                entry.file, entry.number, part.path, masked(part.value), "nothing reads this", urgent=urgent
            )

    def _tell_unread(self, entry: BundledResource, reading: FhirReading) -> None:
        if id(entry) in reading.used:
            ignore_common(entry.element)
            tell_left(reading.report, entry.file, entry.number, entry.element)
            return
        drug = drug_of(entry.element, entry, reading) or next(
            (word.text for word in words_of(entry.element["vaccineCode"])), ""
        )
        studied = bool(drug and self._mapping.drugs.get(normal(drug)))
        message = "not a resource that is imported: not read" + (
            f"; it is about {drug}, a study drug" if studied else ""
        )
        urgent = studied or may_be_severe(json.dumps(entry.resource, default=str, ensure_ascii=False))
        reading.report.left_over(
            entry.file, entry.number, entry.kind, entry.key, message, urgent=urgent, action="refused"
        )

    def _tell_deletion(self, deletion: Deletion, reading: FhirReading) -> None:
        if any(entry.key == deletion.key for entry in self.contents.entries):
            return
        message = "deleted, and no version of it is in the import: whose record it was cannot be said, and it is not taken back"
        reading.report.left_over(
            deletion.file, deletion.number, "request", deletion.key, message, urgent=True, action="refused"
        )


def _tell_twins(group: list[BundledResource]) -> None:
    """Different contents under one id and one version, and nothing says which holds: they are records of their own."""
    known: list[BundledResource] = []
    for entry in group:
        same = [each for each in known if (each.version, each.updated) == (entry.version, entry.updated)]
        if in_error(entry):
            continue
        if same and all(each.resource != entry.resource for each in same):
            entry.twin = len(known) + 1
        known.append(entry)


def _as_error(last: BundledResource, deletion: Deletion) -> BundledResource:
    """The deletion of a resource as a version of it that was entered in error."""
    meta = last.resource.get("meta")
    version = last.version + 1 if last.version else ""
    written = {
        **(meta if isinstance(meta, dict) else {}),
        "lastUpdated": deletion.at or last.updated,
        "versionId": str(version),
    }
    resource = {**last.resource, "status": ERROR_STATUS, "meta": written}
    return BundledResource(deletion.file, deletion.number, last.kind, resource, last.key, last.full_url, last.inside)
