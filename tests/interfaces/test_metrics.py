"""What is measured, on its own address: every name that operating.md promises, and no subject in a label."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from tests.interfaces.live import Live
from tests.interfaces.messages import LINES, ae, enrolled, new_subject, treated, visit

pytestmark = pytest.mark.xdist_group("interfaces")

PROMISED = {
    "toxwatch_events_total": {"type", "outcome"},
    "toxwatch_event_to_alert_seconds_bucket": {"le"},
    "toxwatch_detection_delay_seconds_bucket": {"le"},
    "toxwatch_alerts_total": {"verdict", "action"},
    "toxwatch_open_cases": {"verdict"},
    "toxwatch_deadlines_overdue": set(),
    "toxwatch_deliveries_total": {"channel", "outcome"},
    "toxwatch_oldest_undelivered_seconds": set(),
    "toxwatch_oldest_unacknowledged_seconds": set(),
    "toxwatch_log_lag_events": {"partition"},
    "toxwatch_dead_letters_total": {"reason"},
    "toxwatch_site_silence_seconds": {"site"},
    "toxwatch_build_info": {"version"},
}


def scraped(live: Live) -> str:
    """The page that Prometheus reads."""
    answer = live.client.get(f"http://127.0.0.1:{live.metrics_port}/metrics")
    assert answer.status_code == 200
    return answer.text


def samples(page: str) -> list[tuple[str, dict[str, str], float]]:
    found = re.findall(r"^(\w+)(?:\{(.*)\})? (\S+)$", page, re.MULTILINE)
    return [(name, dict(re.findall(r'(\w+)="([^"]*)"', labels)), float(value)) for name, labels, value in found]


def counted(live: Live, outcome: str) -> float:
    return sum(
        value for name, labels, value in samples(scraped(live)) if labels.get("outcome") == outcome and "events" in name
    )


def test_every_promised_metric_is_there(live: Live) -> None:
    """With its labels, and none that names a subject."""
    subject = new_subject()
    live.accept(enrolled(subject), treated(subject), ae(subject))
    live.send(visit(subject, {"status": "unheard-of"}))
    live.alert("ae:AE-1", subject=subject)
    live.settle()
    page = scraped(live)
    seen: dict[str, set[str]] = {}
    for name, labels, _ in samples(page):
        seen.setdefault(name, set()).update(labels)
    assert PROMISED.keys() <= seen.keys()
    for name, promised in PROMISED.items():
        assert promised <= seen[name], name
    assert not re.search(r"FR[0-9]{2}-", page)


def test_each_outcome_is_counted_once(live: Live) -> None:
    """Two accepted, one duplicate, one refused."""
    before = {outcome: counted(live, outcome) for outcome in ("accepted", "duplicate", "refused")}
    subject = new_subject()
    events = [visit(subject), visit(subject, {"visit_id": "V-2"})]
    live.send([*events, events[0], ae(subject, {"grade": 7})], kind=LINES)
    grown = {outcome: counted(live, outcome) - count for outcome, count in before.items()}
    assert grown == {"accepted": 2, "duplicate": 1, "refused": 1}


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool (Debian: prometheus) is not installed here")
def test_prometheus_s_own_tool_finds_no_fault(live: Live) -> None:
    """Names, types, units and help."""
    ran = subprocess.run(
        ["promtool", "check", "metrics"], input=scraped(live), capture_output=True, text=True, timeout=30, check=False
    )
    assert (ran.returncode, ran.stdout + ran.stderr) == (0, "")
