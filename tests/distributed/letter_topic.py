"""What stands in the topic of dead letters, as anybody reads it."""

from __future__ import annotations

from typing import Any, NamedTuple

from kafka import KafkaConsumer, TopicPartition

from services.log import topics
from services.log.dead_letter_topic import PARTITION
from services.log.kafka_client import Cluster

POLL_MS = 5_000


class Carried(NamedTuple):
    """A record of the topic."""

    key: str
    value: bytes | None
    headers: dict[str, str]

    @property
    def letter(self) -> int:
        """Its number in the table."""
        return int(self.headers["toxwatch_letter"])


def carried(cluster: Cluster, prefix: str) -> list[Carried]:
    """Every record, in order; one that was carried twice is there twice."""
    here = TopicPartition(topics.dead_letters(prefix), PARTITION)
    consumer: Any = KafkaConsumer(
        bootstrap_servers=str(cluster), auto_offset_reset="earliest", enable_auto_commit=False
    )
    try:
        consumer.assign([here])
        end = consumer.end_offsets([here])[here]
        found: list[Carried] = []
        while consumer.position(here) < end:
            records = consumer.poll(timeout_ms=POLL_MS).get(here, [])
            assert records, f"{here} is not given"
            found += [_carried(record) for record in records]
        return found
    finally:
        consumer.close()


def _carried(record: Any) -> Carried:
    return Carried(record.key.decode(), record.value, {name: value.decode() for name, value in record.headers})
