"""Events of the made-up study, and the command line run under its protocol. Day 1 is 10 May 2024, in Kolkata (UTC+5:30)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.files import command_line
from tests.files.command_line import Outcome
from tests.files.writing import Json, Site

SECOND = str(Path(__file__).with_name("second_protocol.py"))
AS_OF = "2024-07-01T00:00:00Z"
DAY_1 = "2024-05-10"
TIME = "2024-06-20T00:00:00Z"
RELATED = {"investigator": {"study-treatment": "related"}}


def site(subject: str = "IN001.A01") -> Site:
    return Site(subject=subject, site="IN001", source="urn:hospital:1", trial="CTRI-2024-001", drug="beta", day_1=DAY_1)


def treated(subject: str = "IN001.A01", level: int = 1) -> list[Json]:
    data = {"part": "A", "dose_level": level, "enrolled": "2024-05-01"}
    return [site(subject).enrolled(data=data, time="2024-05-01T12:00:00Z"), site(subject).dosed()]


def ae(subject: str = "IN001.A01", ae_id: str = "AE-1", **data: Any) -> Json:
    """Related nausea of grade 3 on day 6, over on day 7."""
    usual = {"term": "Nausea", "grade": 3, "onset": "2024-05-15", "end": "2024-05-16", "causality": RELATED}
    return site(subject).ae(ae_id, data={**usual, **data}, time=TIME)


def board(verdict: str, source: str = "urn:board:india", decided: str = "2024-06-25T00:00:00Z") -> Json:
    signatures = [{"party": "committee", "by": "chair", "at": decided}]
    data = {"decided": decided, "signatures": signatures}
    return site().adjudicated(verdict, data=data, source=source, time="2024-06-26T00:00:00Z")


def assess(events: Iterable[Json], protocol: str = SECOND, as_of: str = AS_OF) -> Outcome:
    return command_line.assess(events, "--protocol", protocol, as_of=as_of)


def clauses(events: Iterable[Json], protocol: str = SECOND, as_of: str = AS_OF) -> dict[str, str]:
    """The clauses of the one case; none where there is no case."""
    outcome = assess(events, protocol, as_of)
    assert outcome.json["refused"] == []
    cases = outcome.json["cases"]
    assert len(cases) < 2
    found: dict[str, str] = cases[0]["clauses"] if cases else {}
    return found
