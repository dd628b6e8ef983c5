"""A study drug was administered, or was not."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from events.envelope import ClinicalDate, Data, Identifier, Revision, SubjectEvent, Text


class TreatmentAdministeredData(Data):
    """One administration of one drug. The list of drugs is the protocol's."""

    administration_id: Identifier
    revision: Revision
    drug: Identifier
    given: ClinicalDate
    status: Literal["given", "partial", "not-given"]
    dose: float | None = None
    dose_unit: Text | None = None
    lesions: Annotated[int, Field(ge=1, le=5)] | None = None


class TreatmentAdministered(SubjectEvent):
    """A drug was given, in part or in whole, or was not given when it was due."""

    record_kind: ClassVar[str] = "administration"

    type: Literal["toxwatch.treatment.administered.v1"]
    data: TreatmentAdministeredData

    @property
    def record_id(self) -> str:
        return self.data.administration_id


class TreatmentRetractedData(Data):
    """Which administration was entered in error, and why it is taken back."""

    administration_id: Identifier
    revision: Revision
    reason: Text


class TreatmentRetracted(SubjectEvent):
    """The record of an administration was entered in error."""

    record_kind: ClassVar[str] = "administration"
    retracts: ClassVar[bool] = True

    type: Literal["toxwatch.treatment.retracted.v1"]
    data: TreatmentRetractedData

    @property
    def record_id(self) -> str:
        return self.data.administration_id
