"""Those who follow the alerts are woken by the database; without it they are told the same, only later."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import pytest
from sqlalchemy import text

from projections.store.engine.database import Database
from projections.store.engine.notifications import ALERTS, Listener
from services.api.alert_feed import AlertFeed
from services.api.cursors import START
from services.gateway.keys import add_key
from services.platform import time_source
from services.platform.supervision import Loop, Workers
from tests.api.telling import told
from tests.crash.load import SPONSOR, Load
from tests.distributed.fleet import Fleet

#: So slow that whatever comes sooner did not come by itself.
NEVER_SECONDS = 300.0
SOON_SECONDS = 10.0
CUT_OFF = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()"
)


@pytest.fixture
def database(on_postgresql: Database) -> Database:
    """Empty, on PostgreSQL."""
    return on_postgresql


@asynccontextmanager
async def _following(database: Database, look_seconds: float, *, listens: bool) -> AsyncIterator[asyncio.Queue[int]]:
    """The revisions that a follower is told, as they come; the listener runs as the gateway runs it."""
    heard: asyncio.Queue[int] = asyncio.Queue()
    feed = AlertFeed(database, asyncio.Event(), look_seconds)
    loop = asyncio.get_running_loop()
    listener = Listener(database, ALERTS, lambda: loop.call_soon_threadsafe(feed.wake))
    listening = Workers([Loop("news", listener.listen, lambda: 0.0, lambda _name: None)])

    async def follow() -> None:
        async for page in feed.pages((await feed.start(START)).place):
            for one in page.events:
                heard.put_nowait(json.loads(one.body)["data"]["revision"])

    following = asyncio.create_task(follow())
    if listens:
        listening.start()
    try:
        yield heard
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        if listens:
            await asyncio.to_thread(listening.stop)
        listener.close()


def _tell(database: Database) -> None:
    with database.writing() as connection:
        told(connection)


def test_a_follower_is_woken_as_an_alert_is_committed(database: Database) -> None:
    """Within moments, though the database would not have been looked at for minutes."""

    async def scene() -> list[float]:
        took = []
        async with _following(database, NEVER_SECONDS, listens=True) as heard:
            await asyncio.to_thread(_tell, database)
            await asyncio.wait_for(heard.get(), SOON_SECONDS)
            for _ in range(5):
                began = time.monotonic()
                await asyncio.to_thread(_tell, database)
                await asyncio.wait_for(heard.get(), SOON_SECONDS)
                took.append(time.monotonic() - began)
        return took

    took = asyncio.run(scene())
    assert sorted(took)[2] < 1.0, took


def test_without_a_listener_the_same_is_told_later(database: Database) -> None:
    """What a follower is told does not depend on it."""

    async def scene() -> list[int]:
        async with _following(database, 0.3, listens=False) as heard:
            for _ in range(3):
                await asyncio.to_thread(_tell, database)
            return [await asyncio.wait_for(heard.get(), SOON_SECONDS) for _ in range(3)]

    assert asyncio.run(scene()) == [1, 2, 3]


def test_a_listener_that_was_cut_off_listens_again(database: Database) -> None:
    """The server ends its connection, once while nothing happens and once as an alert is committed: both alerts are told."""

    async def scene() -> list[int]:
        async with _following(database, NEVER_SECONDS, listens=True) as heard:
            found = []
            for _ in range(2):
                await asyncio.to_thread(_tell, database)
                found.append(await asyncio.wait_for(heard.get(), SOON_SECONDS))
                await asyncio.to_thread(_cut_off, database)
            await asyncio.to_thread(_tell, database)
            return [*found, await asyncio.wait_for(heard.get(), SOON_SECONDS)]

    assert asyncio.run(scene()) == [1, 2, 3]


def _cut_off(database: Database) -> None:
    with database.writing() as connection:
        assert connection.execute(text(CUT_OFF)).all()


@pytest.mark.slow
@pytest.mark.xdist_group("distributed")
def test_a_gateway_streams_what_its_monitors_tell(fleet: Fleet) -> None:
    """A real gateway and a real worker: a follower hears of alerts, and the gateway stops at once when told to."""
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
    assert fleet.stop("gateway") < 10
