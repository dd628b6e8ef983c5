"""What a protocol may not be, and how the sources that write to a trial are told apart."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from projections.protocols.isi_jx import PROTOCOL
from projections.rules.logic.trial_protocol import WINDOW_DAYS_MAX, Clause, Part

GRADED = tuple(clause for clause in PROTOCOL.clauses if clause.at_grade is not None)
(ADJUDICATED,) = (clause for clause in PROTOCOL.clauses if clause.at_grade is None)
CLAUSES = "clauses: at least one with a grade, and exactly one that adjudication settles"
AGAIN = replace(ADJUDICATED, id="DLT-6")


@pytest.mark.parametrize(
    ("otherwise", "said"),
    [
        ({"window_days": 0}, "window_days: 0 is not a number of days"),
        ({"window_days": WINDOW_DAYS_MAX + 1}, f"window_days: {WINDOW_DAYS_MAX + 1} is more than {WINDOW_DAYS_MAX}"),
        ({"parts": (Part("B", counted=False),)}, "parts: at least one has to count, or no dose level has anybody in it"),
        ({"drugs": ()}, "drugs: a protocol needs at least one study drug, each named once"),
        ({"drugs": ("a", "b", "a")}, "drugs: a protocol needs at least one study drug, each named once"),
        ({"drugs": ("a", "study-treatment")}, "drugs: 'study-treatment' is a word of the event contract"),
        ({"drugs": ("injection-procedure",)}, "drugs: 'injection-procedure' is a word of the event contract"),
        ({"clauses": (ADJUDICATED,)}, CLAUSES),
        ({"clauses": GRADED}, CLAUSES),
        ({"clauses": (*PROTOCOL.clauses, AGAIN)}, CLAUSES),
        ({"clauses": (*PROTOCOL.clauses, GRADED[0])}, "clauses: two have the same id"),
        ({"subject_pattern": "("}, "subject_pattern: '(' is not a pattern"),
    ],
)  # fmt: skip
def test_a_protocol_that_cannot_be_judged_by_is_refused(otherwise: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(said)}"):
        replace(PROTOCOL, **otherwise)


@pytest.mark.parametrize(
    "otherwise",
    [
        {"window_days": 1},
        {"window_days": WINDOW_DAYS_MAX},
        {"parts": (Part("B", counted=True),)},
        {"drugs": ("a",)},
        {"clauses": (GRADED[0], ADJUDICATED)},
    ],
)
def test_the_least_and_the_most_that_a_protocol_may_be(otherwise: dict[str, Any]) -> None:
    replace(PROTOCOL, **otherwise)


def test_the_gravest_clause_is_the_one_that_asks_for_the_highest_grade() -> None:
    """Wherever the protocol names it."""
    first: tuple[Clause, ...] = tuple(reversed(PROTOCOL.clauses))
    assert replace(PROTOCOL, clauses=first).gravest_clause == "DLT-1"


ONE_SYSTEM = replace(PROTOCOL, one_system=(("urn:site:FR01:a", "urn:site:FR01:b*"), ("urn:site:FR02:*",)))


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("urn:site:FR01:z", "urn:site:FR01:z", True),
        ("urn:site:FR01:a", "urn:site:FR01:b2", True),
        ("urn:site:FR01:b1", "urn:site:FR01:b2", True),
        ("urn:site:FR02:x", "urn:site:FR02:y", True),
        ("urn:site:FR01:a", "urn:site:FR01:c", False),
        ("urn:site:FR01:a", "urn:site:FR02:x", False),
        ("urn:site:FR03:x", "urn:site:FR03:y", False),
    ],
)
def test_two_sources_are_one_system_where_one_group_names_both(a: str, b: str, same: bool) -> None:
    """rules.md §6: a second source is refused unless configuration says that the two are one."""
    assert ONE_SYSTEM.same_system(a, b) is same
    assert ONE_SYSTEM.same_system(b, a) is same


SHARED = replace(
    PROTOCOL,
    committee_sources=("urn:committee:*",),
    shared_sources=(("urn:lab:one", frozenset({"FR01"})), ("urn:lab:two", frozenset({"FR01", "FR02"}))),
    signatures="own",
)


@pytest.mark.parametrize(
    ("source", "of_fr01", "sponsor", "committee"),
    [
        ("urn:site:FR01:edc", True, False, False),
        ("urn:site:FR02:edc", False, False, False),
        ("urn:lab:one", True, False, False),
        ("urn:lab:two", False, False, False),
        ("urn:sponsor:clb", False, True, False),
        ("urn:committee:dsmb", False, False, True),
    ],
)
def test_a_party_signs_from_its_own_source_where_the_protocol_says_so(
    source: str, of_fr01: bool, sponsor: bool, committee: bool
) -> None:
    """rules.md §3.9: what the configuration lists for a party counts, and a laboratory of several sites is no site's own."""
    found = [SHARED.counts_signature(party, source, "FR01") for party in ("investigator", "sponsor", "committee")]
    assert found == [of_fr01, sponsor, committee]


@pytest.mark.parametrize(("source", "counts"), [("urn:sponsor:clb", True), ("urn:site:FR01:edc", False)])
@pytest.mark.parametrize("party", ["sponsor", "committee"])
def test_sponsor_and_committee_count_only_from_a_listed_source(party: str, source: str, counts: bool) -> None:
    """And the investigator's, as the sponsor's record or the site's states it, from either."""
    assert PROTOCOL.counts_signature(party, source, "FR01") is counts
    assert PROTOCOL.counts_signature("investigator", source, "FR01")


def test_the_configuration_gives_a_subject_to_the_first_site_that_fits() -> None:
    given = replace(PROTOCOL, subject_sites=(("FR01-0*", "FR01"), ("FR01-*", "FR02")))
    assert [given.site_of_subject(one) for one in ("FR01-001", "FR01-101", "FR03-001")] == ["FR01", "FR02", None]
