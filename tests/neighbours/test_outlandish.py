"""Outlandish but valid events of site A, all the way to the alert, on either database; site B is served meanwhile.

``TOXWATCH_FUZZ_EVENTS`` sets how many (``make fuzz``: 100,000 on each database), ``TOXWATCH_FUZZ_SEED`` which.
"""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path
from typing import Final

import httpx2
import pytest

from services.platform import time_source
from tests.crash.deployment import Deployment, eventually
from tests.crash.settling import unsettled
from tests.neighbours.neighbour import System, embedded, neighbour
from tests.neighbours.outlandish import SITE, Outlandish

pytestmark = pytest.mark.slow

EVENTS: Final = int(os.environ.get("TOXWATCH_FUZZ_EVENTS", "1000"))
SEED: Final = int(os.environ.get("TOXWATCH_FUZZ_SEED", "11"))
MUST_NOT_BE_LOGGED: Final = ("subject_parked", "alert_event_unreadable", "intake_failed", "stalled")
AT_ONCE: Final = 100
EVENTS_PER_SUBJECT: Final = 20
SETTLE_SECONDS_MAX: Final = 600.0


def _post(system: System, key: str, lines: list[bytes]) -> list[str]:
    """Send events as one request; each is answered for itself."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/x-ndjson"}
    answer = httpx2.post(f"{system.url}/v1/events", content=b"\n".join(lines), headers=headers, timeout=120)
    assert answer.status_code in (202, 207, 422), f"{answer.status_code} {answer.text[:500]}"
    results = answer.json()["results"]
    assert len(results) == len(lines)
    assert all(result.get("error") for result in results if result["status"] == "refused")
    return [result["status"] for result in results]


def _await_judged(deployment: Deployment) -> None:
    """Wait until everything is judged. That every alert of site A's has been delivered would take the receivers longer."""
    until = time_source.now()

    def left() -> list[str]:
        with deployment.database() as database:
            return [what for what in unsettled(database, until) if what.startswith("the monitor")]

    eventually(lambda: not left(), SETTLE_SECONDS_MAX, left)


def test_outlandish_events_reach_the_alert_and_hurt_nobody(tmp_path: Path, database_url: str) -> None:
    """None is answered 5xx, none meets a bug, no subject is parked, everything is judged, and site B's alerts are in time."""
    drawn = Outlandish(SEED, max(10, EVENTS // EVENTS_PER_SUBJECT)).events(EVENTS)
    answers: list[str] = []
    with embedded(tmp_path, database_url) as system:
        assert isinstance(system.running, Deployment)
        key = system.make_keys([SITE])[SITE]
        with neighbour(system) as site_b:
            while lines := list(islice(drawn, AT_ONCE)):
                answers += _post(system, key, lines)
        _await_judged(system.running)
        assert system.unready() == []
        assert system.running.unforeseen() == []
        assert [line for line in system.running.logged() if line.get("event") in MUST_NOT_BE_LOGGED] == []
    taken = answers.count("accepted")
    print(
        f"\n{len(answers)} events, {taken} accepted; {len(site_b.delays)} alerts of the neighbour's, worst {site_b.worst:.2f} s"
    )
    assert taken > len(answers) / 2
