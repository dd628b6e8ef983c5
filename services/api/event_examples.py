"""One valid event of every type, as the published documents show it."""

from __future__ import annotations

from typing import Any, Final

from events.catalog import CLASS_BY_TYPE
from events.clock import ProtocolActivated
from events.envelope import SubjectEvent
from events.identity import derived_id

TIME: Final = "2017-03-20T09:00:00+01:00"
TRIAL: Final = "NCT02977156"
SUBJECT: Final = "FR01-001"
SITE: Final = "FR01"
SITE_SOURCE: Final = "urn:site:FR01:edc"
OWN_SOURCE: Final = "urn:toxwatch:demo"

_EVIDENCE: Final = {"source": SITE_SOURCE, "id": "example-ae-reported"}
_ALERT: Final[dict[str, Any]] = {
    "alert_id": derived_id(TRIAL, SUBJECT, "ae:AE-1"),
    "revision": 1,
    "case": "ae:AE-1",
    "verdict": "met",
    "clauses": {"DLT-1": "met"},
    "urgency": "urgent",
    "population": "part-a",
    "dose_level": 2,
    "counts_as_dlt": True,
    "reasons": ["grade 4 from 2017-03-18, day 34 of treatment", "related to pexa-vec: probable (investigator)"],
    "questions": [],
    "evidence": [_EVIDENCE],
    "detected_at": "2017-03-20T08:00:02Z",
    "caused_by": _EVIDENCE,
    "protocol_version": "1",
}
_RETRACTED: Final = {"revision": 2, "reason": "entered for another subject"}

DATA: Final[dict[str, dict[str, Any]]] = {
    "toxwatch.subject.enrolled.v1": {
        "revision": 1,
        "part": "A",
        "dose_level": 2,
        "enrolled": "2017-02-10",
        "sex": "F",
        "birth_year": 1961,
        "liver_metastases": True,
    },
    "toxwatch.subject.discontinued.v1": {
        "revision": 1,
        "scope": "treatment",
        "date": "2017-03-19",
        "reason": "adverse-event",
    },
    "toxwatch.treatment.administered.v1": {
        "administration_id": "EX-1",
        "revision": 1,
        "drug": "pexa-vec",
        "given": "2017-02-13T10:30:00+01:00",
        "status": "given",
        "lesions": 2,
    },
    "toxwatch.visit.recorded.v1": {
        "visit_id": "V-W1D1",
        "revision": 1,
        "name": "W1D1",
        "date": "2017-02-13",
        "status": "completed",
        "ecog": 1,
        "weight_kg": 64.5,
    },
    "toxwatch.lab.resulted.v1": {
        "lab_id": "LB-17",
        "revision": 1,
        "test": "ALT",
        "value": 231,
        "unit": "U/L",
        "lln": 7,
        "uln": 40,
        "collected": "2017-03-20T07:40:00+01:00",
        "specimen": "serum",
    },
    "toxwatch.ae.reported.v1": {
        "ae_id": "AE-1",
        "revision": 1,
        "term": "colite",
        "term_language": "fr",
        "preferred_term": "Colitis",
        "grade": 4,
        "grades": [{"grade": 2, "from": "2017-03-15"}, {"grade": 4, "from": "2017-03-18"}],
        "onset": "2017-03-15",
        "ongoing": True,
        "serious": True,
        "seriousness": ["hospitalisation"],
        "aware": "2017-03-18T18:00:00+01:00",
        "causality": {"investigator": {"pexa-vec": "probable", "ipilimumab": "possible"}},
        "organs": ["gastrointestinal"],
    },
    "toxwatch.dlt.adjudicated.v1": {
        "adjudication_id": "ADJ-1",
        "revision": 1,
        "case": "ae:AE-1",
        "verdict": "dlt",
        "decided": "2017-03-20T08:30:00+01:00",
        "signatures": [{"party": "investigator", "by": "u-0042", "at": "2017-03-20T08:30:00+01:00"}],
        "reason": "grade 4 colitis within the window",
    },
    "toxwatch.response.assessed.v1": {
        "assessment_id": "RS-1",
        "revision": 1,
        "date": "2017-03-13",
        "criteria": "irRC",
        "response": "SD",
    },
    "toxwatch.ae.retracted.v1": {"ae_id": "AE-1", **_RETRACTED},
    "toxwatch.lab.retracted.v1": {"lab_id": "LB-17", **_RETRACTED},
    "toxwatch.treatment.retracted.v1": {"administration_id": "EX-1", **_RETRACTED},
    "toxwatch.visit.retracted.v1": {"visit_id": "V-W1D1", **_RETRACTED},
    "toxwatch.dlt.retracted.v1": {"adjudication_id": "ADJ-1", **_RETRACTED},
    "toxwatch.response.retracted.v1": {"assessment_id": "RS-1", **_RETRACTED},
    "toxwatch.clock.reached.v1": {"due": TIME, "case": "ae:AE-1"},
    "toxwatch.protocol.activated.v1": {
        "protocol": "isi-jx",
        "version": "1",
        "rules_version": "1",
        "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    },
    "toxwatch.alert.raised.v1": _ALERT,
    "toxwatch.alert.revised.v1": {
        **_ALERT,
        "revision": 2,
        "previous_verdict": "met",
        "clauses": {"DLT-1": "met", "DLT-5": "possible"},
    },
    "toxwatch.alert.withdrawn.v1": {
        **_ALERT,
        "revision": 3,
        "verdict": None,
        "previous_verdict": "met",
        "clauses": {},
        "counts_as_dlt": False,
        "reasons": ["the adverse event was retracted: entered for another subject"],
    },
}


def example_of(type_name: str) -> dict[str, Any]:
    """A valid event of a type, envelope included."""
    event_class = CLASS_BY_TYPE[type_name]
    from_site = issubclass(event_class, SubjectEvent)
    envelope: dict[str, Any] = {
        "specversion": "1.0",
        "id": "example-" + type_name.removeprefix("toxwatch.").removesuffix(".v1").replace(".", "-"),
        "source": SITE_SOURCE if from_site else OWN_SOURCE,
        "type": type_name,
        "time": TIME,
        "trial": TRIAL,
    }
    if not issubclass(event_class, ProtocolActivated):
        envelope["subject"] = SUBJECT
    if from_site:
        envelope["site"] = SITE
    return {**envelope, "data": DATA[type_name]}
