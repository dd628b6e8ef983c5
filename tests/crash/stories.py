"""What sites report of their subjects, at the present: each story some requests, each request some events.

What becomes of an event is known beforehand, for a story tells its own lies: an event that is refused, one that repeats an
earlier one, one that says something else under its id.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any, Final, Literal, NamedTuple

from events.dates import DAY, HOUR, SECOND, Instant, format_instant
from services.platform import time_source
from tests import builder

Json = dict[str, Any]

TRIAL: Final = "NCT02977156"
SPONSOR_SOURCE: Final = "urn:sponsor:safety"
RELATED: Final = {"investigator": {"pexa-vec": "related", "ipilimumab": "unrelated"}}
WEEK: Final = 168 * HOUR
LEVELS: Final = 3


class Line(NamedTuple):
    """One event on its way. ``becomes``: new in the log, known already, or refused; ``record``: the adverse event it is of."""

    id: str
    subject: str
    body: bytes
    becomes: Literal["new", "known", "refused"] = "new"
    is_severe: bool = False
    record: str | None = None


class Author:
    """Writes about one subject, from the site's own source. Every event has an id of its own, in order."""

    def __init__(self, subject: str) -> None:
        self.subject = subject
        self.site = subject[:4]
        self._written = 0

    def line(self, stem: str, data: Json, *, source: str | None = None, **known: Any) -> Line:
        """One event, recorded now. ``known`` is what the story knows of it."""
        self._written += 1
        event_id = f"{self.subject}-{self._written}"
        attributes = {
            "id": event_id,
            "time": format_instant(time_source.now()),
            **({"source": source} if source else {}),
        }
        event = builder.event(stem, data, subject=self.subject, **attributes)
        return Line(event_id, self.subject, json.dumps(event).encode(), **known)

    def treated(self, level: int = 1) -> list[Line]:
        """Enrolled, and treated ten days ago."""
        at = time_source.now() - 10 * DAY
        enrolled = {"revision": 1, "part": "A", "dose_level": level, "enrolled": format_instant(at - DAY)[:10]}
        given = {"administration_id": "ADM-1", "revision": 1, "drug": "pexa-vec", "given": format_instant(at)}
        return [
            self.line("subject.enrolled", enrolled),
            self.line("treatment.administered", {**given, "status": "given"}),
        ]

    def toxicity(self, name: str = "AE-1", revision: int = 1, **said: Any) -> Line:
        """Grade 4 and related, three days ago, unless said otherwise: dose-limiting."""
        now = time_source.now()
        data = {
            "ae_id": name,
            "revision": revision,
            "term": "Sepsis",
            "grade": 4,
            "onset": format_instant(now - 3 * DAY),
            "end": format_instant(now - 2 * DAY),
            "causality": RELATED,
            "immune_related": False,
            "injection_site": False,
            "flu_like": False,
            **said,
        }
        return self.line("ae.reported", {key: value for key, value in data.items() if value is not None}, record=name)

    def lasting(self, due: Instant, name: str = "AE-1") -> Line:
        """Grade 3 and going on: a watch, which time alone makes dose-limiting at ``due``."""
        onset = format_instant(due - WEEK)
        # Of another term than the other: or they might be one toxicity, and lasting already.
        return self.toxicity(name, term="Fatigue", grade=3, onset=onset, end=None, ongoing=True)

    def retracted(self, revision: int, name: str = "AE-1") -> Line:
        """Entered in error."""
        return self.line("ae.retracted", {"ae_id": name, "revision": revision, "reason": "another's"}, record=name)

    def refused(self, name: str = "AE-1", revision: int = 1) -> Line:
        """Grade 4, with a field that there is not: refused, and an alert until the record arrives."""
        good = self.toxicity(name, revision, severity="severe")
        return good._replace(becomes="refused", is_severe=True)

    def result(self, number: int, value: float, days_ago: float) -> Line:
        """One ALT."""
        collected = format_instant(time_source.now() - int(days_ago * DAY))
        data = {"lab_id": f"L-{number}", "revision": 1, "test": "ALT", "value": value, "unit": "U/L", "uln": 40.0}
        return self.line("lab.resulted", {**data, "collected": collected})

    def adjudicated(self, name: str, verdict: str) -> Line:
        """The investigator and the sponsor have signed; the sponsor sends it."""
        now = format_instant(time_source.now())
        signatures = [{"party": party, "by": f"u-{party}", "at": now} for party in ("investigator", "sponsor")]
        data = {"adjudication_id": f"ADJ-{name}", "revision": 1, "case": f"ae:{name}", "verdict": verdict}
        data |= {"decided": now, "signatures": signatures, "reason": "discussed"}
        return self.line("dlt.adjudicated", data, source=SPONSOR_SOURCE)


def otherwise(line: Line) -> Line:
    """Something else under the same id: refused, for the first in the log stands."""
    event = json.loads(line.body)
    event["data"]["x"] = {"said": "otherwise"}
    severe = event["data"].get("grade", 0) >= 3
    return line._replace(body=json.dumps(event).encode(), becomes="refused", is_severe=severe)


def lifetime(chance: random.Random, subject: str) -> Iterator[list[Line]]:
    """One subject from enrolment on, request by request: every kind of thing that happens to an event."""
    author = Author(subject)
    first = author.treated(chance.randint(1, LEVELS))
    yield first
    yield [
        author.result(n, chance.choice([30, 130, 230, 900]), chance.uniform(0, 9)) for n in range(chance.randint(1, 6))
    ]
    yield from _toxicity(chance, author)
    if chance.random() < 0.5:
        yield [author.lasting(time_source.now() + int(chance.uniform(0.5, 4) * SECOND), "AE-2")]
    if chance.random() < 0.3:
        yield [line._replace(becomes="known") for line in first]
    if chance.random() < 0.3:
        yield [otherwise(first[0]), author.result(90, 50, 1)]


def everything(_chance: random.Random, subject: str) -> Iterator[list[Line]]:
    """A short life in which each kind of thing happens: alerts of every kind and end, a refusal, a deadline."""
    author = Author(subject)
    yield author.treated()
    yield [author.refused()]
    yield [author.toxicity()]
    yield [author.toxicity(revision=2, grade=2)]
    yield [author.toxicity(revision=3)]
    # Last, for what is recorded after a deadline makes it pass before the clock does.
    yield [author.lasting(time_source.now() + SECOND // 2, "AE-2")]


def _toxicity(chance: random.Random, author: Author) -> Iterator[list[Line]]:
    kind = chance.choice(["corrected", "retracted", "completed", "refused", "refused for good", "plain", "mild"])
    if kind == "mild":
        yield [author.toxicity(grade=2)]
        return
    if kind.startswith("refused"):
        yield [author.refused()]
        if kind == "refused for good":
            return
    causality = None if kind == "completed" else RELATED
    yield [author.toxicity(causality=causality)]
    if kind == "corrected":
        yield [author.toxicity(revision=2, grade=2)]
        yield [author.toxicity(revision=3)]
    elif kind == "retracted":
        yield [author.retracted(2)]
    elif kind == "completed":
        yield [author.toxicity(revision=2)]
