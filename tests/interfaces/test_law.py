"""The law: ``export | assess`` and ``assessment`` say the same, at every instant, on both axes, after a hostile day."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.interfaces.live import SITES, Commands, Live, running
from tests.interfaces.messages import LINES, Event, adjudicated, ae, ago, enrolled, event, new_subject, text, treated

pytestmark = pytest.mark.xdist_group("interfaces-law")

LAWFUL = ("cases", "cohorts", "lab_grades", "queries", "events", "protocol", "protocol_version", "as_of")


@pytest.fixture(scope="module")
def live(toxwatch: Commands, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A Toxwatch of its own, whose whole log is this day."""
    with running(tmp_path_factory.mktemp("law"), toxwatch) as deployment:
        yield deployment


def canonical(found: Any) -> Any:
    """Lists in one order, all the way down."""
    if isinstance(found, dict):
        return {name: canonical(value) for name, value in found.items()}
    if isinstance(found, list):
        return sorted((canonical(value) for value in found), key=lambda value: json.dumps(value, sort_keys=True))
    return found


def simulated(live: Live, directory: Path) -> list[Event]:
    """A few subjects of a simulated trial, those of the three sites that have keys here."""
    path = directory / "trial.ndjson"
    assert live.toxwatch("simulate", "--seed", "11", "--out", path).code == 0
    events = [json.loads(line) for line in path.read_text().splitlines()]
    subjects = sorted({found["subject"] for found in events if found["site"] in SITES})[:4]
    return [found for found in events if found["subject"] in subjects]


def hostile(events: list[Event], dice: random.Random) -> list[Event]:
    """The day: out of order, with duplicates, conflicts, wrong revisions, retractions, second sources, and nonsense."""
    day = list(events)
    for found in dice.sample(events, 80):
        data = found["data"]
        day.append(found)
        day.append({**found, "data": {**data, "revision": data["revision"] + 1}})
        day.append({**found, "id": f"{found['id']}-b", "data": {**data, "revision": dice.randint(1, 3)}})
        day.append({**found, "source": f"{found['source']}-2", "id": f"{found['id']}-c"})
        day.append({**found, "id": f"{found['id']}-d", "data": {**data, "unheard": 1}})
    severe = [found for found in events if found["type"] == "toxwatch.ae.reported.v1"]
    for number, found in enumerate(dice.sample(severe, min(12, len(severe)))):
        retraction = {"ae_id": found["data"]["ae_id"], "revision": dice.choice([1, 2, 9]), "reason": "entered in error"}
        day.append({**found, "id": f"retract-{number}", "type": "toxwatch.ae.retracted.v1", "data": retraction})
        day.append(ruling(found, number, dice))
    dice.shuffle(day)
    return day


def ruling(found: Event, number: int, dice: random.Random) -> Event:
    """An adjudication of a toxicity, signed by some, decided when it was recorded."""
    parties = dice.choice([["investigator"], ["investigator", "sponsor"], ["committee"], []])
    decided = found["time"]
    return adjudicated(
        found["subject"],
        {
            "adjudication_id": f"R-{number}",
            "case": f"ae:{found['data']['ae_id']}",
            "verdict": dice.choice(["dlt", "not-dlt"]),
            "decided": decided,
            "signatures": [{"party": party, "by": "U-1", "at": decided} for party in parties],
        },
        time=decided,
    )


def play(live: Live, day: list[Event]) -> dict[str, int]:
    """Send the day in its order, site by site, in requests of uneven size; how often each status was answered."""
    counted: dict[str, int] = defaultdict(int)
    senders: dict[str, list[Event]] = defaultdict(list)
    for found in day:
        senders["sponsor" if found["source"].startswith("urn:sponsor:") else found["site"]].append(found)
    for who, events in senders.items():
        for start in range(0, len(events), 97):
            answer = live.send(events[start : start + 97], who, LINES)
            for result in answer.json()["results"]:
                counted[result["status"]] += 1
    return counted


def today(live: Live) -> None:
    """Toxicities of this week, so that time has something to do: one due in the past, one in days."""
    subject = new_subject()
    live.accept(
        enrolled(subject, {"dose_level": 1}),
        treated(subject),
        ae(subject, {"grade": 3, "onset": text(ago(days=6)), "ongoing": True}),
        ae(subject, {"ae_id": "AE-2", "grade": None, "term": "Rash"}, time=text(ago(days=1))),
        event("ae.retracted", subject, {"ae_id": "AE-7", "reason": "never reported"}),
    )


