"""The whole system as a process of its own, under load over HTTP: rates, delays from event to alert, and memory."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2

from projections.store.engine.database import Database
from services.gateway.keys import SITE, add_key
from services.platform import time_source
from services.simulator.portfolio import Load, simulate_portfolio
from services.simulator.trial import DEFAULT_START
from tests import builder

Json = dict[str, Any]
BIN = Path(sys.executable).parent
BULK = 500
SINGLES = 2_000
AT_ONCE = 16
PER_SECOND = 100
SECONDS = 30


def run(events: int) -> None:
    """Print the rates of the gateway beside its peer, the delay from event to alert, and how memory grows."""
    by_site: dict[str, list[bytes]] = {}
    for line in simulate_portfolio(Load(9, 100, events, DEFAULT_START), received=False):
        by_site.setdefault(json.loads(line)["site"], []).append(line.rstrip(b"\n"))
    site = max(by_site, key=lambda name: len(by_site[name]))
    singles = by_site.pop(site)[:SINGLES]
    rates: dict[str, list[float]] = {}
    with _peer() as url:
        nobody = dict.fromkeys([*by_site, site], "none")
        rates["peer"] = [asyncio.run(_bulk(url, nobody, by_site)), asyncio.run(_singly(url, "none", singles))]
    with _system([*by_site, site]) as (url, keys, process, directory):
        rates["gateway"] = [asyncio.run(_bulk(url, keys, by_site)), asyncio.run(_singly(url, keys[site], singles))]
        _settle(directory)
        before = _rss(process)
        delays = asyncio.run(_delays(url, keys[site], directory, site))
        after = _rss(process)
    print(f"\ngateway as a process, monitor and all behind it; {events} events of {len(by_site) + 1} sites")
    for n, what in enumerate((f"NDJSON of {BULK}", f"one event a request, {AT_ONCE} at once")):
        ours, peer = rates["gateway"][n], rates["peer"][n]
        print(f"  {what:36} {ours:8.0f} events/s, a server that only decodes {peer:8.0f}: {ours / peer:.2f} x")
    ordered = sorted(delays)
    p50, p99 = statistics.median(ordered), ordered[int(len(ordered) * 0.99)]
    print(
        f"  event sent -> alert in the alert log at {PER_SECOND} events/s: p50 {p50 * 1e3:.0f} ms, p99 {p99 * 1e3:.0f} ms,"
    )
    print(f"    {len(delays)} alerts (aim p99 < 100 ms)")
    print(f"  resident memory {before} MB before, {after} MB after {PER_SECOND * SECONDS} more events")


@contextlib.contextmanager
def _peer() -> Iterator[str]:
    port = _free_port()
    with _child([sys.executable, "-m", "tests.bench.decoding_server", str(port)]):
        url = f"http://127.0.0.1:{port}"
        _until(lambda: httpx2.post(f"{url}/v1/events", content=b"").status_code == 202)
        yield url


@contextlib.contextmanager
def _system(sites: list[str]) -> Iterator[tuple[str, dict[str, str], subprocess.Popen[bytes], Path]]:
    gateway, metrics = _free_port(), _free_port()
    with tempfile.TemporaryDirectory() as name:
        command = [str(BIN / "toxwatch"), "run", "--data", name, "--listen", f"127.0.0.1:{gateway}"]
        with _child([*command, "--metrics", f"127.0.0.1:{metrics}"]) as process:
            _until(lambda: httpx2.get(f"http://127.0.0.1:{metrics}/readyz").status_code == 200)
            database = Database(f"sqlite:///{Path(name) / 'toxwatch.db'}")
            with database.writing() as connection:
                keys = {site: add_key(connection, SITE, site, "bench", time_source.now()).text for site in sites}
            database.close()
            yield f"http://127.0.0.1:{gateway}", keys, process, Path(name)


@contextlib.contextmanager
def _child(command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


async def _bulk(url: str, keys: dict[str, str], by_site: dict[str, list[bytes]]) -> float:
    start = time.perf_counter()
    for site, lines in by_site.items():
        async with _client(url, keys[site]) as client:
            for at in range(0, len(lines), BULK):
                await _post(client, lines[at : at + BULK])
    return sum(map(len, by_site.values())) / (time.perf_counter() - start)


async def _singly(url: str, key: str, lines: list[bytes]) -> float:
    waiting = iter(lines)

    async def send(client: httpx2.AsyncClient) -> None:
        for line in waiting:
            await _post(client, [line])

    async with _client(url, key) as client:
        start = time.perf_counter()
        await asyncio.gather(*(send(client) for _ in range(AT_ONCE)))
        return len(lines) / (time.perf_counter() - start)


async def _delays(url: str, key: str, directory: Path, site: str) -> list[float]:
    """Every tenth event is severe and its subject's first: it is followed until its alert stands in the alert log."""
    sent: dict[str, float] = {}
    seen: dict[str, float] = {}
    now = datetime.now(UTC)
    async with _client(url, key) as client:
        watching = asyncio.create_task(_watch(directory, seen))
        began = time.perf_counter()
        posts = set()
        for number in range(PER_SECOND * SECONDS):
            await asyncio.sleep(max(0.0, began + number / PER_SECOND - time.perf_counter()))
            event = _event(site, number, now)
            sent[event["id"]] = time.time()
            posts.add(asyncio.create_task(_post(client, [json.dumps(event).encode()])))
        await asyncio.gather(*posts)
        await asyncio.sleep(2)
        watching.cancel()
    return [seen[name] - at for name, at in sent.items() if name in seen]


