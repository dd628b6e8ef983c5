"""The envelope that every event travels in: CloudEvents 1.0, structured JSON (events.md, "Envelope: CloudEvents 1.0").

The constraints below are regular expressions and bounds that pydantic checks in its compiled core. No model of this
package has a Python validator: an event is decoded for every line of a replay, so what needs Python is checked once per
event, in :mod:`events.acceptance`.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from events.dates import DATE_PATTERN, INSTANT_PATTERN

TEXT_CHARS_MAX: Final = 2000
LIST_ITEMS_MAX: Final = 500
REVISION_MAX: Final = 2**53 - 1
SUBJECT_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]{1,39}$"

Text = Annotated[str, StringConstraints(max_length=TEXT_CHARS_MAX)]
Identifier = Annotated[str, StringConstraints(min_length=1, max_length=TEXT_CHARS_MAX)]
SubjectId = Annotated[str, StringConstraints(pattern=SUBJECT_PATTERN)]
ClinicalDate = Annotated[str, StringConstraints(pattern=DATE_PATTERN)]
InstantText = Annotated[str, StringConstraints(pattern=INSTANT_PATTERN)]
JsonMediaType = Annotated[str, StringConstraints(pattern=r"^application/json", max_length=TEXT_CHARS_MAX)]
Revision = Annotated[int, Field(ge=1, le=REVISION_MAX)]
Grade = Annotated[int, Field(ge=1, le=5)]
Own = dict[str, Any]


class DataPart(BaseModel):
    """What every object inside ``data`` has in common: nothing unknown, nothing coerced, nothing changed."""

    model_config = ConfigDict(
        frozen=True,
        strict=True,
        extra="forbid",
        allow_inf_nan=False,
        serialize_by_alias=True,
        hide_input_in_errors=True,
    )


class Data(DataPart):
    """The ``data`` of an event. ``x`` is the place for a sender's own fields: kept and ignored."""

    x: Own | None = None


class EventRef(DataPart):
    """Which event: the two attributes that, with the subject, identify one in the log."""

    source: Identifier
    id: Identifier


class Envelope(BaseModel):
    """The attributes that every event has. Extension attributes that are not named here are kept and ignored."""

    model_config = ConfigDict(
        frozen=True, strict=True, extra="allow", allow_inf_nan=False, serialize_by_alias=True, hide_input_in_errors=True
    )

    record_kind: ClassVar[str] = ""
    retracts: ClassVar[bool] = False

    specversion: Literal["1.0"]
    id: Identifier
    source: Identifier
    time: InstantText
    trial: Identifier
    datacontenttype: JsonMediaType | None = None
    actor: Text | None = None
    receivedtime: InstantText | None = None
    traceparent: Text | None = None

    @property
    def record_id(self) -> str:
        """The id of the record that the event is a revision of, within its kind and subject."""
        return ""


class SubjectEvent(Envelope):
    """An event about a subject, as site systems send it."""

    subject: SubjectId
    site: Identifier
