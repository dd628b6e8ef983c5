"""What was told: the same whatever the batches, the restarts and the order of repeated reading; holds at once."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from events.alert import AlertEvent
from events.dates import DAY
from projections.folds.trial import Trial
from projections.store.engine.database import Database
from projections.store.engine.generation import current_generation
from projections.store.engine.tables import alert_events
from projections.store.write.batch import BatchWriter
from services.maintenance.rebuilding import reading_of
from services.monitor.monitor import Monitor
from services.trials.rules_version import configuration_hash
from tests.monitor.deployment import SOURCE, Deployment, without_instants
from tests.monitor.events import LASTING, event, sepsis, treated
from tests.properties.draws import Draw
from tests.properties.passing_time import WatchedSubject
from tests.properties.stories import on
from tests.properties.timelines import random_subject, random_timeline


def published_states(events: list[AlertEvent], case: str) -> list[str]:
    """What was told of a case, as ``raised 1 met``."""
    return [
        f"{event.type.split('.')[2]} {event.data.revision} {event.data.verdict}"
        for event in events
        if event.data.case == case
    ]


@pytest.mark.parametrize("seed", range(30))
def test_what_is_told_does_not_depend_on_batches_or_restarts(database: Database, seed: int) -> None:
    """A monitor that is restarted now and then, on batches of any size, tells what the pure fold tells."""
    draw = Draw(seed)
    deployment = Deployment(database)
    events = random_subject(seed)
    pure = WatchedSubject()
    for logged in events:
        deployment.receive([logged])
        pure.take(logged._replace(received=logged.time))
        if draw.chance(0.4):
            deployment.run(draw.number(1, 9))
        if draw.chance(0.3):
            deployment.monitor = Monitor(database, Trial(deployment.protocol, SOURCE))
    deployment.run()
    assert [event.id for event in deployment.told()] == [step.event_id for step in pure.transitions]
    assert [event.data.model_copy(update={"detected_at": ""}) for event in deployment.told()] == [
        step.data.model_copy(update={"detected_at": ""}) for step in pure.transitions
    ]


@pytest.mark.parametrize("seed", range(12))
def test_a_batch_that_is_read_again_tells_nothing_again(database: Database, seed: int) -> None:
    """Another monitor on the same log, from the start, in other batches: every id is known."""
    deployment = Deployment(database)
    deployment.receive(random_timeline(seed))
    deployment.run(7)
    told = without_instants(deployment.told())
    with database.writing() as connection:
        rules = configuration_hash(deployment.protocol)
        step = BatchWriter(connection, deployment.protocol, rules, current_generation(connection), {}, 0, set())
        step.apply(reading_of(deployment.log, deployment.protocol)(0, 0, 1000))
        step.write()
    assert step.outcome.transitions == []
    assert step.outcome.taken == []
    assert without_instants(deployment.told()) == told


def test_the_second_dlt_of_a_level_holds_it_in_the_same_transaction(database: Database) -> None:
    """Raised with both subjects named, and withdrawn when one of the two turns out not to be one."""
    deployment = Deployment(database)
    for subject in ("FR01-001", "FR01-002", "FR01-003"):
        deployment.receive(treated(subject))
    deployment.receive([sepsis("FR01-001", on(6))])
    deployment.run()
    assert published_states(deployment.told(), "cohort:A/1") == []
    deployment.receive([sepsis("FR01-002", on(7))])
    deployment.run()
    assert published_states(deployment.told(), "cohort:A/1") == ["raised 1 None"]
    hold = next(event for event in deployment.told() if event.data.case == "cohort:A/1")
    assert hold.data.clauses == {"COHORT-HOLD": "met"}
    assert hold.data.urgency == "urgent"
    assert hold.data.dose_level == 1
    assert hold.subject is None
    assert any("FR01-001, FR01-002" in reason for reason in hold.data.reasons)
    deployment.receive([sepsis("FR01-002", on(8), revision=2, grade=2)])
    deployment.run()
    assert published_states(deployment.told(), "cohort:A/1") == ["raised 1 None", "withdrawn 2 None"]


def test_a_third_dlt_revises_the_hold(database: Database) -> None:
    """It is news; that one more was treated there, before that, is told to nobody."""
    deployment = Deployment(database)
    for number, subject in enumerate(("FR01-001", "FR01-002", "FR01-003")):
        deployment.receive([*treated(subject), sepsis(subject, on(6 + number))])
    deployment.run(1)
    told = [event.data for event in deployment.told() if event.data.case == "cohort:A/1"]
    assert [(data.telling, data.count, data.out_of) for data in told] == [
        ("news", 2, 2),
        ("silent", 2, 3),
        ("news", 3, 3),
    ]


def test_a_level_is_held_wherever_the_batches_are_cut(database: Database) -> None:
    """Both in one batch, a subject that moves to the level, and a subject without one."""
    deployment = Deployment(database)
    deployment.receive([*treated("FR01-001", 1), *treated("FR01-002", 2)])
    deployment.receive([sepsis("FR01-001", on(6)), sepsis("FR01-002", on(6))])
    deployment.run()
    assert published_states(deployment.told(), "cohort:A/1") == []
    moved = {"revision": 2, "part": "A", "dose_level": 1, "enrolled": "2017-02-01"}
    deployment.receive([event("subject.enrolled", "FR01-002", "moved", on(7), moved)])
    deployment.run()
    assert published_states(deployment.told(), "cohort:A/1") == ["raised 1 None"]


def test_time_alone_raises_an_alert_once(database: Database) -> None:
    """Grade 3 goes on: a week later the clock fires, the case is met, and both instants are kept."""
    deployment = Deployment(database)
    deployment.receive([*treated("FR01-001"), sepsis("FR01-001", on(4), **LASTING)])
    deployment.run()
    assert deployment.told() == []
    assert deployment.pass_time(deployment.clock.now() + 400 * DAY) == 1
    (raised,) = deployment.told()
    assert raised.data.verdict == "met"
    assert raised.data.basis == "presumed-ongoing"
    assert deployment.pass_time(deployment.clock.now() + 400 * DAY) == 0


def test_what_came_due_while_everything_was_down_fires_once_and_first_thing(database: Database) -> None:
    """With the instant at which it was due, and the one at which it was detected."""
    deployment = Deployment(database)
    deployment.receive([*treated("FR01-001"), sepsis("FR01-001", on(4), **LASTING)])
    deployment.run()
    deployment.clock.instant = sepsis("FR01-001", on(30)).time
    assert deployment.deadlines.fire() == 1
    assert deployment.deadlines.fire() == 0
    deployment.run()
    (raised,) = deployment.told()
    clock = deployment.log.read(0, 0, 100)[-1].body
    assert b'"due": "2017-02-22T08:00:00Z"' in clock
    assert raised.data.detected_at == "2017-03-14T08:00:00Z"


def test_the_relay_moves_every_alert_event_once_and_in_order(database: Database) -> None:
    deployment = Deployment(database)
    deployment.receive(random_timeline(5))
    deployment.run()
    while deployment.relay.relay():
        pass
    bodies = [entry.body for entry in deployment.alert_log.read(0, 0, 1000)]
    assert len(bodies) == len(deployment.told()) > 0
    assert bodies == _bodies(deployment)
    assert deployment.relay.relay() == 0


def _bodies(deployment: Deployment) -> list[bytes]:
    with deployment.database.reading() as connection:
        return list(connection.scalars(select(alert_events.c.body).order_by(alert_events.c.seq)))
