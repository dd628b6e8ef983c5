"""Reads one intake topic, and takes what it brings with the same checks as what comes over HTTP.

Others write there, in transactions or not: its offsets have gaps, and what was aborted is left out. How far it was read stands in
the database; stopped between the taking and that, we take again what we have taken, which its ids make harmless. Where nothing is
left but what was aborted, and markers, we have come to the end all the same. A batch that cannot be read, and a record in the
taking of which we fail, are parked as severe, since nobody knows what they say, and what is behind them is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

import structlog
from kafka import TopicPartition
from kafka.errors import KafkaError, OffsetOutOfRangeError

from events.errors import TakingFailed, Unreadable
from projections.store.engine.database import Database, Lock, StoreUnavailable, try_lock
from projections.store.engine.generation import move_position, next_offset
from services.gateway.intake import Intake, Submission
from services.gateway.intake_topics import IntakeTopic
from services.gateway.messages import ReceivedMessage, message_again
from services.log import topics
from services.log.batches import UnreadableBatch
from services.log.kafka import attributes_of
from services.log.kafka_client import Cluster, LogUnavailable, no_such_topic
from services.log.kafka_connecting import positioned_consumer
from services.platform.supervision import LoopEnded
from services.platform.time_source import elapsed_seconds

TAKEN_AT_ONCE_MAX: Final = 500
POLL_MS: Final = 200
POSITION_MS: Final = 4_000
#: How often it is looked how far behind we are, whichever gateway reads.
LOOK_SECONDS: Final = 2.0
#: A topic that lags, and in which nothing was taken for so long, does not go on.
STALLED_SECONDS: Final = 30.0

log = structlog.get_logger()


class _Polled(NamedTuple):
    """What a partition brought, and where it goes on."""

    records: Sequence[Any]
    reached: int


class TopicReader:
    """``work`` for a :class:`services.platform.supervision.Loop`. One gateway reads at a time; all know how far behind it is.

    ``on_lag`` is told so, by partition; nothing where that is not known.
    """

    def __init__(
        self,
        cluster: Cluster,
        prefix: str,
        topic: IntakeTopic,
        database: Database,
        intake: Intake,
        on_lag: Callable[[Mapping[int, int]], None],
    ) -> None:
        self.consumer_name: Final = f"intake.{topic.name}"
        self._cluster = cluster
        self._topic = topic
        self._name = topics.intake(prefix, topic.name)
        self._database = database
        self._intake = intake
        self._on_lag = on_lag
        self._consumer: Any = None
        self._looked_at = float("-inf")
        self._stood: dict[int, int] = {}
        self._moved_at = elapsed_seconds()
        self._is_behind = False

    def work(self) -> bool:
        """Take what waits; say whether there was anything. Raises ``StoreUnavailable``."""
        self._look()
        with self._database.writing() as connection:
            if not try_lock(connection, Lock.INTAKE, self.consumer_name):
                return False
            starts = {n: next_offset(connection, self.consumer_name, n) for n in self._partitions()}
            polled = self._poll(starts)
            for partition, found in polled.items():
                if found.records:
                    self._take([self._submission(record) for record in found.records])
                if found.reached != starts[partition]:
                    move_position(connection, self.consumer_name, partition, starts[partition], found.reached)
        return any(found.records for found in polled.values())

    def trouble(self) -> str | None:
        """That it does not go on, in a sentence; None while it does."""
        still = elapsed_seconds() - self._moved_at
        if not self._is_behind or still <= STALLED_SECONDS:
            return None
        return f"{self.consumer_name}: entries wait, and none was taken for {still:.0f} s"

    def close(self) -> None:
        """Let go of the brokers."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            consumer.close(autocommit=False)

    def _look(self) -> None:
        """See how far behind the reading gateway is."""
        if elapsed_seconds() - self._looked_at < LOOK_SECONDS:
            return
        self._looked_at = elapsed_seconds()
        try:
            ends = self._ends()
            with self._database.reading() as connection:
                stands = {partition: next_offset(connection, self.consumer_name, partition) for partition in ends}
        except StoreUnavailable:
            self._on_lag({})
            raise
        lags = {partition: max(0, end - stands[partition]) for partition, end in ends.items()}
        self._on_lag(lags)
        if stands != self._stood or not any(lags.values()):
            self._moved_at = elapsed_seconds()
        self._stood, self._is_behind = stands, any(lags.values())

    def _ends(self) -> dict[int, int]:
        wanted = [TopicPartition(self._name, partition) for partition in self._partitions()]
        with self._reached():
            return {here.partition: end for here, end in self._consumer.end_offsets(wanted).items()}

    def _submission(self, record: Any) -> Submission:
        if isinstance(record.value, UnreadableBatch):
            fault = Unreadable(record.value.sentence(self._name, record.partition))
            log.error("batch_unreadable", topic=self._name, trouble=fault.error)
            message = ReceivedMessage(bytes(record.value), b"", fault=fault)
        else:
            message = self._topic.checked(_message(record))
        return Submission(self._topic.caller(message), [message])

    def _take(self, submissions: Sequence[Submission]) -> None:
        """Take them; where that fails, find the one that it is, and park it. Raises ``StoreUnavailable``."""
        try:
            self._intake.take(submissions)
        except StoreUnavailable:
            raise
        except Exception as error:
            if len(submissions) > 1:
                half = len(submissions) // 2
                self._take(submissions[:half])
                self._take(submissions[half:])
                return
            (submission,) = submissions
            (message,) = submission.messages
            if isinstance(message.fault, TakingFailed):
                raise
            log.exception("taking_failed", topic=self._name)
            fault = TakingFailed(f"taking it failed with {type(error).__name__}: a bug of Toxwatch, not of its sender")
            # Nothing of it is read again: that may be what failed.
            self._take([submission._replace(messages=[ReceivedMessage(message.raw, b"", message.headers, fault)])])

    def _partitions(self) -> list[int]:
        with self._reached():
            if self._consumer is None:
                self._consumer = positioned_consumer(
                    self._cluster, isolation_level="read_committed", max_poll_records=TAKEN_AT_ONCE_MAX
                )
            found = self._consumer.partitions_for_topic(self._name)
        if not found:
            raise no_such_topic(self._name)
        return sorted(found)

    def _poll(self, starts: dict[int, int]) -> dict[int, _Polled]:
        wanted = [TopicPartition(self._name, partition) for partition in starts]
        with self._reached():
            if self._consumer.assignment() != set(wanted):
                self._consumer.assign(wanted)
            for here in wanted:
                self._consumer.seek(here, starts[here.partition])
            try:
                found = self._consumer.poll(timeout_ms=POLL_MS, max_records=TAKEN_AT_ONCE_MAX)
            except OffsetOutOfRangeError as error:
                lost = f"the topic {self._name} does not have what follows any more: entries are lost"
                raise LoopEnded(lost) from error
            return {here.partition: self._polled(here, found.get(here, [])) for here in wanted}

    def _polled(self, here: TopicPartition, records: Sequence[Any]) -> _Polled:
        reached = self._consumer.position(here, POSITION_MS)
        if not any(isinstance(record.value, UnreadableBatch) for record in records):
            return _Polled(records, reached)
        end = self._consumer.end_offsets([here])[here]
        believed = [
            record._replace(value=record.value.before(end)) if isinstance(record.value, UnreadableBatch) else record
            for record in records
        ]
        return _Polled(believed, min(reached, end))

    @contextmanager
    def _reached(self) -> Iterator[None]:
        """Where a broker cannot be reached, the consumer is let go, and another made the next time."""
        try:
            yield
        except KafkaError as error:
            self.close()
            raise LogUnavailable(f"the topic {self._name} cannot be read now: {type(error).__name__}") from error


def _message(record: Any) -> ReceivedMessage:
    """In structured mode as it is; in binary mode its attributes are headers."""
    attributes = [[name, text.decode("utf-8", "surrogateescape")] for name, text in attributes_of(record.headers)]
    return message_again(record.value or b"", attributes or None)
