"""A protocol with amendments: verdicts depend on the set of events and on nothing else, and each version judges its own."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import reduce
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.codec import Codec, Logged
from events.envelope import SubjectEvent
from projections.folds.trial_projection import TrialProjection
from projections.protocols.isi_jx import PROTOCOL
from services.trials.protocol_files import AmendmentFile, amended
from tests.properties.arrivals import arrivals, verdicts
from tests.properties.draws import Draw
from tests.properties.timelines import random_timeline
from tests.rules.scenario import decoded

Json = dict[str, Any]

#: A shorter window, fewer drugs and another grading; then all parts count, and the window is longer than ever.
AMENDMENTS: Final[list[Json]] = [
    {"version": "2", "effective": "2017-02-10", "window_days": 14, "drugs": ["pexa-vec"], "ctcae_version": "5.0"},
    {
        "version": "3",
        "effective": "2017-06-01",
        "window_days": 50,
        "drugs": list(PROTOCOL.drugs),
        "part": [{"name": part.name, "counted": True} for part in PROTOCOL.parts],
    },
]
AMENDED: Final = reduce(
    lambda protocol, each: amended(protocol, AmendmentFile.model_validate(each), None), AMENDMENTS, PROTOCOL
)
CODEC: Final = Codec(AMENDED.contract)
few = settings(max_examples=4, derandomize=True, database=None, deadline=None)
SEEDS: Final = range(40)


def amended_timeline(seed: int) -> list[Logged]:
    """A random timeline whose enrolments lie before, across and after the amendments, or name a version, or are revised."""
    draw = Draw(seed)
    events: list[Json] = []
    for event, _, _ in random_timeline(seed):
        written: Json = json.loads(CODEC.encode(event))
        if written["type"] == "toxwatch.subject.enrolled.v1":
            data = written["data"]
            data["protocol_version"] = draw.one_of([None, None, "1", "2", "3", "none of ours"])
            if draw.chance(0.3):
                data["enrolled"] = draw.one_of(["2016", data["enrolled"][:4], data["enrolled"][:7]])
            if draw.chance(0.5):
                again = {**data, "revision": data["revision"] + 50, "protocol_version": draw.one_of([None, "1", "3"])}
                events.append({**written, "id": f"{written['id']}-again", "data": again})
        events.append(written)
    return decoded(draw.shuffled(events), AMENDED)


@pytest.mark.parametrize("seed", SEEDS[:12])
@few
@given(data=st.data())
def test_with_three_versions_the_order_of_arrival_changes_nothing(seed: int, data: st.DataObject) -> None:
    """Nor do redeliveries, nor where batches are cut."""
    logged = amended_timeline(seed)
    arrival = data.draw(arrivals(len(logged)))
    as_of = data.draw(st.sampled_from(sorted({time for _, time, _ in logged})))
    assert verdicts(arrival.of(logged), as_of, AMENDED) == verdicts([logged], as_of, AMENDED)


@pytest.mark.parametrize("seed", SEEDS)
def test_each_version_judges_as_it_would_alone(seed: int) -> None:
    """Of a subject whose version is known, an amended protocol says what that version by itself says."""
    events = amended_timeline(seed)
    trial = TrialProjection(AMENDED)
    for event, time, received in events:
        trial.fold(event, time, received)
    until = max(logged.time for logged in events)
    cases = verdicts([events], until, AMENDED)["cases"]
    for subject, chart in trial.charts.items():
        if len(chart.judging.versions) > 1:
            continue
        (version,) = chart.judging.versions
        own = [
            logged for logged in events if isinstance(logged.event, SubjectEvent) and logged.event.subject == subject
        ]
        alone = replace(version, earlier=(), effective=None)
        found = [case for case in cases if case["subject"] == subject]
        assert found == verdicts([own], until, alone)["cases"], (subject, version.version)


def test_the_timelines_meet_what_they_are_for() -> None:
    """Every version judges somebody, and of some it is not known which does."""
    judging = set()
    for seed in SEEDS:
        trial = TrialProjection(AMENDED)
        for event, time, received in amended_timeline(seed):
            trial.fold(event, time, received)
        judging |= {chart.judging.names for chart in trial.charts.values()}
    assert {("1",), ("2",), ("3",), ("1", "2"), ("1", "2", "3")} <= judging
