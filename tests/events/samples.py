"""One trial, its codec, and a valid event of every kind to be spoilt."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from events.acceptance import TrialContract
from events.codec import Codec, Logged
from events.errors import EventRefused
from tests import builder

CONTRACT = TrialContract(
    trial="NCT02977156",
    subject_pattern=r"^(?P<site>FR[0-9]{2})-[0-9]{3,5}$",
    drugs=frozenset({"pexa-vec", "ipilimumab"}),
    parts=("A", "B"),
)
CODEC = Codec(CONTRACT)
GOLDEN = Path(__file__).parent / "golden"
TIME = "2017-03-20T09:00:00Z"

DATA: dict[str, dict[str, Any]] = {
    "toxwatch.subject.enrolled.v1": {"revision": 1, "enrolled": "2017-02-01"},
    "toxwatch.subject.discontinued.v1": {"revision": 1, "scope": "study", "date": "2017-03-05", "reason": "other"},
    "toxwatch.treatment.administered.v1": {
        "administration_id": "A-1",
        "revision": 1,
        "drug": "pexa-vec",
        "given": "2017-02-13",
        "status": "given",
    },
    "toxwatch.visit.recorded.v1": {
        "visit_id": "V-1",
        "revision": 1,
        "name": "W1D1",
        "date": "2017-02-13",
        "status": "completed",
    },
    "toxwatch.lab.resulted.v1": {"lab_id": "L-1", "revision": 1, "test": "ALT", "collected": "2017-02-20"},
    "toxwatch.ae.reported.v1": {"ae_id": "AE-1", "revision": 1, "term": "Colitis"},
    "toxwatch.dlt.adjudicated.v1": {
        "adjudication_id": "ADJ-1",
        "revision": 1,
        "case": "ae:AE-1",
        "verdict": "dlt",
        "decided": "2017-03-01T10:00:00Z",
        "signatures": [],
        "reason": "",
    },
    "toxwatch.response.assessed.v1": {
        "assessment_id": "R-1",
        "revision": 1,
        "date": "2017-03-13",
        "criteria": "irRC",
        "response": "NE",
    },
    "toxwatch.ae.retracted.v1": {"ae_id": "AE-1", "revision": 2, "reason": "entered in error"},
    "toxwatch.clock.reached.v1": {"due": TIME, "case": "ae:AE-1"},
}


def event(kind: str, data: dict[str, Any] | None = None, **attributes: Any) -> dict[str, Any]:
    """A valid event of ``toxwatch.<kind>.v1`` with some of its data or attributes replaced; ``...`` leaves one out."""
    name = f"toxwatch.{kind}.v1"
    usual = {"id": "e-1", "time": TIME, "source": "urn:site:FR01:edc", "site": "FR01", "subject": "FR01-001"}
    return builder.event(kind, {**DATA[name], **(data or {})}, **{**usual, **attributes})


def line(kind: str, data: dict[str, Any] | None = None, **attributes: Any) -> bytes:
    """The same as a line of a file."""
    return json.dumps(event(kind, data, **attributes)).encode()


def ae(**data: Any) -> bytes:
    """An adverse event."""
    return line("ae.reported", data)


def lab(**data: Any) -> bytes:
    """A laboratory result."""
    return line("lab.resulted", data)


def accepted(raw: bytes) -> Logged:
    """The event, which must decode."""
    return CODEC.decode(raw)


def refused(raw: bytes) -> EventRefused:
    """The refusal, which must be one."""
    with pytest.raises(EventRefused) as caught:
        CODEC.decode(raw)
    return caught.value


def error_of(raw: bytes) -> str | None:
    """The sentence of the refusal; None where there is none. Anything but a refusal is a bug and comes through."""
    try:
        CODEC.decode(raw)
    except EventRefused as refusal:
        return refusal.error
    return None
