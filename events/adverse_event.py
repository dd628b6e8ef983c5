"""An adverse event: one toxicity of one subject, reported as a whole at every revision."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from events.envelope import (
    LIST_ITEMS_MAX,
    ClinicalDate,
    Data,
    DataPart,
    Grade,
    Identifier,
    InstantText,
    Revision,
    SubjectEvent,
    Text,
)

CausalityWord = Literal[
    "certain",
    "probable",
    "possible",
    "related",
    "unlikely",
    "unrelated",
    "unclassifiable",
    "conditional",
    "not-applicable",
]
ActionWord = Literal["none", "reduced", "delayed", "interrupted", "withdrawn", "not-applicable", "unknown"]
Outcome = Literal["recovered", "recovering", "not-recovered", "recovered-with-sequelae", "fatal", "unknown"]
SeriousnessCriterion = Literal[
    "death", "life-threatening", "hospitalisation", "disability", "congenital-anomaly", "medically-important"
]
Organ = Literal[
    "heart",
    "lung",
    "liver",
    "gastrointestinal",
    "kidney",
    "central-nervous-system",
    "peripheral-nervous-system",
    "blood",
    "pancreas",
    "pituitary",
    "adrenal",
    "thyroid",
    "endocrine-pancreas",
    "eye",
    "muscle",
    "skin",
    "joint",
    "other",
]
Answers = Annotated[dict[Identifier, CausalityWord | None], Field(max_length=LIST_ITEMS_MAX)]


class GradeStep(DataPart):
    """The grade that holds from a date on. ``from`` is a word of Python, hence ``from_``."""

    grade: Grade
    from_: ClinicalDate = Field(alias="from")


class Causality(DataPart):
    """Who judged the toxicity related to what: the investigator's and the sponsor's answers, by drug."""

    investigator: Answers | None = None
    sponsor: Answers | None = None


class CaseNumber(DataPart):
    """The number of the case in another system, such as the safety database."""

    system: Text
    value: Text


class AdverseEventReportedData(Data):
    """The whole record of one toxicity at one revision. ``grade`` is the worst so far."""

    ae_id: Identifier
    revision: Revision
    term: Text
    term_language: Text | None = None
    preferred_term: Text | None = None
    ctcae_term: Text | None = None
    meddra_code: Text | None = None
    meddra_version: Text | None = None
    grade: Grade | None = None
    grades: Annotated[list[GradeStep], Field(max_length=LIST_ITEMS_MAX)] | None = None
    onset: ClinicalDate | None = None
    end: ClinicalDate | None = None
    ongoing: bool | None = None
    continues: Identifier | None = None
    outcome: Outcome | None = None
    serious: bool | None = None
    seriousness: Annotated[list[SeriousnessCriterion], Field(max_length=LIST_ITEMS_MAX)] | None = None
    expected: bool | None = None
    aware: InstantText | None = None
    sponsor_aware: InstantText | None = None
    causality: Causality | None = None
    immune_related: bool | None = None
    organs: Annotated[list[Organ], Field(max_length=LIST_ITEMS_MAX)] | None = None
    injection_site: bool | None = None
    flu_like: bool | None = None
    responded_to_therapy: bool | None = None
    action_taken: Annotated[dict[Identifier, ActionWord], Field(max_length=LIST_ITEMS_MAX)] | None = None
    identifiers: Annotated[list[CaseNumber], Field(max_length=LIST_ITEMS_MAX)] | None = None


class AdverseEventReported(SubjectEvent):
    """A toxicity was reported, or its record revised."""

    record_kind: ClassVar[str] = "ae"

    type: Literal["toxwatch.ae.reported.v1"]
    data: AdverseEventReportedData

    @property
    def record_id(self) -> str:
        return self.data.ae_id


class AdverseEventRetractedData(Data):
    """Which toxicity was entered in error, and why it is taken back."""

    ae_id: Identifier
    revision: Revision
    reason: Text


class AdverseEventRetracted(SubjectEvent):
    """The record of a toxicity was entered in error."""

    record_kind: ClassVar[str] = "ae"
    retracts: ClassVar[bool] = True

    type: Literal["toxwatch.ae.retracted.v1"]
    data: AdverseEventRetractedData

    @property
    def record_id(self) -> str:
        return self.data.ae_id
