"""Reads the clinical log on Kafka for one of several monitors, and hands on whole batches of one partition each.

The group decides who reads which partition; where to read on, the database alone says. Kafka's own offsets are written for
those who watch lags, and are never read. Offsets that do not follow each other stop the partition: something is missing.
A batch that cannot be read stops nothing: the stretch that it is in is read by the log's own client, which comes past it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import (
    CorruptRecordException,
    KafkaError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
    UnsupportedCodecError,
)

from projections.store.engine.database import StoreUnavailable
from services.log.kafka import LogBroken, entry_of
from services.log.kafka_client import Cluster, LogUnavailable
from services.log.port import EventLog
from services.monitor.batches import Assignments, Batch, PartitionAssignment
from services.platform.resting import rest
from services.platform.time_source import elapsed_seconds

#: Live, and where there is much to catch up with.
BATCH_MAX: Final = 500
BATCH_BEHIND_MAX: Final = 2_000
POLL_MS: Final = 200
SESSION_MS: Final = 6_000
HEARTBEAT_MS: Final = 1_500
#: A database that is down may stay down for longer than that; then the partitions are paused, and we go on asking.
POLL_INTERVAL_MS: Final = 300_000
RETRY_SECONDS: Final = 0.5
#: How often there is time for what else there is to do, and how often lags are written down.
IDLE_SECONDS: Final = 1.0
SHOW_SECONDS: Final = 5.0
#: Grace period to finish the current batch after losing a partition, before another worker has it.
FINISH_SECONDS_MAX: Final = 3.0

log = structlog.get_logger()


class ClinicalReader(ConsumerRebalanceListener):  # type: ignore[misc]  # ships no types
    """``position`` asks the database, and is called in a thread; ``hand_on`` waits while the monitor is busy.

    ``clinical`` is the same topic by another client.
    """

    def __init__(
        self,
        cluster: Cluster,
        topic: str,
        group: str,
        shares: Assignments,
        position: Callable[[int], int],
        hand_on: Callable[[Batch], Awaitable[Any]],
        settled: Callable[[float], Awaitable[None]],
        clinical: EventLog,
    ) -> None:
        self.problem: str | None = "not connected to the brokers yet"
        self._cluster = cluster
        self._topic = topic
        self._group = group
        self._shares = shares
        self._position = position
        self._hand_on = hand_on
        self._settled = settled
        self._clinical = clinical
        self._is_stuck = False
        self._stopping = asyncio.Event()
        self._consumer: Any = None
        self._idle_since = elapsed_seconds()
        self._shown_at = elapsed_seconds()

    async def run(self) -> None:
        """Read until :meth:`stop`. Whatever fails is tried again, with a new connection."""
        while not self._stopping.is_set():
            try:
                await self._read()
            except (KafkaError, OSError, AssertionError, LogUnavailable) as error:
                self._report(f"waiting for the brokers ({type(error).__name__})")
            except LogBroken as error:
                self._report(str(error))
            except Exception as error:
                log.error("reader_failed", exc_info=error)
                self._report(f"failed with {type(error).__name__}, and tries again")
            finally:
                await self._close()
            await rest(self._stopping, RETRY_SECONDS)

    def stop(self) -> None:
        """Read nothing more, and leave the group, so that others need not wait for our session to end."""
        self._stopping.set()

    async def on_partitions_revoked(self, revoked: Sequence[TopicPartition]) -> None:
        """What was read of them and is not in hand is dropped; what is in hand may be finished."""
        self._shares.assign([])
        if revoked:
            await self._settled(FINISH_SECONDS_MAX)

    async def on_partitions_assigned(self, assigned: Sequence[TopicPartition]) -> None:
        """They stand still until the database has said where to go on."""
        self._consumer.pause(*assigned)
        self._shares.assign(sorted(here.partition for here in assigned))
        log.info("partitions_assigned", partitions=sorted(here.partition for here in assigned))

    async def _read(self) -> None:
        self._consumer = consumer = AIOKafkaConsumer(
            bootstrap_servers=list(self._cluster.servers),
            group_id=self._group,
            enable_auto_commit=False,
            auto_offset_reset="none",
            session_timeout_ms=SESSION_MS,
            heartbeat_interval_ms=HEARTBEAT_MS,
            max_poll_interval_ms=POLL_INTERVAL_MS,
            rebalance_timeout_ms=SESSION_MS,
            max_partition_fetch_bytes=2 * 1024 * 1024,
            fetch_max_wait_ms=POLL_MS,
            **self._cluster.security,
        )
        consumer.subscribe([self._topic], listener=self)
        await consumer.start()
        self.problem = None
        log.info("reader_connected")
        while not self._stopping.is_set():
            await self._place()
            for here, records in (await self._polled(self._batch_max())).items():
                await self._take(here, records)
            if self._is_stuck:
                await self._read_past()
            await self._now_and_then()

    async def _polled(self, limit: int, wait_ms: int = POLL_MS) -> dict[TopicPartition, list[Any]]:
        try:
            found: dict[TopicPartition, list[Any]] = await self._consumer.getmany(timeout_ms=wait_ms, max_records=limit)
        except NoOffsetForPartitionError:
            return {}  # Assigned, and not placed yet.
        except OffsetOutOfRangeError as error:
            for here, offset in error.args[0].items():
                self._halt(here.partition, f"the log does not have offset {offset}, where we have to go on")
            return {}
        except (CorruptRecordException, UnsupportedCodecError) as error:
            return self._stuck_at(error)
        except (KafkaError, OSError, AssertionError):
            raise
        except Exception as error:  # noqa: BLE001 - the library lets out whatever unpacking a batch raises
            return self._stuck_at(error)
        return found

    def _stuck_at(self, error: Exception) -> dict[TopicPartition, list[Any]]:
        log.error("batch_unreadable", topic=self._topic, error=type(error).__name__)
        self._is_stuck = True
        return {}

    async def _read_past(self) -> None:
        """Take what follows in each partition from the other client, and go on behind it with this one."""
        self._is_stuck = False
        for share in self._shares.all():
            if share.next_offset is None or share.halted is not None:
                continue
            entries = await asyncio.to_thread(self._clinical.read, share.partition, share.next_offset, BATCH_MAX)
            if not self._shares.holds(share):
                return
            share.next_offset += len(entries)
            self._consumer.seek(TopicPartition(self._topic, share.partition), share.next_offset)
            if entries:
                await self._handed_on(Batch(share, entries))

    async def _place(self) -> None:
        """Go to where the database says that each new partition has come."""
        for share in self._shares.all():
            if share.next_offset is not None or share.halted is not None:
                continue
            try:
                offset = await asyncio.to_thread(self._position, share.partition)
            except StoreUnavailable as error:
                log.warning("position_unknown", partition=share.partition, error=error)
                return
            here = TopicPartition(self._topic, share.partition)
            first = (await self._consumer.beginning_offsets([here]))[here]
            if not self._shares.holds(share):
                return
            if first > offset:
                self._halt(share.partition, f"the log begins at {first}, and we have to go on at {offset}")
                continue
            self._consumer.seek(here, offset)
            share.next_offset = offset
            share.commit(offset)
            self._consumer.resume(here)

    async def _take(self, here: TopicPartition, records: Sequence[Any]) -> None:
        share = self._shares.of(here.partition)
        if share is None or share.next_offset is None:
            return
        if share.halted is not None:
            self._consumer.pause(here)
            return
        following = self._following(records, share.next_offset)
        if following:
            share.gaps = 0
            share.next_offset += len(following)
            await self._handed_on(Batch(share, [entry_of(record) for record in following]))
        if len(following) < len(records) and self._shares.holds(share) and share.next_offset is not None:
            self._out_of_step(share, records[len(following)].offset, share.next_offset)

    def _following(self, records: Sequence[Any], offset: int) -> Sequence[Any]:
        """The records that follow each other from ``offset`` on."""
        steps = enumerate(records, offset)
        return records[: next((expected - offset for expected, one in steps if one.offset != expected), len(records))]

    def _out_of_step(self, share: PartitionAssignment, there: int, expected: int) -> None:
        """What was fetched before we were placed is dropped; a gap in the log itself is found again, and halts."""
        if share.gaps:
            self._halt(share.partition, f"there is {there} where {expected} should follow: entries are missing")
            return
        log.warning("records_out_of_step", partition=share.partition, offset=there)
        share.gaps += 1
        self._consumer.seek(TopicPartition(self._topic, share.partition), expected)

    async def _handed_on(self, batch: Batch) -> None:
        """Wait for the monitor. Meanwhile we stay a member of the group, for which we have to go on asking.

        What is not handed on, because asking failed, is read again: every share is placed anew with a new connection.
        """
        handing = asyncio.ensure_future(self._hand_on(batch))
        try:
            await asyncio.wait({handing}, timeout=1.0)
            while not handing.done() and not self._stopping.is_set():
                self._consumer.pause(*self._consumer.assignment())
                await self._polled(1, 500)
            ours = [share for share in self._shares.all() if share.next_offset is not None and share.halted is None]
            self._consumer.resume(*(TopicPartition(self._topic, share.partition) for share in ours))
            if handing.done():
                handing.result()
        finally:
            if not handing.done():
                handing.cancel()

    async def _now_and_then(self) -> None:
        now = elapsed_seconds()
        for share in self._shares.all():
            share.see_end(self._consumer.highwater(TopicPartition(self._topic, share.partition)) or 0)
        if now - self._idle_since > IDLE_SECONDS and not any(share.lag for share in self._shares.all()):
            self._idle_since = now
            await self._handed_on(Batch(None, []))
        if now - self._shown_at > SHOW_SECONDS:
            self._shown_at = now
            await self._show()

    async def _show(self) -> None:
        """Commit to Kafka too, for those who watch lags there."""
        reached = {
            TopicPartition(self._topic, share.partition): share.committed
            for share in self._shares.all()
            if share.committed is not None
        }
        try:
            if reached:
                await self._consumer.commit(reached)
        except KafkaError as error:
            log.info("lag_not_shown", error=type(error).__name__)

    def _batch_max(self) -> int:
        behind = max((share.lag for share in self._shares.all()), default=0)
        return BATCH_BEHIND_MAX if behind > BATCH_BEHIND_MAX else BATCH_MAX

    def _halt(self, partition: int, why: str) -> None:
        share = self._shares.of(partition)
        if share is not None and share.halted is None:
            log.critical("partition_halted", partition=partition, trouble=why)
            share.halted = why
            self._consumer.pause(TopicPartition(self._topic, partition))

    def _report(self, problem: str) -> None:
        if self.problem is None:
            log.error("reader_in_trouble", trouble=problem)
        self.problem = f"reader: {problem}"

    async def _close(self) -> None:
        self._shares.assign([])
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await consumer.stop()
