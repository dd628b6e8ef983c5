"""A laboratory result."""

from __future__ import annotations

from typing import ClassVar, Literal

from events.envelope import ClinicalDate, Data, Identifier, Revision, SubjectEvent, Text


class LabResultedData(Data):
    """One result of one test. ``lln`` and ``uln`` are in the unit of ``value``."""

    lab_id: Identifier
    revision: Revision
    test: Text
    loinc: Text | None = None
    value: float | None = None
    text: Text | None = None
    comparator: Literal["<", ">", "<=", ">="] | None = None
    unit: Text | None = None
    lln: float | None = None
    uln: float | None = None
    collected: ClinicalDate
    timepoint: Literal["pre-dose", "post-dose"] | None = None
    specimen: Literal["blood", "serum", "plasma", "urine", "csf", "other"] | None = None
    status: Literal["final", "preliminary", "corrected", "not-done", "unreliable"] | None = None
    fasting: bool | None = None
    visit_id: Identifier | None = None


class LabResulted(SubjectEvent):
    """A laboratory reported a result."""

    record_kind: ClassVar[str] = "lab"

    type: Literal["toxwatch.lab.resulted.v1"]
    data: LabResultedData

    @property
    def record_id(self) -> str:
        return self.data.lab_id


class LabRetractedData(Data):
    """Which result was entered in error, and why it is taken back."""

    lab_id: Identifier
    revision: Revision
    reason: Text


class LabRetracted(SubjectEvent):
    """A result was entered in error."""

    record_kind: ClassVar[str] = "lab"
    retracts: ClassVar[bool] = True

    type: Literal["toxwatch.lab.retracted.v1"]
    data: LabRetractedData

    @property
    def record_id(self) -> str:
        return self.data.lab_id
