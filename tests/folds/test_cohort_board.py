"""Who is evaluable, pending or replaceable, and what a dose level's counts come to."""

from __future__ import annotations

from typing import Any

import pytest

from projections.folds.cohort_board import CohortBoard, CohortKey, CohortMembership, MembershipStatus
from projections.protocols.isi_jx import PROTOCOL
from tests.files.writing import FR01, Json
from tests.folds.charts import standing

LEVEL_1, LEVEL_2, UNASSIGNED = CohortKey("A", 1), CohortKey("A", 2), CohortKey("A", None)
OBSERVED = FR01.visit("2017-03-20")
CAUSALITY_OPEN = {"causality": ...}


def one(key: CohortKey, letter: str) -> CohortMembership:
    """A subject by its letter: N without a DLT, T with one, P pending, R replaceable."""
    status = {
        "N": MembershipStatus.EVALUABLE,
        "T": MembershipStatus.EVALUABLE,
        "P": MembershipStatus.PENDING,
        "R": MembershipStatus.REPLACEABLE,
    }[letter]
    return CohortMembership(key, status, letter == "T", "no data" if letter == "P" else None)


def board(**cohorts: str) -> CohortBoard:
    """``level_1="NNT"``, as dose finders write it."""
    made = CohortBoard(PROTOCOL)
    keys = {"level_1": LEVEL_1, "level_2": LEVEL_2, "unassigned": UNASSIGNED}
    for name, letters in cohorts.items():
        for number, letter in enumerate(letters):
            made.update(f"{name}-{number}", one(keys[name], letter))
    return made


def row(letters: str) -> Json:
    (found,) = board(level_1=letters).as_json()
    return found


@pytest.mark.parametrize(
    ("letters", "treated", "evaluable", "pending", "replaceable", "dlts"),
    [("N", 1, 1, 0, 0, 0), ("T", 1, 1, 0, 0, 1), ("P", 1, 0, 1, 0, 0), ("R", 1, 0, 0, 1, 0), ("NNTPRR", 6, 3, 1, 2, 1)],
)
def test_counts_are_of_subjects(
    letters: str, treated: int, evaluable: int, pending: int, replaceable: int, dlts: int
) -> None:
    found = row(letters)
    assert [found[key] for key in ("treated", "evaluable", "pending", "replaceable", "dlts")] == [
        treated,
        evaluable,
        pending,
        replaceable,
        dlts,
    ]


@pytest.mark.parametrize(
    ("letters", "decision", "best", "worst", "hold"),
    [
        ("PPP", "pending", "escalate", "stop", False),
        ("NPP", "pending", "escalate", "stop", False),
        ("NNP", "pending", "escalate", "expand", False),
        ("NTP", "pending", "expand", "stop", False),
        ("NN", "pending", "pending", "pending", False),
        ("NNR", "pending", "pending", "pending", False),
        ("NNN", "escalate", "escalate", "escalate", False),
        ("NNT", "expand", "expand", "expand", False),
        ("NNTP", "pending", "expand", "stop", False),
        ("TT", "stop", "stop", "stop", True),
        ("TTPPP", "stop", "stop", "stop", True),
        ("NNTNNP", "pending", "escalate", "stop", False),
        ("NNTNNN", "escalate", "escalate", "escalate", False),
    ],
)
def test_what_a_level_comes_to_now_at_best_and_at_worst(
    letters: str, decision: str, best: str, worst: str, hold: bool
) -> None:
    found = row(letters)
    assert (found["decision"], found["best_case"], found["worst_case"], found["hold"]) == (decision, best, worst, hold)


def test_without_a_level_nothing_is_decided_but_it_can_be_on_hold() -> None:
    (found,) = board(unassigned="TTN").as_json()
    assert (found["dose_level"], found["hold"], found["dlts"]) == (None, True, 2)
    assert (found["decision"], found["best_case"], found["worst_case"]) == (None, None, None)


def test_levels_ascend_and_the_one_without_comes_last() -> None:
    made = CohortBoard(PROTOCOL)
    for level in (10, None, 2, 1):
        made.update(f"s-{level}", one(CohortKey("A", level), "N"))
    assert [found["dose_level"] for found in made.as_json()] == [1, 2, 10, None]


def test_a_hold_has_a_case_of_its_own() -> None:
    assert (LEVEL_2.case, UNASSIGNED.case) == ("cohort:A/2", "cohort:A/unassigned")


def test_pending_reasons_are_given_by_subject() -> None:
    assert row("NPP")["pending_reasons"] == {"level_1-1": "no data", "level_1-2": "no data"}
    assert row("NNN")["pending_reasons"] == {}


def test_a_subject_that_changes_moves_its_own_counts_only() -> None:
    made = board(level_1="NNP", level_2="NN")
    assert made.update("level_1-2", one(LEVEL_1, "T")) == {LEVEL_1}
    assert made.as_json() == board(level_1="NNT", level_2="NN").as_json()


def test_a_subject_may_move_to_another_level() -> None:
    made = board(level_1="NN", level_2="N")
    assert made.update("level_1-0", one(LEVEL_2, "N")) == {LEVEL_1, LEVEL_2}
    assert [found["treated"] for found in made.as_json()] == [1, 2]


def test_a_standing_that_is_the_same_changes_nothing() -> None:
    assert board(level_1="NNP").update("level_1-2", one(LEVEL_1, "P")) == set()
    assert CohortBoard(PROTOCOL).update("nobody", None) == set()


