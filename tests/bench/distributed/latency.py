"""From the receipt of an event to its commit, while so many come in a second: without the rules, and with them."""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import time
from typing import Any, Final

import psycopg
from aiokafka import AIOKafkaProducer

from events.dates import Instant
from events.stamp import stamped
from services.log.kafka import CONTENT_TYPE
from services.log.partitioning import partition_of
from services.platform import time_source
from tests.bench.distributed.delays import DELAYS
from tests.bench.distributed.goals import at_most, progress
from tests.bench.distributed.ground import Ground, entry_of, plain, portfolio
from tests.bench.distributed.job import Job
from tests.bench.distributed.processes import cpu_of
from tests.bench.distributed.race import BATCH, make_sink
from tests.crash.deployment import eventually
from tests.distributed.fleet import ROOT, Fleet

PER_SECOND: Final = 1_000
#: What comes while all is new is not counted.
WARM_UP_SECONDS: Final = 5
#: Program, and what 99 of 100 events should not take longer than.
PROGRAMS: Final = {"without the rules": ("ours", 50), "with the rules": ("monitor", 100)}


def run(ground: Ground, seconds: int) -> None:
    """Print both."""
    print(f"\nreceived -> committed at {PER_SECOND} events/s, for {seconds} s")
    for name, (program, goal) in PROGRAMS.items():
        progress(f"delays {name}")
        found, cpu = _delays(ground.another(), program, seconds)
        delays = sorted(found)
        p50, p99 = statistics.median(delays), delays[int(len(delays) * 0.99)]
        print(
            f"  {name}: p50 {p50 * 1e3:.0f} ms, p99 {p99 * 1e3:.0f} ms, the longest {delays[-1] * 1e3:.0f} ms;"
            f" {cpu:.0f} µs of CPU an event"
        )
        at_most(f"p99 {name}", p99 * 1e3, goal, "ms")


def _delays(ground: Ground, program: str, seconds: int) -> tuple[list[float], float]:
    """Each delay, and what an event cost the process."""
    lines = list(portfolio(PER_SECOND * (WARM_UP_SECONDS + seconds), received=False))
    known = sum(ground.ends().values())
    with ground.copy() as database, ground.fleet(database) as fleet:
        make_sink(plain(database), ground.ends())
        name = f"{fleet.home.name}-{program}"
        job = Job(
            ground.broker.address,
            ground.topic,
            name,
            plain(database),
            known + len(lines),
            BATCH,
            str(fleet.home),
            is_live=True,
        )
        process = _begin(fleet, program, job)
        try:
            table = "sink_positions" if program == "ours" else "positions"
            eventually(lambda: _stand(database, table) >= known, 60, lambda: (fleet.home / "log").read_text()[-3000:])
            began = cpu_of(process.pid)
            asyncio.run(_send(ground, lines))
            found = fleet.home / DELAYS
            eventually(found.exists, 120, lambda: (fleet.home / "log").read_text()[-3000:])
            cpu = (cpu_of(process.pid) - began) / len(lines) * 1e6
        finally:
            process.terminate()
            process.wait(60)
        delays: list[float] = json.loads(found.read_text())
    return delays[known + PER_SECOND * WARM_UP_SECONDS :], cpu


def _begin(fleet: Fleet, program: str, job: Job) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", f"tests.bench.distributed.contestants.{program}", job.as_text()]
    environment = {"PATH": "/usr/bin:/bin", **fleet.environment}
    with (fleet.home / "log").open("wb") as log:
        return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)


def _stand(database: str, table: str) -> int:
    with psycopg.connect(plain(database)) as connection:
        found = connection.execute(f"SELECT sum(next_offset) FROM {table}").fetchone()
    return int(found[0] or 0) if found is not None else 0


async def _send(ground: Ground, lines: list[bytes]) -> None:
    """Each at its moment, stamped as the gateway stamps."""
    placed = [(entry_of(line).key, line) for line in lines]
    count = len(ground.ends())
    producer = AIOKafkaProducer(bootstrap_servers=ground.broker.address, acks="all", enable_idempotence=True)
    await producer.start()
    try:
        began = time.perf_counter()
        sent: list[Any] = []
        for number, (key, line) in enumerate(placed):
            await asyncio.sleep(max(0.0, began + number / PER_SECOND - time.perf_counter()))
            now: Instant = time_source.now()
            sent.append(
                await producer.send(
                    ground.topic, stamped(line, now), key.encode(), partition_of(key, count), headers=[CONTENT_TYPE]
                )
            )
        await asyncio.gather(*sent)
    finally:
        await producer.stop()
