"""Monitors as Faust workers: one takes over from another, none loses anything, and all wait for what is not up yet."""

from __future__ import annotations

import os
import signal
import statistics
import time
from itertools import chain
from pathlib import Path

import pytest
from sqlalchemy import func, select

from projections.store.engine.database import Database
from projections.store.engine.tables import chart_events, positions
from services.monitor.monitor import CONSUMER
from tests.brokers import free_port, kafka_broker
from tests.crash.deployment import eventually
from tests.crash.load import SPONSOR, Load
from tests.databases import new_postgresql_database
from tests.distributed.fleet import PARTITIONS, Fleet
from tests.distributed.waiting import await_settled

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("distributed")]

SITES = ["FR01", "FR02", "FR03"]


def _reached(database: Database) -> dict[int, int]:
    with database.reading() as connection:
        rows = connection.execute(select(positions).where(positions.c.consumer == CONSUMER)).all()
    return {row.partition: row.next_offset for row in rows}


def _reached_of(fleet: Fleet) -> dict[int, int]:
    with fleet.database() as database:
        return _reached(database)


def _shared(fleet: Fleet, *names: str) -> dict[str, list[int]]:
    """Which partitions each worker was given last."""
    return {name: list(fleet.members[name].lines("partitions_assigned"))[-1]["partitions"] for name in names}


def _await_shared(fleet: Fleet, *names: str) -> None:
    def is_shared() -> bool:
        shares = _shared(fleet, *names).values()
        return all(shares) and sorted(chain.from_iterable(shares)) == list(range(PARTITIONS))

    eventually(is_shared, 60, lambda: _shared(fleet, *names))


@pytest.mark.parametrize("ending", ["killed", "stopped"])
def test_another_worker_takes_over(fleet: Fleet, ending: str) -> None:
    """Within 8 s of a kill every partition goes on again (median of three); a worker that is stopped ends within 10 s."""
    fleet.start("monitor-1", "monitor-2", "gateway")
    took = []
    with Load(fleet, fleet.make_keys(SITES, SPONSOR), 3), fleet.database() as database:
        for turn in range(3 if ending == "killed" else 2):
            going, staying = ("monitor-1", "monitor-2") if turn % 2 == 0 else ("monitor-2", "monitor-1")
            _await_shared(fleet, going, staying)
            orphaned = _shared(fleet, going)[going]
            if ending == "killed":
                fleet.kill(going)
            else:
                assert fleet.stop(going) < 10
            began, before = time.monotonic(), _reached(database)

            def goes_on(orphaned: list[int] = orphaned, before: dict[int, int] = before) -> bool:
                now = _reached(database)
                return all(now[partition] > before[partition] for partition in orphaned)

            eventually(goes_on, 60, lambda: _reached(database))
            took.append(time.monotonic() - began)
            fleet.start(going)
    if ending == "killed":
        assert statistics.median(took) <= 8.0, took
    fleet.start("clock", "dispatcher")
    await_settled(fleet)
    assert fleet.command("verify").code == 0
    for name in ("monitor-1", "monitor-2", "gateway", "clock", "dispatcher"):
        assert fleet.stop(name) < 10


def test_a_worker_that_was_frozen_is_fenced(fleet: Fleet) -> None:
    """It wakes up with a batch that somebody else has taken meanwhile: it takes nothing twice, and goes on where it should."""
    fleet.start("monitor-1", "gateway")
    with Load(fleet, fleet.make_keys(SITES, SPONSOR), 4), fleet.database() as database:
        eventually(lambda: sum(_reached(database).values()) > 50)
        fleet.freeze("monitor-1")
        fleet.start("monitor-2")
        before = _reached(database)
        eventually(lambda: all(_reached(database)[p] > before[p] for p in before), 60, lambda: _reached(database))
        fleet.thaw("monitor-1")
        _await_shared(fleet, "monitor-1", "monitor-2")
    fleet.start("clock", "dispatcher")
    await_settled(fleet)
    assert fleet.command("verify").code == 0


def test_what_is_not_up_yet_is_waited_for(tmp_path: Path, postgresql: str) -> None:
    """A broker that is down at boot: nothing ends, everything says that it is not ready, and begins when the broker does.

    And when it is down again, whoever is stopped ends in time all the same.
    """
    port = free_port()
    with new_postgresql_database(postgresql) as database:
        names = ("monitor-1", "gateway", "clock", "dispatcher")
        with Fleet(tmp_path, f"127.0.0.1:{port}", database, f"late-{os.getpid()}") as fleet:
            for name in names:
                fleet.begin(name)
            for name in names:
                eventually(lambda name=name: fleet.health(name) is not None, 60, lambda name=name: fleet.said(name))
                health = fleet.health(name)
                assert health is not None
                assert health.ready == 503
            with kafka_broker(port) as broker:
                fleet.make()
                fleet.await_ready(*names)
                with Load(fleet, fleet.make_keys(SITES, SPONSOR), 5), fleet.database() as opened:
                    eventually(lambda: sum(_reached(opened).values()) > 20)
                broker.kill()
                for name in names:
                    eventually(lambda name=name: not fleet.is_ready(name), 60, lambda name=name: fleet.said(name))
                for name in names:
                    took = fleet.stop(name)
                    assert took < 10, f"{name} took {took:.1f} s"


def test_the_faust_command_runs_the_same_worker(fleet: Fleet) -> None:
    """``faust -A services.runtime.faust_worker worker``, as anybody who knows Faust would; it starts no web server."""
    program = ("faust", "-A", "services.runtime.faust_worker", "worker")
    fleet.begin("monitor-1", program)
    fleet.await_ready("monitor-1")

    def judged() -> int | None:
        with fleet.database() as database, database.reading() as connection:
            return connection.scalar(select(func.count()).select_from(chart_events))

    # The rules that are in force, which stand in every partition and count once.
    eventually(lambda: all(_reached_of(fleet).get(partition) for partition in range(PARTITIONS)))
    assert judged() == 1
    process = fleet.members["monitor-1"].process
    assert process is not None
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
