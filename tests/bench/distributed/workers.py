"""``toxwatch monitor`` as it is, rules and all: what one, two and three workers do in a second, and what an event costs them."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Final, NamedTuple

import psycopg

from services.monitor.monitor import CONSUMER
from tests.bench.distributed.goals import progress
from tests.bench.distributed.ground import Ground, plain
from tests.bench.distributed.processes import cpu_of
from tests.crash.deployment import eventually
from tests.distributed.fleet import Fleet

SECONDS_MAX: Final = 3_600
LOOK_SECONDS: Final = 0.02


class Course(NamedTuple):
    """What a run came to."""

    rate: float
    cpu_micros: float


def run(ground: Ground, rounds: int, counts: Sequence[int]) -> None:
    """Print the rate of so many workers, and what an event costs all of them together."""
    ends = ground.ends()
    found: dict[int, list[Course]] = {workers: [] for workers in counts}
    for number in range(rounds):
        for workers in counts:
            progress(f"round {number + 1} of {rounds}: {workers} workers")
            found[workers].append(_measured(ground, workers, ends))
    print(
        f"\n`toxwatch monitor` with the rules: {sum(ends.values())} events, {rounds} rounds, {os.cpu_count()} cores for all,"
    )
    print(
        "  the broker and the database among them: the rate ends where the cores do, and the cost of an event should not rise"
    )
    for workers, courses in found.items():
        rate, cpu = (statistics.median(column) for column in zip(*courses, strict=True))
        print(f"  {workers} worker{'s' if workers > 1 else ' '} {rate:8.0f} events/s, {cpu:6.1f} µs of CPU an event")


def _measured(ground: Ground, workers: int, ends: dict[int, int]) -> Course:
    names = [f"monitor-{number + 1}" for number in range(workers)]
    with ground.copy() as database, ground.fleet(database) as fleet:
        with _held(database):
            for name in names:
                fleet.begin(name)
            await_shared(fleet, names, len(ends))
            began, cpu = time.perf_counter(), cpu_seconds(fleet, names)
        await_reached(database, ends)
        seconds, used = time.perf_counter() - began, cpu_seconds(fleet, names) - cpu
        for name in names:
            fleet.stop(name)
    events = sum(ends.values())
    return Course(events / seconds, used / events * 1e6)


@contextmanager
def _held(database: str) -> Iterator[None]:
    """Nobody commits before all are there: each waits for the row of its partition's position."""
    with psycopg.connect(plain(database)) as connection:
        connection.execute("SELECT 1 FROM positions WHERE consumer = %s FOR UPDATE", (CONSUMER,))
        yield


def await_shared(fleet: Fleet, names: Sequence[str], partitions: int) -> None:
    """Wait until the workers have shared the partitions among themselves."""

    def shares() -> list[list[int]]:
        said = [list(fleet.members[name].lines("partitions_assigned")) for name in names]
        return [lines[-1]["partitions"] if lines else [] for lines in said]

    eventually(lambda: all(shares()) and sorted(chain.from_iterable(shares())) == list(range(partitions)), 120, shares)


def await_reached(database: str, ends: dict[int, int]) -> None:
    """Wait until everything is committed."""
    deadline = time.monotonic() + SECONDS_MAX
    wanted = "SELECT partition, next_offset FROM positions WHERE consumer = %s"
    with psycopg.connect(plain(database), autocommit=True) as connection:
        while dict(connection.execute(wanted, (CONSUMER,)).fetchall()) != ends:
            assert time.monotonic() < deadline, "the monitors do not come to the end"
            time.sleep(LOOK_SECONDS)


def cpu_seconds(fleet: Fleet, names: Sequence[str]) -> float:
    """What members have used so far."""
    return sum(cpu_of(process.pid) for name in names if (process := fleet.members[name].process) is not None)
