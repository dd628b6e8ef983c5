"""The calendar of a subject: dose levels, visits, administrations.

ASSUMPTION, all of it. The registry record of NCT02977156 says nothing about dose levels, doses or visit days; what stands
here is a configuration that looks like such a trial, and the truth file repeats it under ``assumptions``.
"""

from __future__ import annotations

import random
from collections.abc import Container
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from services.simulator.envelope import SubjectLog

PARIS: Final = ZoneInfo("Europe/Paris")


@dataclass(frozen=True)
class DoseLevel:
    """One step of the escalation."""

    level: int
    pexa_vec_pfu: int
    ipilimumab_mg: float


DOSE_LEVELS: Final = (
    DoseLevel(1, 100_000_000, 2.5),
    DoseLevel(2, 100_000_000, 5),
    DoseLevel(3, 300_000_000, 5),
    DoseLevel(4, 300_000_000, 10),
    DoseLevel(5, 1_000_000_000, 10),
    DoseLevel(6, 1_000_000_000, 20),
)
PEXA_VEC_DAYS: Final = (1, 8, 15, 29, 43)
IPILIMUMAB_DAYS: Final = (8, 29, 50, 71)
SCREENING_DAY: Final = -6
VISIT_DAYS: Final = (SCREENING_DAY, 1, 8, 15, 22, 29, 36, 43, 50, 57, 64, 71, 85, 106)
# Only visits on which neither a story nor the evaluability at day 36 rests may be missed.
MISSABLE_DAYS: Final = (50, 71, 85)


@dataclass(frozen=True)
class Calendar:
    """Study days of one subject. Day 1 is the first administration; there is no day 0."""

    day1: date

    def day(self, number: int) -> date:
        assert number != 0, "there is no day 0"
        return self.day1 + timedelta(days=number - 1 if number > 0 else number)

    def at(self, number: int, clock: str) -> datetime:
        return _local(self.day(number), clock)


@lru_cache(maxsize=4096)
def _local(day: date, clock: str) -> datetime:
    return datetime.combine(day, time.fromisoformat(clock), tzinfo=PARIS)


def visit_name(day: int) -> str:
    """``W1D1`` style; the screening visit is ``SCR``."""
    return "SCR" if day < 1 else f"W{(day - 1) // 7 + 1}D{(day - 1) % 7 + 1}"


def missed_days(rng: random.Random) -> tuple[int, ...]:
    """The visits that this subject does not come to."""
    return tuple(day for day in MISSABLE_DAYS if rng.random() < 0.08)


def enrol(log: SubjectLog, calendar: Calendar, data: dict[str, object]) -> None:
    """Write the enrolment, at the screening visit."""
    content = {**data, "enrolled": calendar.day(SCREENING_DAY).isoformat(), "time_zone": PARIS.key}
    log.write("subject.enrolled", "enrolled", 1, calendar.at(SCREENING_DAY, "16:00"), content)


def attend(log: SubjectLog, calendar: Calendar, day: int, *, missed: bool, weight_kg: float, ecog: int) -> None:
    """Write one visit, recorded at the end of its day."""
    name = visit_name(day)
    data: dict[str, object] = {"name": name, "date": calendar.day(day).isoformat()}
    data |= {"status": "missed"} if missed else {"status": "completed", "ecog": ecog, "weight_kg": weight_kg}
    log.write("visit.recorded", name, 1, calendar.at(day, "17:10"), data)


def treat(log: SubjectLog, calendar: Calendar, day: int, dose: DoseLevel, *, missed: bool, lesions: int) -> None:
    """Write what was injected on one day: Pexa-Vec at ten, ipilimumab an hour and a half later."""
    given = (
        ("pexa-vec", PEXA_VEC_DAYS, "10:00", dose.pexa_vec_pfu, "pfu"),
        ("ipilimumab", IPILIMUMAB_DAYS, "11:30", dose.ipilimumab_mg, "mg"),
    )
    for drug, days, clock, amount, unit in given:
        if day not in days:
            continue
        data: dict[str, object] = {"drug": drug, "given": calendar.at(day, clock).isoformat()}
        if missed:
            data |= {"given": calendar.day(day).isoformat(), "status": "not-given"}
        else:
            data |= {"status": "given", "dose": amount, "dose_unit": unit, "lesions": lesions}
        log.write("treatment.administered", f"{drug}-{visit_name(day)}", 1, calendar.at(day, "15:00"), data)


def follow(
    log: SubjectLog,
    calendar: Calendar,
    rng: random.Random,
    dose: DoseLevel,
    *,
    missed: Container[int],
    treatment_ends: int,
) -> None:
    """Write every visit and administration of a subject; no drug from the day the treatment ends."""
    weight, lesions = round(rng.uniform(48, 92), 1), rng.randint(1, 4)
    for day in VISIT_DAYS:
        weight = round(weight + rng.uniform(-0.8, 0.6), 1)
        attend(log, calendar, day, missed=day in missed, weight_kg=weight, ecog=rng.choice((0, 0, 1)))
        if day < treatment_ends:
            treat(log, calendar, day, dose, missed=day in missed, lesions=lesions)
