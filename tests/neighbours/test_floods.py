"""Connections that ask for nothing, from somebody without a key: the neighbour's alerts leave in time all the same."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.crash.deployment import Deployment
from tests.neighbours.neighbour import DELAY_SECONDS_MAX, System, embedded, neighbour

pytestmark = pytest.mark.slow

SILENT: Final = 1_100
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
