"""Events as a site would write them: one subject's, valid unless a test spoils them. Day 1 is 13 February 2017."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests import builder

Json = dict[str, Any]

TIME = "2017-03-20T09:00:00Z"
RELATED = {"investigator": {"study-treatment": "related"}}
UNRELATED = {"investigator": {"study-treatment": "unrelated"}}


@dataclass(frozen=True)
class Site:
    """Writes the events of one subject; every value can be given otherwise, and ``...`` leaves one out."""

    subject: str = "FR01-001"
    site: str = "FR01"
    source: str = "urn:site:FR01:edc"
    trial: str = "NCT02977156"
    drug: str = "pexa-vec"
    day_1: str = "2017-02-13"

    def event(self, kind: str, data: Json, *, time: str = TIME, **attributes: Any) -> Json:
        record = next((str(value) for name, value in data.items() if name.endswith("_id")), data.get("scope", ""))
        usual = {
            "id": f"{self.subject}.{kind}.{record}.r{data.get('revision', '')}",
            "source": self.source,
            "subject": self.subject,
            "site": self.site,
            "trial": self.trial,
        }
        return builder.event(kind, data, **{**usual, "time": time, **attributes})

    def enrolled(self, *, data: Json | None = None, **attributes: Any) -> Json:
        usual = {"revision": 1, "part": "A", "dose_level": 2, "enrolled": "2017-02-06"}
        return self.event(
            "subject.enrolled", {**usual, **(data or {})}, **{"time": "2017-02-06T12:00:00Z", **attributes}
        )

    def discontinued(self, date: str, reason: str, scope: str = "study", *, time: str = TIME, **data: Any) -> Json:
        whole = {"revision": 1, "scope": scope, "date": date, "reason": reason, **data}
        return self.event("subject.discontinued", whole, time=time)

    def dosed(self, given: str | None = None, *, data: Json | None = None, **attributes: Any) -> Json:
        usual = {"administration_id": "A-1", "revision": 1, "drug": self.drug, "given": given or self.day_1}
        return self.event(
            "treatment.administered",
            {**usual, "status": "given", **(data or {})},
            **{"time": f"{self.day_1}T18:00:00Z", **attributes},
        )

    def treated(self, **enrolment: Any) -> list[Json]:
        """Enrolled and dosed: what nearly every story begins with."""
        return [self.enrolled(data=enrolment), self.dosed()]

    def visit(self, date: str, visit_id: str = "V-1", *, data: Json | None = None, **attributes: Any) -> Json:
        usual = {"visit_id": visit_id, "revision": 1, "name": "visit", "date": date, "status": "completed"}
        return self.event("visit.recorded", {**usual, **(data or {})}, **attributes)

    def lab(self, lab_id: str = "L-1", *, data: Json | None = None, **attributes: Any) -> Json:
        usual = {"lab_id": lab_id, "revision": 1, "test": "ALT", "value": 31, "unit": "U/L", "collected": "2017-02-20"}
        usual |= {"lln": 7, "uln": 40}
        return self.event("lab.resulted", {**usual, **(data or {})}, **attributes)

    def ae(self, ae_id: str = "AE-1", *, data: Json | None = None, **attributes: Any) -> Json:
        """Related abdominal pain of grade 4 on day 8, over on day 10, which meets DLT-1; ``data`` changes it."""
        usual = {"ae_id": ae_id, "revision": 1, "term": "Abdominal pain", "grade": 4, "causality": RELATED}
        dates = {"onset": "2017-02-20", "end": "2017-02-22"}
        return self.event("ae.reported", {**usual, **dates, **(data or {})}, **attributes)

    def retracted(self, kind: str, record: Json, **attributes: Any) -> Json:
        return self.event(f"{kind}.retracted", {**record, "revision": 2, "reason": "entered in error"}, **attributes)

    def adjudicated(self, verdict: str, *, case: str = "ae:AE-1", data: Json | None = None, **attributes: Any) -> Json:
        """The sponsor's record with both signatures, which is effective."""
        at = "2017-03-20T08:00:00Z"
        usual = {
            "adjudication_id": "ADJ-1",
            "revision": 1,
            "case": case,
            "verdict": verdict,
            "decided": at,
            "signatures": [{"party": party, "by": f"{party}-1", "at": at} for party in ("investigator", "sponsor")],
            "reason": "discussed",
        }
        return self.event(
            "dlt.adjudicated", {**usual, **(data or {})}, **{"source": "urn:sponsor:clb:safety", **attributes}
        )


FR01 = Site()


def line(event: Json | bytes) -> bytes:
    return event if isinstance(event, bytes) else json.dumps(event, ensure_ascii=False).encode()


def lines(events: Iterable[Json | bytes]) -> bytes:
    return b"".join(line(event) + b"\n" for event in events)


def write(path: Path, events: Iterable[Json | bytes]) -> str:
    """A file of events; its path as the command line takes it."""
    path.write_bytes(lines(events))
    return str(path)
