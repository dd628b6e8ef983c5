"""A worker over a million events with an outage of the database among them: its memory; then a rebuild of all, and its memory."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import psycopg

from services.monitor.monitor import CONSUMER
from tests.bench.distributed.goals import at_most, progress
from tests.bench.distributed.ground import Ground, plain, portfolio
from tests.bench.distributed.processes import resident_mb
from tests.bench.distributed.workers import await_reached, cpu_seconds
from tests.databases import crash_postgresql
from tests.distributed.fleet import ROOT, Fleet

LOOK_SECONDS: Final = 0.5
#: Memory is compared from here on: charts are kept up to a limit, and until it is reached they grow.
FROM: Final = 0.5
#: How far the largest may lie from the median, in per cent.
SPREAD_MAX: Final = 5.0
OUTAGE_AT: Final = 0.6
SHOWN: Final = 10


def run(ground: Ground, events: int, outage_seconds: float) -> None:
    """Print both."""
    long = ground.another()
    progress(f"{events} events are appended")
    long.fill(portfolio(events))
    total = sum(long.ends().values())
    with long.copy() as database, long.fleet(database) as fleet:
        fleet.begin("monitor-1")
        with _sampled(fleet, database) as samples:
            _await(samples, OUTAGE_AT * total)
            progress("the database goes down")
            crash_postgresql(long.server, lambda: time.sleep(outage_seconds))
            progress("the database is back")
            began = time.perf_counter()
            _await(samples, total)
        seconds, cpu = time.perf_counter() - began, cpu_seconds(fleet, ["monitor-1"])
        await_reached(database, long.ends())
        fleet.stop("monitor-1")
        _tell(samples, total, outage_seconds, seconds, cpu)
        _rebuild(fleet, total)


def _tell(samples: Sequence[tuple[int, int]], total: int, outage: float, seconds: float, cpu: float) -> None:
    print(f"\none worker, {total} events, the database down for {outage:.0f} s at {OUTAGE_AT:.0%} of them")
    print(
        f"  {cpu / total * 1e6:.0f} µs of CPU an event, the start among them; all was committed {seconds:.0f} s after the outage"
    )
    every = [next(rss for reached, rss in samples if reached >= total * n / SHOWN) for n in range(1, SHOWN + 1)]
    print(f"  resident memory at each tenth of the events: {', '.join(map(str, every))} MB")
    compared = [rss for reached, rss in samples if reached >= FROM * total]
    median = statistics.median(compared)
    spread = max(abs(rss - median) for rss in compared) / median * 100
    at_most(f"memory of the last half, off its median of {median:.0f} MB", spread, SPREAD_MAX, "%")


@contextmanager
def _sampled(fleet: Fleet, database: str) -> Iterator[list[tuple[int, int]]]:
    """How far it has come, and its resident memory in MB, time after time."""
    samples: list[tuple[int, int]] = []
    ended = threading.Event()

    def look() -> None:
        reached = 0
        while not ended.wait(LOOK_SECONDS):
            reached = _reached(database) or reached
            samples.append((reached, _resident(fleet)))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield samples
    finally:
        ended.set()
        thread.join()


def _reached(database: str) -> int:
    """0 while the database does not answer."""
    try:
        with psycopg.connect(plain(database), connect_timeout=5) as connection:
            wanted = "SELECT sum(next_offset) FROM positions WHERE consumer = %s"
            found = connection.execute(wanted, (CONSUMER,)).fetchone()
    except psycopg.OperationalError:
        return 0
    return int(found[0]) if found is not None else 0


def _await(samples: Sequence[tuple[int, int]], events: float) -> None:
    while not samples or samples[-1][0] < events:
        time.sleep(LOOK_SECONDS)


def _resident(fleet: Fleet) -> int:
    process = fleet.members["monitor-1"].process
    assert process is not None
    return resident_mb(process.pid)


def _rebuild(fleet: Fleet, total: int) -> None:
    progress("everything is rebuilt")
    command = [sys.executable, "-m", "services.cli.main", "rebuild"]
    began = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **fleet.environment}, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - began
    assert process.returncode == 0, "the rebuild has failed"
    cpu = (used.ru_utime + used.ru_stime) / total * 1e6
    print(f"\n`toxwatch rebuild` of {total} events")
    print(f"  {total / seconds:.0f} events/s, {cpu:.0f} µs of CPU an event, {used.ru_maxrss // 1024} MB at most")
