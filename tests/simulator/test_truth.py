"""The truth file: complete, consistent with itself, and made without the rules."""

from __future__ import annotations

import ast
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

import services.simulator
from services.simulator.stories import STORIES
from services.simulator.trial import simulate_trial
from services.simulator.truth import truth_of, written

Json = dict[str, Any]
SOURCES = sorted(Path(services.simulator.__path__[0]).glob("*.py"))


@lru_cache
def truth(seed: int = 1) -> Json:
    read: Json = json.loads(written(truth_of(simulate_trial(seed))))
    return read


def test_it_names_every_subject_and_story() -> None:
    assert {row["story"] for row in truth()["stories"]} == set(STORIES)
    assert len({row["subject"] for row in truth()["stories"]}) == 22
    assert all(row["sentence"].endswith(".") for row in truth()["stories"])


def test_every_story_has_something_to_check() -> None:
    checked = {row["subject"] for key in ("checks", "laboratory_checks", "silent") for row in truth()[key]}
    assert checked == {row["subject"] for row in truth()["stories"]}


@pytest.mark.parametrize("clause", [f"DLT-{number}" for number in range(1, 6)])
@pytest.mark.parametrize("verdict", ["met", "possible"])
def test_every_clause_is_met_somewhere_and_possible_somewhere(clause: str, verdict: str) -> None:
    assert any(row["clauses"].get(clause) == verdict for row in truth()["checks"])


@pytest.mark.parametrize("clause", [f"DLT-{number}" for number in range(1, 6)])
def test_every_clause_is_met_by_a_subject_who_counts(clause: str) -> None:
    assert any(row["clauses"].get(clause) == "met" and row["counts_as_dlt"] for row in truth()["checks"])


def test_the_clause_that_waits_for_time_is_watched_alone_and_beside_others() -> None:
    watched = [row for row in truth()["checks"] if row["clauses"].get("DLT-2") == "watch"]
    assert {row["verdict"] for row in watched} == {"watch", "possible", "met"}
    assert any("due" in row for row in watched)


def test_a_verdict_is_its_strongest_clause_and_only_dlt_clauses_count() -> None:
    strength = ("watch", "possible", "met")
    for row in truth()["checks"] + truth()["laboratory_checks"]:
        assert row["verdict"] == max(row["clauses"].values(), key=strength.index)
        if row["counts_as_dlt"]:
            assert row["verdict"] == "met"
            assert row["population"] == "part-a"
            assert not row["overruled"]


def test_overruled_part_b_retracted_and_received_are_there() -> None:
    checks = truth()["checks"]
    assert any(row["overruled"] and row["verdict"] == "met" for row in checks)
    assert any(row["population"] == "part-b" and row["verdict"] == "met" for row in checks)
    assert any(row["case"] == "discontinued:adverse-event" for row in checks)
    assert any(row["axis"] == "received" for row in checks)
    assert any(row["axis"] == "received" for row in truth()["silent"])


def test_no_subject_is_silent_and_checked_at_one_instant() -> None:
    def places(key: str) -> set[tuple[str, str, str]]:
        return {(row["as_of"], row["axis"], row["subject"]) for row in truth()[key]}

    assert not places("silent") & (places("checks") | places("laboratory_checks"))


def test_what_only_the_laboratory_saw_is_kept_apart() -> None:
    assert {row["case"] for row in truth()["laboratory_checks"]} == {"lab:LYM", "lab:HY"}
    assert not any(row["case"].startswith("lab:") for row in truth()["checks"])


@pytest.mark.parametrize("seed", range(1, 6))
def test_the_escalation_ends_in_a_hold(seed: int) -> None:
    """Level 3 is expanded after one DLT; level 6 stops at its second."""
    rows = truth(seed)["cohorts"]
    decided = [(row["dose_level"], row["decision"]) for row in rows if row["as_of"] != truth(seed)["cutoff"]]
    steps = [step for step in decided if step[1] != "pending"]
    assert steps == [
        (1, "escalate"),
        (2, "escalate"),
        (3, "expand"),
        (3, "escalate"),
        (4, "escalate"),
        (5, "escalate"),
        (6, "stop"),
    ]
    assert [row["as_of"] for row in rows] == sorted(row["as_of"] for row in rows)
    assert [row["dose_level"] for row in rows if row["hold"]] == [6, 6]


def test_no_level_but_the_last_has_two_dlts_at_one_time() -> None:
    """Those that are DLTs for a while only would otherwise hold a level that the plan escalates."""
    levels = {row["subject"]: row["dose_level"] for row in truth()["stories"] if row["part"] == "A"}
    claims = sorted({(row["as_of"], row["subject"], row["counts_as_dlt"]) for row in truth()["checks"]})
    silences = {(row["as_of"], row["subject"], False) for row in truth()["silent"]}
    counting: set[str] = set()
    for _, subject, counts in sorted({*claims, *silences}):
        counting = counting | {subject} if counts else counting - {subject}
        per_level = [levels[each] for each in counting]
        assert all(level == 6 or per_level.count(level) < 2 for level in per_level)


def test_the_dose_levels_are_marked_as_assumptions() -> None:
    assert len(truth()["assumptions"]["dose_levels"]) == 6
    assert "configuration" in truth()["assumptions"]["note"]


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_the_simulator_knows_nothing_of_the_rules(source: Path) -> None:
    """Or the truth would be the system's own opinion. Nor does it read a clock."""
    allowed = {"services.simulator", "events"}
    banned_modules = {"projections", "services"}
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        named = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        named += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        for name in named:
            inside = any(name == each or name.startswith(f"{each}.") for each in allowed)
            assert inside or name.partition(".")[0] not in banned_modules, f"{source.name} imports {name}"
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports would escape this test"
        assert not (isinstance(node, ast.Attribute) and node.attr in {"now", "today", "utcnow", "time_ns", "monotonic"})
