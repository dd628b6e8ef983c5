"""The law of the interfaces: what is stored says at every instant what ``assess`` says of the exported log."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection, update

from events.codec import Codec, Logged
from events.dates import DAY, Instant
from events.stamp import stamped
from projections.store.engine.database import Database
from projections.store.engine.tables import chart_events, findings, subjects
from tests.monitor.deployment import Deployment
from tests.neighbours.outlandish import Outlandish
from tests.properties.draws import Draw
from tests.properties.timelines import random_timeline

SEEDS = range(24)
LONG = 60 * DAY
#: A story with a case that stands, of a subject who counts.
TELLING = 3


def _lived(database: Database, seed: int) -> tuple[Deployment, list[Instant]]:
    """A random timeline lived through in random batches, with the clock firing; and instants worth asking about."""
    draw = Draw(seed)
    deployment = Deployment(database)
    events = random_timeline(seed)
    for logged in events:
        deployment.receive([logged])
        if draw.chance(0.5):
            deployment.pass_time(logged.time)
            deployment.run(draw.number(1, 7))
    deployment.run(draw.number(1, 7))
    end = max(logged.time for logged in events)
    if draw.chance(0.5):
        deployment.pass_time(end + draw.number(0, 40) * DAY)
    instants = [draw.one_of(events).time + draw.number(-3, 3) * DAY // 2 for _ in range(3)]
    return deployment, [*instants, end, deployment.clock.now(), end + LONG]


@pytest.mark.parametrize("seed", SEEDS)
def test_the_stored_projections_say_what_the_log_says(database: Database, seed: int, tmp_path: Path) -> None:
    """At random instants, on both axes."""
    deployment, instants = _lived(database, seed)
    for as_of in instants:
        for axis in ("recorded", "received"):
            from_log = deployment.judged_from_log(tmp_path / "log.ndjson", as_of, axis)
            assert deployment.assessed(as_of, axis) == from_log, (as_of, axis)


def test_the_law_holds_whatever_a_hostile_site_sends(database: Database, tmp_path: Path) -> None:
    """Outlandish events that the contract allows, beside a story: now, when they were recorded, and long after."""
    deployment, _ = _lived(database, TELLING)
    codec = Codec(deployment.protocol.contract)
    drawn = [(raw, codec.read(raw)) for raw in Outlandish(5, 12, sources=1).events(200)]
    taken = [(raw, read) for raw, read in drawn if isinstance(read, Logged)]
    deployment.clock.instant = max(read.time for _, read in taken)
    with database.writing() as connection:
        received = deployment.log.stamp(deployment.clock.now(), connection)
        deployment.log.append([deployment.entry(read, stamped(raw, received)) for raw, read in taken], connection)
    deployment.run(40)
    assert len(taken) > 150
    assert deployment.parked() == 0
    for as_of in (taken[7][1].time, taken[90][1].time, deployment.clock.now(), deployment.clock.now() + LONG):
        for axis in ("recorded", "received"):
            from_log = deployment.judged_from_log(tmp_path / "log.ndjson", as_of, axis)
            assert deployment.assessed(as_of, axis) == from_log, (as_of, axis)


def _a_finding(connection: Connection) -> None:
    row = connection.execute(findings.select().where(findings.c.verdict.is_not(None)).limit(1)).one()
    body = row.body.replace('"overruled": false', '"overruled": true')
    assert body != row.body
    here = (findings.c.subject == row.subject, findings.c.case_name == row.case_name)
    connection.execute(update(findings).where(*here).values(body=body))


def _a_chart(connection: Connection) -> None:
    row = connection.execute(chart_events.select().where(chart_events.c.kind == "ae").limit(1)).one()
    here = (chart_events.c.event_id == row.event_id, chart_events.c.source == row.source)
    connection.execute(update(chart_events).where(*here).values(time=row.time + 400 * DAY))


def _a_standing(connection: Connection) -> None:
    row = connection.execute(subjects.select().where(subjects.c.status.is_not(None)).limit(1)).one()
    connection.execute(update(subjects).where(subjects.c.subject == row.subject).values(has_dlt=not row.has_dlt))


@pytest.mark.parametrize("corrupt", [_a_finding, _a_chart, _a_standing])
def test_the_law_has_teeth(database: Database, corrupt: Callable[[Connection], None], tmp_path: Path) -> None:
    """With one stored row corrupted, it fails: now, or at an instant when the chart is judged again."""
    deployment, _ = _lived(database, TELLING)
    now = deployment.clock.now()
    instants = [now, now + LONG]
    for as_of in instants:
        assert deployment.assessed(as_of) == deployment.judged_from_log(tmp_path / "log.ndjson", as_of)
    with database.writing() as connection:
        corrupt(connection)
    log = tmp_path / "log.ndjson"
    assert any(deployment.assessed(as_of) != deployment.judged_from_log(log, as_of) for as_of in instants)
