"""Why a verdict is what it is, in the very words that a monitor reads."""

from __future__ import annotations

from typing import Any

import pytest

from tests.files.writing import FR01
from tests.rules.scenario import assess, decoded
from tests.rules.scenario_files import load_all

LATER = "2017-06-01T00:00:00Z"
RELATED = "investigator: possible for pexa-vec; investigator: possible for ipilimumab"
UNASSESSED = "investigator: no causality for pexa-vec; investigator: no causality for ipilimumab"


@pytest.mark.parametrize(
    ("scenario", "reasons"),
    [
        (
            "g4-immune-colitis",
            [
                f"DLT-1 met: grade 4; {RELATED}; 2017-02-22 08:00, day 10 of 35",
                (
                    f"DLT-3 met: grade 4; {RELATED}; 2017-02-22 08:00, day 10 of 35; flagged immune related; "
                    "gastrointestinal is a major end organ"
                ),
            ],
        ),
        (
            "g4-causality-missing",
            [f"DLT-1 possible: grade 4; 2017-02-22 08:00, day 10 of 35; not known: {UNASSESSED}"],
        ),
        (
            "ongoing-watch",
            [
                (
                    f"DLT-2 watch: grade 3; {RELATED}; 2017-02-20 10:00, day 8 of 35; at grade ≥3 from 2017-02-20 10:00, "
                    "not yet for 7 days; Rash is not flu-like"
                )
            ],
        ),
    ],
)
def test_what_is_known_comes_first_and_what_is_not_known_is_named_last(scenario: str, reasons: list[str]) -> None:
    """Of a met clause nothing is "not known"; of a possible one, what keeps it from being met."""
    found = next(one for one in load_all() if one["id"] == scenario)
    (case,) = assess(decoded(found["events"]), found["as_of"])["cases"]
    assert case["reasons"] == reasons


def liver(alps: list[tuple[str, str, float]]) -> str:
    """The reason of a Hy's law with an ALT of 5 x its limit, and these ALP results (limit 120)."""
    results = [("ALT", "ALT", "2017-03-06", 200.0, 40), ("BILI", "BILI", "2017-03-06", 50.0, 20)]
    results += [(name, "ALP", day, value, 120) for name, day, value in alps]
    events = [
        FR01.lab(
            name,
            data={"test": test, "value": value, "lln": ..., "uln": uln, "collected": day, "unit": unit},
            time=LATER,
        )
        for name, test, day, value, uln in results
        for unit in ("umol/L" if test == "BILI" else "U/L",)
    ]
    (case,) = assess(decoded([*FR01.treated(), *events]), LATER)["cases"]
    ((reason,), clauses) = case["reasons"], case["clauses"]
    assert clauses == {"HY": "met"}
    return str(reason)


def test_hys_law_shows_its_numbers_and_r_by_the_alp_that_is_closest_to_the_alt() -> None:
    """R = (ALT/ULN)/(ALP/ULN)."""
    assert liver([("P1", "2017-02-26", 120), ("P2", "2017-03-08", 60), ("P3", "2017-03-16", 30)]) == (
        "HY met: ALT 200 U/L (5.0 × ULN) on 2017-03-06; BILI 50 umol/L (2.5 × ULN) on 2017-03-06; "
        "ALT of 2017-03-06, bilirubin of 2017-03-06; 2017-03-06, after the first administration; "
        "ALP 60 U/L (0.5 × ULN) on 2017-03-08, R = 10.0; no ALT before treatment is on record; "
        "no BILI before treatment is on record"
    )


def test_of_two_alps_as_close_the_earlier_one_gives_r_and_none_is_given_by_a_zero() -> None:
    assert "R = 5.0" in liver([("P2", "2017-03-08", 60), ("P1", "2017-03-04", 120)])
    assert "R =" not in liver([("P1", "2017-03-06", 0)])


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ([], "at grade ≥3 from 2017-02-20, still going on, last confirmed 2017-02-21 00:00"),
        (
            [FR01.discontinued("2017-02-25", "withdrawal", last_contact="2017-02-24", time="2017-02-25T12:00:00Z")],
            "at grade ≥3 from 2017-02-20, still going on, last confirmed 2017-02-21 00:00, last contact 2017-02-24",
        ),
    ],
)
def test_what_is_presumed_says_until_when_it_was_confirmed(more: list[dict[str, Any]], said: str) -> None:
    """And until when the subject was seen, where study participation has ended."""
    data = {"term": "Rash", "grade": 3, "onset": "2017-02-20", "end": ..., "ongoing": True}
    events = [*FR01.treated(), FR01.ae(data=data, time="2017-02-20T23:00:00Z"), *more]
    (case,) = assess(decoded(events), "2017-02-27T12:00:00Z")["cases"]
    (reason,) = case["reasons"]
    assert case["clauses"] == {"DLT-2": "possible"}
    assert said == reason.partition("; not known: ")[2]
