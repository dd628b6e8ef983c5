"""Stories about severity and cause: grade 4, related or not, organs, and what was not said."""

from __future__ import annotations

from services.simulator.telling import RELATED, UNRELATED, Telling, story, toxicity

_CRITICAL = {"serious": True, "seriousness": ["life-threatening", "hospitalisation"]}
_ADMITTED = {"serious": True, "seriousness": ["hospitalisation"]}


@story(
    "causality-missing",
    "A grade 4 sepsis whose relation to ipilimumab nobody assessed, until both drugs were ruled out.",
)
def causality_missing(t: Telling) -> None:
    """A missing answer never silences a rule."""
    half = {"investigator": {"pexa-vec": "unlikely", "ipilimumab": None}}
    sepsis = toxicity("Sepsis", half, grade=4, onset=t.on("D10 06:00"), **_CRITICAL)
    t.ae("D11 15:30", "AE-1", 1, sepsis, ongoing=True)
    t.expect("D12 12:00", "ae:AE-1", "possible", {"DLT-1": "possible", "DLT-2": "watch"})
    ended = {"end": t.on("D13 18:00"), "ongoing": False, "outcome": "recovered"}
    t.ae("D14 15:30", "AE-1", 2, sepsis, **ended)
    t.expect("D15 12:00", "ae:AE-1", "possible", {"DLT-1": "possible"})
    t.ae("D20 15:30", "AE-1", 3, {**sepsis, "causality": UNRELATED}, **ended)
    t.silent("D21 12:00")


@story(
    "overruled",
    "A related grade 4 septic shock that investigator and sponsor together ruled not dose-limiting.",
    ends_silent=False,
)
def overruled(t: Telling) -> None:
    """The machine's verdict stays to be seen; it no longer counts."""
    shock = toxicity("Septic shock", RELATED, grade=4, onset=t.on("D16 05:00"), **_CRITICAL)
    ended = {"end": t.on("D19 08:00"), "ongoing": False, "outcome": "recovered"}
    t.ae("D19 17:30", "AE-1", 1, shock, **ended, aware=t.on("D16 09:00"), sponsor_aware=t.on("D16 15:00"))
    t.expect("D20 12:00", "ae:AE-1", "met", {"DLT-1": "met"}, counts=True)
    reason = "Catheter infection, germ identified"
    t.adjudicate("D29 14:00", "ADJ-1", "ae:AE-1", "not-dlt", reason, ("investigator", "sponsor"), "sponsor")
    t.expect("D30 12:00", "ae:AE-1", "met", {"DLT-1": "met"}, overruled=True)
    t.expect("D110 12:00", "ae:AE-1", "met", {"DLT-1": "met"}, overruled=True)


@story("retracted", "A grade 4 seizure that was entered for the wrong subject and withdrawn three days later.")
def retracted(t: Telling) -> None:
    """A DLT for three days, and then it never was."""
    seizure = toxicity("Seizure", RELATED, grade=4, onset=t.on("D9 03:00"), **_CRITICAL)
    t.ae("D9 15:30", "AE-1", 1, seizure, end=t.on("D9 04:00"), ongoing=False, outcome="recovered")
    t.expect("D10 12:00", "ae:AE-1", "met", {"DLT-1": "met"}, counts=True)
    t.retract_ae("D12 11:00", "AE-1", 2, "Entered for the wrong subject")
    t.silent("D12 15:00")


@story("grade-missing", "A dyspnoea reported without its grade; it was grade 2.")
def grade_missing(t: Telling) -> None:
    """Only the grade is missing and nothing says serious: asked about, and still possible."""
    dyspnoea = toxicity("Dyspnoea", RELATED, onset=t.on("D12"), end=t.on("D14"), ongoing=False, outcome="recovered")
    t.ae("D15 10:00", "AE-1", 1, dyspnoea, grade=None)
    t.expect("D16 12:00", "ae:AE-1", "possible", {"DLT-1": "possible"})
    t.ae("D18 10:00", "AE-1", 2, dyspnoea, grade=2)
    t.silent("D19 12:00")


@story(
    "life-threatening-grade-3", "A pulmonary embolism graded 3 yet called life-threatening; the latter was corrected."
)
def life_threatening(t: Telling) -> None:
    """Grade 3 and life-threatening contradict each other, so it may be a grade 4."""
    embolism = toxicity("Pulmonary embolism", RELATED, grade=3, onset=t.on("D11 07:00"), end=t.on("D15 12:00"))
    embolism |= {"ongoing": False, "outcome": "recovered"}
    t.ae("D15 18:00", "AE-1", 1, {**embolism, **_CRITICAL})
    t.expect("D16 12:00", "ae:AE-1", "possible", {"DLT-1": "possible"})
    t.ae("D19 18:00", "AE-1", 2, {**embolism, **_ADMITTED})
    t.silent("D20 12:00")


