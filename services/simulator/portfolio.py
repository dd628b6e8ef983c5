"""A big load for benchmarks: many subjects of many cohorts, mostly laboratory results, nobody's story.

The events are made by the same functions as the trial's, with some severe events and abnormal results among them. What
they amount to is not known in advance, so there is no truth file.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import chain, count
from typing import Final

from services.simulator.background import MINOR, BackgroundCourse, BackgroundTerm, complain, describe
from services.simulator.envelope import SubjectLog
from services.simulator.laboratory import UsualValues, Wish, draw_blood, report, results
from services.simulator.schedule import DOSE_LEVELS, VISIT_DAYS, Calendar, attend, enrol, treat
from services.simulator.trial import DEFAULT_START

SITES_MAX: Final = 99
SUBJECTS_PER_COHORT: Final = 6
SUBJECTS_PER_SITE: Final = 5
SUBJECTS_MAX: Final = 99 * 99_999
EVENTS_PER_SUBJECT: Final = 400
EVENTS_PER_SUBJECT_MAX: Final = 20_000
ACCRUAL_DAYS: Final = 540
DAYS_BETWEEN_LATER_VISITS: Final = 14
_EVENTS_PER_VISIT: Final = 24
_EVENTS_PER_ADVERSE_EVENT: Final = 55
_EVENTS_PER_REDELIVERY: Final = 500

SEVERE: Final = (
    BackgroundTerm("Colitis", "Colite", ("immune_related",), "gastrointestinal"),
    BackgroundTerm("Hepatitis", "Hépatite", ("immune_related",), "liver"),
    BackgroundTerm("Pneumonitis", "Pneumopathie inflammatoire", ("immune_related",), "lung"),
    BackgroundTerm("Injection site necrosis", "Nécrose au point d'injection", ("injection_site",)),
    BackgroundTerm("Influenza like illness", "Syndrome pseudo-grippal", ("flu_like",)),
    BackgroundTerm("Rash maculo-papular", "Éruption maculo-papuleuse", (), "skin"),
    BackgroundTerm("Sepsis", "Sepsis"),
    BackgroundTerm("Dyspnoea", "Dyspnée", (), "lung"),
    BackgroundTerm("Fatigue", "Fatigue"),
    BackgroundTerm("Tumour pain", "Douleur tumorale"),
)
_ABNORMAL: Final = (
    ("ALT", Wish(times_uln=6.5)),
    ("AST", Wish(times_uln=22.0)),
    ("BILI", Wish(times_uln=3.4)),
    ("NEUT", Wish(value=0.84)),
    ("LYM", Wish(value=0.17)),
    ("PLAT", Wish(value=41)),
    ("K", Wish(value=6.3)),
    ("SODIUM", Wish(value=127)),
)


@dataclass(frozen=True)
class Load:
    """How much of everything. Exactly ``events`` lines come out, redeliveries included."""

    seed: int
    subjects: int
    events: int
    start: date = DEFAULT_START

    def __post_init__(self) -> None:
        if not 1 <= self.subjects <= SUBJECTS_MAX:
            raise ValueError(f"subjects must lie within 1-{SUBJECTS_MAX}")
        if self.events < self.subjects:
            raise ValueError("there must be at least one event for each subject")
        if self.events > self.subjects * EVENTS_PER_SUBJECT_MAX:
            raise ValueError(f"at most {EVENTS_PER_SUBJECT_MAX} events for each subject")

    @property
    def copies(self) -> int:
        return min(self.events // _EVENTS_PER_REDELIVERY, self.events - self.subjects)

    def share(self, index: int) -> int:
        """How many events the subject at this place gets."""
        each, rest = divmod(self.events - self.copies, self.subjects)
        return each + (1 if index < rest else 0)


def simulate_portfolio(load: Load, *, received: bool = True) -> Iterator[bytes]:
    """The lines in order of arrival; the same load gives the same bytes."""
    arrivals: list[tuple[float, int, bytes]] = []
    for index in range(load.subjects):
        log = _live(load, index)
        for draft in log.drafts[: load.share(index)]:
            arrivals.append((draft.arrival.timestamp(), len(arrivals), draft.line(received=received)))
    arrivals.sort()
    repeat_every = len(arrivals) // load.copies if load.copies else 0
    left = load.copies
    for place, (_, _, line) in enumerate(arrivals, start=1):
        yield line
        if left and place % repeat_every == 0:
            left -= 1
            yield line


def _live(load: Load, index: int) -> SubjectLog:
    """One subject with at least the events of their share."""
    sites = min(SITES_MAX, max(5, load.subjects // SUBJECTS_PER_SITE))
    site = f"FR{1 + index % sites:02d}"
    log = SubjectLog(f"{site}-{1 + index // sites:03d}", site)
    rng = random.Random(f"{load.seed}/portfolio/{log.subject}")
    calendar = Calendar(load.start + timedelta(days=7 + rng.randint(0, ACCRUAL_DAYS)))
    part, level = ("B" if index % 10 == 9 else "A"), 1 + index // SUBJECTS_PER_COHORT
    enrolment: dict[str, object] = {"part": part, "dose_level": level, "sex": rng.choice(("F", "M"))}
    enrol(log, calendar, enrolment | {"birth_year": rng.randint(1935, 1990)})
    share = load.share(index)
    horizon = max(35, min(95, share // 4), share // _EVENTS_PER_VISIT * 7)
    for number in range(1, 1 + share // _EVENTS_PER_ADVERSE_EVENT):
        ae_id, begins_early = f"AE-{number}", rng.random() < 0.6
        days = min(horizon, 35) if begins_early else horizon
        if rng.random() < 0.17:
            _suffer(log, calendar, rng, ae_id, days)
        else:
            complain(log, calendar, rng, ae_id, rng.choice(MINOR), days)
    _attend_until(share, log, calendar, rng, level)
    return log


def _attend_until(share: int, log: SubjectLog, calendar: Calendar, rng: random.Random, level: int) -> None:
    """Visit after visit, each with its injections and a full panel, until there is enough."""
    usual = UsualValues(rng, log.site)
    dose = DOSE_LEVELS[(level - 1) % len(DOSE_LEVELS)]
    for day in chain(VISIT_DAYS, count(VISIT_DAYS[-1] + DAYS_BETWEEN_LATER_VISITS, DAYS_BETWEEN_LATER_VISITS)):
        if len(log.drafts) >= share:
            return
        attend(log, calendar, day, missed=False, weight_kg=round(rng.uniform(50, 90), 1), ecog=rng.choice((0, 1)))
        treat(log, calendar, day, dose, missed=False, lesions=rng.randint(1, 4))
        draw = draw_blood(calendar, rng, day, late=0.04)
        wishes = {}
        if rng.random() < 0.02:
            test, wish = rng.choice(_ABNORMAL)
            wishes[day, test] = wish
        for analyte, value in results(usual, day, wishes, full=True):
            report(log, usual, draw, analyte, value)


def _suffer(log: SubjectLog, calendar: Calendar, rng: random.Random, ae_id: str, horizon: int) -> None:
    """A grade 3 or 4 event: reported while it goes on, mostly ended by a revision, now and then adjudicated."""
    complaint = rng.choice(SEVERE)
    course = BackgroundCourse(rng.randint(2, horizon), rng.randint(2, 14), 1)
    grade = rng.choices((3, 4), (4, 1))[0]
    data = describe(rng, calendar, complaint, course, partial=0.02) | {"grade": grade, "serious": grade == 4}
    if grade == 4:
        data["seriousness"] = ["life-threatening"]
    if rng.random() < 0.15:
        data["causality"] = {"investigator": {"pexa-vec": "unlikely", "ipilimumab": None}}
    if rng.random() < 0.2:
        data["immune_related"] = None
    reported = course.begins + course.reported_after
    log.write("ae.reported", ae_id, 1, calendar.at(reported, "16:20"), {**data, "ongoing": True})
    ends = course.begins + course.lasts
    if rng.random() < 0.85:
        ended = {"end": calendar.day(ends).isoformat(), "ongoing": False, "outcome": "recovered"}
        log.write("ae.reported", ae_id, 2, calendar.at(ends + 1, "16:40"), {**data, **ended})
    if rng.random() < 0.08:
        _adjudicate(log, calendar, ae_id, ends + 6, rng.choice(("dlt", "not-dlt", "not-dlt")))


def _adjudicate(log: SubjectLog, calendar: Calendar, ae_id: str, day: int, verdict: str) -> None:
    decided = calendar.at(day, "14:00")
    parties = ("investigator", "sponsor")
    data = {
        "case": f"ae:{ae_id}",
        "verdict": verdict,
        "decided": decided.isoformat(),
        "signatures": [{"party": party, "by": f"{party}-1", "at": decided.isoformat()} for party in parties],
        "reason": "Discussed between investigator and sponsor",
    }
    log.write("dlt.adjudicated", f"ADJ-{ae_id}", 1, calendar.at(day, "14:10"), data, system="sponsor")
