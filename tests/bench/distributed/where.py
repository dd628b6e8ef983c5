"""Where the monitor's time goes with the rules on, in one process: reading, judging, each table's SQL, the commit."""

from __future__ import annotations

import gc
import re
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import event

from projections.folds.trial import Trial
from projections.protocols.isi_jx import PROTOCOL
from projections.store.engine.database import Database
from projections.store.write.subject_state import SubjectState
from services.log.decoding import Decoder
from services.log.kafka import KafkaLog
from services.log.kafka_client import Cluster
from services.log.port import Entry
from services.monitor.monitor import Monitor
from services.platform.garbage import spare_what_stays
from services.platform.time_source import SystemClock
from tests.bench.distributed.ground import Ground

BATCH: Final = 500
SHOWN: Final = 16
GARBAGE: Final = "collecting garbage"
_TABLE: Final = re.compile(r'(INSERT INTO|UPDATE|DELETE FROM|FROM)\s+(?!unnest)"?(\w+)')
_VERBS: Final = {"INSERT INTO": "write", "UPDATE": "update", "DELETE FROM": "delete", "FROM": "read"}


class Ledger:
    """Seconds by what was done meanwhile. Garbage is collected at any moment, and is a line of its own."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self._began = 0.0

    def timed(self, what: str, work: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, with its time written down."""

        def wrapped(*arguments: Any, **named: Any) -> Any:
            began = self._now()
            try:
                return work(*arguments, **named)
            finally:
                self.seconds[what] += self._now() - began

        return wrapped

    def watch(self, database: Database) -> None:
        """Write down each statement and each commit."""
        engine, dialect = database.engine, database.engine.dialect
        event.listen(engine, "before_cursor_execute", self._before)
        event.listen(engine, "after_cursor_execute", self._after)
        dialect.do_commit = self.timed("commit", dialect.do_commit)  # type: ignore[method-assign]

    def collects(self, phase: str, _info: dict[str, int]) -> None:
        """Told when garbage begins and ends to be collected."""
        if phase == "start":
            self._began = time.perf_counter()
        else:
            self.seconds[GARBAGE] += time.perf_counter() - self._began

    def _now(self) -> float:
        return time.perf_counter() - self.seconds[GARBAGE]

    def _before(self, connection: Any, _cursor: Any, _statement: str, *_: Any) -> None:
        connection.info["began"] = self._now()

    def _after(self, connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        found = _TABLE.search(statement)
        what = f"{_VERBS[found[1]]} {found[2]}" if found else "other SQL"
        self.seconds[what] += self._now() - connection.info["began"]


def run(ground: Ground) -> None:
    """Print the shares, dearest first."""
    ledger = Ledger()
    take, decode = SubjectState.take, Decoder.decode
    gc.callbacks.append(ledger.collects)
    with ground.copy() as url:
        database = Database(url)
        ledger.watch(database)
        SubjectState.take = ledger.timed("fold and judge", take)  # type: ignore[method-assign]
        Decoder.decode = ledger.timed("decode", decode)  # type: ignore[method-assign]
        try:
            events, seconds, cpu = _judged(database, _entries(ground))
        finally:
            SubjectState.take, Decoder.decode = take, decode  # type: ignore[method-assign]
            gc.callbacks.remove(ledger.collects)
            database.close()
    ledger.seconds["everything else (Python)"] = seconds - sum(ledger.seconds.values())
    print(f"\nwhere the monitor's time goes: {events} events in one process")
    print(f"  {seconds / events * 1e6:.0f} µs an event, {cpu / events * 1e6:.0f} µs of them on the processor")
    for what, spent in ledger.seconds.most_common(SHOWN):
        print(f"  {what:42} {spent / events * 1e6:7.1f} µs  {spent / seconds:6.1%}")


def _entries(ground: Ground) -> list[list[Entry]]:
    """Batches as they stand in the log, partition by partition in turn."""
    log = KafkaLog(Cluster((ground.broker.address,)), ground.topic, "clinical")
    try:
        ends = log.ends()
        return [
            log.read(partition, start, min(BATCH, end - start))
            for start in range(0, max(ends.values()), BATCH)
            for partition, end in ends.items()
            if start < end
        ]
    finally:
        log.close()


def _judged(database: Database, batches: list[list[Entry]]) -> tuple[int, float, float]:
    partitions = len({batch[0].position.partition for batch in batches})
    monitor, clock = Monitor(database, Trial(PROTOCOL, "urn:toxwatch:local"), partitions=partitions), SystemClock()
    spare_what_stays()  # as the worker does
    began, cpu = time.perf_counter(), time.process_time()
    for batch in batches:
        monitor.process(batch, clock.now())
    return sum(map(len, batches)), time.perf_counter() - began, time.process_time() - cpu
