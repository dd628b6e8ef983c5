"""Stories about time: how long a toxicity lasted, and when it began."""

from __future__ import annotations

from services.simulator.telling import RELATED, Telling, story, toxicity

# Given on day 2, before any ipilimumab: not applicable to the second drug is then a plain no.
_PEXA_VEC_ONLY = {"investigator": {"pexa-vec": "probable", "ipilimumab": "not-applicable"}}


@story("flu-like-exempt", "Nine days of a grade 3 flu-like illness that responded to paracetamol: exempt from DLT-2.")
def flu_like_exempt(t: Telling) -> None:
    """Until somebody says that it responded, the exemption is not assumed."""
    flu = toxicity("Influenza like illness", _PEXA_VEC_ONLY, grade=3, onset=t.on("D2 16:00"), flu_like=True)
    t.ae("D3 10:00", "AE-1", 1, flu, ongoing=True)
    t.expect("D5 12:00", "ae:AE-1", "watch", {"DLT-2": "watch"}, due=t.elapsed("D2 16:00", 168))
    t.expect("D10 12:00", "ae:AE-1", "possible", {"DLT-2": "possible"})
    ended = {"end": t.on("D11 16:00"), "ongoing": False, "outcome": "recovered", "responded_to_therapy": True}
    t.ae("D12 10:00", "AE-1", 2, flu, **ended)
    t.silent("D12 12:00")


@story("stop-date-corrected", "A grade 3 rash was thought to go on; its stop date was then corrected to the fifth day.")
def stop_date_corrected(t: Telling) -> None:
    """Nobody writes anything on day 16: time alone makes the watch a DLT, and a correction takes it back."""
    rash = toxicity("Rash maculo-papular", RELATED, grade=3, onset=t.on("D9 10:00"), organs=["skin"])
    t.ae("D10 16:00", "AE-1", 1, rash, ongoing=True)
    t.expect("D12 12:00", "ae:AE-1", "watch", {"DLT-2": "watch"}, due=t.elapsed("D9 10:00", 168))
    t.expect("D17 12:00", "ae:AE-1", "met", {"DLT-2": "met"}, counts=True)
    t.ae("D20 16:00", "AE-1", 2, rash, end=t.on("D14 10:00"), ongoing=False, outcome="recovered")
    t.silent("D21 12:00")


@story("two-rows", "Two unlinked rows of one rash, half a day apart, until the second turns out to have been grade 2.")
def two_rows(t: Telling) -> None:
    """Four days and four and a half: whether that is one toxicity of more than seven is asked."""
    rash = toxicity("Rash", RELATED, grade=3, organs=["skin"], ongoing=False, outcome="recovered")
    t.ae("D12 15:00", "AE-1", 1, rash, onset=t.on("D8 14:00"), end=t.on("D12 08:00"))
    t.silent("D12 18:00")
    second = {"onset": t.on("D12 20:00"), "end": t.on("D17 08:00")}
    t.ae("D17 15:00", "AE-2", 1, rash, **second)
    t.expect("D18 12:00", "ae:AE-1", "possible", {"DLT-2": "possible"})
    t.expect("D18 12:00", "ae:AE-2", "possible", {"DLT-2": "possible"})
    t.ae("D30 15:00", "AE-2", 2, {**rash, "grade": 2}, **second)
    t.silent("D31 12:00")


@story(
    "seven-bare-days", "A grade 3 diarrhoea with bare dates seven days apart; the times make it less than 168 hours."
)
def seven_bare_days(t: Telling) -> None:
    """Six, seven or eight days: only the clock times can tell."""
    diarrhoea = toxicity("Diarrhoea", RELATED, grade=3, ongoing=False, outcome="recovered")
    t.ae("D21 10:00", "AE-1", 1, diarrhoea, onset=t.on("D13"), end=t.on("D20"))
    t.expect("D22 12:00", "ae:AE-1", "possible", {"DLT-2": "possible"})
    t.ae("D26 10:00", "AE-1", 2, diarrhoea, onset=t.on("D13 14:00"), end=t.on("D20 09:00"))
    t.silent("D27 12:00")


@story(
    "continued-rows",
    "A grade 3 rash entered in two rows, then linked: one toxicity of eight days, in Part B, so it is not counted.",
    ends_silent=False,
)
def continued_rows(t: Telling) -> None:
    """Before the link the two rows only look like one; with it they are the case of the first."""
    rash = toxicity("Rash maculo-papular", RELATED, grade=3, organs=["skin"], ongoing=False)
    t.ae("D14 15:00", "AE-1", 1, rash, onset=t.on("D10 09:30"), end=t.on("D14 10:00"), outcome="recovering")
    t.silent("D14 18:00")
    second = {"onset": t.on("D14 10:00"), "end": t.on("D18 12:00"), "outcome": "recovered"}
    t.ae("D18 16:00", "AE-2", 1, rash, **second)
    t.expect("D19 12:00", "ae:AE-1", "possible", {"DLT-2": "possible"})
    t.expect("D19 12:00", "ae:AE-2", "possible", {"DLT-2": "possible"})
    t.ae("D23 16:00", "AE-2", 2, rash, **second, continues="AE-1")
    t.expect("D24 12:00", "ae:AE-1", "met", {"DLT-2": "met"})
    t.expect("D110 12:00", "ae:AE-1", "met", {"DLT-2": "met"})


@story(
    "late-rise",
    "An immune colitis began in the window and reached grade 3 only on day 40; the committee ruled that it is no DLT.",
    ends_silent=False,
)
def late_rise(t: Telling) -> None:
    """Whether it "occurred" in the window can be read both ways, so it is asked about and then overruled."""
    colitis = toxicity("Colitis", RELATED, immune_related=True, organs=["gastrointestinal"], onset=t.on("D30 09:00"))
    t.ae("D31 15:00", "AE-1", 1, colitis, grade=2, grades=t.steps((2, "D30 09:00")), ongoing=True)
    t.silent("D38 12:00")
    risen = {"grade": 3, "grades": t.steps((2, "D30 09:00"), (3, "D40 09:00"))}
    t.ae("D41 15:00", "AE-1", 2, colitis, **risen, ongoing=True)
    t.expect("D42 12:00", "ae:AE-1", "possible", {"DLT-2": "watch", "DLT-3": "possible"})
    t.ae("D47 09:30", "AE-1", 3, colitis, **risen, end=t.on("D46 09:00"), ongoing=False, outcome="recovered")
    t.expect("D47 12:00", "ae:AE-1", "possible", {"DLT-3": "possible"})
    t.adjudicate("D48 11:00", "ADJ-1", "ae:AE-1", "not-dlt", "Grade 3 after the window", ("committee",), "sponsor")
    t.expect("D48 15:00", "ae:AE-1", "possible", {"DLT-3": "possible"}, overruled=True)
    t.expect("D110 12:00", "ae:AE-1", "possible", {"DLT-3": "possible"}, overruled=True)


@story("after-the-window", "An immune hypophysitis of grade 3 that began on day 50, after the first five weeks.")
def after_the_window(t: Telling) -> None:
    """Serious and related, and still nothing for this rule."""
    hypophysitis = toxicity("Hypophysitis", RELATED, grade=3, immune_related=True, organs=["pituitary"])
    serious = {"serious": True, "seriousness": ["hospitalisation"], "expected": True}
    t.ae("D51 15:00", "AE-1", 1, hypophysitis, **serious, onset=t.on("D50 18:00"), ongoing=True)
    t.silent("D52 12:00")
    t.silent("D65 12:00")
