"""Where the monitor's time goes with the rules on, in one process: reading, judging, each table's SQL, the commit."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import event

from projections.rules.isi_jx import PROTOCOL
from projections.store.database import Database
from projections.store.watch import SubjectWatch
from services.clock.time_source import SystemClock
from services.log.decoding import Decoder
from services.log.kafka import KafkaLog
from services.log.kafka_client import Cluster
from services.log.port import Entry
from services.monitor.monitor import Monitor
from tests.bench.distributed.ground import Ground

BATCH: Final = 500
SHOWN: Final = 16
_TABLE: Final = re.compile(r'(INSERT INTO|UPDATE|DELETE FROM|FROM)\s+"?(\w+)')
_VERBS: Final = {"INSERT INTO": "write", "UPDATE": "update", "DELETE FROM": "delete", "FROM": "read"}


class Ledger:
    """Seconds by what was done meanwhile."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()

    def timed(self, what: str, work: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, with its time written down."""

        def wrapped(*arguments: Any, **named: Any) -> Any:
            began = time.perf_counter()
            try:
                return work(*arguments, **named)
            finally:
                self.seconds[what] += time.perf_counter() - began

        return wrapped

    def watch(self, database: Database) -> None:
        """Write down each statement and each commit."""
        engine, dialect = database.engine, database.engine.dialect
        event.listen(engine, "before_cursor_execute", self._before)
        event.listen(engine, "after_cursor_execute", self._after)
        dialect.do_commit = self.timed("commit", dialect.do_commit)  # type: ignore[method-assign]

    def _before(self, connection: Any, _cursor: Any, _statement: str, *_: Any) -> None:
        connection.info["began"] = time.perf_counter()

    def _after(self, connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        found = _TABLE.search(statement)
        what = f"{_VERBS[found[1]]} {found[2]}" if found else "other SQL"
        self.seconds[what] += time.perf_counter() - connection.info["began"]


def run(ground: Ground) -> None:
    """Print the shares, dearest first."""
    ledger = Ledger()
    take, decode = SubjectWatch.take, Decoder.decode
    with ground.copy() as url:
        database = Database(url)
        ledger.watch(database)
        SubjectWatch.take = ledger.timed("fold and judge", take)  # type: ignore[method-assign]
        Decoder.decode = ledger.timed("decode", decode)  # type: ignore[method-assign]
        try:
            events, seconds = _judged(database, _entries(ground))
        finally:
            SubjectWatch.take, Decoder.decode = take, decode  # type: ignore[method-assign]
            database.close()
    ledger.seconds["everything else (Python)"] = seconds - sum(ledger.seconds.values())
    print(f"\nwhere the monitor's time goes: {events} events in one process, {seconds / events * 1e6:.0f} µs an event")
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


def _judged(database: Database, batches: list[list[Entry]]) -> tuple[int, float]:
    partitions = len({batch[0].position.partition for batch in batches})
    monitor, clock = Monitor(database, PROTOCOL, "urn:toxwatch:local", partitions=partitions), SystemClock()
    began = time.perf_counter()
    for batch in batches:
        monitor.process(batch, clock.now())
    return sum(map(len, batches)), time.perf_counter() - began
