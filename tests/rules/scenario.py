"""Scenarios: events, an instant, and what must be true then. Shared by the tables, the properties and the reference data."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from events.codec import Codec, Logged
from events.dates import Instant, parse_instant
from projections.folds.event_ledger import EventLedger
from projections.folds.trial_projection import TrialProjection
from projections.protocols.isi_jx import PROTOCOL
from projections.rules.logic.trial_protocol import TrialProtocol

Json = dict[str, Any]


def decoded(events: Iterable[Json], protocol: TrialProtocol = PROTOCOL) -> list[Logged]:
    codec = Codec(protocol.contract)
    return [codec.decode(json.dumps(event).encode()) for event in events]


def assess(logged: Iterable[Logged], as_of: Instant | str, protocol: TrialProtocol = PROTOCOL) -> Json:
    """The verdicts from a set of events, each taken once, known by their ``time``."""
    instant = parse_instant(as_of) if isinstance(as_of, str) else as_of
    trial = TrialProjection(protocol)
    ledger = EventLedger(protocol)
    for position, (event, time, _) in enumerate(logged):
        subject: str | None = getattr(event, "subject", None)
        if ledger.first_position(subject, event) is None and ledger.foreign_owner(subject, event) is None:
            ledger.take(subject, event, position)
            if time <= instant:
                trial.fold(event, time)
    return trial.as_json(instant)


def mismatches(scenario: Json, result: Json) -> list[str]:
    """What the result says otherwise than the scenario; empty when it agrees in everything that is named."""
    found: list[str] = []
    if "expect" in scenario:
        expected = {(case["subject"], case["case"]): case for case in scenario["expect"]}
        actual = {(case["subject"], case["case"]): case for case in result["cases"]}
        found += [f"missing {key}" for key in expected.keys() - actual.keys()]
        found += [f"not expected {key}: {actual[key]['clauses']}" for key in actual.keys() - expected.keys()]
        for key in expected.keys() & actual.keys():
            found += _differences(key, expected[key], actual[key])
    rows = scenario.get("expect_cohorts") or ([scenario["expect_cohort"]] if "expect_cohort" in scenario else [])
    boards = {(row["part"], row["dose_level"]): row for row in result["cohorts"]}
    for row in rows:
        key = (row["part"], row["dose_level"])
        found += _differences(key, row, boards[key]) if key in boards else [f"no cohort {key}"]
    return found


def _differences(key: object, expected: Json, actual: Json) -> list[str]:
    instants = {"due", "last_confirmed"}
    if "evidence" in expected:
        # A scenario names its events by their ids alone.
        actual = {**actual, "evidence": [reference["id"] for reference in actual["evidence"]]}
    return [
        f"{key} {name}: {actual.get(name)!r}, expected {value!r}"
        for name, value in expected.items()
        if (_same_instant(actual.get(name), value) if name in instants else actual.get(name) == value) is False
    ]


def _same_instant(actual: str | None, expected: str | None) -> bool:
    if actual is None or expected is None:
        return actual == expected
    return parse_instant(actual) == parse_instant(expected)
