"""The monitor on its store, beside the same store and sink without the rules; a rebuild; and memory over a long run."""

from __future__ import annotations

import resource
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import func, select

from events.catalog import subject_of
from events.codec import Codec
from events.dates import FAR_PAST
from projections.folds.trial import Trial
from projections.protocols.isi_jx import PROTOCOL
from projections.store.engine.database import Database
from projections.store.engine.generation import begin_first_generation, move_position
from projections.store.engine.schema import migrate
from projections.store.engine.tables import alert_events
from projections.store.rebuild.rebuild import Rebuild
from projections.store.rows import charts
from projections.store.rows.charts import SubjectRow
from services.log.embedded import EmbeddedLog
from services.log.port import Entry, NewEntry
from services.maintenance.rebuilding import reading_of
from services.monitor.monitor import CONSUMER, Monitor
from services.platform.time_source import SystemClock
from services.simulator.portfolio import Load, simulate_portfolio
from services.simulator.trial import DEFAULT_START
from services.trials.rules_version import configuration_hash

SOURCE = "urn:toxwatch:bench"
BATCH = 500
#: What the rules may cost: the goal is at least half the rate of the bare sink.
GOAL = 0.5


def run(events: int, rounds: int) -> None:
    """Print rates and ratios."""
    lines = [line.rstrip(b"\n") for line in simulate_portfolio(Load(5, max(1, events // 400), events, DEFAULT_START))]
    bare, judged, rebuilt = [], [], []
    for _ in range(rounds):
        with _filled(lines) as (database, log):
            bare.append(_bare(database, log))
        with _filled(lines) as (database, log):
            judged.append(_judged(database, log))
            rebuilt.append(_rebuilt(database, log))
            with database.reading() as connection:
                told = connection.scalar(select(func.count()).select_from(alert_events))
    print(
        f"\nmonitor on SQLite, batches of {BATCH}, {len(lines)} events of {max(1, events // 400)} subjects, {told} alert events"
    )
    rates = {"same store and sink, without the rules": bare, "monitor": judged, "rebuild": rebuilt}
    for name, seconds in rates.items():
        print(f"  {name:42} {len(lines) / statistics.median(seconds):9.0f} events/s")
    print(f"  ratio {statistics.median(bare) / statistics.median(judged):.2f} (goal >= {GOAL})")
    print(f"  peak memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB")


@contextmanager
def _filled(lines: list[bytes]) -> Iterator[tuple[Database, EmbeddedLog]]:
    """A database whose clinical log holds the events."""
    codec = Codec(PROTOCOL.contract)
    with tempfile.TemporaryDirectory() as directory:
        database = Database(f"sqlite:///{Path(directory) / 'bench.db'}")
        migrate(database)
        log = EmbeddedLog(database, "clinical")
        with database.writing() as connection:
            begin_first_generation(connection, 0)
        for start in range(0, len(lines), 5_000):
            entries = []
            for raw in lines[start : start + 5_000]:
                event = codec.decode(raw).event
                subject = subject_of(event) or ""
                entries.append(NewEntry(f"{PROTOCOL.trial}/{subject}", subject, event.source, event.id, raw))
            with database.writing() as connection:
                log.append(entries, connection)
        yield database, log
        database.close()


def _batches(log: EmbeddedLog) -> Iterator[list[Entry]]:
    offset = 0
    while entries := log.read(0, offset, BATCH):
        yield entries
        offset = entries[-1].position.offset + 1


def _judged(database: Database, log: EmbeddedLog) -> float:
    monitor, clock = Monitor(database, Trial(PROTOCOL, SOURCE)), SystemClock()
    start = time.perf_counter()
    for entries in _batches(log):
        monitor.process(entries, clock.now())
    return time.perf_counter() - start


def _bare(database: Database, log: EmbeddedLog) -> float:
    """Decode, look for known identities, write the chart events, the subjects and the position: no rule is asked."""
    codec = Codec(PROTOCOL.contract)
    versions: dict[str, int] = {}
    start = time.perf_counter()
    for entries in _batches(log):
        decoded = [(entry, codec.decode(entry.body)) for entry in entries]
        with database.writing() as connection:
            move_position(connection, CONSUMER, 0, entries[0].position.offset, entries[-1].position.offset + 1)
            identities = {(subject_of(one.event) or "", one.event.source, one.event.id) for _, one in decoded}
            charts.bodies_of(connection, 1, identities)
            touched = {subject_of(one.event) or "" for _, one in decoded}
            charts.subject_rows(connection, 1, touched)
            for _, one in decoded:
                subject = subject_of(one.event) or ""
                versions[subject] = versions.get(subject, 0) + 1
            charts.write_chart_events(
                connection,
                [
                    {
                        "generation": 1,
                        "subject": subject_of(one.event) or "",
                        "source": one.event.source,
                        "event_id": one.event.id,
                        "kind": one.event.record_kind,
                        "record_id": one.event.record_id,
                        "time": one.time,
                        "received": one.received,
                        "partition": 0,
                        "offset": entry.position.offset,
                        "body": entry.body,
                    }
                    for entry, one in decoded
                ],
            )
            rows = [SubjectRow(s, None, versions[s], 0, 0, FAR_PAST, None, "", None) for s in sorted(touched)]
            charts.write_subjects(connection, 1, rows)
    return time.perf_counter() - start


def _rebuilt(database: Database, log: EmbeddedLog) -> float:
    clock = SystemClock()
    start = time.perf_counter()
    rules, read = configuration_hash(PROTOCOL), reading_of(log, PROTOCOL)
    with Rebuild(database, Trial(PROTOCOL, SOURCE), rules, read, 1, CONSUMER).aside(clock.now()) as rebuild:
        for _ in rebuild.catch_up(clock.now):
            pass
        return time.perf_counter() - start
