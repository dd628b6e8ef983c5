"""A log on Apache Kafka: one topic, written by an idempotent producer and read by position (see ``services.log.port``).

The offsets of a partition are continuous, and a gap means that something is lost.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from typing import Any, Final, Literal

from kafka import TopicPartition
from kafka.errors import KafkaError, OffsetOutOfRangeError
from sqlalchemy import Connection

from events.dates import Instant
from events.errors import ToxwatchError
from services.log.batches import UnreadableBatch
from services.log.kafka_client import Cluster, LogUnavailable, no_such_topic
from services.log.kafka_connecting import CLOSE_SECONDS_MAX, SECONDS_MAX, positioned_consumer
from services.log.partitioning import partition_of
from services.log.port import Entry, NewEntry, Position
from services.log.stamps import stamp
from services.log.topic_writer import Record, TopicWriter
from services.platform.time_source import elapsed_seconds

CONTENT_TYPE: Final = ("content-type", b"application/cloudevents+json")
#: With this the names of attributes begin, in binary mode.
ATTRIBUTE: Final = "ce_"

Headers = Iterable[tuple[str, bytes | None]]


class LogBroken(ToxwatchError):  # noqa: N818 - reads better where it is caught
    """Entries are missing: the partition begins later, or has a gap. Nobody may read on until a person has looked."""


def attributes_of(headers: Headers) -> list[tuple[str, bytes]]:
    """The attributes among the headers of a record. One that is null says nothing."""
    return [
        (name.removeprefix(ATTRIBUTE), text)
        for name, text in headers
        if name.startswith(ATTRIBUTE) and text is not None
    ]


def event_of(value: bytes | None, headers: Headers) -> bytes:
    """The event of a record as structured JSON: as it is, or composed where its attributes are headers (binary mode)."""
    attributes = attributes_of(headers)
    if not attributes:
        return value or b""
    members = ", ".join(f"{json.dumps(name)}: {json.dumps(text.decode(errors='replace'))}" for name, text in attributes)
    return b"".join((b"{", members.encode(), b', "data": ', value or b"null", b"}"))


def entry_of(record: Any) -> Entry:
    """A record of either client as an entry."""
    body = event_of(record.value, record.headers)
    return Entry(Position(record.partition, record.offset), key_of(record.key), body)


def key_of(key: bytes | None) -> str:
    """The key of a record as text."""
    return (key or b"").decode("utf-8", "backslashreplace")


class KafkaLog:
    """One of the two logs: see :class:`services.log.port.EventLog`. Any thread may use it; they read in turn."""

    def __init__(self, cluster: Cluster, topic: str, name: Literal["clinical", "alerts"]) -> None:
        self.topic: Final = topic
        self._cluster = cluster
        self._name: Final = name
        self._writer = TopicWriter(cluster, topic)
        self._reading = threading.Lock()
        self._consumer: Any = None
        self._assigned: TopicPartition | None = None
        self._partitions: int | None = None

    @property
    def partitions(self) -> int:
        """How many there are, as the brokers say. Raises ``LogUnavailable``."""
        if self._partitions is None:
            with self._reading, self._dropping():
                found = self._open_consumer().partitions_for_topic(self.topic)
            if not found:
                raise no_such_topic(self.topic)
            self._partitions = len(found)
        return self._partitions

    def append(self, entries: Sequence[NewEntry], transaction: Connection) -> list[Position]:
        """Append entries, each to the partition of its key. One that fails fails all, though others may stand there."""
        del transaction
        count = self.partitions
        return self._append([(partition_of(entry.key, count), entry) for entry in entries])

    def append_everywhere(self, entry: NewEntry, transaction: Connection) -> None:
        """Append an entry to every partition."""
        del transaction
        self._append([(partition, entry) for partition in range(self.partitions)])

    def append_at(self, entries: Sequence[Entry]) -> None:
        """Append entries, each at the very position that it names. Raises :class:`LogBroken` where one stands elsewhere."""
        written = self._append([(entry.position.partition, entry) for entry in entries])
        for entry, position in zip(entries, written, strict=True):
            if position != entry.position:
                raise LogBroken(
                    f"{self.topic}: what belongs at {entry.position} stands at {position}: another writes there"
                )

    def read(self, partition: int, offset: int, limit: int) -> list[Entry]:
        """Entries from ``offset`` on. Raises :class:`LogBroken` where some are missing."""
        here = TopicPartition(self.topic, partition)
        found: list[Entry] = []
        with self._reading, self._dropping():
            consumer = self._open_consumer()
            wanted = min(limit, self._end(consumer, here) - offset)
            if wanted <= 0:
                return []
            self._go_to(consumer, here, offset)
            deadline = elapsed_seconds() + SECONDS_MAX
            while len(found) < wanted:
                try:
                    records = consumer.poll(timeout_ms=500, max_records=wanted - len(found)).get(here, [])
                except OffsetOutOfRangeError as error:
                    raise LogBroken(f"{self.topic}: partition {partition} has no offset {offset} any more") from error
                for entry in islice(self._entries(records, partition), wanted - len(found)):
                    self._check_follows(partition, entry.position.offset, offset + len(found))
                    found.append(entry)
                if not records:
                    self._check_follows(partition, consumer.position(here), offset + len(found))
                    if elapsed_seconds() > deadline:
                        raise LogUnavailable(f"{self.topic}: partition {partition} is not given")
        return found

    def end(self, partition: int) -> int:
        """The offset of the next entry."""
        with self._reading, self._dropping():
            return self._end(self._open_consumer(), TopicPartition(self.topic, partition))

    def ends(self) -> dict[int, int]:
        """The same for every partition, asked at once."""
        wanted = [TopicPartition(self.topic, partition) for partition in range(self.partitions)]
        with self._reading, self._dropping():
            found = self._open_consumer().end_offsets(wanted)
        return {here.partition: offset for here, offset in found.items()}

    def stamp(self, now: Instant, transaction: Connection) -> Instant:
        """The ``receivedtime`` of what is appended now: see ``services.log.stamps``."""
        return stamp(self._name, now, transaction)

    def close(self) -> None:
        """Let go of the brokers. What is still under way, since none answers, is left to end with the process."""
        self._writer.close()
        if self._reading.acquire(timeout=CLOSE_SECONDS_MAX):
            self._drop()
            self._reading.release()

    def _entries(self, records: Sequence[Any], partition: int) -> Iterator[Entry]:
        """What each record says; where a batch cannot be read, an entry for each of its offsets, the first with its bytes."""
        for record in records:
            if not isinstance(record.value, UnreadableBatch):
                yield entry_of(record)
                continue
            batch = record.value
            for offset in range(batch.first, batch.last + 1):
                body = bytes(batch) if offset == batch.first else b""
                yield Entry(Position(partition, offset), "", body, batch.sentence(self.topic, partition))

    def _append(self, placed: Sequence[tuple[int, NewEntry | Entry]]) -> list[Position]:
        records = [Record(partition, entry.key, entry.body, [CONTENT_TYPE]) for partition, entry in placed]
        offsets = self._writer.append(records)
        return [Position(record.partition, offset) for record, offset in zip(records, offsets, strict=True)]

    def _open_consumer(self) -> Any:
        if self._consumer is None:
            self._consumer = positioned_consumer(
                self._cluster,
                fetch_max_wait_ms=100,
                max_partition_fetch_bytes=4 * 1024 * 1024,
                max_poll_records=2_000,
            )
            self._assigned = None
        return self._consumer

    def _end(self, consumer: Any, here: TopicPartition) -> int:
        end: int = consumer.end_offsets([here])[here]
        return end

    def _go_to(self, consumer: Any, here: TopicPartition, offset: int) -> None:
        """What was fetched ahead is kept where the reader goes on."""
        if self._assigned != here:
            consumer.assign([here])
            self._assigned = here
            consumer.seek(here, offset)
        elif consumer.position(here) != offset:
            consumer.seek(here, offset)

    def _check_follows(self, partition: int, there: int, expected: int) -> None:
        if there != expected:
            raise LogBroken(f"{self.topic}: partition {partition} has {there} where {expected} should follow")

    @contextmanager
    def _dropping(self) -> Iterator[None]:
        """A consumer that failed is not used again."""
        try:
            yield
        except (KafkaError, AssertionError, ValueError) as error:
            self._drop()
            raise LogUnavailable(f"the log {self.topic} cannot be used now: {type(error).__name__}") from error
        except BaseException:
            self._drop()
            raise

    def _drop(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            # It was given up: that it cannot say goodbye to anybody is no news.
            with suppress(KafkaError):
                consumer.close(autocommit=False)
