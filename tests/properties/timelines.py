"""Seeded random timelines: everything that may happen to a subject, in small, valid under rules.md §6, dense where rules meet.

The events of a timeline come in the order in which they arrive, which is any: late, corrected, retracted, and revived.
"""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from typing import Any, Final

from events.codec import Logged
from events.dates import DAY, HOUR, Instant, format_instant, parse_instant
from tests import builder
from tests.properties.draws import Draw, days_after, in_offset, start_of
from tests.properties.results import results
from tests.properties.toxicities import BEGINNINGS, adverse_event, dates_of, revised
from tests.rules.scenario import decoded

Json = dict[str, Any]

SITE: Final = "urn:site:FR01:edc"
SPONSOR: Final = "urn:sponsor:safety"
CLOCK: Final = "urn:toxwatch:test"

#: Both changes of the clocks lie in some of the windows.
FIRST_DAYS: Final = [
    date(2017, 2, 13),
    date(2017, 2, 20),
    date(2017, 3, 6),
    date(2017, 9, 25),
    date(2017, 6, 1),
    date(2016, 12, 5),
]
SIGNED_BY: Final = {
    "both": ["investigator", "sponsor"],
    "one": ["investigator"],
    "sponsor alone": ["sponsor"],
    "committee": ["committee"],
    "nobody": [],
}
ZONES: Final = [None, None, "Indian/Reunion", "America/New_York", "Pacific/Auckland", "Europe/Paris"]


#: What a subject's story may be about more than others: how often treatment stops, and how many rulings there are.
STOPS: Final = {"anything": 0.2, "a stop": 0.8, "rulings": 0.1}
#: How many results there are.
RESULTS: Final = [0, 1, 2, 4, 7, 9]
RULINGS: Final = {"anything": [0, 0, 1, 1, 2, 3], "a stop": [0, 0, 1], "rulings": [1, 2, 2, 3]}


def random_timeline(seed: int) -> list[Logged]:
    """One subject, a few, or a whole cohort."""
    draw = Draw(seed)
    count = draw.one_of([1] * 6 + [2] * 5 + [4, 4, 6])
    calm = count > 2 and draw.chance(0.75)
    subjects = [f"FR01-{number:03d}" for number in range(1, count + 1)]
    base = draw.one_of(FIRST_DAYS)
    told = [_Story(draw, subject, base, calm=calm and index > 0) for index, subject in enumerate(subjects)]
    return _arrived(draw, [event for story in told for event in story.tell()])


@lru_cache(maxsize=4096)
def random_subject(seed: int) -> tuple[Logged, ...]:
    """One subject."""
    draw = Draw(seed)
    return tuple(_arrived(draw, _Story(draw, "FR01-001", draw.one_of(FIRST_DAYS), calm=False).tell()))


def small_timeline(seed: int, events_max: int) -> list[Logged]:
    """A few events of one subject, most of them about adverse events and rulings; predecessors may be missing."""
    draw = Draw(seed)
    events = random_subject(seed)
    weighty = [logged for logged in events if logged.event.record_kind in ("ae", "adjudication", "discontinuation")]
    others = [logged for logged in events if logged not in weighty]
    chosen = draw.some(weighty, draw.number(3, events_max - 1))
    return draw.shuffled([*chosen, *draw.some(others, events_max - len(chosen))])


def small_laboratory(seed: int, events_max: int) -> list[Logged]:
    """A few events of one subject, most of them results, with what they are judged by: doses, adverse events, rulings."""
    draw = Draw(seed)
    events = [logged for logged in random_subject(seed) if logged.event.record_kind != "visit"]
    resulted = [logged for logged in events if logged.event.record_kind == "lab"]
    others = [logged for logged in events if logged.event.record_kind != "lab"]
    chosen = draw.some(resulted, draw.number(2, events_max - 2))
    return draw.shuffled([*chosen, *draw.some(others, events_max - len(chosen))])


def _arrived(draw: Draw, events: list[Json]) -> list[Logged]:
    """The events in some order of arrival, now and then nearly that in which they were recorded."""
    ordered = sorted(decoded(events), key=lambda logged: logged.time)
    if draw.chance(0.3):
        late = draw.some(range(len(ordered)), 3)
        return [logged for n, logged in enumerate(ordered) if n not in late] + [ordered[n] for n in late]
    return draw.shuffled(ordered)


