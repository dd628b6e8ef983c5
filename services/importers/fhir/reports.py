"""DiagnosticReport: its results are Observations. What it concludes in words, nothing reads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from services.importers.fhir.bundles import BundledResource
from services.importers.fhir.elements import ignore_known
from services.importers.fhir.reading import FhirReading, Made

_KNOWN: Final = (
    "basedOn", "status", "category", "code", "subject", "encounter", "effectiveDateTime", "effectivePeriod", "issued",
    "performer", "resultsInterpreter", "specimen", "imagingStudy", "study", "media", "supportingInfo", "composition",
)  # fmt: skip


def diagnostic_report(entry: BundledResource, reading: FhirReading) -> Iterator[Made]:
    """No event; a line for each result that it names and that is not in the import."""
    resource = entry.element
    reading.common(entry)
    ignore_known(resource, *_KNOWN, reason="its results say it themselves")
    for reference in resource["result"]:
        found = reading.people.referred(reference, entry)
        ignore_known(
            reference, "reference", "type", "identifier", "id", reason="its result is read, or told of, by itself"
        )
        display = reference["display"].text()
        if found is None:
            message = "a result that the report names and that is not in the import: it is missing"
            reading.say(entry, reference.path, str(reference.raw.get("reference") or display), message, urgent=True)
    yield from ()
