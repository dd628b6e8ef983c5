"""Reads one intake topic, and takes what it brings with the same checks as what comes over HTTP.

Others write there, in transactions or not: its offsets have gaps, and what was aborted is left out. How far it was read stands in
the database; stopped between the taking and that, we take again what we have taken, which its ids make harmless.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError, OffsetOutOfRangeError

from projections.store.database import Database, Turn, turn_is_free
from projections.store.generation import begin_positions, move_position, next_offset
from services.gateway.intake import Intake, Submission
from services.gateway.intake_topics import IntakeTopic
from services.gateway.messages import Message, message_again
from services.log import topics
from services.log.kafka_client import Cluster, LogUnavailable
from services.log.kafka_connecting import connected
from services.loops import LoopEnded

TAKEN_AT_ONCE_MAX: Final = 500
ANSWER_SECONDS: Final = 4.0
POLL_MS: Final = 200
_ATTRIBUTE: Final = "ce_"


class TopicReader:
    """``work`` for a :class:`services.loops.Loop`. Of several gateways one at a time reads."""

    def __init__(self, cluster: Cluster, prefix: str, topic: IntakeTopic, database: Database, intake: Intake) -> None:
        self.consumer_name: Final = f"intake.{topic.name}"
        self._cluster = cluster
        self._topic = topic
        self._name = topics.intake(prefix, topic.name)
        self._database = database
        self._intake = intake
        self._consumer: Any = None

    def work(self) -> bool:
        """Take what waits; say whether there was anything. Raises ``StoreUnavailable``."""
        with self._database.writing() as connection:
            if not turn_is_free(connection, Turn.INTAKE):
                return False
            records = self._poll({n: next_offset(connection, self.consumer_name, n) for n in self._partitions()})
            for partition, found in records.items():
                self._take(found)
                begin_positions(connection, self.consumer_name, partition + 1)
                start = next_offset(connection, self.consumer_name, partition)
                move_position(connection, self.consumer_name, partition, start, found[-1].offset + 1)
        return bool(records)

    def close(self) -> None:
        """Let go of the brokers."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            consumer.close(autocommit=False)

    def _take(self, records: Sequence[Any]) -> None:
        messages = [self._topic.checked(_message(record)) for record in records]
        self._intake.take([Submission(self._topic.caller(message), [message]) for message in messages])

    def _partitions(self) -> list[int]:
        try:
            if self._consumer is None:
                self._consumer = connected(
                    KafkaConsumer,
                    self._cluster,
                    ANSWER_SECONDS,
                    metrics_enabled=False,
                    enable_auto_commit=False,
                    auto_offset_reset="none",
                    isolation_level="read_committed",
                    max_poll_records=TAKEN_AT_ONCE_MAX,
                    allow_auto_create_topics=False,
                )
            found = self._consumer.partitions_for_topic(self._name)
        except KafkaError as error:
            self.close()
            raise LogUnavailable(f"the topic {self._name} cannot be read now: {type(error).__name__}") from error
        if not found:
            raise LogUnavailable(f"there is no topic {self._name}; `toxwatch topics create` makes it")
        return sorted(found)

    def _poll(self, starts: dict[int, int]) -> dict[int, list[Any]]:
        wanted = [TopicPartition(self._name, partition) for partition in starts]
        try:
            if self._consumer.assignment() != set(wanted):
                self._consumer.assign(wanted)
            for here in wanted:
                self._consumer.seek(here, starts[here.partition])
            found = self._consumer.poll(timeout_ms=POLL_MS, max_records=TAKEN_AT_ONCE_MAX)
        except OffsetOutOfRangeError as error:
            raise LoopEnded(f"the topic {self._name} does not have what follows any more: entries are lost") from error
        except KafkaError as error:
            self.close()
            raise LogUnavailable(f"the topic {self._name} cannot be read now: {type(error).__name__}") from error
        return {here.partition: records for here, records in found.items() if records}


def _message(record: Any) -> Message:
    """In structured mode as it is; in binary mode its attributes are headers."""
    attributes = [
        [name.removeprefix(_ATTRIBUTE), value.decode("utf-8", "surrogateescape")]
        for name, value in record.headers
        if name.startswith(_ATTRIBUTE)
    ]
    return message_again(record.value or b"", attributes or None)
