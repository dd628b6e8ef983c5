"""How large a number, and how long an identifier, may be that a sender gives: what every column and all arithmetic holds.

The contract says what an event may say; these bounds are far beyond what anybody means. A number past them is a mistake, and
would otherwise be found by the database or in the middle of a judgement, when the sender has long been told that it was taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from events.adjudication import DltAdjudicated
from events.catalog import AnyEvent
from events.envelope import REVISION_MAX
from events.faults import Fault, show
from events.laboratory import LabResulted
from events.response import ResponseAssessed
from events.subject import SubjectEnrolled
from events.treatment import TreatmentAdministered
from events.visit import VisitRecorded

#: Of a quantity, in whatever unit, and of its opposite: so far from where floating-point numbers end that no factor reaches it.
NUMBER_MAX: Final = 1e300
#: The largest whole number that every JSON parser reads exactly.
WHOLE_MAX: Final = REVISION_MAX
#: An identifier is part of the key of an index, which in PostgreSQL holds 2,700 bytes for all its columns.
IDENTIFIER_BYTES_MAX: Final = 1_000

#: So few characters cannot be too many bytes.
_CERTAINLY_SHORT: Final = IDENTIFIER_BYTES_MAX // 4

QUANTITIES: Final[dict[type, tuple[str, ...]]] = {
    TreatmentAdministered: ("dose",),
    VisitRecorded: ("weight_kg",),
    LabResulted: ("value", "lln", "uln"),
    ResponseAssessed: ("injected_change_pct", "non_injected_change_pct"),
}


def beyond_bounds(event: AnyEvent) -> Iterator[Fault]:
    """Everything in an event that is larger or longer than can be kept."""
    kind = type(event)
    for name in QUANTITIES.get(kind, ()):
        value = getattr(event.data, name)
        if value is not None and not -NUMBER_MAX <= value <= NUMBER_MAX:
            yield Fault(f"data.{name}", f"{show(value)} is beyond what is taken, {-NUMBER_MAX:g} to {NUMBER_MAX:g}")
    if kind is SubjectEnrolled:
        level = event.data.dose_level  # type: ignore[union-attr]
        if level is not None and level > WHOLE_MAX:
            yield Fault("data.dose_level", f"{show(level)} is not a dose level, a whole number 1-{WHOLE_MAX}")
    record_id = event.record_id
    if len(event.id) + len(event.source) + len(record_id) > _CERTAINLY_SHORT or kind is DltAdjudicated:
        yield from _long_identifiers(event, record_id)


def _long_identifiers(event: AnyEvent, record_id: str) -> Iterator[Fault]:
    named = {"id": event.id, "source": event.source, f"data.{event.record_kind} id": record_id}
    if isinstance(event, DltAdjudicated):
        named["data.case"] = event.data.case
    for field, text in named.items():
        size = len(text.encode("utf-8", "surrogatepass"))
        if size > IDENTIFIER_BYTES_MAX:
            name = _field_of(event, text) if field.endswith(" id") else field
            yield Fault(name, f"{size} bytes in UTF-8; at most {IDENTIFIER_BYTES_MAX} are taken for an identifier")


def _field_of(event: AnyEvent, record_id: str) -> str:
    """The field that holds a record's id."""
    return next((f"data.{name}" for name, value in event.data if value == record_id), "data")
