"""Writes to one topic on Kafka: an append is durable on return, every replica that is in sync has it.

Never in a transaction of Kafka's, whose markers would take offsets: those of a partition of ours are continuous.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from kafka import KafkaProducer
from kafka.errors import KafkaError

from services.log.kafka_client import Cluster, LogUnavailable
from services.log.kafka_connecting import ANSWER_SECONDS, CLOSE_SECONDS_MAX, SECONDS_MAX, connected
from services.platform.time_source import elapsed_seconds


class Record(NamedTuple):
    """What is to be appended. ``value`` is None where there is nothing to tell but that it was there."""

    partition: int
    key: str
    value: bytes | None
    headers: list[tuple[str, bytes]]


class TopicWriter:
    """Appends records. Any thread may use it, one at a time. ``options`` are more of the producer's."""

    def __init__(self, cluster: Cluster, topic: str, **options: Any) -> None:
        self._cluster = cluster
        self._topic = topic
        self._options = options
        self._writing = threading.Lock()
        self._producer: Any = None

    def append(self, records: Sequence[Record]) -> list[int]:
        """Append records and give the offset of each. Raises :class:`LogUnavailable`; some may stand there then."""
        with self._writing:
            try:
                return self._append(records)
            except (KafkaError, AssertionError, ValueError) as error:
                self._drop()
                raise LogUnavailable(f"the topic {self._topic} cannot be used now: {type(error).__name__}") from error
            except BaseException:
                self._drop()
                raise

    def close(self) -> None:
        """Let go of the brokers. What is still under way, since none answers, is left to end with the process."""
        if self._writing.acquire(timeout=CLOSE_SECONDS_MAX):
            self._drop()
            self._writing.release()

    def _append(self, records: Sequence[Record]) -> list[int]:
        if self._producer is None:
            self._producer = connected(
                KafkaProducer,
                self._cluster,
                ANSWER_SECONDS,
                metrics_enabled=False,
                acks="all",
                enable_idempotence=True,
                delivery_timeout_ms=int(SECONDS_MAX * 1000),
                max_block_ms=int(ANSWER_SECONDS * 1000),
                batch_size=256 * 1024,
                linger_ms=1,
                allow_auto_create_topics=False,
                **self._options,
            )
        sent = [
            self._producer.send(self._topic, record.value, record.key.encode(), record.headers, record.partition)
            for record in records
        ]
        deadline = elapsed_seconds() + SECONDS_MAX
        return [future.get(timeout=max(0.001, deadline - elapsed_seconds())).offset for future in sent]

    def _drop(self) -> None:
        """A producer that failed is not used again: it may be fenced, or still hold what was given up."""
        producer, self._producer = self._producer, None
        if producer is not None:
            # It was given up: that it cannot say goodbye to anybody is no news.
            with suppress(KafkaError):
                producer.close(timeout=0)
