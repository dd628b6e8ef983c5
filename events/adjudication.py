"""Whether a case is dose-limiting, as the people who may say so have said and signed."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from events.envelope import LIST_ITEMS_MAX, Data, DataPart, Identifier, InstantText, Revision, SubjectEvent, Text


class Signature(DataPart):
    """Who signed, for which party, when, and what the signature means."""

    party: Literal["investigator", "sponsor", "committee"]
    by: Identifier
    at: InstantText
    meaning: Text | None = None


class DltAdjudicatedData(Data):
    """A decision on one case (``ae:AE-1``, ``lab:ALT``). It may still be unsigned."""

    adjudication_id: Identifier
    revision: Revision
    case: Identifier
    verdict: Literal["dlt", "not-dlt"]
    decided: InstantText
    signatures: Annotated[list[Signature], Field(max_length=LIST_ITEMS_MAX)]
    reason: Text


class DltAdjudicated(SubjectEvent):
    """A case was judged dose-limiting, or not."""

    record_kind: ClassVar[str] = "adjudication"

    type: Literal["toxwatch.dlt.adjudicated.v1"]
    data: DltAdjudicatedData

    @property
    def record_id(self) -> str:
        return self.data.adjudication_id


class DltRetractedData(Data):
    """Which adjudication was entered in error, and why it is taken back."""

    adjudication_id: Identifier
    revision: Revision
    reason: Text


class DltRetracted(SubjectEvent):
    """An adjudication was entered in error."""

    record_kind: ClassVar[str] = "adjudication"
    retracts: ClassVar[bool] = True

    type: Literal["toxwatch.dlt.retracted.v1"]
    data: DltRetractedData

    @property
    def record_id(self) -> str:
        return self.data.adjudication_id
