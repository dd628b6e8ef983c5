"""Events as a site's system would write them, each with an id of its own, recorded just now."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from tests import builder

STRUCTURED = "application/cloudevents+json"
BATCHED = "application/cloudevents-batch+json"
LINES = "application/x-ndjson"
TRIAL = "NCT02977156"

Event = dict[str, Any]

_numbers = count(1)
RELATED = {"investigator": {"pexa-vec": "probable", "ipilimumab": "possible"}}


def ago(**duration: float) -> datetime:
    """That long before now."""
    return datetime.now(UTC) - timedelta(**duration)


def text(instant: datetime) -> str:
    """An instant as events write it."""
    return instant.isoformat().replace("+00:00", "Z")


def new_subject(site: str = "FR01") -> str:
    """A subject that no other test writes about."""
    return f"{site}-{next(_numbers) + 1000}"


def event(kind: str, subject: str, data: dict[str, Any], **attributes: Any) -> Event:
    """One event; an attribute that is None is left out."""
    usual = {
        "id": f"{subject}-{next(_numbers)}",
        "time": text(datetime.now(UTC)),
        "source": f"urn:site:{subject[:4]}:edc",
        "site": subject[:4],
    }
    named = {"subject": subject, **usual, **attributes}
    whole = {name: ... if value is None else value for name, value in named.items()}
    return builder.event(kind, {"revision": 1, **data}, **whole)


def enrolled(subject: str, data: dict[str, Any] | None = None, **attributes: Any) -> Event:
    """Enrolled in Part A; the level is the test's affair."""
    given = {"part": "A", "enrolled": text(ago(days=25)), "time_zone": "Europe/Paris"}
    return event("subject.enrolled", subject, {**given, **(data or {})}, **attributes)


def treated(subject: str, data: dict[str, Any] | None = None, **attributes: Any) -> Event:
    """The first administration, 20 days ago: the window is open."""
    given = {"administration_id": "ADM-1", "drug": "pexa-vec", "given": text(ago(days=20)), "status": "given"}
    return event("treatment.administered", subject, {**given, **(data or {})}, **attributes)


def ae(subject: str, data: dict[str, Any] | None = None, **attributes: Any) -> Event:
    """A severe, related toxicity two days ago: met at grade 4, nothing yet at grade 3."""
    given = {"ae_id": "AE-1", "term": "Colitis", "grade": 4, "onset": text(ago(days=2)), "causality": RELATED}
    given |= {"immune_related": False}
    return event("ae.reported", subject, {**given, **(data or {})}, **attributes)


def lab(subject: str, data: dict[str, Any] | None = None, **attributes: Any) -> Event:
    """A result from the laboratory's own system."""
    given = {"lab_id": "L-1", "test": "ALT", "value": 30, "unit": "U/L", "uln": 40, "collected": text(ago(days=1))}
    source = f"urn:site:{subject[:4]}:lis"
    return event("lab.resulted", subject, {**given, **(data or {})}, **{"source": source, **attributes})


def visit(subject: str, data: dict[str, Any] | None = None, **attributes: Any) -> Event:
    """A visit that took place yesterday."""
    given = {"visit_id": "V-1", "name": "W1D1", "date": text(ago(days=1)), "status": "completed"}
    return event("visit.recorded", subject, {**given, **(data or {})}, **attributes)


def adjudicated(subject: str, data: dict[str, Any] | None = None, **attributes: Any) -> Event:
    """A DLT decided by the sponsor's and the investigator's signatures, on the sponsor's own record."""
    decided = text(ago())
    signed = [{"party": party, "by": "U-1", "at": decided} for party in ("investigator", "sponsor")]
    given = {"adjudication_id": "ADJ-1", "case": "ae:AE-1", "verdict": "dlt", "decided": decided, "signatures": signed}
    given |= {"reason": "discussed"}
    return event(
        "dlt.adjudicated", subject, {**given, **(data or {})}, **{"source": "urn:sponsor:safety", **attributes}
    )


def body_of(events: Any, kind: str) -> bytes:
    """Events as the body of a request; bytes as they are."""
    if isinstance(events, bytes):
        return events
    several = events if isinstance(events, list) else [events]
    if kind == LINES:
        return b"".join(json.dumps(one).encode() + b"\n" for one in several)
    return json.dumps(several if kind == BATCHED else events).encode()