@pytest.fixture(scope="module")
def exported(live: Live, tmp_path_factory: pytest.TempPathFactory) -> list[Event]:
    """The log after the hostile day."""
    day = hostile(simulated(live, tmp_path_factory.mktemp("simulated")), random.Random(20170301))
    counted = play(live, day)
    assert min(counted[status] for status in ("accepted", "duplicate", "refused")) > 20, counted
    today(live)
    live.settle()
    return live.toxwatch("export", "--data", live.data).ndjson


def instants(exported: list[Event]) -> list[str]:
    """In the middle of what was recorded, and of what was received; and times to come."""
    times = sorted({datetime.fromisoformat(found["time"]) for found in exported})
    received = sorted({datetime.fromisoformat(found["receivedtime"]) for found in exported})
    chosen = [times[len(times) // 3], times[2 * len(times) // 3], received[len(received) // 2], ago(days=-3)]
    return [*(text(found.astimezone(UTC)) for found in chosen), "2100-01-01T00:00:00Z"]


@pytest.mark.parametrize("axis", ["recorded", "received"])
def test_the_log_and_the_projections_say_the_same(live: Live, exported: list[Event], axis: str) -> None:
    """In cases, cohorts, grades and queries; nothing that is in the log is refused by `assess`."""
    log = "".join(json.dumps(found) + "\n" for found in exported)
    for instant in instants(exported):
        asked = ("--as-of", instant, "--as-of-axis", axis, "--format", "json")
        assessed = live.toxwatch("assess", "-", *asked, stdin=log)
        stored = live.toxwatch("assessment", *asked, "--data", live.data)
        over_http = live.get("/v1/assessment", as_of=instant, as_of_axis=axis)
        assert (assessed.code, stored.code, over_http.status_code) == (0, 0, 200), (instant, assessed.stderr)
        assert assessed.json["refused"] == stored.json["refused"] == []
        for part in LAWFUL:
            expected = canonical(assessed.json[part])
            assert canonical(stored.json[part]) == expected, (instant, part)
            assert canonical(over_http.json()[part]) == expected, (instant, part)


def test_the_day_was_hostile(live: Live, exported: list[Event]) -> None:
    """There is something to be right about: verdicts of every kind, overruled ones, queries, and cohorts."""
    found = live.toxwatch("assessment", "--format", "json", "--data", live.data).json
    assert {"met", "possible", "watch"} <= {case["verdict"] for case in found["cases"]}
    assert any(case["overruled"] for case in found["cases"])
    assert found["queries"]
    assert found["cohorts"]


def test_open_alerts_are_what_the_assessment_says(live: Live, exported: list[Event]) -> None:
    """A case that is met or possible and not overruled has an open alert with that verdict; nothing else has one.

    The simulated subjects are judged live at the last thing that is known of them, and today nothing more comes of time.
    """
    found = live.get("/v1/assessment", as_of_axis="received").json()
    expected = {
        (case["subject"], case["case"]): case["verdict"]
        for case in found["cases"]
        if case["verdict"] in ("met", "possible") and not case["overruled"]
    }
    alerts = {
        (alert["subject"], alert["case"]): alert["verdict"]
        for alert in live.alerts(state="open")
        if alert["case"].split(":")[0] not in ("intake", "cohort", "unwatched", "undelivered")
    }
    assert alerts.items() == expected.items()


def test_verify_finds_nothing(live: Live, exported: list[Event]) -> None:
    """Rebuilt from the log, every stored row is the same."""
    ran = live.toxwatch("verify", "--data", live.data)
    assert ran.code == 0, ran.stdout + ran.stderr


def test_what_is_exported_is_what_was_sent(live: Live, exported: list[Event]) -> None:
    """The sender's event and ``receivedtime``; no id twice for a subject and source; positions that a range finds."""
    identities = [(found.get("subject"), found["source"], found["id"]) for found in exported]
    assert len(identities) == len(set(identities))
    assert all("receivedtime" in found for found in exported)
    whole = live.toxwatch("export", "--data", live.data).stdout.splitlines()
    part = live.toxwatch("export", "--from", "0/5", "--to", "0/9", "--data", live.data).stdout.splitlines()
    assert part == whole[5:10]
