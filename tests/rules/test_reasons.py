"""Why a verdict is what it is, in the very words that a monitor reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rules.scenario import assess, decoded, load

DIRECTORY = Path(__file__).parent / "scenarios"
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
    found = next(one for one in load(DIRECTORY / "acceptance.json") if one["id"] == scenario)
    (case,) = assess(decoded(found["events"]), found["as_of"])["cases"]
    assert case["reasons"] == reasons
