"""What is on record of one subject at an instant: the newest version of each record, and what follows from it at once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from tests.second_reader.dates import (
    LONG_AGO,
    NO,
    TICK,
    UNKNOWN,
    YES,
    When,
    certainly_before,
    exactly,
    first_day,
    instant_of,
    last_day,
    midnight,
    when,
)

Json = dict[str, Any]

DRUGS: Final = ("pexa-vec", "ipilimumab")
HOME: Final = "Europe/Paris"
WINDOW_DAYS: Final = 35

_IDS: Final = {
    "ae": "ae_id",
    "lab": "lab_id",
    "treatment": "administration_id",
    "visit": "visit_id",
    "dlt": "adjudication_id",
}


class Version(NamedTuple):
    """One version of one record."""

    data: Json
    time: datetime
    source: str
    is_retracted: bool


def known_at(events: Sequence[Json], as_of: datetime) -> list[Json]:
    """The events with a ``time`` up to the instant; of one id the first."""
    found: dict[tuple[str, str], Json] = {}
    for event in events:
        found.setdefault((event["source"], event["id"]), event)
    return [event for event in found.values() if instant_of(event["time"]) <= as_of]


class Record:
    """What is known of one subject at ``as_of``."""

    def __init__(self, events: Sequence[Json], as_of: datetime) -> None:
        self.events = events
        self.as_of = as_of
        newest: dict[tuple[str, str], tuple[tuple[int, datetime, str], Version]] = {}
        for event in known_at(events, as_of):
            identity = _identity(event)
            if identity is None:
                continue
            time, data = instant_of(event["time"]), event["data"]
            rank = (int(data["revision"]), time, event["id"])
            gone = ".retracted." in event["type"] or bool(data.get("retracted"))
            if identity not in newest or rank > newest[identity][0]:
                newest[identity] = (rank, Version(data, time, event["source"], gone))
        self.all = {identity: version for identity, (_, version) in newest.items()}
        enrolled = self._standing("enrolled")
        self.enrolment: Json = enrolled[0].data if enrolled else {}
        self.zone = ZoneInfo(self.enrolment.get("time_zone") or HOME)
        self.aes = {version.data["ae_id"]: version for version in self._standing("ae")}
        self.labs = [version.data for version in self._standing("lab")]
        self.visits = [version.data for version in self._standing("visit")]
        self.stops = [version.data for version in self._standing("stop")]
        self.rulings = self._standing("dlt")
        self.doses = [
            version.data for version in self._standing("treatment") if version.data["status"] in ("given", "partial")
        ]

    def _standing(self, kind: str) -> list[Version]:
        return [version for (of, _), version in self.all.items() if of == kind and not version.is_retracted]

    def when(self, text: str | None) -> When | None:
        return when(text, self.zone) if text else None

    def certain(self, text: str) -> When:
        return when(text, self.zone)

    @property
    def population(self) -> str:
        part = self.enrolment.get("part")
        return f"part-{part.lower()}" if part else "part-unknown"

    def first_days(self) -> list[date]:
        """The dates that day 1 may be; none where nothing was administered."""
        given = [self.certain(dose["given"]) for dose in self.doses]
        if not given:
            return []
        first = min(first_day(one, self.zone) for one in given)
        last = min(last_day(one, self.zone) for one in given)
        return [first + timedelta(days=number) for number in range((last - first).days + 1)]

    def first_dose_on(self, day: date) -> datetime | None:
        """When the first dose of this day 1 was given; None where that is not known to the minute."""
        given = [self.certain(dose["given"]) for dose in self.doses]
        on_it = [one for one in given if first_day(one, self.zone) <= day <= last_day(one, self.zone)]
        return min(one.lo for one in on_it) if on_it and all(one.exact for one in on_it) else None

    def in_window(self, start: When, onset: When) -> int:
        """rules.md §3.2, of the start of an interval of an adverse event that began at ``onset``."""
        days = self.first_days()
        if not days:
            enrolled = self.when(self.enrolment.get("enrolled"))
            return NO if enrolled is not None and certainly_before(onset, enrolled) else UNKNOWN
        answers = {self._in_window_of(day, start, onset) for day in days}
        return answers.pop() if len(answers) == 1 else UNKNOWN

    def _in_window_of(self, day: date, start: When, onset: When) -> int:
        place = self.place(day, start)
        if place == "after":
            return NO if self.place(day, onset) in ("before", "after") else UNKNOWN
        return {"in": YES, "before": NO, "unclear": UNKNOWN}[place]

    def place(self, day: date, start: When) -> str:
        """Where something lies whose day 1 this is: before, in or after the window, or unclear."""
        opens, closes = midnight(day, self.zone), midnight(day + timedelta(days=WINDOW_DAYS), self.zone)
        if certainly_before(start, When(opens, opens, exact=True)):
            return "before"
        if start.lo >= closes:
            return "after"
        if start.exact:
            dose = self.first_dose_on(day)
            before_it = dose is not None and start.lo < dose and first_day(start, self.zone) == day
            return "before" if before_it else "in"
        dose = self.first_dose_on(day)
        if dose is not None and not start.is_date and start.hi <= dose:
            return "before"
        if start.lo < opens or start.hi > closes:
            return "unclear"
        is_bare = start.lo == opens and start.hi - start.lo > timedelta(hours=20)
        if dose is None or is_bare or start.lo >= dose:
            return "in"
        # Between two instants, of which one at least lies before the dose: no bare date, for which day 1 is day 1.
        return "before" if start.hi <= dose else "unclear"

    def left_study(self) -> Json | None:
        return next((stop for stop in self.stops if stop["scope"] == "study"), None)

    def anywhere_up_to(self, latest: When | None, recorded: datetime) -> When:
        """What has no date lies anywhere up to this, else up to when it was recorded."""
        end = latest if latest is not None else exactly(recorded)
        return When(LONG_AGO, end.hi + TICK if end.exact else end.hi, is_date=end.is_date)


def _identity(event: Json) -> tuple[str, str] | None:
    kind = event["type"].removeprefix("toxwatch.").removesuffix(".v1")
    if kind == "subject.enrolled":
        return "enrolled", ""
    if kind == "subject.discontinued":
        return "stop", event["data"]["scope"]
    stem = kind.split(".")[0]
    return (stem, event["data"][_IDS[stem]]) if stem in _IDS else None
