"""The topic of dead letters on Kafka: what was parked, for those who watch topics. The table of letters is the record."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple

from kafka.errors import KafkaError

from services.clock.time_source import elapsed_seconds
from services.log.kafka_client import Cluster, LogUnavailable
from services.log.kafka_connecting import CLOSE_SECONDS_MAX, SECONDS_MAX, durable_producer
from services.log.topics import LETTER_BYTES_MAX

#: It has one, so that an offset alone says where a letter is.
PARTITION: Final = 0


class LetterRecord(NamedTuple):
    """A letter as it stands in the topic: twice perhaps, under one ``key``. ``value`` is None where its bytes were erased."""

    key: str
    value: bytes | None
    headers: list[tuple[str, bytes]]


class LetterTopic:
    """Appends letters. Any thread may use it, one at a time."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self._cluster = cluster
        self._name = name
        self._writing = threading.Lock()
        self._producer: Any = None

    def append(self, records: Sequence[LetterRecord]) -> list[int]:
        """Append records, durably, and give the offset of each. Raises :class:`LogUnavailable`; some may stand there then."""
        with self._writing:
            try:
                return self._append(records)
            except (KafkaError, AssertionError, ValueError) as error:
                self._drop()
                raise LogUnavailable(f"the topic {self._name} cannot be used now: {type(error).__name__}") from error

    def close(self) -> None:
        """Let go of the brokers. What is still under way, since none answers, is left to end with the process."""
        if self._writing.acquire(timeout=CLOSE_SECONDS_MAX):
            self._drop()
            self._writing.release()

    def _append(self, records: Sequence[LetterRecord]) -> list[int]:
        if self._producer is None:
            self._producer = durable_producer(self._cluster, max_request_size=LETTER_BYTES_MAX)
        sent = [
            self._producer.send(self._name, record.value, record.key.encode(), record.headers, PARTITION)
            for record in records
        ]
        deadline = elapsed_seconds() + SECONDS_MAX
        return [future.get(timeout=max(0.001, deadline - elapsed_seconds())).offset for future in sent]

    def _drop(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            with suppress(KafkaError):
                producer.close(timeout=0)
