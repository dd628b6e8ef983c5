"""3+3 as a table: every count of up to six subjects, and the decisions that others' packages assert."""

from __future__ import annotations

import csv
from itertools import product
from pathlib import Path

import pytest

from projections.rules.escalation.cohort_designs import DESIGNS, THREE_PLUS_THREE, CohortDesign, DesignRow

SIX = range(7)

#: rules.md §5 by (evaluable, DLTs) with nobody pending; a row a number of evaluable subjects, a column a number of DLTs.
WITH_NOBODY_PENDING = """
    pending
    pending  pending
    pending  pending  stop
    escalate expand   stop stop
    escalate expand   stop stop stop
    escalate expand   stop stop stop stop
    escalate escalate stop stop stop stop stop
"""
DECIDED = {
    (evaluable, dlts): decision
    for evaluable, row in enumerate(WITH_NOBODY_PENDING.strip().splitlines())
    for dlts, decision in enumerate(row.split())
}
COUNTS = [(n, t, p) for n, t, p in product(SIX, SIX, SIX) if t <= n and n + p <= 6]


def expected(evaluable: int, dlts: int, pending: int) -> str:
    """Two DLTs stop at once; else whoever is pending is waited for."""
    if dlts < 2 and pending:
        return "pending"
    return DECIDED[evaluable, dlts]


def test_the_table_is_whole() -> None:
    assert len(DECIDED) == 28
    assert len(COUNTS) == sum(evaluable + 1 for evaluable in SIX for _ in range(7 - evaluable))


@pytest.mark.parametrize(("evaluable", "dlts", "pending"), COUNTS)
def test_three_plus_three(evaluable: int, dlts: int, pending: int) -> None:
    """The decision now, and if everyone pending turned out without a DLT, or with one."""
    assert THREE_PLUS_THREE.decision(evaluable, dlts, pending) == expected(evaluable, dlts, pending)
    assert THREE_PLUS_THREE.best_case(evaluable, dlts, pending) == DECIDED[evaluable + pending, dlts]
    assert THREE_PLUS_THREE.worst_case(evaluable, dlts, pending) == DECIDED[evaluable + pending, dlts + pending]


@pytest.mark.parametrize(("evaluable", "dlts", "pending"), [counts for counts in COUNTS if not counts[2]])
def test_with_nobody_pending_best_and_worst_are_the_decision(evaluable: int, dlts: int, pending: int) -> None:
    decision = THREE_PLUS_THREE.decision(evaluable, dlts, pending)
    assert THREE_PLUS_THREE.best_case(evaluable, dlts, 0) == decision
    assert THREE_PLUS_THREE.worst_case(evaluable, dlts, 0) == decision


@pytest.mark.parametrize(("dlts", "hold"), [(0, False), (1, False), (2, True), (3, True), (6, True)])
def test_two_dlts_hold_the_level_whoever_is_pending(dlts: int, hold: bool) -> None:
    assert THREE_PLUS_THREE.hold(dlts) is hold


@pytest.mark.parametrize(("evaluable", "dlts", "decision"), [(7, 0, "escalate"), (9, 1, "escalate"), (9, 2, "stop")])
def test_more_than_six_subjects_are_decided_too(evaluable: int, dlts: int, decision: str) -> None:
    """A level may be backfilled."""
    assert THREE_PLUS_THREE.decision(evaluable, dlts, 0) == decision


def test_the_first_row_that_fits_decides_and_bounds_are_inclusive() -> None:
    design = CohortDesign(
        "made up", (DesignRow("stay", dlts_min=1, dlts_max=2, evaluable_min=3, evaluable_max=4), DesignRow("eliminate"))
    )
    stays = {(n, t) for n, t in product(SIX, SIX) if design.decision(n, t, 0) == "stay"}
    assert stays == {(3, 1), (3, 2), (4, 1), (4, 2)}
    assert not design.hold(6)


def test_designs_are_found_by_their_own_names() -> None:
    assert {name: design.name for name, design in DESIGNS.items()} == {"3+3": "3+3"}


# The peers say "S" (stay) for what we call expand, and name the dose that a stop leaves as recommended.
PEER_WORD = {"E": "escalate", "S": "expand", "D": "stop"}


def comparable(row: dict[str, str]) -> bool:
    """Whether only the counts of the level speak.

    Peers decide on cohorts of three or six and wait in between, which they call "S" too. They cannot escalate from the
    highest dose, nor into one that is closed: then they stop and recommend the very dose that passed.
    """
    highest = bool(row["current_dose"]) and row["current_dose"] == row["num_doses"]
    passed = row["decision"] == f"STOP_RECOMMEND_{row['current_dose']}"
    return row["design"] == "3+3" and row["n"] in ("3", "6") and not highest and not passed


def peer_rows(directory: Path) -> list[tuple[int, int, str]]:
    """Counts and decision of the 3+3 rows that can be compared."""
    with (directory / "dose" / "decisions.csv").open(encoding="utf-8", newline="") as file:
        rows = list(filter(comparable, csv.DictReader(file)))
    return [
        (
            int(row["n"]),
            int(row["dlts"]),
            "stop" if row["decision"].startswith("STOP") else PEER_WORD[row["decision"]],
        )
        for row in rows
    ]


@pytest.mark.reference_data
def test_full_cohorts_are_decided_as_by_other_packages(reference_data: Path) -> None:
    """brockk/escalation and openpharma/crmPack, as their own tests assert."""
    rows = peer_rows(reference_data)
    assert len(rows) >= 20
    assert {decision for _, _, decision in rows} == {"escalate", "expand", "stop"}
    ours = [(n, dlts, THREE_PLUS_THREE.decision(n, dlts, 0)) for n, dlts, _ in rows]
    assert [(a, b) for a, b in zip(ours, rows, strict=True) if a != b] == []
