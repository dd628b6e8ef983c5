"""Events by hand for the monitor: who was treated, what was reported, and when it was recorded."""

from __future__ import annotations

from typing import Any, Final

from events.codec import Logged
from tests import builder
from tests.properties.stories import RELATED, on
from tests.properties.timelines import SITE
from tests.rules.scenario import decoded

Json = dict[str, Any]


def event(stem: str, subject: str, event_id: str, time: str, data: Json, **envelope: Any) -> Logged:
    """One event of site FR01's own source."""
    attributes = {"id": event_id, "time": time, "source": SITE, **envelope}
    (logged,) = decoded([builder.event(stem, data, subject=subject, **attributes)])
    return logged


def treated(subject: str, level: int = 1) -> list[Logged]:
    """Enrolled in Part A at a dose level, and treated on day 1."""
    enrolled = {"revision": 1, "part": "A", "dose_level": level, "enrolled": "2017-02-01"}
    given = {"administration_id": "ADM-1", "revision": 1, "drug": "pexa-vec", "given": on(1, 10), "status": "given"}
    return [
        event("subject.enrolled", subject, f"{subject}-e", on(1, 8), enrolled),
        event("treatment.administered", subject, f"{subject}-t", on(1, 12), given),
    ]


def sepsis(subject: str, time: str, revision: int = 1, **said: Any) -> Logged:
    """AE-1, of grade 4 and related unless said otherwise."""
    data = {
        "ae_id": "AE-1",
        "revision": revision,
        "term": "Sepsis",
        "grade": 4,
        "onset": on(3),
        "end": on(5),
        "causality": RELATED,
        "immune_related": False,
        "injection_site": False,
        "flu_like": False,
        **said,
    }
    kept = {key: value for key, value in data.items() if value is not None}
    return event("ae.reported", subject, f"{subject}-ae-{revision}", time, kept)


#: Of grade 3 and still going on: a watch, which time alone makes a finding.
LASTING: Final[Json] = {"grade": 3, "end": None, "ongoing": True}
