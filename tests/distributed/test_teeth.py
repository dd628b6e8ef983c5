"""Each safeguard taken out makes something fail: the fence, the knowledge of ids, the check that offsets follow each other.

The lock of a cohort is among them: ``tests/monitor/test_two_monitors.py`` has two monitors commit the two toxicities of one level
at the same moment, with it and without. ``python -m tests.distributed.soak --without fence`` shows it of a whole deployment.
"""

from __future__ import annotations

import asyncio
import os
import threading
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from projections.folds.trial import Trial
from projections.store.engine.database import Database
from projections.store.engine.tables import parked_subjects
from services.log import topics
from services.log.kafka import KafkaLog
from services.log.kafka_client import Cluster
from services.log.port import Entry, Position
from services.log.topics import TopicAdmin, declared
from services.monitor.batches import Assignments, Batch
from services.monitor.clinical_reader import ClinicalReader
from services.monitor.monitor import FencedMonitor, Monitor
from tests.brokers import Broker
from tests.distributed.gap import write_gap
from tests.distributed.toothless import without_fence, without_ids, without_offsets
from tests.monitor.deployment import PROTOCOL, SOURCE, Deployment
from tests.monitor.events import sepsis, treated
from tests.properties.stories import on

WAIT_SECONDS = 30.0


@pytest.fixture
def deployment(on_postgresql: Database) -> Deployment:
    """One subject with a toxicity, in the log and not yet judged."""
    made = Deployment(on_postgresql)
    made.receive([*treated("FR01-001"), sepsis("FR01-001", on(6))])
    return made


def _batch(deployment: Deployment) -> list[Entry]:
    return deployment.log.read(0, 0, 100)


def test_the_fence_keeps_out_who_comes_late(deployment: Deployment) -> None:
    """What another has taken meanwhile is not taken again, and the position does not go back."""
    deployment.run()
    with pytest.raises(FencedMonitor):
        deployment.monitor.process(_batch(deployment)[:2], deployment.clock.now())
    assert deployment.monitor.position(0) == deployment.log.end(0)


def test_without_the_fence_the_position_goes_back(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """And everything behind it would be judged again, by two at a time."""
    deployment.run()

    without_fence(monkeypatch.setattr)
    deployment.monitor.process(_batch(deployment)[:2], deployment.clock.now())
    assert deployment.monitor.position(0) < deployment.log.end(0)


def _twice(deployment: Deployment) -> None:
    """The log as Kafka may have it: an entry stands there again, since its sender was not answered in time."""
    entries = _batch(deployment)
    again = Entry(Position(0, len(entries)), entries[-1].key, entries[-1].body)
    Monitor(deployment.database, Trial(PROTOCOL, SOURCE)).process([*entries, again], deployment.clock.now())


def test_what_stands_twice_counts_once(deployment: Deployment) -> None:
    """By its id."""
    _twice(deployment)
    told = [(one.data.case, one.data.revision) for one in deployment.told()]
    assert len(told) == len(set(told))
    assert told


def test_without_the_ids_it_would_count_twice(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database itself does not take it, a second safeguard: the subject is watched no longer, and somebody is told."""
    without_ids(monkeypatch.setattr)
    _twice(deployment)
    told = [(one.data.case, one.data.revision) for one in deployment.told()]
    assert told == [("ae:AE-1", 1), ("unwatched:FR01-001", 1)]
    with deployment.database.reading() as connection:
        c = parked_subjects.c
        assert connection.execute(select(c.subject, c.error)).all() == [("FR01-001", IntegrityError.__name__)]


class Reading:
    """A reader on a topic whose one partition has a gap: the marker of somebody's transaction."""

    def __init__(self, cluster: Cluster, prefix: str) -> None:
        self.shares = Assignments()
        self.handed: list[Batch] = []
        topic = topics.clinical(prefix)
        self._log = KafkaLog(cluster, topic, "clinical")
        self.reader = ClinicalReader(
            cluster, topic, f"{prefix}.x", self.shares, lambda _: 0, self._hand_on, self._settled, self._log
        )

    async def until(self, done: Any) -> None:
        running = asyncio.create_task(self.reader.run())
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                while not done():
                    await asyncio.sleep(0.05)
        finally:
            self.reader.stop()
            await running
            await asyncio.to_thread(self._log.close)

    @property
    def offsets(self) -> list[int]:
        return [entry.position.offset for batch in self.handed for entry in batch.entries]

    async def _hand_on(self, batch: Batch) -> None:
        self.handed.append(batch)

    async def _settled(self, _seconds: float) -> None:
        return


@pytest.fixture
def gap(broker: Broker) -> tuple[Cluster, str]:
    """Offsets 0 and 2, with a marker between them."""
    cluster, prefix = Cluster((broker.address,)), f"gap{os.getpid()}-{threading.get_native_id()}-{id(object())}"
    TopicAdmin(cluster).create(declared(prefix, 1))
    write_gap(str(cluster), topics.clinical(prefix))
    return cluster, prefix


def _halted(reading: Reading) -> bool:
    return any(share.halted is not None for share in reading.shares.all())


def test_a_gap_halts_the_partition(gap: tuple[Cluster, str]) -> None:
    """Nothing behind it is judged until a person has looked; and whoever asks is told."""
    reading = Reading(*gap)
    asyncio.run(reading.until(lambda: _halted(reading)))
    assert reading.offsets == [0], "what precedes it is judged"


def test_without_the_check_the_gap_is_passed_over(gap: tuple[Cluster, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """And an entry that is missing would be missed by nobody."""
    without_offsets(monkeypatch.setattr)
    reading = Reading(*gap)
    asyncio.run(reading.until(lambda: 2 in reading.offsets))
    assert not _halted(reading)
