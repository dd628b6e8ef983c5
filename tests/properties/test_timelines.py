"""The random timelines reach what they are there to test."""

from __future__ import annotations

from collections import Counter

from events.catalog import CLASS_BY_TYPE
from projections.folds.findings import SubjectFindings
from projections.protocols.isi_jx import PROTOCOL
from tests.properties.timelines import random_subject, random_timeline

SEEDS = range(400)
ALERTS = ("toxwatch.alert.raised.v1", "toxwatch.alert.revised.v1", "toxwatch.alert.withdrawn.v1")


def test_the_same_seed_tells_the_same_story() -> None:
    random_subject.cache_clear()
    first = [*random_subject(3), *random_timeline(4)]
    random_subject.cache_clear()
    assert [*random_subject(3), *random_timeline(4)] == first


def test_every_type_of_event_about_a_subject_occurs_often() -> None:
    seen = Counter[str](logged.event.type for seed in SEEDS for logged in random_subject(seed))
    unused = {*ALERTS, "toxwatch.protocol.activated.v1", "toxwatch.response.retracted.v1"}
    assert {name for name in CLASS_BY_TYPE if seen[name] >= 20} == set(CLASS_BY_TYPE) - unused


def test_every_clause_and_verdict_occurs_often() -> None:
    """With overrules in force, alerts that come again after a withdrawal, and every urgency."""
    seen: Counter[object] = Counter()
    for seed in SEEDS:
        subject = SubjectFindings(PROTOCOL, "FR01-001")
        for logged in random_subject(seed):
            for kind, _, _, data in subject.take(logged.event, logged.time, logged.received):
                seen[kind] += 1
                seen["raised again"] += kind == "raised" and data.revision > 1
                seen[data.urgency] += 1
                seen.update((clause, verdict) for clause, verdict in data.clauses.items())
        for finding in subject.findings.values():
            seen["overruled"] += finding.overruled
            seen["adjudicate again"] += any("no longer covers" in question for question in finding.questions)
            seen["presumed ongoing"] += finding.basis is not None
            seen[finding.case.partition(":")[0]] += 1
    laboratory = {("HY", "met"), ("HY", "possible")}
    clauses = (
        laboratory
        | {(f"DLT-{n}", verdict) for n in range(1, 6) for verdict in ("met", "possible")}
        | {("DLT-2", "watch")}
    )
    words = {"raised", "revised", "withdrawn", "raised again", "overruled", "adjudicate again", "presumed ongoing"}
    expected = clauses | words | {"urgent", "prompt", "routine", "ae", "lab", "discontinued"}
    assert {key: count for key, count in seen.items() if key in expected and count < 5} == {}
    assert expected <= seen.keys()
