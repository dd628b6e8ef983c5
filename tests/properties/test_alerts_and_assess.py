"""What an alert says and what ``assess`` says never differ: over every scenario, with a clock that ticks as the live one does."""

from __future__ import annotations

from typing import Any

import pytest

from events.alert import AlertData
from events.dates import Instant, parse_instant
from projections.folds.event_ledger import EventLedger
from projections.protocols.isi_jx import PROTOCOL
from tests.properties.passing_time import WatchedSubject
from tests.properties.test_order_and_duplication import SCENARIOS
from tests.rules.scenario import assess, decoded

Json = dict[str, Any]
Said = tuple[Any, ...]


def told(events: list[Json], as_of: Instant) -> dict[tuple[str, str], AlertData]:
    """The open alerts of every subject once these events have come and time has passed until an instant."""
    subjects: dict[str, WatchedSubject] = {}
    ledger = EventLedger(PROTOCOL)
    for position, logged in enumerate(decoded(events)):
        event = logged.event
        subject: str | None = getattr(event, "subject", None)
        if subject is None or logged.time > as_of:
            continue
        if ledger.first_position(subject, event) is None and ledger.foreign_owner(subject, event) is None:
            ledger.take(subject, event, position)
            subjects.setdefault(subject, WatchedSubject(subject)).take(logged)
    for watched in subjects.values():
        list(watched.tick(as_of))
    return {
        (name, case): standing.open
        for name, watched in subjects.items()
        for case, standing in watched.standing.alerts.items()
        if standing.open is not None
    }


def said_by_alert(alert: AlertData) -> Said:
    clauses = {clause: verdict for clause, verdict in alert.clauses.items() if verdict != "watch"}
    evidence = sorted((ref.source, ref.id) for ref in alert.evidence)
    return (
        (alert.verdict, clauses, alert.urgency, alert.population, alert.dose_level, alert.counts_as_dlt),
        (sorted(set(alert.questions)), evidence),
    )


def said_by_assess(case: Json) -> Said:
    clauses = {clause: verdict for clause, verdict in case["clauses"].items() if verdict != "watch"}
    evidence = sorted((ref["source"], ref["id"]) for ref in case["evidence"])
    return (
        (case["verdict"], clauses, case["urgency"], case["population"], case["dose_level"], case["counts_as_dlt"]),
        (sorted(set(case["questions"])), evidence),
    )


@pytest.mark.parametrize("name", SCENARIOS)
def test_an_alert_says_what_assess_says(name: str) -> None:
    """Verdict, clauses, urgency, part, level, whether it counts, questions and evidence; and there is one for each."""
    events, as_of = SCENARIOS[name]["events"], parse_instant(SCENARIOS[name]["as_of"])
    cases = {
        (case["subject"], case["case"]): said_by_assess(case)
        for case in assess(decoded(events), as_of)["cases"]
        if case["verdict"] in ("met", "possible") and not case["overruled"]
    }
    assert {key: said_by_alert(alert) for key, alert in told(events, as_of).items()} == cases
