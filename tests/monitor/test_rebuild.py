"""Rebuilding beside the living projections, changing over, and verifying: nothing is told again, and nothing hides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import Connection, Table, delete, select, update

from projections.rules.protocol import Protocol
from projections.store.database import Database
from projections.store.generation import current_generation
from projections.store.rebuild import PROJECTED, Rebuild
from projections.store.tables import (
    alert_events,
    alerts,
    chart_events,
    cohorts,
    deadlines,
    findings,
    generations,
    subjects,
)
from projections.store.verify import Difference, differences
from services.monitor.activation import activate
from services.monitor.monitor import CONSUMER, Fenced, Monitor
from services.operations import reading_of
from tests.monitor.deployment import SOURCE, Deployment, without_instants
from tests.monitor.events import LASTING, sepsis, treated
from tests.properties.stories import on
from tests.properties.timelines import random_timeline


def _rebuild(deployment: Deployment) -> Rebuild:
    rebuild = Rebuild(
        deployment.database, deployment.protocol, SOURCE, reading_of(deployment.log, deployment.protocol), 1, CONSUMER
    )
    rebuild.begin(0)
    return rebuild


def _verified(deployment: Deployment) -> list[Difference]:
    rebuild = _rebuild(deployment)
    with rebuild.level(deployment.clock.now) as connection:
        found = list(differences(connection, rebuild.generation))
    rebuild.discard()
    return found


@pytest.mark.parametrize("seed", range(25))
def test_what_was_made_event_by_event_is_what_a_rebuild_makes(database: Database, seed: int) -> None:
    """Row by row; and changing over tells nothing, and changes nothing that is asked."""
    deployment = Deployment(database)
    for logged in random_timeline(seed):
        deployment.receive([logged])
        deployment.pass_time(logged.time)
    deployment.run(3)
    assert _verified(deployment) == []
    told = without_instants(deployment.told())
    as_of = deployment.clock.now()
    before = deployment.assessed(as_of)
    rebuild = _rebuild(deployment)
    assert rebuild.change_over(deployment.clock.now) == []
    assert without_instants(deployment.told()) == told
    assert deployment.assessed(as_of) == before
    assert _verified(deployment) == []
    with database.reading() as connection:
        assert current_generation(connection) == rebuild.generation
        assert len(connection.execute(select(generations)).all()) == 1
        for table in PROJECTED:
            assert set(connection.scalars(select(table.c.generation))) <= {rebuild.generation}


def test_traffic_goes_on_while_projections_are_rebuilt(database: Database) -> None:
    """Events that arrive between the batches of the rebuild, and the monitor that lives through the change-over."""
    deployment = Deployment(database)
    events = random_timeline(7)
    half = len(events) // 2
    deployment.receive(events[:half])
    deployment.run()
    rebuild = _rebuild(deployment)
    steps = rebuild.catch_up(deployment.clock.now)
    next(steps)
    deployment.receive(events[half:])
    deployment.run(2)
    rebuild.change_over(deployment.clock.now)
    deployment.receive([*treated("FR01-090"), sepsis("FR01-090", on(6))])
    deployment.run()
    assert [event.data.case for event in deployment.told() if event.subject == "FR01-090"] == ["ae:AE-1"]
    assert _verified(deployment) == []


def test_what_an_interrupted_rebuild_left_behind_is_dropped(database: Database) -> None:
    deployment = Deployment(database)
    deployment.receive(random_timeline(7))
    deployment.run()
    left = _rebuild(deployment)
    next(left.catch_up(deployment.clock.now))
    assert _verified(deployment) == []
    with database.reading() as connection:
        assert left.generation not in set(connection.scalars(select(chart_events.c.generation)))


def test_other_rules_revise_what_was_told_and_name_their_activation_as_the_cause(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shorter window under a new version of the protocol: the alert is withdrawn, by the monitor as by a rebuild."""
    deployment = Deployment(database)
    deployment.receive([*treated("FR01-001"), sepsis("FR01-001", on(20), onset=on(15), end=on(16))])
    deployment.run()
    assert [event.type for event in deployment.told()] == ["toxwatch.alert.raised.v1"]
    amended: Protocol = replace(deployment.protocol, version="2", window_days=7)
    later = Deployment(database, amended)
    later.clock.instant = deployment.clock.now()
    later.run()
    raised, withdrawn = later.told()
    assert withdrawn.type == "toxwatch.alert.withdrawn.v1"
    assert withdrawn.data.protocol_version == "2"
    assert withdrawn.data.caused_by.id != raised.data.caused_by.id
    activated = later.log.read(0, 0, 100)[-1].body
    assert withdrawn.data.caused_by.id.encode() in activated
    assert b"toxwatch.protocol.activated.v1" in activated
    assert _verified(later) == []


def test_the_same_rules_are_activated_once(database: Database) -> None:
    deployment = Deployment(database)
    deployment.run()
    assert not activate(database, deployment.log, deployment.protocol, deployment.clock, SOURCE)
    Deployment(database).run()
    assert deployment.log.end(0) == 1


def _corrupt(table: Table, **values: object) -> Callable[[Connection], None]:
    def do(connection: Connection) -> None:
        key = list(table.primary_key)
        row = connection.execute(select(*key).limit(1)).one()
        where = [column == value for column, value in zip(key, row, strict=True)]
        connection.execute(update(table).where(*where).values(**values))

    return do


def _lose(table: Table) -> Callable[[Connection], None]:
    return lambda connection: connection.execute(delete(table)) and None


CORRUPTIONS = {
    "a finding's verdict": _corrupt(findings, verdict="possible"),
    "a finding's words": _corrupt(findings, body='{"verdict": null}'),
    "a lost finding": _lose(findings),
    "a chart event": _corrupt(chart_events, body=b"{}"),
    "a lost chart event": _lose(chart_events),
    "a deadline": _corrupt(deadlines, due=1),
    "a lost deadline": _lose(deadlines),
    "a subject's high water": _corrupt(subjects, high_water=1),
    "a subject's standing": _corrupt(subjects, status="replaceable"),
    "a level's count": _corrupt(cohorts, dlts=9),
    "what was told": _corrupt(alerts, data='{"verdict": "met", "clauses": {}, "urgency": "prompt"}'),
    "a lost alert": _lose(alerts),
    "a lost alert event": _lose(alert_events),
}


@pytest.mark.parametrize("corruption", CORRUPTIONS)
def test_verify_finds_every_kind_of_corruption(database: Database, corruption: str) -> None:
    deployment = Deployment(database)
    deployment.receive([*treated("FR01-001"), sepsis("FR01-001", on(6))])
    deployment.receive([*treated("FR01-002"), sepsis("FR01-002", on(6), **LASTING)])
    deployment.run()
    assert _verified(deployment) == []
    with database.writing() as connection:
        CORRUPTIONS[corruption](connection)
    assert _verified(deployment) != []


def test_a_second_monitor_is_fenced(database: Database) -> None:
    """It has read the same position; the first to commit moves it, and the other is refused whole."""
    deployment = Deployment(database)
    deployment.receive(random_timeline(7))
    zombie = Monitor(database, deployment.protocol, SOURCE)
    entries = deployment.log.read(0, 0, 500)
    deployment.run()
    told = without_instants(deployment.told())
    with pytest.raises(Fenced):
        zombie.process(entries, 0)
    assert without_instants(deployment.told()) == told
    assert _verified(deployment) == []
