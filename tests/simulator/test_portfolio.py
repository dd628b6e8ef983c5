"""The load for benchmarks: exactly as large as asked, valid, and of a realistic mixture."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from services.simulator.portfolio import Load, simulate_portfolio
from tests.simulator.contract import codec


def test_a_load_gives_the_same_bytes_again() -> None:
    load = Load(seed=4, subjects=20, events=5_000)
    assert list(simulate_portfolio(load)) == list(simulate_portfolio(load))
    assert list(simulate_portfolio(load)) != list(simulate_portfolio(Load(seed=5, subjects=20, events=5_000)))


@pytest.mark.parametrize(
    ("subjects", "events"), [(1, 1), (3, 3), (7, 20), (5, 499), (10, 1_001), (40, 12_345), (2, 6_000)]
)
def test_it_has_exactly_as_many_lines_and_subjects_as_asked(subjects: int, events: int) -> None:
    lines = list(simulate_portfolio(Load(1, subjects, events)))
    assert len(lines) == events
    assert len({json.loads(line)["subject"] for line in lines}) == subjects


def test_every_line_is_valid() -> None:
    reader = codec()
    for line in simulate_portfolio(Load(2, 50, 20_000)):
        reader.decode(line.rstrip(b"\n"))


def test_the_mixture_is_mostly_laboratory_then_visits_then_the_rest() -> None:
    messages = [json.loads(line) for line in simulate_portfolio(Load(3, 100, 40_000))]
    kinds = Counter(message["type"].split(".")[1] for message in messages)
    assert [kind for kind, _ in kinds.most_common(3)] == ["lab", "visit", "ae"]
    assert kinds["lab"] > 0.8 * len(messages)
    assert 0 < kinds["dlt"] < kinds["ae"] / 20
    events = [message["data"] for message in messages if message["type"] == "toxwatch.ae.reported.v1"]
    severe = sum(1 for data in events if data["grade"] >= 3)
    assert 0.05 * len(events) < severe < 0.35 * len(events)
    assert any(data["revision"] > 1 for data in events)


def test_subjects_are_spread_over_sites_and_cohorts() -> None:
    messages = [json.loads(line) for line in simulate_portfolio(Load(3, 500, 5_000))]
    assert len({message["site"] for message in messages}) == 99
    enrolled = [message["data"] for message in messages if message["type"] == "toxwatch.subject.enrolled.v1"]
    assert len({data["dose_level"] for data in enrolled}) > 80
    assert {data["part"] for data in enrolled} == {"A", "B"}


def test_lines_are_in_order_of_arrival_and_some_come_twice() -> None:
    lines = list(simulate_portfolio(Load(3, 20, 8_000)))
    messages = [json.loads(line) for line in lines]
    arrivals = [message.get("receivedtime", message["time"]) for message in messages]
    assert arrivals == sorted(arrivals)
    assert len(lines) - len(set(lines)) == 16
    assert len({(message["source"], message["id"]) for message in messages}) == len(set(lines))


@pytest.mark.parametrize(("subjects", "events"), [(0, 10), (10, 9), (1, 20_001)])
def test_a_load_that_cannot_be_is_refused(subjects: int, events: int) -> None:
    with pytest.raises(ValueError, match=r"subjects|event"):
        Load(1, subjects, events)


@pytest.mark.slow
def test_a_single_subject_with_very_many_events_is_valid() -> None:
    reader = codec()
    for line in simulate_portfolio(Load(2, 1, 20_000)):
        reader.decode(line.rstrip(b"\n"))
