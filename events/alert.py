"""The alert log: what Toxwatch told the medical monitor, and when it took it back."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from events.envelope import (
    LIST_ITEMS_MAX,
    Data,
    Envelope,
    EventRef,
    Identifier,
    InstantText,
    Revision,
    SubjectId,
    Text,
)

Verdict = Literal["met", "possible", "watch"]
#: ``part-<name of the part, in lower case>``, or ``part-unknown``.
POPULATION: Final = r"^part-[a-z0-9][a-z0-9._-]{0,31}$"
COUNT_MAX: Final = 2**53 - 1
Sentences = Annotated[list[Text], Field(max_length=LIST_ITEMS_MAX)]
#: ``news`` is sent at once or grouped, by its urgency. ``quiet`` is sent once, grouped, to those who were told before. ``silent``
#: is sent to nobody, and shown.
Telling = Literal["news", "quiet", "silent"]


class Change(BaseModel):
    """What is different from the revision before, in words for people, and the event that made it so."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    what: Text
    before: Text | None = None
    after: Text | None = None
    by: EventRef | None = None


class AlertData(Data):
    """One revision of one alert. ``verdict`` is null once nothing stands, and for alerts that are no subject's.

    ``count`` is how many things an alert is about that is about several (DLTs of a dose level: ``out_of`` so many treated);
    ``occurrences`` how many intervals of a case meet, or may meet, a clause. What older software told has no ``telling``.
    """

    alert_id: Identifier
    revision: Revision
    case: Identifier
    verdict: Verdict | None
    previous_verdict: Verdict | None = None
    clauses: Annotated[dict[Identifier, Verdict], Field(max_length=LIST_ITEMS_MAX)]
    urgency: Literal["urgent", "prompt", "routine"]
    population: Annotated[str, Field(pattern=POPULATION)] | None
    dose_level: Annotated[int, Field(ge=1)] | None = None
    counts_as_dlt: bool
    reasons: Sentences
    questions: Sentences
    evidence: Annotated[list[EventRef], Field(max_length=LIST_ITEMS_MAX)]
    basis: Text | None = None
    due: InstantText | None = None
    detected_at: InstantText
    caused_by: EventRef
    protocol_version: Text
    worst_grade: Annotated[int, Field(ge=1, le=5)] | None = None
    news: bool = True
    telling: Telling | None = None
    changes: Annotated[list[Change], Field(max_length=LIST_ITEMS_MAX)] = Field(default_factory=list)
    count: Annotated[int, Field(ge=0, le=COUNT_MAX)] | None = None
    out_of: Annotated[int, Field(ge=0, le=COUNT_MAX)] | None = None
    occurrences: Annotated[int, Field(ge=0, le=COUNT_MAX)] | None = None


class AlertEvent(Envelope):
    """What the alert events have in common. Alerts about a cohort or the system have no subject and no site."""

    record_kind: ClassVar[str] = "alert"

    subject: SubjectId | None = None
    site: Identifier | None = None
    data: AlertData

    @property
    def record_id(self) -> str:
        return self.data.alert_id


class AlertRaised(AlertEvent):
    """A case became possible or met, for the first time or again."""

    type: Literal["toxwatch.alert.raised.v1"]


class AlertRevised(AlertEvent):
    """The verdict or a clause of an alert that stands has changed."""

    type: Literal["toxwatch.alert.revised.v1"]


class AlertWithdrawn(AlertEvent):
    """Nothing stands any longer: explained, retracted or overruled. The reason says which."""

    type: Literal["toxwatch.alert.withdrawn.v1"]
