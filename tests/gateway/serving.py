"""The gateway as it is served, on a database of its own, with a key for everybody and a clock that is set by hand."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import httpx2
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import Row, select

from events.codec import Codec, Logged
from events.dates import MINUTE, Instant, parse_instant
from projections.folds.trial import Trial
from projections.protocols.isi_jx import PROTOCOL
from projections.rules.logic.trial_protocol import TrialProtocol
from projections.store.engine.database import Database
from projections.store.engine.tables import alerts, dead_letters
from services.gateway.app import create_app
from services.gateway.keys import KeyRing, NewKey, add_key
from services.http.caller import Role
from services.http.servers import listening, server_of
from services.log.embedded import EmbeddedLog
from services.platform.fail_points import nothing
from services.platform.settings import read_settings
from tests.events.samples import event

STRUCTURED = "application/cloudevents+json"
BATCHED = "application/cloudevents-batch+json"
LINES = "application/x-ndjson"
NOW = parse_instant("2017-06-01T00:00:00Z")
Json = dict[str, Any]


class SetClock:
    """Stands until it is moved."""

    def __init__(self) -> None:
        self.instant: Instant = NOW

    def now(self) -> Instant:
        return self.instant

    def seconds_until(self, instant: Instant) -> float:
        return max(0, instant - self.instant) / 1_000_000

    def leap(self) -> float:
        return 0.0

    def doubt(self) -> str | None:
        return None


class Counts:
    """What was counted."""

    def __init__(self) -> None:
        self.events: Counter[tuple[str, str]] = Counter()
        self.turned_away: Counter[str] = Counter()

    def events_total(self, kind: str, outcome: str, count: int = 1, /) -> None:
        self.events[(kind, outcome)] += count

    def requests_turned_away_total(self, reason: str, /) -> None:
        self.turned_away[reason] += 1


class Gateway:
    """One gateway and whoever sends to it. Keys: ``FR01``, ``FR02`` (sites), and the other roles by their name."""

    def __init__(self, database: Database, protocol: TrialProtocol = PROTOCOL, **settings: Any) -> None:
        self.database = database
        self.protocol = protocol
        self.clock = SetClock()
        self.log = EmbeddedLog(database, "clinical")
        self.counts = Counts()
        self.woken: list[str] = []
        self.fail_point = nothing
        self.ring = KeyRing(database, self.clock)
        self.settings = {"events_per_minute": 10_000_000, **settings}
        self._keys: dict[str, NewKey] = {}
        self.client: httpx2.Client

    def app(self) -> FastAPI:
        return create_app(
            database=self.database,
            log=self.log,
            trial=Trial(self.protocol, "urn:toxwatch:test"),
            clock=self.clock,
            settings=read_settings(deployment="test", **self.settings),
            keys=self.ring,
            metrics=self.counts,
            on_appended=lambda: self.woken.append("log"),
            on_published=lambda: self.woken.append("outbox"),
            fail_point=lambda step: self.fail_point(step),
        )

    def key(self, who: str) -> NewKey:
        if who not in self._keys:
            role, site = (who, None) if who in set(Role) else (Role.SITE, who)
            with self.database.writing() as connection:
                self._keys[who] = add_key(connection, role, site, who, self.clock.now())
        return self._keys[who]

    def headers(self, who: str | None, content_type: str) -> dict[str, str]:
        given = {"content-type": content_type}
        return given if who is None else {**given, "authorization": f"Bearer {self.key(who).text}"}

    def post(self, body: Any, content_type: str = STRUCTURED, who: str | None = "FR01", **more: str) -> httpx2.Response:
        """Send a body: bytes, an event, or a list of events."""
        content = body if not isinstance(body, dict | list) else json.dumps(body).encode()
        if isinstance(body, list) and content_type == LINES:
            content = b"\n".join(json.dumps(one).encode() for one in body)
        return self.client.post("/v1/events", content=content, headers={**self.headers(who, content_type), **more})

    def stored(self) -> list[bytes]:
        """The bodies in the log."""
        return [entry.body for entry in self.log.read(0, 0, 1_000_000)]

    def decoded(self) -> list[Logged]:
        return [Codec(self.protocol.contract).decode(body) for body in self.stored()]

    def letters(self, state: str | None = "parked") -> Sequence[Row[Any]]:
        with self.database.reading() as connection:
            wanted = select(dead_letters).order_by(dead_letters.c.id)
            return connection.execute(wanted if state is None else wanted.where(dead_letters.c.state == state)).all()

    def intake_alerts(self) -> dict[str, str]:
        """The state of each alert about refused input, by its case."""
        with self.database.reading() as connection:
            rows = connection.execute(select(alerts.c.case_name, alerts.c.state)).all()
        return {row.case_name: row.state for row in rows if row.case_name.startswith("intake:")}


@contextmanager
def gateway_on(database: Database, **how: Any) -> Iterator[Gateway]:
    """A gateway in this process."""
    gateway = Gateway(database, **how)
    with TestClient(gateway.app(), raise_server_exceptions=False) as client:
        gateway.client = client
        yield gateway


@contextmanager
def served(gateway: Gateway) -> Iterator[str]:
    """The address of a real server of the gateway's application."""
    with listening("127.0.0.1:0") as listener:
        server = server_of(gateway.app())
        thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])))
        thread.start()
        address = "http://{}:{}".format(*listener.getsockname()[:2])
        try:
            yield address
        finally:
            server.should_exit = True
            thread.join()


def results(answer: httpx2.Response) -> list[Json]:
    listed: list[Json] = answer.json()["results"]
    return listed


def statuses(answer: httpx2.Response) -> list[str]:
    return [result["status"] for result in results(answer)]


def ae(number: int, site: str = "FR01", **changes: Any) -> Json:
    """An adverse event of its own record, from the site's own source."""
    data = {"ae_id": f"AE-{number}", **changes.pop("data", {})}
    named = {"id": f"e-{number}", "subject": f"{site}-001", "site": site, "source": f"urn:site:{site}:edc"}
    return event("ae.reported", data, **{**named, **changes})


def later(clock: SetClock, minutes: int = 1) -> None:
    clock.instant += minutes * MINUTE
