"""Connections that ask for nothing, and a key that asks for everything: the neighbour's alerts leave in time all the same."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest

from tests.crash.deployment import Deployment
from tests.events.samples import event
from tests.neighbours.neighbour import DELAY_SECONDS_MAX, System, embedded, neighbour

pytestmark = pytest.mark.slow

SILENT: Final = 1_100
FLOODERS: Final = 3
#: Stands in the ids of what is sent again and again, for the number of the round.
NUMBERED: Final = b"-N-"
LOG_BYTES_MAX: Final = 200_000
HEALTH_SECONDS_MAX: Final = DELAY_SECONDS_MAX / 2
#: In a process of its own, which may have so many files open: connections that are opened again when they are cut.
HOLDER: Final = """
import resource, select, socket, sys, time
host, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
held = [socket.create_connection((host, port), timeout=60) for _ in range(count)]
print("held", flush=True)
while True:
    for n, one in enumerate(held):
        one.setblocking(False)
        try:
            if one.recv(1) == b"":
                raise ConnectionError
        except BlockingIOError:
            continue
        except ConnectionError:
            one.close()
            held[n] = socket.create_connection((host, port), timeout=60)
    time.sleep(0.05)
"""


@contextmanager
def silent_connections(system: System) -> Iterator[None]:
    """So many are open, or being opened again, while the context lasts."""
    host, port = system.url.removeprefix("http://").split(":")
    arguments = [sys.executable, "-c", HOLDER, host, port, str(SILENT)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "held\n"
            yield
        finally:
            holder.kill()


def test_silent_connections_delay_no_alert(tmp_path: Path, database_url: str) -> None:
    """1,100 and ever new ones without a word: an alert comes in time, health answers, and the log stays small."""
    with embedded(tmp_path, database_url) as system:
        assert isinstance(system.running, Deployment)
        logged = system.running.log_file(system.running.epoch)
        written = logged.stat().st_size
        with neighbour(system) as site_b, silent_connections(system):
            for _ in range(3):
                site_b.is_served()
                began = time.monotonic()
                assert system.unready() == []
                assert time.monotonic() - began < HEALTH_SECONDS_MAX
        assert logged.stat().st_size - written < LOG_BYTES_MAX


def _visit(number: int, **data: Any) -> dict[str, Any]:
    """A visit of one of five hundred subjects of site A."""
    named = {"id": f"v-N-{number}", "subject": f"FR01-{number % 500 + 1000}", "time": "2017-06-01T00:00:00Z"}
    return event("visit.recorded", {"visit_id": f"V-N-{number}", **data}, **named)


@contextmanager
def flooding(system: System, key: str) -> Iterator[list[int]]:
    """While the context lasts, site A sends as much as it can, of everything: the statuses of the answers."""
    stopping = threading.Event()
    answers: list[int] = []
    rounds = itertools.count()
    bodies = itertools.cycle(
        [
            b"\n".join(json.dumps(one).encode() for one in events)
            for events in (
                [_visit(number) for number in range(5_000)],
                [_visit(number, revision=0) for number in range(2_000)],
                [_visit(number, status="?") for number in range(2_000)],
                [_visit(1, x={"a": ["y" * 2000] * 500})],
            )
        ]
    )

    def send() -> None:
        headers = {"authorization": f"Bearer {key}", "content-type": "application/x-ndjson"}
        with httpx2.Client(base_url=system.url, headers=headers, timeout=120) as client:
            while not stopping.is_set():
                body = next(bodies).replace(NUMBERED, b"-%d-" % next(rounds))
                answers.append(client.post("/v1/events", content=body).status_code)

    threads = [threading.Thread(target=send) for _ in range(FLOODERS)]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        stopping.set()
        for thread in threads:
            thread.join()


def test_a_key_that_floods_delays_no_alert_of_another(tmp_path: Path, database_url: str) -> None:
    """Large requests, refused ones, too large ones: the neighbour's alerts leave in time."""
    with embedded(tmp_path, database_url) as system:
        key = system.make_keys(["FR01"])["FR01"]
        with neighbour(system) as site_b, flooding(system, key) as answers:
            for _ in range(3):
                site_b.is_served()
        assert answers
        assert set(answers) <= {202, 422, 429}