class _Story:
    """What is recorded about one subject. ``calm``: treated, seen after day 35, and nothing else."""

    def __init__(self, draw: Draw, subject: str, base: date, *, calm: bool) -> None:
        self.draw = draw
        self.subject = subject
        self.base = base
        self.calm = calm
        self.theme = draw.one_of(["anything", "anything", "a stop", "rulings"])
        self.events: list[Json] = []
        self.rows: list[str] = []

    def tell(self) -> list[Json]:
        """Every event of the story."""
        self._enrolled()
        self._treated()
        if not self.calm:
            self._toxicities()
            self._stopped()
        self._observed()
        if not self.calm:
            self._resulted()
            for number in range(self.draw.one_of(RULINGS[self.theme])):
                self._ruled(f"ADJ-{number}")
            self._clocks()
        return self.events

    def add(self, stem: str, time: Instant, data: Json, source: str = SITE) -> Instant:
        """Record an event, now and then by a clock in another offset."""
        offset = self.draw.one_of([0, 0, 0, 0, -300, 60, 120])
        event_id = f"{self.subject[-3:]}-{len(self.events):03d}"
        at = in_offset(time, offset) if offset else format_instant(time)
        self.events.append(builder.event(stem, data, subject=self.subject, id=event_id, time=at, source=source))
        return time

    def day(self, number: int, coarse: float = 0.03, timed: float = 0.2) -> str:
        """A date so many days after the planned first day."""
        return self.draw.date(days_after(self.base, number), coarse, timed)

    def retract(self, kind: str, key: Json, revision: int, after: Instant) -> Instant:
        """A record was entered in error."""
        time = after + self.draw.one_of([HOUR, DAY, 2 * DAY])
        source = SPONSOR if kind == "dlt" else SITE
        return self.add(f"{kind}.retracted", time, {**key, "revision": revision, "reason": "entered in error"}, source)

    def _enrolled(self) -> None:
        draw = self.draw
        for revision in range(1, 1 + draw.one_of([0, *[1] * 12, 2, 2, 3])):
            enrolled = days_after(self.base, draw.one_of([-12, -12, -5, -2, 0])).isoformat()
            data = {
                "revision": revision,
                "part": draw.one_of([*["A"] * 8, "B", None]),
                "dose_level": 1 if self.calm else draw.one_of([1, 1, 1, 2, None]),
                "enrolled": enrolled,
                "time_zone": None if self.calm else draw.one_of(ZONES),
            }
            time = draw.recorded([enrolled], start_of(self.base) - 12 * DAY)
            self.add("subject.enrolled", time + (revision - 1) * draw.one_of([DAY, 20 * DAY, 40 * DAY]), data)

    def _treated(self) -> None:
        draw = self.draw
        if not self.calm and draw.chance(0.06):
            return
        for number in range(draw.one_of([1, 1, 2, 3])):
            key = {"administration_id": f"ADM-{number}"}
            day = 0 if number == 0 else draw.one_of([0, 7, 14, 21, 35, 36, -1])
            time = 0
            for revision in range(1, 2 if self.calm else 1 + draw.one_of([1, 1, 1, 1, 2])):
                given = self.day(day, 0.05, 0.7)
                data = {
                    **key,
                    "revision": revision,
                    "drug": draw.one_of(["pexa-vec", "pexa-vec", "ipilimumab"]),
                    "given": given,
                    "status": "given" if self.calm else draw.one_of([*["given"] * 8, "partial", "not-given"]),
                }
                time = self.add("treatment.administered", draw.recorded([given], time), data)
                day += draw.one_of([-1, 0, 1, 2])
            if not self.calm and draw.chance(0.08):
                self.retract("treatment", key, revision + 1, time)

    def _toxicities(self) -> None:
        draw = self.draw
        begins = draw.one_of(BEGINNINGS)
        for number in range(1, 1 + draw.one_of([1, 1, 2, 2, 3, 4])):
            name = f"AE-{number}"
            self._toxicity(adverse_event(draw, name, self.base, begins, self.rows), begins)
            self.rows.append(name)
            begins = begins + draw.one_of([0, 3, 4, 5, 8]) if draw.chance(0.6) else draw.one_of(BEGINNINGS)

    def _toxicity(self, data: Json, begins: int) -> None:
        draw = self.draw
        begun = start_of(self.base) + begins * DAY
        time = self.add("ae.reported", draw.recorded(dates_of(data), begun), data)
        for _ in range(draw.one_of([0, 0, 0, 1, 2] if self.theme == "anything" else [0, 1, 1, 2])):
            later = revised(draw, data, self.base, begins)
            time = self.add("ae.reported", draw.recorded(dates_of(later), time if draw.chance(0.8) else begun), later)
            data = max(data, later, key=lambda version: int(version["revision"]))
        if draw.chance(0.12):
            revision = max(1, data["revision"] + draw.one_of([1, 1, 1, 0, -1]))
            time = self.retract("ae", {"ae_id": data["ae_id"]}, revision, time)
            if draw.chance(0.3):
                revived = {**data, "revision": data["revision"] + 3}
                self.add("ae.reported", draw.recorded(dates_of(revived), time), revived)

    def _stopped(self) -> None:
        draw = self.draw
        reasons = ["completed", "progression", "withdrawal", "other"] if self.theme != "a stop" else ["completed"]
        reasons += ["adverse-event", "adverse-event", "death"]
        for scope in ("treatment", "study"):
            if not draw.chance(STOPS[self.theme]):
                continue
            day = draw.one_of([-1, 0, 4, 9, 12, 25, 33, 34, 35, 40])
            data: Json = {"revision": 1, "scope": scope, "date": self.day(day), "reason": draw.one_of(reasons)}
            if scope == "study" and draw.chance(0.4):
                data["last_contact"] = self.day(day - draw.one_of([0, 1, 3]), 0.0)
            time = self.add("subject.discontinued", draw.recorded([data["date"], data.get("last_contact")]), data)
            if draw.chance(0.15):
                time = self.add("subject.discontinued", time + DAY, {**data, "revision": 2, "retracted": True})
            if draw.chance(0.15):
                later = {**data, "revision": draw.one_of([1, 3]), "reason": draw.one_of(reasons)}
                self.add("subject.discontinued", time + DAY, later)

    def _observed(self) -> None:
        draw = self.draw
        for number in range(1 if self.calm else draw.one_of([0, 0, 1, 2])):
            key = {"visit_id": f"V-{number}"}
            day = draw.one_of([35, 36, 36, 40] if self.calm else [7, 20, 33, 34, 35, 36, 40])
            for revision in range(1, 1 + draw.one_of([1, 1, 1, 2])):
                when = self.day(day)
                status = draw.one_of(["completed", "completed", "missed", "unscheduled"])
                data = {**key, "revision": revision, "name": f"W{number + 1}", "date": when, "status": status}
                time = self.add("visit.recorded", draw.recorded([when]), data)
                day = draw.one_of([day, day - 3, day + 2])
            if draw.chance(0.15):
                self.retract("visit", key, revision + 1, time)
        if draw.chance(0.1):
            when = self.day(40)
            data = {"assessment_id": "R-1", "revision": 1, "date": when, "criteria": "irRC", "response": "PD"}
            self.add("response.assessed", draw.recorded([when]), data)

    def _resulted(self) -> None:
        draw = self.draw
        for revisions in results(draw, self.base, draw.one_of(RESULTS)):
            for data in revisions:
                time = self.add("lab.resulted", draw.recorded([data["collected"]]), data)
            if draw.chance(0.1):
                self.retract("lab", {"lab_id": data["lab_id"]}, data["revision"] + 1, time)

    def _ruled(self, name: str) -> None:
        draw = self.draw
        key = {"adjudication_id": name}
        source = draw.one_of([SPONSOR, SPONSOR, SPONSOR, SITE])
        strays = ["ae:AE-8", "lab:ALT", "lab:ALT", "lab:ANC", "lab:NEUT", "lab:HY", "lab:CREAT"]
        strays += ["discontinued:death", "discontinued:adverse-event"]
        time: Instant = 0
        for revision in range(1, 1 + draw.one_of([1, 1, 1, 1, 2])):
            around = parse_instant(draw.one_of(self.events)["time"]) if self.events else start_of(self.base)
            decided = around + int(draw.one_of([-1, 0, 1, 24, 96, 168, 300]) * HOUR)
            usual = ["both", "committee"] if self.theme == "rulings" else ["one", "nobody", "sponsor alone"]
            signed = SIGNED_BY[draw.one_of(["both", "both", "both", "committee", *usual])]
            data = {
                **key,
                "revision": revision,
                "case": draw.one_of([*[f"ae:{row}" for row in self.rows] * 4, *strays]),
                "verdict": draw.one_of(["dlt", "not-dlt", "not-dlt"]),
                "decided": format_instant(decided),
                "signatures": [{"party": p, "by": f"u-{p}", "at": format_instant(decided)} for p in signed],
                "reason": "discussed",
            }
            time = self.add("dlt.adjudicated", decided + draw.one_of([0, 0, HOUR, 2 * DAY]), data, source)
        if source == SPONSOR and draw.chance(0.15):
            self.retract("dlt", key, revision + 1, time)

    def _clocks(self) -> None:
        """Time that passed, as an event: the subject is judged at that instant from then on."""
        draw = self.draw
        for _ in range(draw.one_of([0, 0, 1, 2])):
            around = parse_instant(draw.one_of(self.events)["time"]) if self.events else start_of(self.base)
            due = around + draw.one_of([HOUR, 3 * DAY, 7 * DAY, 8 * DAY, 12 * DAY])
            case = f"ae:{draw.one_of(self.rows or ['AE-1'])}"
            self.add("clock.reached", due, {"due": format_instant(due), "case": case}, CLOCK)
