"""From a study's code words to those of the event contract.

The defaults hold CDISC's controlled terms as far as they mean one thing. A mapping file adds to them or overrides them;
``""`` says that a word is known and means "no value". What is in no list is reported, never guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Annotated, Final, Literal, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field

from events.adverse_event import ActionWord, CausalityWord, Outcome
from services.importers.columns import MappingSection

Nothing = Literal[""]
Grade = Annotated[int, Field(ge=1, le=5)]
T = TypeVar("T")


@lru_cache(maxsize=8192)
def normal(word: str) -> str:
    """A word as code lists compare it: capitals, single spaces."""
    return " ".join(word.upper().split())


Word = Annotated[str, BeforeValidator(lambda value: normal(value) if isinstance(value, str) else value)]


def _over(defaults: Mapping[str, T]) -> Callable[[Mapping[str, T]], Mapping[str, T]]:
    return lambda given: {**defaults, **given}


FLAG: Final[dict[str, bool | Nothing]] = {
    "Y": True, "YES": True, "TRUE": True, "N": False, "NO": False, "FALSE": False, "U": "", "NA": "",
}  # fmt: skip
SEX: Final[dict[str, Literal["F", "M"] | Nothing]] = {"F": "F", "M": "M", "U": "", "UNKNOWN": ""}
# SDTM leaves the words to the sponsor; these four are the ones that its guide gives, and they say what they mean.
CAUSALITY: Final[dict[str, CausalityWord | Nothing]] = {
    "NOT RELATED": "unrelated",
    "UNLIKELY RELATED": "unlikely",
    "POSSIBLY RELATED": "possible",
    "RELATED": "related",
    "CERTAIN": "certain",
    "PROBABLE": "probable",
    "POSSIBLE": "possible",
    "UNLIKELY": "unlikely",
    "UNRELATED": "unrelated",
    "NOT APPLICABLE": "not-applicable",
}
ACTION: Final[dict[str, ActionWord | Nothing]] = {
    "DOSE NOT CHANGED": "none",
    "DOSE REDUCED": "reduced",
    "DOSE DELAYED": "delayed",
    "DRUG INTERRUPTED": "interrupted",
    "DRUG WITHDRAWN": "withdrawn",
    "NOT APPLICABLE": "not-applicable",
    "UNKNOWN": "unknown",
}
OUTCOME: Final[dict[str, Outcome | Nothing]] = {
    "RECOVERED/RESOLVED": "recovered",
    "RECOVERING/RESOLVING": "recovering",
    "NOT RECOVERED/NOT RESOLVED": "not-recovered",
    "RECOVERED/RESOLVED WITH SEQUELAE": "recovered-with-sequelae",
    "FATAL": "fatal",
    "UNKNOWN": "unknown",
}
# AFTER and the like say how the end lies to a reference date, not that there has been none yet.
ONGOING: Final[dict[str, bool | Nothing]] = {"ONGOING": True, "U": "", "UNKNOWN": ""}
GRADE: Final[dict[str, int | Nothing]] = {
    **{str(grade): grade for grade in range(1, 6)},
    **{f"GRADE {grade}": grade for grade in range(1, 6)},
}
Scope = Literal["treatment", "study"]
# A word that is known and means no end of anything: the row is left out, with a line in the report.
SCOPE: Final[dict[str, Scope | Nothing]] = {
    "STUDY PARTICIPATION": "study",
    "STUDY TREATMENT": "treatment",
    "TREATMENT": "treatment",
    "FOLLOW-UP": "study",
    "SCREENING": "",
}
Reason = Literal["completed", "adverse-event", "progression", "withdrawal", "death", "lost-to-follow-up", "other"]
REASON: Final[dict[str, Reason]] = {
    "COMPLETED": "completed",
    "ADVERSE EVENT": "adverse-event",
    "PROGRESSIVE DISEASE": "progression",
    "DISEASE PROGRESSION": "progression",
    "WITHDRAWAL BY SUBJECT": "withdrawal",
    "DEATH": "death",
    "LOST TO FOLLOW-UP": "lost-to-follow-up",
    "DISEASE RELAPSE": "other",
    "LACK OF EFFICACY": "other",
    "NON-COMPLIANCE WITH STUDY DRUG": "other",
    "OTHER": "other",
    "PHYSICIAN DECISION": "other",
    "PREGNANCY": "other",
    "PROTOCOL DEVIATION": "other",
    "PROTOCOL VIOLATION": "other",
    "RECOVERY": "other",
    "SCREEN FAILURE": "other",
    "SITE TERMINATED BY SPONSOR": "other",
    "STUDY TERMINATED BY SPONSOR": "other",
    "TECHNICAL PROBLEMS": "other",
    "WITHDRAWAL BY PARENT/GUARDIAN": "withdrawal",
}
GivenStatus = Literal["given", "partial", "not-given"]
GIVEN: Final[dict[str, GivenStatus | Nothing]] = {"NOT DONE": "not-given", "PARTIAL": "partial"}
Specimen = Literal["blood", "serum", "plasma", "urine", "csf", "other"]
SPECIMEN: Final[dict[str, Specimen | Nothing]] = {
    "BLOOD": "blood",
    "SERUM": "serum",
    "PLASMA": "plasma",
    "URINE": "urine",
    "CEREBROSPINAL FLUID": "csf",
    "CSF": "csf",
    "URINALYSIS": "urine",
    "WHOLE BLOOD": "blood",
    "VENOUS BLOOD": "blood",
    "ARTERIAL BLOOD": "blood",
    "CAPILLARY BLOOD": "blood",
    "SERUM OR PLASMA": "serum",
    "SERUM/PLASMA": "serum",
}
Timepoint = Literal["pre-dose", "post-dose"]
TIMEPOINT: Final[dict[str, Timepoint | Nothing]] = {
    "PREDOSE": "pre-dose", "PRE-DOSE": "pre-dose", "POSTDOSE": "post-dose", "POST-DOSE": "post-dose",
}  # fmt: skip
LabStatus = Literal["final", "preliminary", "corrected", "not-done", "unreliable"]
LAB_STATUS: Final[dict[str, LabStatus | Nothing]] = {
    "NOT DONE": "not-done",
    "FINAL": "final",
    "PRELIMINARY": "preliminary",
    "CORRECTED": "corrected",
    "UNRELIABLE": "unreliable",
}


class CodeLists(MappingSection):
    """The code lists of a study, each over its defaults. ``severity_as_grade`` has none: setting it is a decision."""

    flag: Annotated[dict[Word, bool | Nothing], AfterValidator(_over(FLAG))] = Field(FLAG)
    sex: Annotated[dict[Word, Literal["F", "M"] | Nothing], AfterValidator(_over(SEX))] = Field(SEX)
    causality: Annotated[dict[Word, CausalityWord | Nothing], AfterValidator(_over(CAUSALITY))] = Field(CAUSALITY)
    action: Annotated[dict[Word, ActionWord | Nothing], AfterValidator(_over(ACTION))] = Field(ACTION)
    outcome: Annotated[dict[Word, Outcome | Nothing], AfterValidator(_over(OUTCOME))] = Field(OUTCOME)
    ongoing: Annotated[dict[Word, bool | Nothing], AfterValidator(_over(ONGOING))] = Field(ONGOING)
    grade: Annotated[dict[Word, Grade | Nothing], AfterValidator(_over(GRADE))] = Field(GRADE)
    severity_as_grade: dict[Word, Grade] = Field({})
    scope: Annotated[dict[Word, Scope | Nothing], AfterValidator(_over(SCOPE))] = Field(SCOPE)
    reason: Annotated[dict[Word, Reason], AfterValidator(_over(REASON))] = Field(REASON)
    given: Annotated[dict[Word, GivenStatus | Nothing], AfterValidator(_over(GIVEN))] = Field(GIVEN)
    specimen: Annotated[dict[Word, Specimen | Nothing], AfterValidator(_over(SPECIMEN))] = Field(SPECIMEN)
    timepoint: Annotated[dict[Word, Timepoint | Nothing], AfterValidator(_over(TIMEPOINT))] = Field(TIMEPOINT)
    lab_status: Annotated[dict[Word, LabStatus | Nothing], AfterValidator(_over(LAB_STATUS))] = Field(LAB_STATUS)
