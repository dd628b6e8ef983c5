"""The simulated trial: what it contains, that it is valid, and that a seed gives it again byte for byte."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections import Counter
from datetime import date
from functools import lru_cache
from typing import Any

import pytest

from services.simulator.stories import STORIES
from services.simulator.trial import PLAN, SimulatedTrial, simulate_trial
from tests.simulator.contract import GRADE_3, codec

Json = dict[str, Any]
OTHER_STARTS = (date(2016, 2, 29), date(2019, 9, 4), date(2020, 12, 27))


@lru_cache
def trial(seed: int = 1) -> SimulatedTrial:
    return simulate_trial(seed)


@lru_cache
def messages(seed: int = 1) -> list[Json]:
    return [json.loads(line) for line in trial(seed).lines()]


def of(kind: str) -> list[Json]:
    return [message for message in messages() if message["type"] == f"toxwatch.{kind}.v1"]


def arrival(message: Json) -> str:
    return str(message.get("receivedtime", message["time"]))


def test_a_seed_gives_the_same_bytes_in_any_process() -> None:
    """Also where strings hash otherwise."""
    here = hashlib.sha256(b"".join(simulate_trial(7).lines())).hexdigest()
    program = (
        "import hashlib; from services.simulator.trial import simulate_trial;"
        "print(hashlib.sha256(b''.join(simulate_trial(7).lines())).hexdigest())"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "12345", "PYTHONPATH": os.pathsep.join(sys.path)}
    there = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, check=True, text=True)
    assert there.stdout.strip() == here


def test_another_seed_gives_other_bytes() -> None:
    assert list(trial(1).lines()) != list(trial(2).lines())


def test_twenty_two_subjects_at_five_sites_on_six_dose_levels() -> None:
    enrolled = {message["subject"]: message for message in of("subject.enrolled")}
    assert len(enrolled) == 22
    assert {message["site"] for message in enrolled.values()} == {"FR01", "FR02", "FR03", "FR04", "FR05"}
    part_a = [message["data"] for message in enrolled.values() if message["data"]["part"] == "A"]
    assert Counter(data["dose_level"] for data in part_a) == {1: 3, 2: 3, 3: 6, 4: 3, 5: 3, 6: 2}
    assert len(enrolled) - len(part_a) == 2


def test_every_story_is_told_once() -> None:
    assert sorted(seat.story for seat in PLAN) == sorted(STORIES)


@pytest.mark.parametrize("seed", range(1, 6))
def test_every_line_is_valid(seed: int) -> None:
    """By the same decoder that refuses what sites send."""
    reader = codec()
    for line in trial(seed).lines():
        reader.decode(line.rstrip(b"\n"))


@pytest.mark.parametrize("start", OTHER_STARTS, ids=str)
def test_a_trial_that_starts_on_another_day_is_valid_too(start: date) -> None:
    """Whatever the weekday, and wherever the clocks change."""
    reader = codec()
    for line in simulate_trial(3, start).lines():
        reader.decode(line.rstrip(b"\n"))


def test_the_log_is_in_order_of_arrival() -> None:
    """Not of recording: some events come in late."""
    arrivals = [arrival(message) for message in messages()]
    assert arrivals == sorted(arrivals)
    recorded = [message["time"] for message in messages()]
    assert recorded != sorted(recorded)


@pytest.mark.parametrize("seed", range(1, 4))
def test_a_report_comes_in_after_its_own_revision(seed: int) -> None:
    order = [message["data"]["revision"] for message in messages(seed) if message["data"].get("ae_id") == "AE-198"]
    assert order == [2, 1]


def test_late_data_say_when_they_were_received_and_others_do_not() -> None:
    late = [message for message in messages() if "receivedtime" in message]
    assert 50 < len(late) < len(messages()) / 10
    assert all(message["receivedtime"] > message["time"] for message in late)
    assert {message["type"] for message in late} >= {"toxwatch.lab.resulted.v1", "toxwatch.ae.reported.v1"}


def test_without_received_times_a_gateway_takes_the_lines() -> None:
    assert not any(b"receivedtime" in line for line in trial().lines(received=False))


def test_some_messages_are_delivered_twice_and_nothing_else_shares_an_id() -> None:
    """Byte for byte, or with another time of receipt."""
    lines = Counter(trial().lines())
    assert sum(1 for times in lines.values() if times == 2) >= 3
    contents: dict[tuple[str, str], set[str]] = {}
    for message in messages():
        content = json.dumps({key: value for key, value in message.items() if key != "receivedtime"})
        contents.setdefault((message["source"], message["id"]), set()).add(content)
    assert all(len(different) == 1 for different in contents.values())
    assert len(messages()) - len(contents) == 8


def test_a_record_has_one_source() -> None:
    """A second one would be refused."""
    sources: dict[tuple[str, str, str], set[str]] = {}
    for message in messages():
        family = message["type"].split(".")[1]
        record = message["id"].removeprefix(f"{message['subject']}.{family}.").rpartition(".r")[0]
        sources.setdefault((message["subject"], family, record), set()).add(message["source"])
    assert all(len(each) == 1 for each in sources.values())


def test_every_kind_of_correction_occurs() -> None:
    kinds = {message["type"].removeprefix("toxwatch.").removesuffix(".v1") for message in messages()}
    assert {f"{family}.retracted" for family in ("ae", "lab", "treatment", "visit", "response")} <= kinds
    revised = {message["type"] for message in messages() if message["data"]["revision"] > 1}
    assert {"toxwatch.subject.enrolled.v1", "toxwatch.ae.reported.v1", "toxwatch.lab.resulted.v1"} <= revised
    statuses = {message["data"]["status"] for message in of("lab.resulted")}
    assert statuses == {"final", "corrected", "not-done", "unreliable"}
    assert any(len(message["data"].get("onset", "")) == 7 for message in of("ae.reported"))
    assert any(
        message["data"]["term_language"] == "fr" for message in of("ae.reported") if "term_language" in message["data"]
    )


def test_day_one_carries_a_full_panel_before_the_dose() -> None:
    drawn = [each["data"] for each in of("lab.resulted") if each["data"].get("visit_id") == "W1D1"]
    assert {data["test"] for data in drawn} == set(GRADE_3)
    assert {data["timepoint"] for data in drawn} == {"pre-dose"}


@pytest.mark.parametrize("seed", range(1, 4))
def test_no_background_result_reaches_grade_3(seed: int) -> None:
    """Save the one draw of which nobody told."""
    severe = set()
    for message in messages(seed):
        if message["type"] != "toxwatch.lab.resulted.v1" or message["data"].get("value") is None:
            continue
        data = message["data"]
        if any(beyond(data["value"], data["uln"]) for beyond in GRADE_3[data["test"]]):
            severe.add((data["lab_id"], data["test"]))
    assert severe == {("W3D1-LYM", "LYM")}


@pytest.mark.parametrize("seed", range(1, 4))
def test_only_stories_have_severe_or_serious_events(seed: int) -> None:
    """The background's complaints are numbered from 101."""
    for message in messages(seed):
        data = message["data"]
        if message["type"] == "toxwatch.ae.reported.v1" and int(data["ae_id"].removeprefix("AE-")) > 100:
            assert data["grade"] <= 2
            assert data["serious"] is False
