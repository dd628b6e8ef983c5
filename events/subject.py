"""A subject enters the trial, and leaves the treatment or the study."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from events.dates import YEAR_FIRST, YEAR_LAST
from events.envelope import ClinicalDate, Data, Identifier, Revision, SubjectEvent, Text


class SubjectEnrolledData(Data):
    """One per subject: the part, the dose level and what else is known at enrolment."""

    revision: Revision
    part: Identifier | None = None
    dose_level: Annotated[int, Field(ge=1)] | None = None
    enrolled: ClinicalDate
    sex: Literal["F", "M"] | None = None
    birth_year: Annotated[int, Field(ge=YEAR_FIRST, le=YEAR_LAST)] | None = None
    liver_metastases: bool | None = None
    time_zone: Identifier | None = None
    protocol_version: Text | None = None


class SubjectEnrolled(SubjectEvent):
    """A subject was enrolled."""

    record_kind: ClassVar[str] = "enrolment"

    type: Literal["toxwatch.subject.enrolled.v1"]
    data: SubjectEnrolledData


class SubjectDiscontinuedData(Data):
    """One per subject and scope. ``retracted`` true: entered in error."""

    revision: Revision
    scope: Literal["treatment", "study"]
    date: ClinicalDate
    reason: Literal["completed", "adverse-event", "progression", "withdrawal", "death", "lost-to-follow-up", "other"]
    last_contact: ClinicalDate | None = None
    retracted: bool | None = None


class SubjectDiscontinued(SubjectEvent):
    """A subject left the treatment, or the study."""

    record_kind: ClassVar[str] = "discontinuation"

    type: Literal["toxwatch.subject.discontinued.v1"]
    data: SubjectDiscontinuedData

    @property
    def record_id(self) -> str:
        return self.data.scope
