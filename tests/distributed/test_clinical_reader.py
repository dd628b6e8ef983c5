"""The reader on a real broker, before something that keeps positions as the database does: each entry once, in order."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any

import pytest
from sqlalchemy import Connection

from services.log import topics
from services.log.kafka import KafkaLog
from services.log.kafka_client import Cluster
from services.log.port import NewEntry
from services.log.topics import TopicAdmin, declared
from services.monitor.batches import Assignments, Batch
from services.monitor.clinical_reader import ClinicalReader
from tests.brokers import Broker

NO_TRANSACTION: Connection = None  # type: ignore[assignment]
WAIT_SECONDS = 90.0
PARTITIONS = 4
SUBJECTS = [f"T/S-{n}" for n in range(20)]
_numbers = count(1)


class Log:
    """A clinical log on the broker, and where each partition was taken to: by compare-and-set, whoever takes."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.prefix = f"read{os.getpid()}-{next(_numbers)}"
        self.topic = topics.clinical(self.prefix)
        TopicAdmin(cluster).create(declared(self.prefix, PARTITIONS))
        self.log = KafkaLog(cluster, self.topic, "clinical")
        self.ends = dict.fromkeys(range(PARTITIONS), 0)
        self.reached = dict.fromkeys(range(PARTITIONS), 0)
        self._written = count(1)

    def append(self, times: int) -> None:
        entries = [
            NewEntry(SUBJECTS[n % len(SUBJECTS)], "", "urn:s", f"e-{n}", b"{}")
            for n in (next(self._written) for _ in range(times))
        ]
        self.log.append(entries, NO_TRANSACTION)
        self.ends = self.log.ends()

    def take(self, batch: Batch) -> bool:
        """Whether it was the next of its partition."""
        first, last = batch.entries[0].position, batch.entries[-1].position
        if self.reached[first.partition] != first.offset:
            return False
        assert last.offset == first.offset + len(batch.entries) - 1, "entries are missing"
        self.reached[first.partition] = last.offset + 1
        return True

    @property
    def is_taken(self) -> bool:
        return self.reached == self.ends

    def close(self) -> None:
        self.log.close()


class Worker:
    """A reader, and a monitor that takes what it hands on as ``hand_on`` says."""

    def __init__(self, log: Log, hand_on: Callable[[Batch], Awaitable[None]] | None = None) -> None:
        self.shares = Assignments()
        self._log = log
        self.reader = ClinicalReader(
            log.cluster,
            log.topic,
            f"{log.prefix}.monitor",
            self.shares,
            lambda partition: log.reached[partition],
            hand_on or self.take,
            self._settled,
            log.log,
        )
        self._running = asyncio.create_task(self.reader.run())

    async def take(self, batch: Batch) -> None:
        """As the batch taker does: what is of an old share is nobody's, and what is not next is placed anew."""
        if batch.share is None or not self.shares.holds(batch.share):
            return
        if self._log.take(batch):
            batch.share.commit(batch.entries[-1].position.offset + 1)
        else:
            self.shares.again(batch.share)

    async def stop(self) -> None:
        self.reader.stop()
        await asyncio.wait_for(self._running, WAIT_SECONDS)

    async def _settled(self, _seconds: float) -> None:
        return


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while not holds():
            await asyncio.sleep(0.02)


@pytest.fixture
def log(broker: Broker) -> Any:
    """Empty."""
    made = Log(Cluster((broker.address,)))
    yield made
    made.close()


def _halted(worker: Worker) -> list[str]:
    return [share.halted for share in worker.shares.all() if share.halted is not None]


def test_records_from_elsewhere_are_passed_over_each_time(log: Log) -> None:
    """They were fetched before we were placed. However often in the life of a share: nothing is missing, and nothing halts."""

    async def scene() -> list[str]:
        worker = Worker(log)
        for _ in range(3):
            await asyncio.to_thread(log.append, 200)
            await _until(lambda: log.is_taken)
            # Where a rebalance would have left it: the offsets that are written for those who watch lags.
            for share in worker.shares.all():
                worker.reader._consumer.seek(_here(log, share.partition), 0)
        await asyncio.to_thread(log.append, 200)
        await _until(lambda: log.is_taken or bool(_halted(worker)))
        halted = _halted(worker)
        await worker.stop()
        return halted

    assert asyncio.run(scene()) == []


def _here(log: Log, partition: int) -> Any:
    from aiokafka import TopicPartition

    return TopicPartition(log.topic, partition)


def test_what_could_not_be_handed_on_is_read_again(log: Log) -> None:
    """The offset was moved on before: only that every share is placed anew brings it back."""

    async def scene() -> int:
        failures = 0
        worker: Worker

        async def hand_on(batch: Batch) -> None:
            nonlocal failures
            if batch.share is not None and failures < 3:
                failures += 1
                raise RuntimeError("the channel is closed")
            await worker.take(batch)

        log.append(200)
        worker = Worker(log, hand_on)
        await _until(lambda: log.is_taken)
        await worker.stop()
        return failures

    assert asyncio.run(scene()) == 3


def test_rebalances_while_the_monitor_is_busy(log: Log) -> None:
    """Workers come and go while batches wait to be handed on: every entry is taken once, in order, and none is halted."""

    async def scene() -> list[str]:
        may_take = asyncio.Event()
        workers: list[Worker] = []

        def start() -> Worker:
            worker: Worker

            async def hand_on(batch: Batch) -> None:
                if batch.share is not None:
                    await may_take.wait()
                await worker.take(batch)

            worker = Worker(log, hand_on)
            workers.append(worker)
            return worker

        log.append(500)
        first = start()
        # Taken by nobody yet: what was read waits, and goes on waiting as the partitions change hands.
        await _until(lambda: len(first.shares.all()) == PARTITIONS)
        second = start()
        await _until(lambda: 0 < len(second.shares.all()) < PARTITIONS)
        may_take.set()
        await _until(lambda: log.is_taken)
        for turn in range(2):
            may_take.clear()
            await asyncio.to_thread(log.append, 500)
            await asyncio.sleep(1.5)
            await (workers.pop(0) if turn == 0 else workers.pop()).stop()
            may_take.set()
            start()
            await _until(lambda: log.is_taken)
        halted = [why for worker in workers for why in _halted(worker)]
        for worker in workers:
            await worker.stop()
        return halted

    assert asyncio.run(scene()) == []


def test_a_halted_partition_is_not_fetched_again_and_again(log: Log) -> None:
    """What is behind it is left where it is, until somebody has looked; the others go on."""

    async def scene() -> tuple[bool, dict[int, int]]:
        worker = Worker(log)
        log.append(100)
        await _until(lambda: log.is_taken)
        stopped = worker.shares.all()[0]
        stopped.halted = "too many bugs"
        before = log.reached[stopped.partition]
        await asyncio.to_thread(log.append, 100)
        others = [share.partition for share in worker.shares.all() if share is not stopped]
        await _until(lambda: all(log.reached[partition] == log.ends[partition] for partition in others))
        here = _here(log, stopped.partition)
        await _until(lambda: here in worker.reader._consumer.paused())
        reached = {stopped.partition: log.reached[stopped.partition] - before}
        await worker.stop()
        return log.ends[stopped.partition] > before, reached

    there_is_more, reached = asyncio.run(scene())
    assert there_is_more
    assert set(reached.values()) == {0}
