"""Verdicts depend on the set of events known and on nothing else (rules.md §2).

Not on the order of arrival, on redeliveries, on where batches are cut, on being asked in between, or on the offset in which
somebody's clock writes the same instant.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from events.codec import Codec
from events.dates import parse_instant
from projections.folds.trial_projection import TrialProjection
from projections.protocols.isi_jx import PROTOCOL
from tests.properties.arrivals import Arrival, arrivals, first_come, in_other_offsets, verdicts
from tests.properties.timelines import random_timeline
from tests.rules.scenario import decoded
from tests.rules.scenario_files import load_all

Json = dict[str, Any]

SCENARIOS = {scenario["id"]: scenario for scenario in load_all()}
#: The same examples on every machine, and few of each, for there are hundreds of scenarios.
few = settings(
    max_examples=6, derandomize=True, database=None, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
CODEC = Codec(PROTOCOL.contract)


@pytest.mark.parametrize("name", SCENARIOS)
@few
@given(data=st.data())
def test_a_scenario_ends_alike_however_its_events_arrive(name: str, data: st.DataObject) -> None:
    """Where the first in the log must stand, the order is kept."""
    events, as_of = SCENARIOS[name]["events"], parse_instant(SCENARIOS[name]["as_of"])
    arrival = data.draw(arrivals(len(events), any_order=not first_come(events)))
    plain = verdicts([decoded(events)], as_of)
    rewritten = decoded(in_other_offsets(events, arrival.offsets))
    assert verdicts(arrival.of(rewritten), as_of) == plain


@pytest.mark.parametrize("seed", range(150))
@few
@given(data=st.data())
def test_a_random_timeline_ends_alike_however_its_events_arrive(seed: int, data: st.DataObject) -> None:
    """At the end, and at any instant before it."""
    logged = random_timeline(seed)
    events = [json.loads(CODEC.encode(event)) for event, _, _ in logged]
    arrival = data.draw(arrivals(len(events)))
    as_of = data.draw(st.sampled_from(sorted({time for _, time, _ in logged})))
    rewritten = decoded(in_other_offsets(events, arrival.offsets))
    assert verdicts(arrival.of(rewritten), as_of) == verdicts([logged], as_of)


@pytest.mark.parametrize("seed", range(150, 200))
def test_a_projection_takes_no_harm_from_duplicates_that_no_ledger_held_back(seed: int) -> None:
    """A chart is a function of the set of events, not of how often each was folded."""
    logged = random_timeline(seed)
    once, twice = TrialProjection(PROTOCOL), TrialProjection(PROTOCOL)
    for event, time, _ in logged:
        once.fold(event, time)
    for event, time, _ in [*logged, *reversed(logged)]:
        twice.fold(event, time)
    until = max(time for _, time, _ in logged)
    assert twice.as_json(until) == once.as_json(until)


def test_what_is_rewritten_is_another_text_and_the_same_instants() -> None:
    events = [
        {"time": "2017-03-05T08:30:00.5+01:00", "data": {"onset": "2017-03-05", "steps": ["2017-03-05T00:00:00Z"]}}
    ]
    assert in_other_offsets(events, [-300, 60]) == [
        {
            "time": "2017-03-05T02:30:00.500000-05:00",
            "data": {"onset": "2017-03-05", "steps": ["2017-03-05T01:00:00+01:00"]},
        }
    ]


def test_batches_hold_every_arrival_in_its_order() -> None:
    assert Arrival([2, 0, 1, 0], {1, 3}, [0]).of("abc") == [["c"], ["a", "b"], ["a"]]


def test_nearly_every_scenario_may_come_in_any_order() -> None:
    """Save those about the two declared exceptions."""
    in_order = {name for name, scenario in SCENARIOS.items() if first_come(scenario["events"])}
    assert in_order == {"v-second-source-refused", "v-same-id-other-content"}