def test_a_level_that_nobody_is_in_any_more_is_gone() -> None:
    made = board(level_1="T")
    assert made.update("level_1-0", None) == {LEVEL_1}
    assert (made.as_json(), made.row(LEVEL_1)) == ([], None)


SILENT = (LEVEL_2, "pending", False, "no data since day 1")
STANDINGS: list[tuple[str, list[Json], Any]] = [
    ("nothing given yet", [FR01.enrolled()], None),
    ("not given", [FR01.enrolled(), FR01.dosed(data={"status": "not-given"})], None),
    ("Part B", [*FR01.treated(part="B"), FR01.ae()], None),
    ("part not on record", FR01.treated(part=...), SILENT),
    ("no dose level", FR01.treated(dose_level=...), (UNASSIGNED, "pending", False, "no data since day 1")),
    ("not enrolled", [FR01.dosed()], (UNASSIGNED, "pending", False, "no data since day 1")),
    ("partly given", [FR01.enrolled(), FR01.dosed(data={"status": "partial"})], SILENT),
    ("a DLT", [*FR01.treated(), FR01.ae()], (LEVEL_2, "evaluable", True, None)),
    ("observed on day 36", [*FR01.treated(), OBSERVED], (LEVEL_2, "evaluable", False, None)),
    (
        "observed on day 35",
        [*FR01.treated(), FR01.visit("2017-03-19")],
        (LEVEL_2, "pending", False, "no data since day 35"),
    ),
    (
        "a result on day 36",
        [*FR01.treated(), FR01.lab(data={"collected": "2017-03-20"})],
        (LEVEL_2, "evaluable", False, None),
    ),
    (
        "a dose on day 36",
        [*FR01.treated(), FR01.dosed("2017-03-20", data={"administration_id": "A-2"}, time="2017-03-21T00:00:00Z")],
        (LEVEL_2, "evaluable", False, None),
    ),
    (
        "an administration that was not given on day 36",
        [
            *FR01.treated(),
            FR01.dosed(
                "2017-03-20", data={"administration_id": "A-2", "status": "not-given"}, time="2017-03-21T00:00:00Z"
            ),
        ],
        SILENT,
    ),
    ("a missed visit", [*FR01.treated(), FR01.visit("2017-03-20", data={"status": "missed"})], SILENT),
    ("a result not done", [*FR01.treated(), FR01.lab(data={"collected": "2017-03-20", "status": "not-done"})], SILENT),
    (
        "observed some time in March",
        [*FR01.treated(), FR01.visit("2017-03")],
        (LEVEL_2, "pending", False, "no data since day 17"),
    ),
    ("an AE alone is no observation", [*FR01.treated(), FR01.ae(data={"grade": 1})], SILENT),
    (
        "observed and open",
        [*FR01.treated(), OBSERVED, FR01.ae(data=CAUSALITY_OPEN)],
        (LEVEL_2, "pending", False, "ae:AE-1 is open: DLT-1 possible"),
    ),
    (
        "left on day 10",
        [*FR01.treated(), FR01.discontinued("2017-02-22", "withdrawal")],
        (LEVEL_2, "replaceable", False, None),
    ),
    (
        "left on day 35",
        [*FR01.treated(), FR01.discontinued("2017-03-19", "withdrawal")],
        (LEVEL_2, "replaceable", False, None),
    ),
    ("left on day 36", [*FR01.treated(), FR01.discontinued("2017-03-20", "withdrawal")], SILENT),
    ("left the treatment only", [*FR01.treated(), FR01.discontinued("2017-02-22", "other", "treatment")], SILENT),
    ("left, entered in error", [*FR01.treated(), FR01.discontinued("2017-02-22", "other", retracted=True)], SILENT),
    (
        "left with an open case",
        [*FR01.treated(), FR01.discontinued("2017-02-22", "withdrawal"), FR01.ae(data=CAUSALITY_OPEN)],
        (LEVEL_2, "pending", False, "ae:AE-1 is open: DLT-1 possible"),
    ),
    (
        "observed, and overruled while open",
        [
            *FR01.treated(),
            OBSERVED,
            FR01.ae(data=CAUSALITY_OPEN, time="2017-03-19T00:00:00Z"),
            FR01.adjudicated("not-dlt"),
        ],
        (LEVEL_2, "evaluable", False, None),
    ),
    (
        "observed, and overruled",
        [*FR01.treated(), OBSERVED, FR01.ae(time="2017-03-19T00:00:00Z"), FR01.adjudicated("not-dlt")],
        (LEVEL_2, "evaluable", False, None),
    ),
]


@pytest.mark.parametrize(("name", "events", "expected"), STANDINGS, ids=[name for name, _, _ in STANDINGS])
def test_how_a_subject_counts(name: str, events: list[Json], expected: Any) -> None:
    """rules.md §5: a silent site never completes a window."""
    found = standing(events)
    told = found and (found.cohort, found.status.value, found.has_dlt, found.pending_reason)
    assert told == expected


def test_two_dlts_of_one_subject_count_once() -> None:
    found = standing([*FR01.treated(), FR01.ae(), FR01.ae("AE-2", data={"term": "Colitis"})])
    assert found is not None
    made = CohortBoard(PROTOCOL)
    made.update("FR01-001", found)
    assert made.as_json()[0]["dlts"] == 1
