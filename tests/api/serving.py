"""The reading routes as they are served: in this process, and by a real server on a port of its own."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import uvicorn
from fastapi import FastAPI
from fastapi.testclient import TestClient

from projections.folds.trial import Trial
from projections.protocols.isi_jx import PROTOCOL
from projections.store.engine.database import Database
from services.api.alert_feed import AlertFeed
from services.gateway.app import create_app
from services.gateway.keys import ROLES, KeyRing, NewKey, add_key, revoke_key
from services.log.embedded import EmbeddedLog
from services.platform.metrics import unmeasured
from services.platform.settings import read_settings
from services.platform.time_source import elapsed_seconds
from services.runtime.reading_router import reading_router
from tests.api.telling import START

PUBLIC_URL = "https://toxwatch.example"
READERS = ("medical-monitor", "data-manager", "inspector")


class FixedClock:
    """A clock that stands."""

    def now(self) -> int:
        return START

    def seconds_until(self, instant: int) -> float:
        return max(0, instant - START) / 1_000_000

    def leap(self) -> float:
        return 0.0

    def doubt(self) -> str | None:
        return None


class Keys:
    """Real keys, made when one is first asked for: named after their role, those of sites `site-<site>`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._made: dict[str, NewKey] = {}

    def headers(self, name: str | None) -> dict[str, str]:
        """What a request says about who sent it. A name that is no role's is sent as it is."""
        if name is None:
            return {}
        role, _, site = name.partition("-") if name.startswith("site-") else (name, "", "")
        if name not in self._made and role in ROLES:
            with self._database.writing() as connection:
                self._made[name] = add_key(connection, role, site or None, name, START)
        return {"Authorization": f"Bearer {self._made[name].text if name in self._made else name}"}

    def revoke(self, name: str) -> None:
        """From now on it is nobody's."""
        with self._database.writing() as connection:
            revoke_key(connection, self._made[name].id, START)


def app_on(database: Database, feed: AlertFeed) -> FastAPI:
    """The gateway's application with the reading routes."""
    clock = FixedClock()
    ring = KeyRing(database, clock)
    clinical, alerts = EmbeddedLog(database, "clinical"), EmbeddedLog(database, "alerts")
    router = reading_router(database, PROTOCOL, clock, clinical, alerts, ring.authenticate, feed, PUBLIC_URL)
    return create_app(
        database=database,
        log=clinical,
        trial=Trial(PROTOCOL, read_settings().source),
        clock=clock,
        settings=read_settings(),
        keys=ring,
        metrics=unmeasured(PROTOCOL.trial),
        reading=router,
    )


class Reading:
    """Asks for documents with the key of a role."""

    def __init__(self, client: TestClient, keys: Keys) -> None:
        self._client = client
        self._keys = keys

    def get(self, path: str, key: str | None = "medical-monitor", **parameters: Any) -> httpx2.Response:
        """The answer, whatever it is."""
        return self._client.get(path, params=parameters or None, headers=self._keys.headers(key))

    def read(self, path: str, key: str = "medical-monitor", **parameters: Any) -> Any:
        """The document, which must be there."""
        answer = self.get(path, key, **parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()


@contextmanager
def reading(database: Database) -> Iterator[Reading]:
    """The routes, asked in this process."""
    with TestClient(app_on(database, AlertFeed(database, asyncio.Event()))) as client:
        yield Reading(client, Keys(database))


class Server:
    """uvicorn with the routes, on a free port."""

    def __init__(self, database: Database) -> None:
        self.keys = Keys(database)
        self._stopping = asyncio.Event()
        self.feed = AlertFeed(database, self._stopping)
        app = app_on(database, self.feed)
        config = uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=2)
        self._server = uvicorn.Server(config)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._run)
        self._loop: asyncio.AbstractEventLoop | None = None

    def _run(self) -> None:
        with asyncio.Runner() as runner:
            self._loop = runner.get_loop()
            runner.run(self._serve())

    async def _serve(self) -> None:
        await self._server.serve([self._socket])
        # Whoever does not read is left connected when the grace is over; elsewhere the process ends now.
        for connection in list(self._server.server_state.connections):
            connection.transport.abort()
        await asyncio.sleep(0)

    def start(self) -> None:
        """Serve, from now on."""
        self._thread.start()
        until(lambda: self._server.started)

    @property
    def runs(self) -> bool:
        """Whether it was not stopped yet."""
        return self._thread.is_alive()

    def stop(self) -> float:
        """End the streams, stop, and say how many seconds it took."""
        began = elapsed_seconds()
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._server.should_exit = True
        self._thread.join(20)
        assert not self._thread.is_alive()
        self._socket.close()
        return elapsed_seconds() - began


@contextmanager
def served(database: Database) -> Iterator[Server]:
    """A server, stopped in the end unless the test has stopped it."""
    server = Server(database)
    server.start()
    try:
        yield server
    finally:
        if server.runs:
            server.stop()


def until(holds: Any, seconds: float = 10) -> None:
    """Wait until something holds."""
    deadline = elapsed_seconds() + seconds
    pause = threading.Event()
    while not holds():
        assert elapsed_seconds() < deadline, "it never came to hold"
        pause.wait(0.01)
