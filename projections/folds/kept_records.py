"""What a chart keeps of an event: of a result or a visit no more than is asked, for there may be a million."""

from __future__ import annotations

from typing import Any, NamedTuple

from events.catalog import AnyEvent
from events.dates import PartialDate, parse_date
from events.laboratory import LabResulted
from events.visit import VisitRecorded
from projections.folds.record_history import RecordVersion
from projections.rules.facts.lab_results import LabResult, lab_kind
from projections.rules.facts.treatment import is_administration


class VisitDate(NamedTuple):
    """What is kept of a visit. ``date`` is None where it was missed."""

    date: PartialDate | None


def kept(event: AnyEvent, ctcae_version: str) -> Any:
    """What is kept of an event, a result graded by this version of CTCAE."""
    if isinstance(event, LabResulted):
        data = event.data
        kind = lab_kind(
            ctcae_version,
            data.test,
            data.unit,
            data.lln,
            data.uln,
            data.comparator,
            data.fasting,
            data.specimen,
            data.status,
            data.loinc,
        )
        return LabResult(parse_date(data.collected), kind, data.value, data.timepoint)
    if isinstance(event, VisitRecorded):
        return VisitDate(parse_date(event.data.date) if event.data.status != "missed" else None)
    return event


def regraded(version: RecordVersion, ctcae_version: str) -> RecordVersion:
    """A version of a result's record, to be graded by this version of CTCAE."""
    result = version.event
    if not isinstance(result, LabResult):  # a retraction
        return version
    return version._replace(event=result._replace(kind=lab_kind(ctcae_version, *result.kind.assay)))


def date_of(kind: str, version: RecordVersion) -> PartialDate | None:
    """When somebody last saw the subject, by a record; None where it tells of no observation."""
    if kind == "administration":
        return administered(version)
    observed = version.event
    if isinstance(observed, LabResult):
        return observed.collected if observed.measured else None
    return observed.date if isinstance(observed, VisitDate) else None


def administered(version: RecordVersion | None) -> PartialDate | None:
    """When something was given; None where nothing was."""
    if version is None or not is_administration(version.event):
        return None
    return parse_date(version.event.data.given)
