"""Two monitors, gateways' worth of relays, and clocks on one PostgreSQL at the same moment: as if there had been one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress

import pytest
from sqlalchemy import Select, func, select, update

from events.dates import DAY
from projections.folds.cohort_board import CohortKey
from projections.folds.trial import Trial
from projections.store.engine.database import Database
from projections.store.engine.generation import begin_positions
from projections.store.engine.tables import activations, alert_events, alert_log, clinical_log
from projections.store.engine.tables import subjects as subjects_table
from services.clock.deadlines import DeadlineClock
from services.log.port import Entry, Position
from services.monitor.monitor import CONSUMER, Monitor
from services.monitor.relay import Relay
from tests.monitor.deployment import PROTOCOL, SOURCE, Deployment
from tests.monitor.events import LASTING, sepsis, treated
from tests.properties.stories import on

MEETINGS = 5


@pytest.fixture
def database(on_postgresql: Database) -> Database:
    """On PostgreSQL: on SQLite one writes at a time anyhow."""
    return on_postgresql


def _at_once(*works: Callable[[], object]) -> None:
    """Do it all at the same moment, and raise what was raised."""
    barrier, raised = threading.Barrier(len(works)), []

    def run(work: Callable[[], object]) -> None:
        barrier.wait()
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised below
            raised.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if raised:
        raise raised[0]


class Meeting:
    """Waits, the first time that it is passed, until so many are there, or a while: some may be kept from coming by a lock."""

    def __init__(self, step: str, parties: int = 2) -> None:
        self._step = step
        self._barrier = threading.Barrier(parties)

    def __call__(self, step: str) -> None:
        if step == self._step:
            with suppress(threading.BrokenBarrierError):
                self._barrier.wait(1.0)


def _entries(deployment: Deployment, partition: int) -> list[Entry]:
    """The whole log, as if it stood in that partition."""
    found = deployment.log.read(0, 0, 10_000)
    return [Entry(Position(partition, entry.position.offset), entry.key, entry.body) for entry in found]


def _two_toxicities_at_once(database: Database, step: str) -> list[str]:
    """Two subjects of one level have one each, and each monitor sees one of them: what is told of the level."""
    deployment = Deployment(database)
    deployment.receive([*treated("FR01-001"), *treated("FR01-002"), *treated("FR01-003")])
    deployment.run()
    first = deployment.log.end(0)
    deployment.receive([sepsis("FR01-001", on(6)), sepsis("FR01-002", on(6))])
    one, other = deployment.log.read(0, first, 2)
    meeting = Meeting(step)
    monitors = [Monitor(database, Trial(PROTOCOL, SOURCE), fail_point=meeting) for _ in range(2)]
    now = deployment.clock.now()
    _at_once(
        lambda: monitors[0].process([Entry(Position(7, 0), one.key, one.body)], now),
        lambda: monitors[1].process([Entry(Position(8, 0), other.key, other.body)], now),
    )
    case = CohortKey("A", 1).case
    with database.reading() as connection:
        return list(connection.scalars(select(alert_events.c.kind).where(alert_events.c.case_name == case)))


@pytest.mark.parametrize("step", ["monitor.moved", "monitor.judged", "monitor.written"])
def test_two_toxicities_of_one_level_at_the_same_moment_hold_it_once(database: Database, step: str) -> None:
    """Together they are one hold, never none."""
    assert _two_toxicities_at_once(database, step) == ["raised"]


def test_without_the_lock_the_hold_is_missed(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the test above shows something."""
    monkeypatch.setattr(Select, "with_for_update", lambda self, **_: self)
    assert _two_toxicities_at_once(database, "monitor.judged") == []


def test_the_rules_in_force_count_once(database: Database) -> None:
    """They stand in every partition, and two monitors come to them at the same moment."""
    deployment = Deployment(database)
    meeting = Meeting("monitor.judged")
    monitors = [Monitor(database, Trial(PROTOCOL, SOURCE), fail_point=meeting) for _ in range(2)]
    now = deployment.clock.now()
    _at_once(*(lambda n=n: monitors[n].process(_entries(deployment, n), now) for n in range(2)))
    with database.reading() as connection:
        assert connection.scalar(select(func.count()).select_from(activations)) == 1


def test_a_subject_is_judged_again_by_one_at_a_time(database: Database) -> None:
    """New rules: whoever has time judges, while events of the same subjects come in; nothing is lost or told twice."""
    deployment = Deployment(database)
    with database.writing() as connection:
        begin_positions(connection, CONSUMER, 1)
    subjects = [f"FR01-{n:03d}" for n in range(1, 9)]
    deployment.receive([event for subject in subjects for event in treated(subject)])
    # Judged under no rules: their activation stands first in the log, and is passed over here.
    entries = deployment.log.read(0, 0, 1_000)
    deployment.run()
    deployment.receive([sepsis(subject, on(6)) for subject in subjects])
    with database.writing() as connection:
        connection.execute(update(subjects_table).values(judged_under="other rules"))
    rest = deployment.log.read(0, len(entries), 1_000)
    monitors = [Monitor(database, Trial(PROTOCOL, SOURCE)) for _ in range(3)]
    now = deployment.clock.now()
    _at_once(
        lambda: monitors[0].judge_again(now),
        lambda: monitors[1].judge_again(now),
        lambda: monitors[2].process(rest, now),
    )
    told = [(event.data.case, event.data.revision, event.subject) for event in deployment.told() if event.subject]
    assert len(told) == len(set(told))
    assert {subject for case, _, subject in told if case == "ae:AE-1"} == set(subjects)


def test_two_relays_keep_the_order(database: Database) -> None:
    """Each alert event once, in the order in which it was told."""
    deployment = Deployment(database)
    relays = [Relay(database, deployment.alert_log, Meeting("relay.appended")) for _ in range(2)]
    for turn in range(MEETINGS):
        deployment.receive([*treated(f"FR01-00{turn}"), sepsis(f"FR01-00{turn}", on(6))])
        deployment.run()
        _at_once(*(relay.relay for relay in relays))
    while any(relay.relay() for relay in relays):
        pass
    with database.reading() as connection:
        sent = connection.scalars(select(alert_log.c.event_id).order_by(alert_log.c.offset)).all()
        told = connection.scalars(select(alert_events.c.event_id).order_by(alert_events.c.seq)).all()
    assert sent == told
    assert sent


def test_two_clocks_fire_each_deadline_once(database: Database) -> None:
    """What one is about to fire the other passes over."""
    deployment = Deployment(database)
    subjects = [f"FR01-{n:03d}" for n in range(1, 20)]
    for subject in subjects:
        deployment.receive([*treated(subject), sepsis(subject, on(6), **LASTING)])
    deployment.run()
    deployment.clock.instant += 40 * DAY
    clocks = [
        DeadlineClock(database, deployment.log, Trial(PROTOCOL, SOURCE), deployment.clock, Meeting("clock.claimed"))
        for _ in range(2)
    ]
    _at_once(*(clock.fire for clock in clocks))
    assert not any(clock.fire() for clock in clocks)
    with database.reading() as connection:
        bodies = connection.scalars(select(clinical_log.c.body)).all()
    fired = [body for body in bodies if b"clock.reached" in body]
    assert len(fired) == len(subjects)
