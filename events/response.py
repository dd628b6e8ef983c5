"""How the tumour responded."""

from __future__ import annotations

from typing import ClassVar, Literal

from events.envelope import ClinicalDate, Data, Identifier, Revision, SubjectEvent, Text


class ResponseAssessedData(Data):
    """One assessment by one set of criteria; changes in per cent, of injected and other lesions."""

    assessment_id: Identifier
    revision: Revision
    date: ClinicalDate
    criteria: Literal["irRC", "RECIST1.1"]
    response: Literal["CR", "PR", "SD", "PD", "NE"]
    injected_change_pct: float | None = None
    non_injected_change_pct: float | None = None


class ResponseAssessed(SubjectEvent):
    """The tumour response was assessed."""

    record_kind: ClassVar[str] = "response"

    type: Literal["toxwatch.response.assessed.v1"]
    data: ResponseAssessedData

    @property
    def record_id(self) -> str:
        return self.data.assessment_id


class ResponseRetractedData(Data):
    """Which assessment was entered in error, and why it is taken back."""

    assessment_id: Identifier
    revision: Revision
    reason: Text


class ResponseRetracted(SubjectEvent):
    """An assessment was entered in error."""

    record_kind: ClassVar[str] = "response"
    retracts: ClassVar[bool] = True

    type: Literal["toxwatch.response.retracted.v1"]
    data: ResponseRetractedData

    @property
    def record_id(self) -> str:
        return self.data.assessment_id
