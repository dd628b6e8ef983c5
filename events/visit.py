"""A visit took place, or was missed."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from events.envelope import ClinicalDate, Data, Identifier, Revision, SubjectEvent, Text


class VisitRecordedData(Data):
    """One visit. The date of a missed one is the date on which it was due."""

    visit_id: Identifier
    revision: Revision
    name: Text
    date: ClinicalDate
    status: Literal["completed", "missed", "unscheduled"]
    ecog: Annotated[int, Field(ge=0, le=5)] | None = None
    weight_kg: float | None = None


class VisitRecorded(SubjectEvent):
    """A visit was recorded."""

    record_kind: ClassVar[str] = "visit"

    type: Literal["toxwatch.visit.recorded.v1"]
    data: VisitRecordedData

    @property
    def record_id(self) -> str:
        return self.data.visit_id


class VisitRetractedData(Data):
    """Which visit was entered in error, and why it is taken back."""

    visit_id: Identifier
    revision: Revision
    reason: Text


class VisitRetracted(SubjectEvent):
    """The record of a visit was entered in error."""

    record_kind: ClassVar[str] = "visit"
    retracts: ClassVar[bool] = True

    type: Literal["toxwatch.visit.retracted.v1"]
    data: VisitRetractedData

    @property
    def record_id(self) -> str:
        return self.data.visit_id
