"""The whole job beside others who do the same: medians of shuffled rounds, each contestant a process of its own."""

from __future__ import annotations

import json
import random
import statistics
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

import psycopg

from tests.bench.distributed.goals import at_least, progress
from tests.bench.distributed.ground import SEED, Ground, plain
from tests.bench.distributed.job import Job
from tests.bench.distributed.sink import TABLES, TOOK
from tests.distributed.fleet import ROOT

BATCH: Final = 500
SECONDS_MAX: Final = 900
OURS: Final = "ours: the Faust worker, without the rules"
#: The programs; those of other virtual environments last.
CONTESTANTS: Final = {
    OURS: "ours",
    "bare aiokafka loop": "aiokafka_loop",
    "Faust take(500)": "faust_take",
    "Quix Streams": "quix",
    "Bytewax": "bytewax_flow",
}
ELSEWHERE: Final = ("quix", "bytewax_flow")
#: How many times as fast we are to be as each of them.
GOALS: Final = {"bare aiokafka loop": 0.9, "Quix Streams": 1.0, "Bytewax": 1.0, "Faust take(500)": 2.5}


class Result(NamedTuple):
    """One run of a contestant."""

    rate: float
    cpu_micros: float
    batch: float


def run(ground: Ground, peers: Path, rounds: int) -> None:
    """Print rates and ratios. ``peers`` is the interpreter that has the stream processors."""
    entries = sum(ground.ends().values())
    found: dict[str, list[Result]] = {name: [] for name in CONTESTANTS}
    order = [name for name, program in CONTESTANTS.items() if program not in ELSEWHERE or peers.exists()]
    chance = random.Random(SEED)
    for number in range(rounds):
        chance.shuffle(order)
        for name in order:
            progress(f"round {number + 1} of {rounds}: {name}")
            python = peers if CONTESTANTS[name] in ELSEWHERE else Path(sys.executable)
            found[name].append(_raced(ground, CONTESTANTS[name], python, entries))
    print(
        f"\nread, decode, write position, events and aggregates: {entries} events, batches of {BATCH}, {rounds} rounds"
    )
    medians = {name: _median(results) for name, results in found.items() if results}
    ours = medians[OURS]
    for name, median in medians.items():
        rates = sorted(round(one.rate) for one in found[name])
        print(
            f"  {name:42} {median.rate:8.0f} events/s ({rates[0]}-{rates[-1]}), {median.cpu_micros:6.1f} µs of CPU an event,"
            f" {median.batch:4.0f} a batch"
        )
    for name in sorted(medians.keys() & GOALS.keys()):
        at_least(f"events/s, of those of {name}", ours.rate / medians[name].rate, GOALS[name])
        at_least(f"events per CPU second, of those of {name}", medians[name].cpu_micros / ours.cpu_micros, GOALS[name])
    for name in sorted(CONTESTANTS.keys() - medians.keys()):
        print(f"  {name}: not installed (make bench-distributed makes {peers.parent.parent.name})")


def _raced(ground: Ground, program: str, python: Path, entries: int) -> Result:
    with ground.copy() as database, ground.fleet(database) as fleet:
        url = plain(database)
        make_sink(url, ground.ends())
        group = f"{fleet.home.name}-{program}"
        job = Job(ground.broker.address, ground.topic, group, url, entries, BATCH, str(fleet.home))
        command = [python, "-m", f"tests.bench.distributed.contestants.{program}", job.as_text()]
        done = subprocess.run(
            command,
            cwd=ROOT,
            env={"PATH": "/usr/bin:/bin", **fleet.environment},
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
            check=False,
        )
        assert done.returncode == 0, f"{program} ended with {done.returncode}: {done.stderr[-3000:]}"
        _check(url, program, ground.ends())
        took = json.loads((fleet.home / TOOK).read_text())
    events = took["events"]
    return Result(events / took["seconds"], took["cpu"] / events * 1e6, events / took["batches"])


def make_sink(url: str, partitions: Iterable[int]) -> None:
    """The tables of the sink, and where each partition stands."""
    with psycopg.connect(url) as connection:
        connection.execute(TABLES)
        for partition in partitions:
            connection.execute("INSERT INTO sink_positions VALUES (%s, 0)", (partition,))


def _check(url: str, program: str, ends: dict[int, int]) -> None:
    """Who has not done the whole job is not in the race."""
    with psycopg.connect(url) as connection:
        positions = dict(connection.execute("SELECT partition, next_offset FROM sink_positions").fetchall())
        rows = connection.execute("SELECT count(*) FROM sink_events").fetchone()
        counted = connection.execute("SELECT sum(events) FROM sink_subjects").fetchone()
    assert positions == ends, f"{program} has come to {positions}, not to {ends}"
    assert rows is not None
    assert counted is not None
    assert rows[0] == counted[0] == sum(ends.values()), (
        f"{program} has written {rows[0]} events and counted {counted[0]}"
    )


def _median(results: list[Result]) -> Result:
    return Result(*(statistics.median(column) for column in zip(*results, strict=True)))
