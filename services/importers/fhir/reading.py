"""What the readers of the resources share: who a resource is about, when it was written, and the lines of the report."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from services.importers.consumed import Element
from services.importers.fhir.bundles import BundledResource, Contents
from services.importers.fhir.elements import date_of, extension_value, ignore_known, is_date
from services.importers.fhir.people import People, ignore_identifiers
from services.importers.mapping import Domain, Mapping
from services.importers.moments import read_moment
from services.importers.report import ImportReport
from services.importers.study import UTC

Values = dict[str, str]
#: A row of a domain, as the columns of SDTM.
Made = tuple[Domain, Values]

ENTERED_IN_ERROR: Final = "ENTERED_IN_ERROR"
VERSION: Final = "VERSION"
_YEAR: Final = 366 * 24 * 3600 * 1_000_000
ERROR_STATUS: Final = "entered-in-error"


class NotReadError(ValueError):
    """A resource that is no event, with the sentence that says why. ``urgent``: what is lost may matter."""

    def __init__(
        self, message: str, *, urgent: bool = False, refused: bool = True, field: str = "", value: str = ""
    ) -> None:
        super().__init__(message)
        self.urgent = urgent
        self.refused = refused
        self.field = field
        self.value = value


class FhirReading:
    """One import being read."""

    def __init__(self, contents: Contents, people: People, mapping: Mapping, report: ImportReport) -> None:
        self.people = people
        self.mapping = mapping
        self.report = report
        self._stamped = _latest(_stamps(contents))
        #: The latest time that anything in the import gives: until then, at least, the extract knows.
        self.latest = _latest(text for text in _times(contents) if is_date(text) and not self.impossible(text))
        #: Of each subject the date of enrolment, as far as it is known.
        self.enrolled: dict[str, str] = {}
        #: Entries of other kinds that were read with a resource that names them.
        self.used: dict[int, BundledResource] = {}

    @property
    def zone(self) -> str:
        """The time zone in which dates without an offset are compared."""
        return self.mapping.time_zone or UTC

    def impossible(self, date: str) -> bool:
        """Whether a clinical date is years after anything that was written: an event of it would be known only then."""
        if not date or not self._stamped:
            return False
        return read_moment(date, self.zone).first > read_moment(self._stamped, self.zone).last + _YEAR

    def say(self, entry: BundledResource, field: str, value: str, message: str, *, urgent: bool = False) -> None:
        """A line about something that the event of a resource goes without, or says otherwise."""
        self.report.left_over(entry.file, entry.number, field, value, message, urgent=urgent)

    def referred(self, reference: Element, entry: BundledResource) -> BundledResource | None:
        """The resource that a reference names, which is read with this one."""
        found = self.people.referred(reference, entry)
        if found is not None:
            self.used[id(found)] = found
        return found

    def common(self, entry: BundledResource) -> Values:
        """What every resource has. Raises :class:`NotReadError` where it is about nobody of the study."""
        resource = entry.element
        ignore_common(resource)
        return {
            "USUBJID": self.subject(entry),
            VERSION: str(entry.version or ""),
            ENTERED_IN_ERROR: "Y" if in_error(entry) else "",
        }

    def subject(self, entry: BundledResource) -> str:
        """The subject of a resource; one inside another without a subject of its own has the other's."""
        if entry.kind == "ResearchSubject":
            return self.people.own_id(entry)
        holder = entry
        for name in ("subject", "patient"):
            if entry.element[name]:
                reference = entry.element[name]
                break
        else:
            reference = extension_value(entry.element, "research-subject-ref")
            if not reference and entry.inside is not None:
                holder = entry.inside
                reference = holder.element["subject"]
        if self.people.takes_part_elsewhere(reference, holder):
            raise NotReadError("about somebody who takes part in another study alone: not read", refused=False)
        return self.people.subject_of(reference, holder)

    def updated(self, entry: BundledResource, *others: str) -> str:
        """When a resource was written: as the server says, else by another of its dates, else nothing."""
        return next((text for text in (date_of(entry.element["meta"]["lastUpdated"]), *others) if text), "")

    def updated_or_latest(self, entry: BundledResource, *others: str) -> str:
        """The same; what cannot go without a date is dated by the extract."""
        known = self.updated(entry, *others)
        if not known and self.latest:
            self.say(entry, "meta.lastUpdated", "", f"not dated: the latest date of the import is taken, {self.latest}")
        return known or self.latest


def in_error(entry: BundledResource) -> bool:
    """Whether a resource was entered in error: its status says so, or the guide's extension."""
    said = extension_value(entry.element, "status").text()
    return ERROR_STATUS in (said, str(entry.resource.get("status") or ""))


def ignore_common(resource: Element) -> None:
    """What every resource may have and no event needs; and what was looked at before."""
    for name in ("resourceType", "id", "language"):
        resource[name].text()
    meta = resource["meta"]
    for name in ("versionId", "lastUpdated"):
        meta[name].text()
    ignore_known(meta, "profile", "source", "tag", "security", "id", reason="of the server, not of the data")
    ignore_known(resource["text"], "status", "div", "id", reason="a narrative repeats for people what the elements say")
    resource.ignore("contained", reason="each contained resource is read, or told of, by itself")
    ignore_identifiers(resource)


def text_of(value: Any) -> str:
    """A value as a row has it."""
    return "" if value is None else str(value)


def _latest(times: Iterator[str]) -> str:
    """The latest of the times that are exact."""
    moments = (text for text in times if is_date(text) and "T" in text)
    return max(moments, key=lambda text: read_moment(text, "UTC").last, default="")


def _stamps(contents: Contents) -> Iterator[str]:
    """When something was written: of the bundles themselves, of versions, of what was recorded and issued."""
    yield from contents.stamps
    yield from (deletion.at for deletion in contents.deletions)
    for entry in contents.entries:
        yield entry.updated
        yield from _texts(entry, "issued", "recordedDate", "recorded")


def _times(contents: Contents) -> Iterator[str]:
    """The same, and when something happened."""
    yield from _stamps(contents)
    for entry in contents.entries:
        yield from _texts(entry, "effectiveDateTime", "effectiveInstant", "date", "occurrenceDateTime")
        period = entry.resource.get("effectivePeriod")
        if isinstance(period, dict):
            yield from (value for value in (period.get("start"), period.get("end")) if isinstance(value, str))


def _texts(entry: BundledResource, *names: str) -> Iterator[str]:
    yield from (value for name in names if isinstance(value := entry.resource.get(name), str))
