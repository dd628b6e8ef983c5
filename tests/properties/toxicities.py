"""Random adverse event records, valid under rules.md §6, that crowd around grade 3, day 35 and seven days."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

from tests.properties.draws import Draw, days_after, span

Json = dict[str, Any]

#: Days since day 1 on which things begin, and how many days they last: mostly where an answer turns.
BEGINNINGS: Final = [-8, -3, -1, -1, 0, 0, 0, 1, 2, 5, 7, 9, 20, 26, 27, 28, 29, 32, 33, 34, 34, 34, 35, 35, 36, 38, 42]
LENGTHS: Final = [0, 0, 1, 2, 3, 4, 5, 6, 6, 7, 7, 7, 7, 8, 8, 8, 9, 12, 20]

TERMS: Final = [
    *["Rash"] * 4,
    *["Sepsis"] * 3,
    *["Colitis", "Chills", "Injection site necrosis"] * 2,
    *["rash", "Fatigue", "Tumour pain", "Diarrhée", "Something unheard of", "Anaemia", "Uveitis"],
    *["Alanine aminotransferase increased"] * 3,
    *["Hepatitis", "Neutropenia", "Creatinine increased", "Hypocalcaemia", "Hypokalaemia", "Cardiac failure"],
]
CTCAE_TERMS: Final = ["Colitis", "Endocrine disorders - Other, specify", "Rash maculo-papular"]
RELATED: Final = ["certain", "probable", "possible", "related"]
UNRELATED: Final = ["unlikely", "unrelated"]
UNCLEAR: Final = ["unclassifiable", "conditional", "not-applicable", "not-applicable", None]
CAUSES: Final = ["pexa-vec", "ipilimumab", "study-treatment", "injection-procedure"]
ORGANS: Final = ["heart", "liver", "gastrointestinal", "skin", "thyroid", "eye", "muscle", "other", "pancreas"]
GRADES: Final = [1, 2, 2, 3, 3, 3, 3, 4]
OUTCOMES: Final = ["recovered", "recovered-with-sequelae", "recovering", "not-recovered", "unknown"]

#: What a later revision may say anew.
COURSE_FIELDS: Final = ("onset", "end", "grades", "grade", "ongoing", "outcome")


def adverse_event(draw: Draw, name: str, base: date, begins: int, earlier: list[str]) -> Json:
    """The first revision of a record that begins so many days after day 1; ``earlier`` are those it may continue."""
    data = {
        "ae_id": name,
        "revision": 1,
        "term": draw.one_of(TERMS),
        **course(draw, base, begins),
        "causality": causality(draw),
        **_flags(draw),
    }
    if draw.chance(0.12):
        data["preferred_term"] = draw.one_of(TERMS)
    if draw.chance(0.06):
        data["ctcae_term"] = draw.one_of(CTCAE_TERMS)
    if draw.chance(0.15):
        data["serious"] = draw.one_of([True, True, False])
    if draw.chance(0.12):
        data["seriousness"] = _seriousness(draw, bool(data.get("ongoing")))
    if draw.chance(0.15):
        data["action_taken"] = {draw.one_of(CAUSES[:3]): draw.one_of(["withdrawn", "none", "delayed"])}
    if earlier and draw.chance(0.25):
        # Now and then a row that is not on record, or that comes later: circles too.
        data["continues"] = draw.one_of([*earlier, name, "AE-9", "AE-2"]) if draw.chance(0.25) else earlier[-1]
    return data


def revised(draw: Draw, data: Json, base: date, begins: int) -> Json:
    """A later version of the record: another course, or another causality. Its revision may stay, or go back."""
    if draw.chance(0.5):
        kept = {key: value for key, value in data.items() if key not in COURSE_FIELDS}
        later = {**kept, **course(draw, base, begins)}
        if later.get("ongoing") and "death" in (later.get("seriousness") or []):
            del later["seriousness"]
    else:
        later = {**data, "causality": causality(draw)}
    if draw.chance(0.1):
        later["term"] = draw.one_of(TERMS)
    if draw.chance(0.1):
        later.pop("continues", None)
    later["revision"] = max(1, data["revision"] + draw.one_of([1, 1, 1, 2, 0, -1]))
    return later


def dates_of(data: Json) -> list[str]:
    """Every clinical date that a record states."""
    found = [data.get("onset"), data.get("end"), *(step["from"] for step in data.get("grades") or ())]
    return [text for text in found if text]


def causality(draw: Draw) -> Json | None:
    """Mostly related; else anything, by any party, for any cause."""
    roll = draw.number(1, 100)
    if roll <= 7:
        return None
    if roll <= 62:
        return {"investigator": {"pexa-vec": draw.one_of(RELATED), "ipilimumab": draw.one_of(RELATED + UNRELATED)}}
    parties = ["investigator", "sponsor"] if draw.chance(0.4) else ["investigator"]
    words = [*RELATED[2:], *UNRELATED, *UNRELATED, *UNCLEAR]
    return {party: {cause: draw.one_of(words) for cause in CAUSES if draw.chance(0.55)} for party in parties}


def course(draw: Draw, base: date, begins: int) -> Json:
    """Onset, end, grades and outcome that agree with one another."""
    length = draw.one_of(LENGTHS)
    onset = draw.date(days_after(base, begins)) if draw.chance(0.93) else None
    end = draw.date(days_after(base, begins + length)) if draw.chance(0.62) else None
    if onset and end and (span(end).lo < span(onset).lo or span(end).hi < span(onset).lo):
        end = None
    steps = _steps(draw, base, begins, length, (onset, end)) if draw.chance(0.45) else []
    data: Json = {"grade": _worst(draw, steps), "grades": steps or None, "onset": onset, "end": end}
    if draw.chance(0.3):
        data["ongoing"] = False if end else draw.one_of([True, True, False])
    if draw.chance(0.06) and not data.get("ongoing"):
        data["outcome"] = "fatal"
    elif draw.chance(0.25):
        data["outcome"] = draw.one_of(OUTCOMES)
    return data


def _worst(draw: Draw, steps: list[Json]) -> int | None:
    """The grade of the record as a whole: mostly that of its worst step; now and then another, or none."""
    if steps and draw.chance(0.75):
        return max(int(step["grade"]) for step in steps)
    if draw.chance(0.4 if steps else 0.08):
        return None
    return draw.one_of([*GRADES, 3, 3, 4, 4, 5 if draw.chance(0.2) else 4])


def _steps(draw: Draw, base: date, begins: int, length: int, bounds: tuple[str | None, str | None]) -> list[Json]:
    onset, end = bounds
    grades = [*GRADES, 4, 5] if draw.chance(0.1) else GRADES
    dates = [
        draw.date(days_after(base, begins + draw.number(0, max(length, 1))), coarse=0.03)
        for _ in range(draw.number(1, 4))
    ]
    if onset and draw.chance(0.6):
        dates[0] = onset
    fitting = sorted((text for text in dates if _fits(text, onset, end)), key=lambda text: span(text).lo)
    steps = [{"grade": draw.one_of(grades), "from": text} for text in fitting]
    died_before_the_last = any(step["grade"] == 5 for step in steps[:-1])
    return [step for step in steps if step["grade"] != 5] if died_before_the_last else steps


def _fits(text: str, onset: str | None, end: str | None) -> bool:
    step = span(text)
    if onset and (step.lo < span(onset).lo or step.hi < span(onset).lo):
        return False
    return not (end and (span(end).hi < step.lo or step.lo > span(end).lo))


def _flags(draw: Draw) -> Json:
    if draw.chance(0.06):
        return {"immune_related": False, "flu_like": True, "responded_to_therapy": True}
    shares = {"immune_related": 0.6, "injection_site": 0.25, "flu_like": 0.2, "responded_to_therapy": 0.3}
    flags: Json = {name: draw.one_of([True, False, False]) for name, share in shares.items() if draw.chance(share)}
    if draw.chance(0.35):
        flags["organs"] = draw.some(ORGANS, draw.one_of([0, 1, 1, 1, 2]))
    return flags


def _seriousness(draw: Draw, ongoing: bool) -> list[str]:
    criteria = ["life-threatening", "life-threatening", "hospitalisation", "medically-important"]
    if not ongoing and draw.chance(0.3):
        criteria = ["death"]
    return [draw.one_of(criteria)] if draw.chance(0.85) else []
