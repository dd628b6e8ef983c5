"""Whose word a signature is: what the sponsor's system attests, or what a party signs from its own source (rules.md §3.9)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest

from projections.folds.trial_projection import TrialProjection
from projections.protocols.isi_jx import PROTOCOL
from projections.rules.logic.trial_protocol import TrialProtocol
from tests.files.writing import FR01, Json, Site
from tests.folds.charts import AS_OF, decoded

SITE = "urn:site:FR01:edc"
SPONSOR = "urn:sponsor:clb:safety"
COMMITTEE = "urn:sponsor:clb:idmc"
OWN = replace(PROTOCOL, signatures="own", committee_sources=("urn:sponsor:clb:idmc*", "urn:committee:*"))
MILD = FR01.ae(data={"grade": 2})
SEVERE = FR01.ae()
BOTH = ("investigator", "sponsor")


def signed(
    verdict: str, source: str, *parties: str, day: int = 21, number: int | None = None, site: Site = FR01, **more: Any
) -> Json:
    """A ruling of a day in March, on a record of its source's own, signed for these parties."""
    at = f"2017-03-{day}T08:00:00Z"
    data = {
        "adjudication_id": f"ADJ-{number or source}-{day}",
        "decided": at,
        "signatures": [{"party": party, "by": "somebody", "at": at} for party in parties],
    }
    return site.adjudicated(verdict, data=data, source=source, time=f"2017-03-{day}T09:00:00Z", **more)


def judged(protocol: TrialProtocol, events: Iterable[Json]) -> Json | None:
    """The case, None where there is none."""
    trial = TrialProjection(protocol)
    for event in [*FR01.treated(), *events]:
        logged = decoded(event)
        trial.fold(logged.event, logged.time, logged.received)
    cases = trial.as_json(AS_OF)["cases"]
    return cases[0] if cases else None


def verdict(protocol: TrialProtocol, *events: Json) -> str | None:
    case = judged(protocol, events)
    if case is None:
        return None
    return "overruled" if case["overruled"] else str(case["verdict"])


ATTESTED: list[tuple[str, list[Json], str | None]] = [
    ("the sponsor's system states both", [MILD, signed("dlt", SPONSOR, *BOTH)], "met"),
    ("the sponsor's system states the committee", [MILD, signed("dlt", SPONSOR, "committee")], "met"),
    ("a site cannot state the sponsor", [MILD, signed("dlt", SITE, *BOTH)], "possible"),
    (
        "two records are two rulings",
        [MILD, signed("dlt", SITE, "investigator"), signed("dlt", SPONSOR, "sponsor")],
        "possible",
    ),
]

OWN_SOURCES: list[tuple[str, list[Json], str | None]] = [
    ("the sponsor cannot sign for the investigator", [MILD, signed("dlt", SPONSOR, *BOTH)], "possible"),
    ("nor overrule alone", [SEVERE, signed("not-dlt", SPONSOR, *BOTH)], "met"),
    ("nor speak as the committee", [MILD, signed("dlt", SPONSOR, "committee")], "possible"),
    ("each from its own source", [MILD, signed("dlt", SITE, "investigator"), signed("dlt", SPONSOR, "sponsor")], "met"),
    (
        "each overrules from its own source",
        [SEVERE, signed("not-dlt", SITE, "investigator"), signed("not-dlt", SPONSOR, "sponsor", day=22)],
        "overruled",
    ),
    ("the committee from its own", [MILD, signed("dlt", COMMITTEE, "committee")], "met"),
    ("the committee from any of its own", [MILD, signed("dlt", "urn:committee:x", "committee")], "met"),
    (
        "what is the committee's is not the sponsor's",
        [MILD, signed("dlt", SITE, "investigator"), signed("dlt", COMMITTEE, "sponsor")],
        "possible",
    ),
    (
        "another site's investigator",
        [MILD, signed("dlt", "urn:site:FR02:edc", "investigator"), signed("dlt", SPONSOR, "sponsor")],
        "possible",
    ),
    (
        "a source that only begins alike",
        [MILD, signed("dlt", "urn:site:FR011:edc", "investigator"), signed("dlt", SPONSOR, "sponsor")],
        "possible",
    ),
    (
        "they disagree",
        [SEVERE, signed("not-dlt", SITE, "investigator"), signed("dlt", SPONSOR, "sponsor", day=22)],
        "met",
    ),
    (
        "the investigator has changed their mind before the sponsor signed",
        [
            SEVERE,
            signed("not-dlt", SITE, "investigator"),
            signed("dlt", SITE, "investigator", day=22),
            signed("not-dlt", SPONSOR, "sponsor", day=23),
        ],
        "met",
    ),
    (
        "the investigator changes their mind after both had overruled",
        [
            SEVERE,
            signed("not-dlt", SITE, "investigator"),
            signed("not-dlt", SPONSOR, "sponsor", day=22),
            signed("dlt", SITE, "investigator", day=23),
        ],
        "met",
    ),
]


