"""The specification as a table of scenarios, one sentence each: what happened, and what must be concluded."""

from __future__ import annotations

from typing import Any

import pytest

from projections.protocols.isi_jx import PROTOCOL
from tests.rules.scenario import assess, decoded, mismatches
from tests.rules.scenario_files import load_all

SCENARIOS = load_all()


@pytest.mark.parametrize("scenario", SCENARIOS, ids=[scenario["id"] for scenario in SCENARIOS])
def test_what_happened_leads_to_what_must_be_concluded(scenario: dict[str, Any]) -> None:
    """Each scenario's ``title`` is the clinical sentence that is tested."""
    assert mismatches(scenario, assess(decoded(scenario["events"]), scenario["as_of"])) == []


@pytest.mark.parametrize("scenario", SCENARIOS, ids=[scenario["id"] for scenario in SCENARIOS])
def test_a_scenario_says_all_that_a_reader_of_the_verdict_acts_on(scenario: dict[str, Any]) -> None:
    """How urgent it is, on which events it rests, what is presumed, and, where it is possible, what would settle it."""
    for case in scenario.get("expect", []):
        assert {"urgency", "questions", "evidence", "basis"} <= case.keys()
        assert case["evidence"]
        if case["verdict"] == "possible":
            assert case["questions"]


def test_every_scenario_has_its_own_id_and_a_sentence() -> None:
    assert len({scenario["id"] for scenario in SCENARIOS}) == len(SCENARIOS)
    assert all(len(scenario["title"]) > 15 for scenario in SCENARIOS)


@pytest.mark.parametrize("clause", [clause.id for clause in PROTOCOL.clauses])
@pytest.mark.parametrize("verdict", ["met", "possible", None])
def test_every_clause_is_met_possible_and_silent_somewhere(clause: str, verdict: str | None) -> None:
    found = [case["clauses"].get(clause) for scenario in SCENARIOS for case in scenario.get("expect", [])]
    assert verdict in found


def test_a_clause_with_a_duration_is_watched_somewhere() -> None:
    assert any(case["verdict"] == "watch" for scenario in SCENARIOS for case in scenario.get("expect", []))
