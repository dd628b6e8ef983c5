"""A Faust agent wakes those who follow the alerts; without it they are told the same, only later."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

import faust
import httpx2
import pytest
from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth
from prometheus_client import CollectorRegistry

from projections.protocols.isi_jx import PROTOCOL
from projections.store.engine.database import Database
from services.api.alert_feed import AlertFeed
from services.api.cursors import START
from services.api.live_alerts import LiveAlerts, credentials_of
from services.gateway.keys import add_key
from services.log import topics
from services.log.kafka import KafkaLog
from services.log.kafka_client import Cluster
from services.log.topics import TopicAdmin, declared
from services.monitor.relay import Relay
from services.platform import time_source
from services.platform.metrics import LIVE_ALERTS, Metrics
from tests.api.telling import told
from tests.brokers import Broker, free_port, kafka_broker
from tests.crash.deployment import eventually
from tests.crash.load import SPONSOR, Load
from tests.distributed.fleet import Fleet

WATCHING_SECONDS_MAX = 60.0
#: So slow that whatever comes sooner did not come by itself.
NEVER_SECONDS = 300.0
SOON_SECONDS = 5.0
_numbers = count(1)


class Live:
    """The outbox, the relay and the alert log of a deployment, and a feed with its agent in this process."""

    def __init__(self, database: Database, cluster: Cluster, watched: Cluster, look_seconds: float) -> None:
        self.database = database
        self.metrics = Metrics(CollectorRegistry())
        self.feed = AlertFeed(database, asyncio.Event(), look_seconds)
        prefix = f"live{os.getpid()}-{next(_numbers)}"
        TopicAdmin(cluster).create(declared(prefix, 1))
        self._log = KafkaLog(cluster, topics.alerts(prefix), "alerts")
        loop = asyncio.get_running_loop()

        def on_alerts() -> None:
            loop.call_soon_threadsafe(self.feed.wake)

        name = topics.alerts(prefix)
        self.agent = LiveAlerts(watched, name, f"{prefix}.live", PROTOCOL, self.metrics, on_alerts)

    def tell(self) -> None:
        with self.database.writing() as connection:
            told(connection)
        assert Relay(self.database, self._log).relay() == 1

    async def watching(self) -> None:
        await _until(lambda: self.agent.is_watching)

    def counted(self) -> float:
        samples = self.metrics.registry.collect()
        return sum(one.value for family in samples for one in family.samples if one.name == LIVE_ALERTS.name)

    def close(self) -> None:
        self.agent.stop()
        self._log.close()


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(WATCHING_SECONDS_MAX):
        while not holds():
            await asyncio.sleep(0.05)


@pytest.fixture
def database(on_postgresql: Database) -> Database:
    """Empty, on PostgreSQL."""
    return on_postgresql


@asynccontextmanager
async def _following(live: Live) -> AsyncIterator[asyncio.Queue[int]]:
    """The revisions that a follower is told, as they come."""
    heard: asyncio.Queue[int] = asyncio.Queue()

    async def follow() -> None:
        async for page in live.feed.pages((await live.feed.start(START)).place):
            for one in page.events:
                heard.put_nowait(json.loads(one.body)["data"]["revision"])

    following = asyncio.create_task(follow())
    try:
        yield heard
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await asyncio.to_thread(live.close)


def test_a_follower_is_woken_by_the_alert_log(database: Database, broker: Broker) -> None:
    """Within moments, though the database would not have been looked at for minutes; and what came by is counted."""

    async def scene() -> list[float]:
        cluster, took = Cluster((broker.address,)), []
        live = Live(database, cluster, cluster, NEVER_SECONDS)
        live.agent.start()
        async with _following(live) as heard:
            await live.watching()
            # The first may be told before the group has its partition, from the end of which it begins.
            await asyncio.to_thread(live.tell)
            while live.counted() == 0:
                await asyncio.to_thread(live.tell)
                await asyncio.sleep(0.2)
            first = live.counted()
            while not heard.empty():
                heard.get_nowait()
            for _ in range(5):
                began = time.monotonic()
                await asyncio.to_thread(live.tell)
                await asyncio.wait_for(heard.get(), SOON_SECONDS)
                took.append(time.monotonic() - began)
            await _until(lambda: live.counted() >= first + 5)
        return took

    took = asyncio.run(scene())
    assert sorted(took)[2] < 1.0, took


def test_without_the_agent_the_same_is_told_later(database: Database, broker: Broker) -> None:
    """It finds no broker, and is tried again and again: what a follower is told does not depend on it."""

    async def scene() -> list[int]:
        nobody = Cluster((f"127.0.0.1:{free_port()}",))
        live = Live(database, Cluster((broker.address,)), nobody, 0.5)
        live.agent.start()
        async with _following(live) as heard:
            for _ in range(3):
                await asyncio.to_thread(live.tell)
            found = [await asyncio.wait_for(heard.get(), 10 * SOON_SECONDS) for _ in range(3)]
            assert not live.agent.is_watching
            return found

    assert asyncio.run(scene()) == [1, 2, 3]


@pytest.mark.slow
def test_a_broker_that_went_away_is_watched_again(database: Database) -> None:
    """Killed and started again: followers are woken as before."""

    async def scene() -> None:
        with kafka_broker() as broker:
            cluster = Cluster((broker.address,))
            live = Live(database, cluster, cluster, NEVER_SECONDS)
            live.agent.start()
            async with _following(live):
                await live.watching()
                await asyncio.to_thread(broker.kill)
                await asyncio.to_thread(broker.start)
                before = live.counted()
                deadline = time.monotonic() + 2 * WATCHING_SECONDS_MAX
                while live.counted() == before:
                    assert time.monotonic() < deadline, "it never watched again"
                    await asyncio.to_thread(live.tell)
                    await asyncio.sleep(0.5)

    asyncio.run(scene())


@pytest.mark.parametrize("username", [None, "gateway"])
@pytest.mark.parametrize("with_tls", [False, True])
def test_faust_is_told_what_every_client_says(username: str | None, with_tls: bool) -> None:
    """TLS and SCRAM, as aiokafka is told by us directly."""
    ca = Path(ssl.get_default_verify_paths().cafile or ssl.get_default_verify_paths().openssl_cafile)
    cluster = Cluster(("b:9092",), username, "secret" if username else None, ca if with_tls else None)
    expected = {name: value for name, value in cluster.security.items() if name != "ssl_context"}
    said = credentials_to_aiokafka_auth(credentials_of(cluster), None)
    assert (said.pop("ssl_context", None) is not None) == with_tls
    assert said == expected


@pytest.mark.slow
@pytest.mark.xdist_group("distributed")
def test_a_gateway_streams_what_its_monitors_tell(fleet: Fleet) -> None:
    """A real gateway and a real worker: a follower hears of alerts, the gateway counts them, and stops at once when told to."""
    fleet.start("monitor-1", "gateway")
    with fleet.database() as database, database.writing() as connection:
        key = add_key(connection, "medical-monitor", None, "follower", time_source.now()).text
    headers = {"Authorization": f"Bearer {key}"}
    with (
        Load(fleet, fleet.make_keys(["FR01", "FR02"], SPONSOR), 8),
        httpx2.stream("GET", f"{fleet.url}/v1/alerts/stream", headers=headers, timeout=60) as answer,
    ):
        heard = (event for event in httpx2.EventSource(answer) if event.data)
        first = [next(heard) for _ in range(10)]
        assert {json.loads(event.data)["type"].startswith("toxwatch.alert.") for event in first} == {True}
        metrics = f"http://{fleet.members['gateway'].address('metrics')}/metrics"
        eventually(lambda: f"{LIVE_ALERTS.name}{{" in httpx2.get(metrics).text, 60)
    assert fleet.stop("gateway") < 10


def test_faust_is_the_one_we_have_looked_into() -> None:
    """The transport is given threads that end with the process: a part of Faust that it does not promise."""
    assert faust.__version__.startswith("0.15.")
