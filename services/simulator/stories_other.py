"""The other stories: injection sites, decisions, stopping without a word, and what only the laboratory saw."""

from __future__ import annotations

from services.simulator.telling import RELATED, UNRELATED, Telling, story, toxicity


@story("uneventful", "Nothing but low grades: no case at any time.")
def uneventful(t: Telling) -> None:
    """What most subjects look like."""
    for day in (8, 20, 36, 60):
        t.silent(f"D{day} 12:00")


@story(
    "injection-site-necrosis",
    "A grade 3 necrosis of the injected lesion that lasted eleven days: two clauses, one DLT.",
    ends_silent=False,
)
def injection_site_necrosis(t: Telling) -> None:
    """At once a DLT for the injection site, and after seven days for its duration too."""
    certain = {"investigator": {"pexa-vec": "certain", "ipilimumab": "unlikely"}}
    necrosis = toxicity("Injection site necrosis", certain, grade=3, onset=t.on("D9 12:00"), injection_site=True)
    necrosis["action_taken"] = {"pexa-vec": "withdrawn", "ipilimumab": "withdrawn"}
    t.ae("D10 10:00", "AE-1", 1, necrosis, ongoing=True)
    watched = {"DLT-2": "watch", "DLT-4": "met"}
    t.expect("D10 18:00", "ae:AE-1", "met", watched, counts=True)
    t.expect("D12 12:00", "ae:AE-1", "met", watched, counts=True, due=t.elapsed("D9 12:00", 168))
    t.stop_treatment(14)
    t.expect("D17 12:00", "ae:AE-1", "met", {"DLT-2": "met", "DLT-4": "met"}, counts=True)
    t.ae("D21 10:00", "AE-1", 2, necrosis, end=t.on("D20 12:00"), ongoing=False, outcome="recovered-with-sequelae")
    t.expect("D110 12:00", "ae:AE-1", "met", {"DLT-2": "met", "DLT-4": "met"}, counts=True)


@story("injection-site-asked", "A grade 3 tumour pain of which nobody had said whether the lesion was an injected one.")
def injection_site_asked(t: Telling) -> None:
    """The term alone cannot tell; the site then says that it was another lesion."""
    pain = toxicity("Tumour pain", RELATED, grade=3, onset=t.on("D9 15:00"), end=t.on("D12 09:00"), ongoing=False)
    t.ae("D12 15:30", "AE-1", 1, {**pain, "injection_site": None}, outcome="recovered")
    t.expect("D13 12:00", "ae:AE-1", "possible", {"DLT-4": "possible"})
    t.ae("D16 15:30", "AE-1", 2, pain, outcome="recovered")
    t.silent("D17 12:00")


@story(
    "judged-dose-limiting",
    "A grade 2 fatigue that the investigator, and a week later the sponsor with them, judged dose-limiting.",
    ends_silent=False,
)
def judged_dose_limiting(t: Telling) -> None:
    """Neither grade nor duration makes it a DLT; the signature of both does."""
    fatigue = toxicity("Fatigue", RELATED, grade=2, onset=t.on("D6"), ongoing=True)
    t.ae("D8 16:00", "AE-1", 1, fatigue)
    t.silent("D20 12:00")
    reason = "Bedridden at home, would not accept another cycle"
    t.adjudicate("D25 10:00", "ADJ-1", "ae:AE-1", "dlt", reason, ("investigator",), "edc")
    t.expect("D26 12:00", "ae:AE-1", "possible", {"DLT-5": "possible"})
    t.adjudicate("D32 15:00", "ADJ-2", "ae:AE-1", "dlt", reason, ("investigator", "sponsor"), "sponsor")
    t.expect("D33 12:00", "ae:AE-1", "met", {"DLT-5": "met"}, counts=True)
    t.expect("D110 12:00", "ae:AE-1", "met", {"DLT-5": "met"}, counts=True)


@story("stopped-unexplained", "Treatment stopped for an adverse event that was reported, unrelated, only a week later.")
def stopped_unexplained(t: Telling) -> None:
    """Somebody knew of an event that nobody had written down."""
    t.stop_treatment(24)
    t.expect("D26 12:00", "discontinued:adverse-event", "possible", {"DLT-1": "possible"})
    effusion = toxicity("Pleural effusion", UNRELATED, grade=3, onset=t.on("D21"), end=t.on("D27"), ongoing=False)
    effusion |= {"serious": True, "seriousness": ["hospitalisation"], "outcome": "recovered"}
    effusion["action_taken"] = {"pexa-vec": "withdrawn", "ipilimumab": "withdrawn"}
    t.ae("D31 10:00", "AE-1", 1, effusion)
    t.silent("D32 12:00")


@story("unreported-lymphopenia", "A grade 4 lymphopenia that nobody reported for nine days; then reported, unrelated.")
def unreported_lymphopenia(t: Telling) -> None:
    """A single draw; the next one, a week later, is grade 2."""
    t.blood(15, "LYM", value=0.15)
    t.blood(22, "LYM", value=0.72)
    both = {"DLT-1": "possible", "DLT-2": "watch"}
    t.expect("D17 12:00", "lab:LYM", "possible", both, laboratory=True)
    t.expect("D23 12:00", "lab:LYM", "possible", {"DLT-1": "possible"}, laboratory=True)
    low = toxicity("Lymphocyte count decreased", UNRELATED, grade=4, onset=t.on("D15"), end=t.on("D21"))
    t.ae("D24 10:00", "AE-1", 1, low, ongoing=False, outcome="recovered")
    t.silent("D26 12:00")


@story(
    "hys-law",
    "On day 57 transaminases and bilirubin rose together without cholestasis: a safety alert, not a DLT.",
    ends_silent=False,
)
def hys_law(t: Telling) -> None:
    """Only grade 2 by CTCAE, after the window, and still the pattern that predicts liver failure."""
    for day in (-6, 1):
        for test, share in (("ALT", 0.5), ("AST", 0.55), ("ALP", 0.7), ("BILI", 0.5)):
            t.blood(day, test, times_uln=share)
    t.silent("D50 12:00")
    for day, rise in ((57, (4.2, 3.4, 1.1, 2.4)), (64, (2.6, 2.1, 1.05, 1.3))):
        for test, share in zip(("ALT", "AST", "ALP", "BILI"), rise, strict=True):
            t.blood(day, test, times_uln=share)
    t.expect("D58 12:00", "lab:HY", "met", {"HY": "met"}, laboratory=True)
    t.expect("D110 12:00", "lab:HY", "met", {"HY": "met"}, laboratory=True)
