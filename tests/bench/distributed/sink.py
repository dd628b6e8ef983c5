"""The one sink of all contestants: one transaction moves positions by compare-and-set and writes event rows and aggregates."""

from __future__ import annotations

import json
import os
import resource
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import psycopg

from events.catalog import EVENT_ADAPTER, AnyEvent, subject_of
from tests.bench.distributed.delays import Delays
from tests.bench.distributed.job import Job

TABLES: Final = """
    CREATE TABLE sink_positions (partition int PRIMARY KEY, next_offset bigint NOT NULL);
    CREATE TABLE sink_events (
        partition int, "offset" bigint, subject text NOT NULL, source text NOT NULL, event_id text NOT NULL,
        kind text NOT NULL, time text NOT NULL, body bytea NOT NULL, PRIMARY KEY (partition, "offset")
    );
    CREATE TABLE sink_subjects (subject text PRIMARY KEY, events bigint NOT NULL, latest text NOT NULL);
"""
#: The file, in the job's home, that says what it took.
TOOK: Final = "took.json"
_MOVE: Final = "UPDATE sink_positions SET next_offset = %s WHERE partition = %s AND next_offset = %s"
_EVENTS: Final = (
    "INSERT INTO sink_events SELECT * FROM unnest("
    "%b::int[], %b::bigint[], %b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::bytea[])"
)
_SUBJECTS: Final = (
    "INSERT INTO sink_subjects AS known SELECT * FROM unnest(%b::text[], %b::bigint[], %b::text[])"
    " ON CONFLICT (subject) DO UPDATE SET events = known.events + excluded.events,"
    " latest = greatest(known.latest, excluded.latest)"
)

#: Without the adapter's method between, as our codec does it.
decode: Final = EVENT_ADAPTER.validator.validate_json


class Received(NamedTuple):
    """An entry of the topic, decoded."""

    partition: int
    offset: int
    event: AnyEvent
    body: bytes


def sink(connection: psycopg.Connection, received: Sequence[Received]) -> None:
    """Write a batch, which goes on where each of its partitions stands. Raises ``AssertionError`` where it does not."""
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    for partition, offset, _, _ in received:
        first.setdefault(partition, offset)
        last[partition] = offset
    subjects = [subject_of(one.event) or "" for one in received]
    latest: dict[str, str] = {}
    for subject, one in zip(subjects, received, strict=True):
        latest[subject] = max(latest.get(subject, ""), one.event.time)
    counted = Counter(subjects)
    with connection.transaction(), connection.cursor() as cursor:
        for partition, offset in first.items():
            cursor.execute(_MOVE, (last[partition] + 1, partition, offset))
            assert cursor.rowcount == 1, f"partition {partition} does not stand at {offset}"
        columns = zip(
            *(
                (
                    one.partition,
                    one.offset,
                    subject,
                    one.event.source,
                    one.event.id,
                    one.event.type,
                    one.event.time,
                    one.body,
                )
                for subject, one in zip(subjects, received, strict=True)
            ),
            strict=True,
        )
        cursor.execute(_EVENTS, [list(column) for column in columns])
        cursor.execute(_SUBJECTS, [list(counted), list(counted.values()), [latest[subject] for subject in counted]])


class Course:
    """The sink with a stopwatch, which runs from the first commit to the last. Then it is written down, and all ends.

    What came before the first commit, such as joining a group, and how a library ends are not measured.
    """

    def __init__(self, job: Job) -> None:
        self._left = job.events
        self._written_to = Path(job.home) / TOOK
        self._delays = Delays(job) if job.is_live else None
        self._events = self._batches = 0
        self._began = self._cpu = 0.0
        self._connection = psycopg.connect(job.database)

    def take(self, received: Sequence[Received]) -> None:
        """Write a batch."""
        sink(self._connection, received)
        self._left -= len(received)
        if self._began:
            self._events += len(received)
            self._batches += 1
        else:
            self._began, self._cpu = time.perf_counter(), _cpu()
        if self._delays is not None:
            self._delays.committed([one.body for one in received])
        elif self._left <= 0:
            self._end()

    def _end(self) -> None:
        took = {"seconds": time.perf_counter() - self._began, "cpu": _cpu() - self._cpu}
        self._written_to.write_text(json.dumps({"events": self._events, "batches": self._batches, **took}))
        os._exit(0)


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