@story(
    "late-report",
    "A grade 3 colitis, recorded on day 26, whose message arrived on day 38; a biopsy showed an infection.",
)
def late_report(t: Telling) -> None:
    """By what was recorded it was possible on day 30, by what had been received nobody could know."""
    colitis = toxicity("Colitis", RELATED, grade=3, onset=t.on("D20 11:00"), end=t.on("D25 11:00"), immune_related=None)
    colitis |= {"ongoing": False, "outcome": "recovered"}
    t.ae_arriving("D26 10:00", "D38 08:45", "AE-1", 1, colitis)
    t.expect("D30 12:00", "ae:AE-1", "possible", {"DLT-3": "possible"})
    t.silent("D30 12:00", axis="received")
    t.expect("D39 12:00", "ae:AE-1", "possible", {"DLT-3": "possible"}, axis="received")
    t.ae("D41 15:30", "AE-1", 2, {**colitis, "immune_related": False, "organs": ["gastrointestinal"]})
    t.silent("D42 12:00")
    t.silent("D42 12:00", axis="received")


@story(
    "immune-colitis-grade-4",
    "An immune-related colitis that rose from grade 2 to 4: one case, two clauses, one DLT.",
    ends_silent=False,
)
def immune_colitis(t: Telling) -> None:
    """Grade 3 for less than seven days in all, so the duration clause lapses."""
    colitis = toxicity("Colitis", RELATED, immune_related=True, organs=["gastrointestinal"], onset=t.on("D18 09:00"))
    third = ((2, "D18 09:00"), (3, "D20 08:00"))
    t.ae("D20 15:30", "AE-1", 1, {**colitis, **_ADMITTED}, grade=3, grades=t.steps(*third), ongoing=True)
    t.expect("D21 12:00", "ae:AE-1", "met", {"DLT-2": "watch", "DLT-3": "met"}, counts=True)
    fourth = (*third, (4, "D22 06:00"))
    t.ae("D22 15:30", "AE-1", 2, {**colitis, **_CRITICAL}, grade=4, grades=t.steps(*fourth), ongoing=True)
    three = {"DLT-1": "met", "DLT-2": "watch", "DLT-3": "met"}
    t.expect("D23 12:00", "ae:AE-1", "met", three, counts=True)
    t.stop_treatment(24)
    withdrawn = {"action_taken": {"pexa-vec": "withdrawn", "ipilimumab": "withdrawn"}}
    resolving = {"grade": 4, "grades": t.steps(*fourth, (1, "D25 06:00")), **withdrawn}
    t.ae("D26 15:30", "AE-1", 3, {**colitis, **_CRITICAL}, **resolving, ongoing=True)
    t.expect("D27 12:00", "ae:AE-1", "met", {"DLT-1": "met", "DLT-3": "met"}, counts=True)
    ended = {"end": t.on("D36 08:00"), "ongoing": False, "outcome": "recovered"}
    t.ae("D37 15:30", "AE-1", 4, {**colitis, **_CRITICAL}, **resolving, **ended)
    t.expect("D110 12:00", "ae:AE-1", "met", {"DLT-1": "met", "DLT-3": "met"}, counts=True)


@story(
    "part-b-signal",
    "An immune myocarditis of grade 3 in Part B: a safety signal that counts for no dose level.",
    ends_silent=False,
)
def part_b_signal(t: Telling) -> None:
    """The clauses are evaluated as in Part A and alert as much."""
    heart = toxicity("Myocarditis", RELATED, grade=3, immune_related=True, organs=["heart"], onset=t.on("D14 20:00"))
    withdrawn = {"action_taken": {"pexa-vec": "withdrawn", "ipilimumab": "withdrawn"}, **_ADMITTED}
    ended = {"end": t.on("D19 08:00"), "ongoing": False, "outcome": "recovered"}
    t.ae("D19 15:30", "AE-1", 1, {**heart, **withdrawn}, **ended, aware=t.on("D15 08:30"))
    t.expect("D19 18:00", "ae:AE-1", "met", {"DLT-3": "met"})
    t.stop_treatment(20)
    t.expect("D110 12:00", "ae:AE-1", "met", {"DLT-3": "met"})
