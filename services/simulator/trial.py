"""ISI-JX as it might have gone: 22 subjects at five sites, six dose levels, and a hold at the last one."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from services.simulator.background import assess_response, complain_often, leave
from services.simulator.envelope import SimulatedEvent, SubjectLog
from services.simulator.laboratory import UsualValues, sample_visit
from services.simulator.mishaps import MISHAPS, redelivered
from services.simulator.schedule import DOSE_LEVELS, VISIT_DAYS, Calendar, enrol, follow, missed_days
from services.simulator.stories import STORIES
from services.simulator.telling import NEVER, Story, Telling

DEFAULT_START: Final = date(2017, 2, 6)


@dataclass(frozen=True)
class Seat:
    """One place in the trial: who is treated where, in which group, and what happens to them."""

    site: str
    part: str
    dose_level: int
    group: int  # groups follow each other, nine weeks apart
    offset: int  # days after the first of the group
    story: str


# Part A is a 3+3: one DLT expands level 3 to six, two at level 6 stop it before a third is enrolled.
PLAN: Final = (
    Seat("FR01", "A", 1, 0, 0, "uneventful"),
    Seat("FR02", "A", 1, 0, 4, "flu-like-exempt"),
    Seat("FR03", "A", 1, 0, 9, "causality-missing"),
    # The two that are DLTs only for a while must not be so at the same time, or level 2 would be on hold.
    Seat("FR04", "A", 2, 1, 0, "retracted"),
    Seat("FR01", "A", 2, 1, 4, "overruled"),
    Seat("FR05", "A", 2, 1, 9, "after-the-window"),
    Seat("FR02", "A", 3, 2, 0, "judged-dose-limiting"),
    Seat("FR03", "A", 3, 2, 4, "two-rows"),
    Seat("FR01", "A", 3, 2, 9, "grade-missing"),
    Seat("FR05", "A", 3, 3, 0, "seven-bare-days"),
    Seat("FR04", "A", 3, 3, 4, "late-report"),
    Seat("FR02", "A", 3, 3, 9, "stopped-unexplained"),
    Seat("FR03", "A", 4, 4, 0, "injection-site-asked"),
    Seat("FR01", "A", 4, 4, 4, "stop-date-corrected"),
    Seat("FR04", "A", 4, 4, 9, "late-rise"),
    Seat("FR05", "A", 5, 5, 0, "unreported-lymphopenia"),
    Seat("FR02", "A", 5, 5, 4, "life-threatening-grade-3"),
    Seat("FR01", "A", 5, 5, 9, "hys-law"),
    Seat("FR03", "A", 6, 6, 0, "immune-colitis-grade-4"),
    Seat("FR04", "A", 6, 6, 4, "injection-site-necrosis"),
    Seat("FR05", "B", 5, 7, 0, "part-b-signal"),
    Seat("FR01", "B", 5, 7, 6, "continued-rows"),
)
GROUP_DAYS: Final = 63
SCREENING_LEAD: Final = 7
# Copies per so many events: every so-many-th is sent again, some at once, some after this many minutes.
_REDELIVERIES: Final = ((97, 0), (401, 0), (777, 7), (1203, 0), (1501, 1480), (2003, 35), (2502, 0), (3001, 240))


@dataclass(frozen=True)
class SubjectStory:
    """A subject of the simulated trial with everything written about them."""

    seat: Seat
    story: Story
    telling: Telling

    @property
    def subject_id(self) -> str:
        return self.telling.log.subject

    @property
    def day1(self) -> date:
        return self.telling.calendar.day1


@dataclass(frozen=True)
class SimulatedTrial:
    """The simulated trial: the subjects, and all events in the order of their arrival."""

    seed: int
    start: date
    subjects: Sequence[SubjectStory]
    arrivals: Sequence[SimulatedEvent]

    def lines(self, *, received: bool = True) -> Iterator[bytes]:
        """The log as NDJSON."""
        return (draft.line(received=received) for draft in self.arrivals)


def simulate_trial(seed: int, start: date = DEFAULT_START) -> SimulatedTrial:
    """Play the whole plan. The same seed and start give the same bytes."""
    numbers: Counter[str] = Counter()
    subjects = []
    for index, seat in enumerate(PLAN):
        numbers[seat.site] += 1
        log = SubjectLog(f"{seat.site}-{numbers[seat.site]:03d}", seat.site)
        # A stream of its own per subject: a change to one story leaves the others as they were.
        rng = random.Random(f"{seed}/{log.subject}")
        calendar = Calendar(_first_dose(start, seat, rng))
        subjects.append(_play(index, seat, Telling(calendar, log), rng))
    return SimulatedTrial(seed, start, subjects, _in_order_of_arrival(subjects))


def _first_dose(start: date, seat: Seat, rng: random.Random) -> date:
    """A working day; whoever begins a group does so on its first day, the others up to three days later."""
    jitter = rng.randint(0, 3) if seat.offset else 0
    day = start + timedelta(days=SCREENING_LEAD + GROUP_DAYS * seat.group + seat.offset + jitter)
    return day + timedelta(days=7 - day.weekday() if day.weekday() > 4 else 0)


def _play(index: int, seat: Seat, telling: Telling, rng: random.Random) -> SubjectStory:
    """The story first, then the background around it."""
    story = STORIES[seat.story]
    story.tell(telling)
    log, calendar = telling.log, telling.calendar
    enrolment: dict[str, object] = {"part": seat.part, "dose_level": seat.dose_level, "sex": rng.choice(("F", "M"))}
    if index:  # the first one's is filled in later, as a correction
        enrolment |= {"birth_year": rng.randint(1938, 1985), "liver_metastases": rng.random() < 0.4}
    enrol(log, calendar, enrolment | {"protocol_version": "1"})
    missed = missed_days(rng)
    dose = DOSE_LEVELS[seat.dose_level - 1]
    follow(log, calendar, rng, dose, missed=missed, treatment_ends=telling.treatment_ends)
    usual = UsualValues(rng, seat.site)
    for day in VISIT_DAYS:
        if day not in missed:
            sample_visit(log, usual, calendar, rng, day, telling.wishes)
    complain_often(log, calendar, rng)
    response = assess_response(log, calendar, rng)
    leave(log, calendar, rng, response, treated_to_end=telling.treatment_ends == NEVER)
    for mishap in MISHAPS.get(index, ()):
        mishap(log, calendar)
    return SubjectStory(seat, story, telling)


def _in_order_of_arrival(subjects: Sequence[SubjectStory]) -> list[SimulatedEvent]:
    """One log. The sort is stable: what arrives in the same second keeps the order of the plan."""
    drafts = [draft for subject in subjects for draft in subject.telling.log.drafts]
    drafts.sort(key=lambda draft: draft.arrival)
    copies = [redelivered(drafts[place], minutes) for place, minutes in _REDELIVERIES if place < len(drafts)]
    return sorted([*drafts, *copies], key=lambda draft: draft.arrival)