@pytest.mark.parametrize(("name", "events", "expected"), ATTESTED, ids=[name for name, *_ in ATTESTED])
def test_by_default_the_sponsors_system_attests(name: str, events: list[Json], expected: str | None) -> None:
    assert verdict(PROTOCOL, *events) == expected


@pytest.mark.parametrize(("name", "events", "expected"), OWN_SOURCES, ids=[name for name, *_ in OWN_SOURCES])
def test_a_party_speaks_for_itself(name: str, events: list[Json], expected: str | None) -> None:
    """Whatever the order of the lines."""
    for order in permutations(events):
        assert verdict(OWN, *order) == expected


def test_reasons_say_who_attests_and_what_does_not_count() -> None:
    attested = judged(PROTOCOL, [MILD, signed("dlt", SPONSOR, *BOTH)])
    assert attested is not None
    assert any(f"investigator and sponsor), attested by {SPONSOR}" in reason for reason in attested["reasons"])
    own = judged(OWN, [MILD, signed("dlt", SITE, "investigator"), signed("dlt", SPONSOR, "sponsor", day=22)])
    assert own is not None
    assert any("investigator and sponsor), each from its own source" in reason for reason in own["reasons"])
    assert [one["parties"] for one in own["adjudications"]] == [["investigator"], ["investigator", "sponsor"]]
    refused = judged(OWN, [MILD, signed("dlt", SPONSOR, *BOTH)])
    assert refused is not None
    assert any("the signature of investigator does not count" in reason for reason in refused["reasons"])


def test_an_overrule_signed_apart_covers_what_was_known_to_the_first() -> None:
    """Between the two the toxicity has become worse: the first did not know."""
    worse = FR01.ae(data={"revision": 2, "grade": 5, "end": ...}, time="2017-03-22T00:00:00Z")
    apart = [signed("not-dlt", SITE, "investigator"), signed("not-dlt", SPONSOR, "sponsor", day=23)]
    assert verdict(OWN, SEVERE, *apart) == "overruled"
    assert verdict(OWN, SEVERE, worse, *apart) == "met"


def test_a_source_that_is_given_to_one_site_is_its_own() -> None:
    given = replace(
        OWN, shared_sources=(("urn:edc:lyon", frozenset({"FR01"})), ("urn:lab:x", frozenset({"FR01", "FR02"})))
    )
    sponsor = signed("dlt", SPONSOR, "sponsor")
    assert verdict(given, MILD, signed("dlt", "urn:edc:lyon", "investigator"), sponsor) == "met"
    assert verdict(given, MILD, signed("dlt", "urn:lab:x", "investigator"), sponsor) == "possible"
    assert verdict(OWN, MILD, signed("dlt", "urn:edc:lyon", "investigator"), sponsor) == "possible"
