"""Encounter: the visits that have taken place. What is planned has not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from services.importers.fhir.bundles import BundledResource
from services.importers.fhir.elements import contradict, covering, ignore_known, period_of, read_word, words_of
from services.importers.fhir.identity import record_id
from services.importers.fhir.reading import ENTERED_IN_ERROR, FhirReading, Made, NotReadError

_HAPPENED: Final = frozenset(
    {"arrived", "triaged", "in-progress", "onleave", "on-hold", "finished", "discharged", "completed", "discontinued"}
)
_CANCELLED: Final = frozenset({"cancelled"})
_KNOWN: Final = (
    "statusHistory", "class", "classHistory", "priority", "episodeOfCare", "basedOn", "participant", "appointment", "length",
    "account", "hospitalization", "admission", "location", "serviceProvider", "partOf", "subject", "businessStatus", "careTeam",
    "virtualService", "plannedStartDate", "plannedEndDate", "subjectStatus",
)  # fmt: skip


def encounter(entry: BundledResource, reading: FhirReading) -> Iterator[Made]:
    """A visit that has taken place, or was cancelled."""
    common = reading.common(entry)
    resource = entry.element
    status = resource["status"].text()
    start, end = period_of(resource["period"])
    if not start and not end:
        start, end = period_of(resource["actualPeriod"])
    ignore_known(resource, *_KNOWN, reason="how the visit was organised: no rule needs it")
    for concept in (*resource["type"], resource["serviceType"]):
        words_of(concept)
    in_error = bool(common[ENTERED_IN_ERROR])
    if in_error:
        resource.ignore(reason="it was entered in error: whatever it says is taken back")
    if not in_error and status not in _HAPPENED | _CANCELLED:
        raise NotReadError(
            f"status {status or 'none'}: it is not known to have taken place", refused=False, field="status"
        )
    start = start or end
    if not start and not in_error:
        start = covering("", reading.updated(entry) or reading.latest)
        reading.say(entry, "Encounter.period", "", f"no date of the visit: {start or 'none'} is written")
    if contradict(start, end, reading.zone):
        reading.say(
            entry, "Encounter.period", f"{start} to {end}", "the end lies before the start: the start alone is written"
        )
        end = ""
    names = [read_word(each) for each in resource["type"]]
    yield (
        "SV",
        {
            **common,
            "SVSPID": record_id(entry),
            "VISIT": next((name for name in [*names, read_word(resource["serviceType"])] if name), "")
            or record_id(entry),
            "SVSTDTC": start,
            "SVENDTC": end,
            "SVOCCUR": "N" if status in _CANCELLED else "",
            "SVDTC": reading.updated_or_latest(entry) if in_error else reading.updated(entry),
        },
    )
