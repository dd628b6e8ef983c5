"""Every assumption ([A]) of the specification is a setting: changed in a configuration file, it changes what is concluded."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from projections.rules.logic.trial_protocol import Assumptions
from services.trials.protocol_files import AssumptionsFile
from services.trials.protocols import find_protocol
from tests.files.command_line import assess
from tests.files.writing import FR01, Json


@pytest.fixture
def under(tmp_path: Path) -> Any:
    """What ``assess`` says under ISI-JX with some assumptions changed."""

    def judge(events: list[Json], **assumptions: Any) -> Json:
        outcome = assess(events, "--protocol", configured(tmp_path, **assumptions))
        assert outcome.code == 0, outcome.err
        return outcome.json

    return judge


def configured(directory: Path, **assumptions: Any) -> str:
    path = directory / "study.json"
    path.write_text(json.dumps({"base": "isi-jx", "assumptions": assumptions}), encoding="utf-8")
    return str(path)


def clauses(result: Json) -> dict[str, str]:
    found: dict[str, str] = result["cases"][0]["clauses"] if result["cases"] else {}
    return found


def test_every_assumption_can_be_configured() -> None:
    """And none that does not exist."""
    assert set(AssumptionsFile.model_fields) == {field.name for field in fields(Assumptions)}


def test_what_is_not_given_is_as_the_protocol_has_it(under: Any) -> None:
    events = [*FR01.treated(), FR01.ae(), FR01.visit("2017-03-20")]
    assert under(events) == assess(events).json


@pytest.mark.parametrize(("assumed", "verdict"), [(True, "met"), (False, "possible")])
def test_an_untimed_toxicity_on_day_1_counts_as_after_the_dose(under: Any, assumed: bool, verdict: str) -> None:
    """Treatment-emergent by convention; without the convention nobody knows."""
    events = [*FR01.treated(), FR01.ae(data={"onset": "2017-02-13", "end": "2017-02-14"})]
    assert clauses(under(events, untimed_on_day_1_is_after_dose=assumed)) == {"DLT-1": verdict}


@pytest.mark.parametrize("assumed", [True, False])
def test_a_timed_toxicity_on_day_1_needs_no_convention(under: Any, assumed: bool) -> None:
    """It did not begin before a dose that is timed too."""
    dose = FR01.dosed("2017-02-13T10:00:00Z")
    for onset, expected in (("2017-02-13T09:00:00Z", {}), ("2017-02-13T11:00:00Z", {"DLT-1": "met"})):
        events = [FR01.enrolled(), dose, FR01.ae(data={"onset": onset, "end": "2017-02-14"})]
        assert clauses(under(events, untimed_on_day_1_is_after_dose=assumed)) == expected


@pytest.mark.parametrize(("days", "explained"), [(0, False), (2, False), (4, True), (7, True)])
def test_a_toxicity_long_over_does_not_explain_a_stop(under: Any, days: int, explained: bool) -> None:
    """It ended on 22 February, the treatment was stopped on the 25th: between two and four days later."""
    stop = FR01.discontinued("2017-02-25", "adverse-event", "treatment")
    events = [*FR01.treated(), FR01.ae(data={"grade": 3, "end": "2017-02-22"}), stop]
    cases = [case["case"] for case in under(events, stopping_lookback_days=days)["cases"]]
    assert cases == ([] if explained else ["discontinued:adverse-event"])


@pytest.mark.parametrize(("assumed", "pending"), [(True, 1), (False, 0)])
def test_an_open_case_keeps_a_subject_pending_although_observed(under: Any, assumed: bool, pending: int) -> None:
    events = [*FR01.treated(), FR01.ae(data={"causality": ...}), FR01.visit("2017-03-20")]
    (row,) = under(events, open_case_keeps_pending=assumed)["cohorts"]
    assert (row["pending"], row["evaluable"]) == (pending, 1 - pending)


@pytest.mark.parametrize(("assumed", "pending"), [(True, 1), (False, 0)])
def test_an_open_case_keeps_a_subject_who_left_from_being_replaced(under: Any, assumed: bool, pending: int) -> None:
    events = [*FR01.treated(), FR01.ae(data={"causality": ...}), FR01.discontinued("2017-03-01", "withdrawal")]
    (row,) = under(events, replaceable_only_when_nothing_open=assumed)["cohorts"]
    assert (row["pending"], row["replaceable"]) == (pending, 1 - pending)


def test_the_delay_of_routine_alerts_is_only_carried_here(under: Any, tmp_path: Path) -> None:
    """The dispatcher will deliver by it. ``assess`` says what is true at an instant: the delay changes no verdict."""
    events = [*FR01.treated(), FR01.ae(data={"grade": ...})]
    assert clauses(under(events))["DLT-1"] == "possible"
    assert under(events, routine_delivery_delay_hours=0) == under(events, routine_delivery_delay_hours=240)
    protocol = find_protocol(configured(tmp_path, routine_delivery_delay_hours=240))
    assert protocol.assumptions == Assumptions(routine_delivery_delay_hours=240)
