"""Every type of event there is: its name, its class, and the one union that decodes any of them.

A new type, or a new version of one, is added to :data:`Event` and nowhere else.
"""

from __future__ import annotations

from typing import Annotated, Final, get_args

from pydantic import Field, TypeAdapter

from events.adjudication import DltAdjudicated, DltRetracted
from events.adverse_event import AdverseEventReported, AdverseEventRetracted
from events.alert import AlertRaised, AlertRevised, AlertWithdrawn
from events.clock import ClockReached, ProtocolActivated
from events.envelope import Envelope
from events.laboratory import LabResulted, LabRetracted
from events.response import ResponseAssessed, ResponseRetracted
from events.subject import SubjectDiscontinued, SubjectEnrolled
from events.treatment import TreatmentAdministered, TreatmentRetracted
from events.visit import VisitRecorded, VisitRetracted

AnyEvent = (
    SubjectEnrolled
    | SubjectDiscontinued
    | TreatmentAdministered
    | VisitRecorded
    | LabResulted
    | AdverseEventReported
    | DltAdjudicated
    | ResponseAssessed
    | AdverseEventRetracted
    | LabRetracted
    | TreatmentRetracted
    | VisitRetracted
    | DltRetracted
    | ResponseRetracted
    | ClockReached
    | ProtocolActivated
    | AlertRaised
    | AlertRevised
    | AlertWithdrawn
)
Event = Annotated[AnyEvent, Field(discriminator="type")]

EVENT_ADAPTER: Final[TypeAdapter[AnyEvent]] = TypeAdapter(Event)


def type_name(event_class: type[Envelope]) -> str:
    """The name under which events of the class travel, version suffix included."""
    (name,) = get_args(event_class.model_fields["type"].annotation)
    return str(name)


CLASS_BY_TYPE: Final[dict[str, type[AnyEvent]]] = {type_name(cls): cls for cls in get_args(AnyEvent)}


def subject_of(event: AnyEvent) -> str | None:
    """The subject that an event is about. An extension attribute of that name on another type makes it about nobody."""
    return None if isinstance(event, ProtocolActivated) else event.subject