def _event(site: str, number: int, now: datetime) -> Json:
    """Of a subject treated yesterday: an adverse event of grade 4, related, or a result without meaning."""
    subject = f"{site}-{90000 + number // 10}"
    envelope = {"source": f"urn:site:{site}:bench", "id": f"bench-{number}", "time": now.isoformat()}
    yesterday = (now - timedelta(days=1)).isoformat()
    if number % 10 == 0:
        given = {"administration_id": "A", "revision": 1, "drug": "pexa-vec", "given": yesterday, "status": "given"}
        return builder.event("treatment.administered", given, subject=subject, **envelope)
    if number % 10 == 5:
        causality = {"investigator": {"pexa-vec": "related", "ipilimumab": "related"}}
        data = {
            "ae_id": "AE",
            "revision": 1,
            "term": "Sepsis",
            "grade": 4,
            "onset": now.isoformat(),
            "causality": causality,
        }
        return builder.event("ae.reported", data, subject=subject, **envelope)
    data = {"lab_id": f"L{number}", "revision": 1, "test": "ALT", "value": 20, "collected": now.isoformat()}
    return builder.event("lab.resulted", data, subject=subject, **envelope)


async def _watch(directory: Path, seen: dict[str, float]) -> None:
    """Look at the alert log every few milliseconds, and note when each cause was first seen there."""
    connection = sqlite3.connect(f"file:{directory / 'toxwatch.db'}?mode=ro", uri=True)
    offset = -1
    with contextlib.closing(connection):
        while True:
            rows = connection.execute('SELECT "offset", body FROM alert_log WHERE "offset" > ?', (offset,)).fetchall()
            for offset, body in rows:  # noqa: B007 - the last one counts
                seen.setdefault(json.loads(body)["data"]["caused_by"]["id"], time.time())
            await asyncio.sleep(0.003)


def _client(url: str, key: str) -> httpx2.AsyncClient:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/x-ndjson"}
    return httpx2.AsyncClient(base_url=url, headers=headers, timeout=60)


async def _post(client: httpx2.AsyncClient, lines: list[bytes]) -> None:
    answer = await client.post("/v1/events", content=b"\n".join(lines))
    assert answer.status_code in (202, 207), answer.text


def _settle(directory: Path) -> None:
    """Until the monitor has taken everything."""

    def is_level() -> bool:
        with contextlib.closing(sqlite3.connect(directory / "toxwatch.db")) as connection:
            (behind,) = connection.execute(
                "SELECT e.next_offset - p.next_offset FROM log_ends e, positions p"
                " WHERE e.topic = 'clinical' AND p.consumer = 'monitor'"
            ).fetchone()
        return bool(behind == 0)

    _until(is_level, 300)


def _until(is_so: Any, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(httpx2.RequestError):
            if is_so():
                return
        time.sleep(0.05)
    raise TimeoutError


def _rss(process: subprocess.Popen[bytes]) -> int:
    pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE") // 1024 // 1024


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port
