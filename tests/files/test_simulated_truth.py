"""The simulated trial: what its plan meant, which was written without the rules, is what is concluded from its events."""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from events.codec import Logged
from events.dates import parse_instant
from projections.folds.trial_projection import TrialProjection
from projections.protocols.isi_jx import PROTOCOL
from services.files.event_files import EventFiles
from services.files.intake import FileIntake
from services.files.log_reading import known_at
from services.simulator.trial import simulate_trial
from services.simulator.truth import truth_of
from services.terminal.options import Axis

Json = dict[str, Any]
TRIALS = [(1, date(2017, 2, 6)), (7, date(2018, 9, 3)), (42, date(2020, 1, 13))]


class Played(NamedTuple):
    """The log as the intake lets it through, and the truth."""

    log: list[Logged]
    refused: int
    duplicates: int
    truth: Json


@lru_cache
def played(seed: int, start: date, directory: Path) -> Played:
    trial = simulate_trial(seed, start)
    path = directory / f"{seed}.ndjson"
    path.write_bytes(b"".join(trial.lines()))
    with EventFiles([str(path)]) as files:
        intake = FileIntake(PROTOCOL, files)
        log = list(intake.events())
    return Played(log, len(intake.refused), intake.duplicates, dict(truth_of(trial)))


@pytest.fixture(scope="module", params=TRIALS, ids=lambda trial: f"seed {trial[0]} from {trial[1]}")
def play(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Played:
    return played(*request.param, tmp_path_factory.mktemp("simulated"))


def assessed(log: list[Logged], rows: list[Json]) -> dict[tuple[str, str], Json]:
    """What ``assess`` says at each instant and on each axis that the rows name."""
    found: dict[tuple[str, str], Json] = {}
    for as_of, axis in {(row["as_of"], row["axis"]) for row in rows}:
        instant = parse_instant(as_of)
        trial = TrialProjection(PROTOCOL)
        for logged in known_at(iter(log), instant, Axis(axis)):
            trial.fold(logged.event, logged.time)
        found[as_of, axis] = trial.as_json(instant)
    return found


def test_nothing_of_it_is_refused_and_every_redelivery_is_a_duplicate(play: Played) -> None:
    assert play.refused == 0
    assert play.duplicates == 8
    assert len(play.log) + play.duplicates == play.truth["lines"]


def test_every_case_stands_as_the_plan_meant_it(play: Played) -> None:
    rows = [*play.truth["checks"], *play.truth["laboratory_checks"]]
    results = assessed(play.log, rows)
    wrong = []
    for row in rows:
        cases = results[row["as_of"], row["axis"]]["cases"]
        (case,) = [each for each in cases if (each["subject"], each["case"]) == (row["subject"], row["case"])] or [{}]
        wrong += [
            (row["subject"], row["case"], row["as_of"], key, case.get(key), value)
            for key, value in row.items()
            if key not in ("as_of", "axis", "due") and case.get(key) != value
        ]
        if row.get("due") is not None:
            assert parse_instant(case["due"]) == parse_instant(row["due"]), row
    assert len(rows) >= 30
    assert wrong == []


def test_who_should_be_silent_is_silent(play: Played) -> None:
    rows = play.truth["silent"]
    results = assessed(play.log, rows)
    loud = [
        (row["subject"], row["as_of"], case["case"])
        for row in rows
        for case in results[row["as_of"], row["axis"]]["cases"]
        if case["subject"] == row["subject"]
    ]
    assert len(rows) > 20
    assert loud == []


def test_every_level_is_decided_as_the_plan_meant_it(play: Played) -> None:
    rows = play.truth["cohorts"]
    results = assessed(play.log, rows)
    for row in rows:
        boards = results[row["as_of"], row["axis"]]["cohorts"]
        (board,) = (each for each in boards if (each["part"], each["dose_level"]) == (row["part"], row["dose_level"]))
        claimed = {key: value for key, value in row.items() if key not in ("as_of", "axis")}
        assert {key: board[key] for key in claimed} == claimed, row["as_of"]


def test_the_truth_is_compared_with_something_that_can_differ(play: Played) -> None:
    """Without the adverse events nothing of it would stand."""
    mild = [logged for logged in play.log if logged.event.record_kind != "ae"]
    rows = [row for row in play.truth["checks"] if row["case"].startswith("ae:")]
    for result in assessed(mild, rows[:5]).values():
        assert not [case for case in result["cases"] if case["verdict"] == "met"]
