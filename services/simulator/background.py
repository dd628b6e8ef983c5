"""What every subject has: minor complaints, tumour assessments, and in the end a reason to leave."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Final, NamedTuple

from services.simulator.envelope import SubjectLog
from services.simulator.schedule import Calendar

STUDY_ENDS_FROM: Final = 118


class BackgroundTerm(NamedTuple):
    """A term of the lexicon, its French name, and which flags a site answers with yes."""

    term: str
    french: str
    flags: tuple[str, ...] = ()
    organ: str | None = None


MINOR: Final = (
    BackgroundTerm("Pyrexia", "Fièvre", ("flu_like",)),
    BackgroundTerm("Chills", "Frissons", ("flu_like",)),
    BackgroundTerm("Fatigue", "Fatigue"),
    BackgroundTerm("Asthenia", "Asthénie"),
    BackgroundTerm("Nausea", "Nausée"),
    BackgroundTerm("Headache", "Céphalée"),
    BackgroundTerm("Myalgia", "Myalgie", ("flu_like",)),
    BackgroundTerm("Arthralgia", "Arthralgie", (), "joint"),
    BackgroundTerm("Decreased appetite", "Appétit diminué"),
    BackgroundTerm("Injection site pain", "Douleur au point d'injection", ("injection_site",)),
    BackgroundTerm("Injection site erythema", "Érythème au point d'injection", ("injection_site",)),
    BackgroundTerm("Pruritus", "Prurit", ("immune_related",), "skin"),
    BackgroundTerm("Diarrhoea", "Diarrhée", (), "gastrointestinal"),
    BackgroundTerm("Constipation", "Constipation", (), "gastrointestinal"),
    BackgroundTerm("Cough", "Toux", (), "lung"),
    BackgroundTerm("Back pain", "Dorsalgie"),
    BackgroundTerm("Insomnia", "Insomnie"),
    BackgroundTerm("Dizziness", "Vertige"),
    BackgroundTerm("Hypertension", "Hypertension"),
    BackgroundTerm("Anaemia", "Anémie", (), "blood"),
)
_FLAGS: Final = ("immune_related", "injection_site", "flu_like")
_WORDS: Final = ("probable", "possible", "possible", "unlikely", "unlikely", "unrelated")


class BackgroundCourse(NamedTuple):
    """When a complaint began, how many days it lasted and after how many it was first reported."""

    begins: int
    lasts: int
    reported_after: int


def describe(
    rng: random.Random, calendar: Calendar, complaint: BackgroundTerm, course: BackgroundCourse, *, partial: float
) -> dict[str, object]:
    """The part of the record that does not change: the term, the onset, the flags, the causality."""
    onset = calendar.day(course.begins).isoformat()
    precision = rng.random()
    if precision < partial:
        onset = onset[:7]
    elif precision > 0.8:
        onset = calendar.at(course.begins, f"{rng.randint(7, 21):02d}:{rng.choice((0, 15, 30, 45)):02d}").isoformat()
    french = rng.random() < 0.25
    # Nobody can blame a drug that was not yet given: ipilimumab begins on day 8.
    second = "not-applicable" if course.begins < 8 else rng.choice(_WORDS)
    data: dict[str, object] = {
        "term": complaint.french if french else complaint.term,
        "term_language": "fr" if french else "en",
        "preferred_term": complaint.term,
        "onset": onset,
        "serious": False,
        **{flag: flag in complaint.flags for flag in _FLAGS},
        "causality": {"investigator": {"pexa-vec": rng.choice(_WORDS), "ipilimumab": second}},
        "action_taken": {"study-treatment": "none"},
    }
    if complaint.organ is not None:
        data["organs"] = [complaint.organ]
    return data


def complain(
    log: SubjectLog, calendar: Calendar, rng: random.Random, ae_id: str, complaint: BackgroundTerm, horizon: int = 95
) -> None:
    """Report one minor complaint, grade 1 or 2, and its end where that came later."""
    course = BackgroundCourse(rng.randint(2, horizon), rng.randint(1, 18), rng.randint(1, 3))
    worst = rng.choice((1, 1, 2))
    data = describe(rng, calendar, complaint, course, partial=0.08)
    ended: dict[str, object] = {
        "grade": worst,
        "end": calendar.day(course.begins + course.lasts).isoformat(),
        "ongoing": False,
        "outcome": "recovered",
    }
    if worst == 2 and course.lasts > 3 and data["onset"] == calendar.day(course.begins).isoformat():
        rise = calendar.day(course.begins + 2).isoformat()
        ended["grades"] = [{"grade": 1, "from": data["onset"]}, {"grade": 2, "from": rise}]
    first = calendar.at(course.begins + course.reported_after, "16:20")
    received = first + timedelta(days=rng.randint(1, 9)) if rng.random() < 0.12 else None
    if course.lasts <= course.reported_after:
        log.write("ae.reported", ae_id, 1, first, {**data, **ended}, received=received)
        return
    log.write("ae.reported", ae_id, 1, first, {**data, "grade": 1, "ongoing": True}, received=received)
    # A first report that was held up may come in after the second: the lower revision is then the later arrival.
    if rng.random() < 0.85:
        last = calendar.at(course.begins + course.lasts + 1, "16:40")
        log.write("ae.reported", ae_id, _next_revision(rng), last, {**data, **ended})


def _next_revision(rng: random.Random) -> int:
    """Most systems count; some skip numbers, as the contract allows."""
    return rng.choice((2, 2, 2, 3, 5))


def complain_often(log: SubjectLog, calendar: Calendar, rng: random.Random) -> None:
    """Two to six different minor complaints, numbered apart from those of the story."""
    for number, complaint in enumerate(rng.sample(MINOR, rng.randint(2, 6)), start=101):
        complain(log, calendar, rng, f"AE-{number}", complaint)


def assess_response(log: SubjectLog, calendar: Calendar, rng: random.Random, days: Sequence[int] = (64, 106)) -> str:
    """Write the irRC assessments; returns the last response."""
    injected = other = 0.0
    response = "SD"
    for number, day in enumerate(days, start=1):
        injected = max(round(injected + rng.uniform(-35, 20), 1), -100.0)
        other = max(round(other + rng.uniform(-20, 35), 1), -100.0)
        total = (injected + other) / 2
        response = "PD" if total >= 25 else "PR" if total <= -50 else "SD"
        data = {
            "date": calendar.day(day).isoformat(),
            "criteria": "irRC",
            "response": response,
            "injected_change_pct": injected,
            "non_injected_change_pct": other,
        }
        log.write("response.assessed", f"RESP-{number}", 1, calendar.at(day + 3, "11:00"), data)
    return response


def leave(log: SubjectLog, calendar: Calendar, rng: random.Random, response: str, *, treated_to_end: bool) -> None:
    """End the treatment where no story has, and later the study: by progression, completion, sometimes death."""
    if treated_to_end:
        reason = "progression" if response == "PD" else "completed"
        data: dict[str, object] = {"scope": "treatment", "date": calendar.day(86).isoformat(), "reason": reason}
        log.write("subject.discontinued", "treatment", 1, calendar.at(87, "10:00"), data)
    day = rng.randint(STUDY_ENDS_FROM, 160)
    reason = rng.choice(("completed", "completed", "progression", "withdrawal", "lost-to-follow-up", "death"))
    last = calendar.day(day - rng.randint(0, 9) if reason == "lost-to-follow-up" else day).isoformat()
    data = {"scope": "study", "date": calendar.day(day).isoformat(), "reason": reason, "last_contact": last}
    log.write("subject.discontinued", "study", 1, calendar.at(day + 2, "10:00"), data)
