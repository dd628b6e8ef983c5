"""Builds the events of one subject: ids derived from what they name, times in UTC, one JSON line each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

TRIAL: Final = "NCT02977156"
SPONSOR: Final = "urn:sponsor:clb:safety"

# The field of `data` that carries the id of a record; a subject's own events have none.
_RECORD_FIELD: Final[Mapping[str, str]] = {
    "treatment": "administration_id",
    "visit": "visit_id",
    "lab": "lab_id",
    "ae": "ae_id",
    "dlt": "adjudication_id",
    "response": "assessment_id",
}
_ENCODE: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode

Data = Mapping[str, object]


@lru_cache(maxsize=4096)
def utc(moment: datetime) -> str:
    """An instant as the `time` attribute writes it: UTC, to the second."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class SimulatedEvent:
    """One event before it is written, with the two instants that order it."""

    recorded: datetime
    received: datetime | None
    message: Data

    @property
    def arrival(self) -> datetime:
        """When the log took it: the contract lets `time` stand for a `receivedtime` that is not there."""
        return self.received if self.received is not None else self.recorded

    @property
    def data(self) -> Data:
        data = self.message["data"]
        assert isinstance(data, Mapping)
        return data

    def line(self, *, received: bool = True) -> bytes:
        """The event as one line of NDJSON; a sender may not set `receivedtime`, so it can be left out."""
        message = dict(self.message)
        if received and self.received is not None:
            message["receivedtime"] = utc(self.received)
        message["data"] = message.pop("data")
        return _ENCODE(message).encode() + b"\n"


@dataclass(slots=True)
class SubjectLog:
    """Everything that the systems of a site, and the sponsor, write about one subject."""

    subject: str
    site: str
    drafts: list[SimulatedEvent] = field(default_factory=list)
    _latest: dict[tuple[str, str], SimulatedEvent] = field(default_factory=dict)

    def write(
        self,
        kind: str,
        record: str,
        revision: int,
        at: datetime,
        data: Data,
        *,
        system: str = "edc",
        received: datetime | None = None,
    ) -> None:
        """Write one revision of a record: ``kind`` as in ``ae.reported``, ``system`` ``edc``, ``lis`` or ``sponsor``."""
        family = kind.partition(".")[0]
        content: dict[str, object] = {"revision": revision}
        if family in _RECORD_FIELD:
            content = {_RECORD_FIELD[family]: record, "revision": revision}
        content.update(data)
        recorded = at.astimezone(UTC)
        message: dict[str, object] = {
            "specversion": "1.0",
            "id": f"{self.subject}.{family}.{record}.r{revision}",
            "source": SPONSOR if system == "sponsor" else f"urn:site:{self.site}:{system}",
            "type": f"toxwatch.{kind}.v1",
            "subject": self.subject,
            "time": utc(recorded),
            "trial": TRIAL,
            "site": self.site,
            "datacontenttype": "application/json",
        }
        if system == "edc":
            message["actor"] = f"{self.site}-crc-{1 + len(record) % 3}"
        message["data"] = content
        draft = SimulatedEvent(recorded, received.astimezone(UTC) if received is not None else None, message)
        self.drafts.append(draft)
        self._latest[family, record] = draft

    def revise(self, family: str, record: str, revision: int, at: datetime, **changes: object) -> None:
        """Send the whole record again with some fields changed, as EDC systems do."""
        known = self._latest[family, record]
        kind = str(known.message["type"]).removeprefix("toxwatch.").removesuffix(".v1")
        system = "lis" if family == "lab" else "edc"
        data = {**known.data, "revision": revision, **changes}
        self.write(kind, record, revision, at, data, system=system)

    def retract(self, family: str, record: str, revision: int, at: datetime, reason: str) -> None:
        """Declare a record entered in error."""
        system = "lis" if family == "lab" else "edc"
        self.write(f"{family}.retracted", record, revision, at, {"reason": reason}, system=system)
