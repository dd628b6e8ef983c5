"""Rebuilding beside the living projections, changing over, and verifying: nothing is told again, and nothing hides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import Connection, Table, delete, select, update

from events.dates import DAY
from projections.folds.alert_transition import AlertTransition
from projections.folds.trial import Trial
from projections.protocols.isi_jx import PROTOCOL
from projections.rules.logic.trial_protocol import TrialProtocol
from projections.store.engine.database import AlreadyDone, Database
from projections.store.engine.generation import current_generation
from projections.store.engine.tables import (
    alert_events,
    alerts,
    chart_events,
    cohorts,
    deadlines,
    findings,
    generations,
    subjects,
)
from projections.store.rebuild.rebuild import PROJECTED, Rebuild, RebuildInterrupted
from projections.store.rebuild.verify import Difference, differences
from projections.store.write.rules_in_force import OtherRules
from services.maintenance.rebuilding import reading_of
from services.monitor.activation import activate
from services.monitor.monitor import CONSUMER, FencedMonitor, Monitor
from services.trials.rules_version import configuration_hash
from tests.monitor.deployment import SOURCE, Deployment, without_instants
from tests.monitor.events import LASTING, sepsis, treated
from tests.properties.stories import on
from tests.properties.timelines import random_timeline


def _rebuild(deployment: Deployment) -> Rebuild:
    read = reading_of(deployment.log, deployment.protocol)
    rules = configuration_hash(deployment.protocol)
    return Rebuild(deployment.database, Trial(deployment.protocol, SOURCE), rules, read, 1, CONSUMER)


def rebuilt(deployment: Deployment) -> list[AlertTransition]:
    """Rebuild and change over; gives what was told."""
    with _rebuild(deployment).begun(0) as rebuild:
        return rebuild.change_over(deployment.clock.now)


def verified(deployment: Deployment) -> list[Difference]:
    """What differs from the log."""
    with _rebuild(deployment).aside(0) as rebuild, rebuild.snapshot(deployment.clock.now) as connection:
        return list(differences(connection, rebuild.generation))


@pytest.mark.parametrize("seed", range(25))
def test_what_was_made_event_by_event_is_what_a_rebuild_makes(database: Database, seed: int) -> None:
    """Row by row; and changing over tells nothing, and changes nothing that is asked."""
    deployment = Deployment(database)
    for logged in random_timeline(seed):
        deployment.receive([logged])
        deployment.pass_time(logged.time)
    deployment.run(3)
    assert verified(deployment) == []
    told = without_instants(deployment.told())
    as_of = deployment.clock.now()
    before = deployment.assessed(as_of)
    assert rebuilt(deployment) == []
    assert without_instants(deployment.told()) == told
    assert deployment.assessed(as_of) == before
    assert verified(deployment) == []
    with database.reading() as connection:
        generation = current_generation(connection)
        assert generation > 1
        assert len(connection.execute(select(generations)).all()) == 1
        for table in PROJECTED:
            assert set(connection.scalars(select(table.c.generation))) <= {generation}


def test_traffic_goes_on_while_projections_are_rebuilt(database: Database) -> None:
    """Events that arrive between the batches of the rebuild, and the monitor that lives through the change-over."""
    deployment = Deployment(database)
    events = random_timeline(7)
    half = len(events) // 2
    deployment.receive(events[:half])
    deployment.run()
    with _rebuild(deployment).begun(0) as rebuild:
        next(rebuild.catch_up(deployment.clock.now))
        deployment.receive(events[half:])
        deployment.run(2)
        rebuild.change_over(deployment.clock.now)
    deployment.receive([*treated("FR01-090"), sepsis("FR01-090", on(6))])
    deployment.run()
    assert [event.data.case for event in deployment.told() if event.subject == "FR01-090"] == ["ae:AE-1"]
    assert verified(deployment) == []


def test_what_an_interrupted_rebuild_left_behind_is_dropped(database: Database) -> None:
    deployment = Deployment(database)
    deployment.receive(random_timeline(7))
    deployment.run()
    with _rebuild(deployment).begun(0) as left:
        next(left.catch_up(deployment.clock.now))
    assert verified(deployment) == []
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
    amended: TrialProtocol = replace(deployment.protocol, version="2", window_days=7)
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
    assert verified(later) == []


def test_the_same_rules_are_activated_once(database: Database) -> None:
    deployment = Deployment(database)
    deployment.run()
    assert not activate(database, deployment.log, Trial(deployment.protocol, SOURCE), deployment.clock)
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
    assert verified(deployment) == []
    with database.writing() as connection:
        CORRUPTIONS[corruption](connection)
    assert verified(deployment) != []


def test_a_second_monitor_is_fenced(database: Database) -> None:
    """It has read the same position; the first to commit moves it, and the other is refused whole."""
    deployment = Deployment(database)
    deployment.receive(random_timeline(7))
    zombie = Monitor(database, Trial(deployment.protocol, SOURCE))
    entries = deployment.log.read(0, 0, 500)
    deployment.run()
    told = without_instants(deployment.told())
    with pytest.raises(FencedMonitor):
        zombie.process(entries, 0)
    assert without_instants(deployment.told()) == told
    assert verified(deployment) == []


def test_two_do_not_work_on_one_database_at_a_time(database: Database) -> None:
    """A `verify` beside a `rebuild` would drop what the other has just put in use."""
    deployment = Deployment(database)
    deployment.receive(random_timeline(7))
    deployment.run()
    with _rebuild(deployment).begun(0) as rebuild:
        with pytest.raises(AlreadyDone), _rebuild(deployment).begun(0):
            pass
        rebuild.change_over(deployment.clock.now)
        with pytest.raises(RebuildInterrupted):
            rebuild.discard()
    assert verified(deployment) == []


def test_what_judges_by_other_rules_is_refused(database: Database) -> None:
    """A command under another protocol than the one in force would tell what is not so."""
    deployment = Deployment(database)
    deployment.receive([*treated("FR01-001"), sepsis("FR01-001", on(6))])
    deployment.run()
    told = without_instants(deployment.told())
    other = Deployment.__new__(Deployment)
    other.__dict__.update({**deployment.__dict__, "protocol": replace(deployment.protocol, window_days=1)})
    for use in (rebuilt, verified):
        with pytest.raises(OtherRules, match="--protocol"):
            use(other)
    assert without_instants(deployment.told()) == told


def test_a_countdown_that_only_the_new_rules_know_is_kept(database: Database) -> None:
    """The window grows to cover an adverse event that goes on: what time alone will make of it is told when it does."""
    short: TrialProtocol = replace(PROTOCOL, window_days=2)
    deployment = Deployment(database, short)
    deployment.receive([*treated("FR01-001"), sepsis("FR01-001", on(5), onset=on(4), **LASTING)])
    deployment.run()
    later = Deployment(database, replace(short, version="2", window_days=35))
    later.clock.instant = deployment.clock.now()
    later.run()
    assert verified(later) == []
    assert later.told() == []
    later.pass_time(later.clock.now() + 30 * DAY)
    assert [event.data.verdict for event in later.told()] == ["met"]


def test_a_countdown_that_the_old_rules_knew_is_dropped(database: Database) -> None:
    deployment = Deployment(database)
    deployment.receive([*treated("FR01-001"), sepsis("FR01-001", on(5), onset=on(4), **LASTING)])
    deployment.run()
    later = Deployment(database, replace(PROTOCOL, version="2", window_days=2))
    later.clock.instant = deployment.clock.now()
    later.run()
    assert verified(later) == []
    assert later.pass_time(later.clock.now() + 30 * DAY) == 0


def test_a_hold_ends_with_its_level(database: Database) -> None:
    """Everybody has moved to another level by the time the projections are rebuilt under it."""
    deployment = Deployment(database)
    for subject in ("FR01-001", "FR01-002"):
        deployment.receive([*treated(subject), sepsis(subject, on(6))])
    deployment.run()
    with database.writing() as connection:
        connection.execute(delete(cohorts))
        connection.execute(update(subjects).values(status=None, has_dlt=False))
    with _rebuild(deployment).begun(0) as rebuild:
        for _ in rebuild.catch_up(deployment.clock.now):
            pass
        with database.writing() as connection:
            connection.execute(delete(cohorts).where(cohorts.c.generation == rebuild.generation))
        told = rebuild.change_over(deployment.clock.now)
    assert [(step.kind, step.data.case) for step in told] == [("withdrawn", "cohort:A/1")]


def test_a_hold_begins_with_a_rebuild(database: Database) -> None:
    """Under a wider window a second subject of the level counts: whoever rebuilds under it is told of the hold."""
    deployment = Deployment(database, replace(PROTOCOL, window_days=10))
    for subject, day in (("FR01-001", 6), ("FR01-002", 20)):
        deployment.receive([*treated(subject), sepsis(subject, on(day), onset=on(day - 1), end=on(day))])
    deployment.run()
    assert [event.data.case for event in deployment.told()] == ["ae:AE-1"]
    later = Deployment(database, replace(PROTOCOL, version="2", window_days=35))
    later.clock.instant = deployment.clock.now()
    activate(database, later.log, Trial(later.protocol, SOURCE), later.clock)
    with _rebuild(later).begun(0) as rebuild:
        for _ in rebuild.catch_up(later.clock.now):
            pass
        told = rebuild.change_over(later.clock.now)
    assert ("raised", "cohort:A/1") in [(step.kind, step.data.case) for step in told]
    assert verified(later) == []


def test_the_clock_does_not_run_ahead_with_a_log_that_does(database: Database) -> None:
    """The log was stamped by a clock that was wrong by a day: a countdown of tomorrow does not end today."""
    deployment = Deployment(database)
    for subject, day in (("FR01-001", 4), ("FR01-002", 5)):
        deployment.receive([*treated(subject), sepsis(subject, on(5), onset=on(day - 1), **LASTING)])
    deployment.run()
    with database.writing() as connection:
        deployment.log.stamp(sepsis("FR01-001", on(30)).time, connection)
    deployment.pass_time(sepsis("FR01-001", on(10, 10)).time)
    assert [event.subject for event in deployment.told()] == ["FR01-001"]
