"""Numbers and identifiers that are larger than anything can keep are refused: the field, the value and the bound are named."""

from __future__ import annotations

from typing import Any

import pytest

from events.bounds import IDENTIFIER_BYTES_MAX
from tests.events.samples import accepted, line, refused

TOO_LARGE = "is beyond what is taken, -1e+300 to 1e+300"
LONG = "x" * (IDENTIFIER_BYTES_MAX + 1)
TOO_LONG = f"{IDENTIFIER_BYTES_MAX + 1} bytes in UTF-8; at most {IDENTIFIER_BYTES_MAX} are taken for an identifier"


@pytest.mark.parametrize(
    ("kind", "data", "error"),
    [
        (
            "subject.enrolled",
            {"dose_level": 9223372036854775807},
            "data.dose_level: 9223372036854775807 is not a dose level, a whole number 1-9007199254740991",
        ),
        ("treatment.administered", {"dose": 1.7e308}, f"data.dose: 1.7e+308 {TOO_LARGE}"),
        ("visit.recorded", {"weight_kg": -1.7e308}, f"data.weight_kg: -1.7e+308 {TOO_LARGE}"),
        ("lab.resulted", {"value": 1.7e308}, f"data.value: 1.7e+308 {TOO_LARGE}"),
        ("lab.resulted", {"lln": -1.7e308}, f"data.lln: -1.7e+308 {TOO_LARGE}"),
        ("lab.resulted", {"uln": 1.7e308}, f"data.uln: 1.7e+308 {TOO_LARGE}"),
        ("response.assessed", {"injected_change_pct": 1.7e308}, f"data.injected_change_pct: 1.7e+308 {TOO_LARGE}"),
        (
            "response.assessed",
            {"non_injected_change_pct": 1.7e308},
            f"data.non_injected_change_pct: 1.7e+308 {TOO_LARGE}",
        ),
        ("ae.reported", {"revision": 2**53}, "data.revision: 9007199254740992 is not a revision, a whole number 1-"),
        ("ae.reported", {"ae_id": LONG}, f"data.ae_id: {TOO_LONG}"),
        ("ae.reported", {"ae_id": "😀" * 251}, "data.ae_id: 1004 bytes in UTF-8; at most 1000 are taken"),
        ("lab.resulted", {"lab_id": LONG}, f"data.lab_id: {TOO_LONG}"),
        ("dlt.adjudicated", {"case": f"ae:{LONG}"[: IDENTIFIER_BYTES_MAX + 1]}, f"data.case: {TOO_LONG}"),
    ],
)
def test_what_nothing_can_keep_is_refused(kind: str, data: dict[str, Any], error: str) -> None:
    """One of each field that a sender gives a number in, or that is part of a key."""
    assert refused(line(kind, data)).error.startswith(error)


@pytest.mark.parametrize("attribute", ["id", "source"])
def test_the_attributes_that_identify_an_event_have_a_longest(attribute: str) -> None:
    assert refused(line("ae.reported", **{attribute: LONG})).error == f"{attribute}: {TOO_LONG}"


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("subject.enrolled", {"dose_level": 2**53 - 1}),
        ("subject.enrolled", {"dose_level": 3_000_000_000}),
        ("treatment.administered", {"dose": 1e300}),
        ("lab.resulted", {"value": 1e300, "uln": 5e-324}),
        ("ae.reported", {"ae_id": "x" * IDENTIFIER_BYTES_MAX, "revision": 2**53 - 1}),
    ],
)
def test_up_to_the_bound_it_is_taken(kind: str, data: dict[str, Any]) -> None:
    """The contract allows it."""
    accepted(line(kind, data, id="i" * IDENTIFIER_BYTES_MAX, source="urn:site:FR01:".ljust(IDENTIFIER_BYTES_MAX, "s")))
