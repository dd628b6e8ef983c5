"""Metrics, health and readiness over HTTP."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from projections.store.engine.database import Database, StoreUnavailable
from services.http.health import Check, clock_is_believed, create_metrics_app, database_answers
from services.platform.metrics import Metrics
from services.runtime.metrics_store import StoreCollector
from tests.cli.stores import SetClock, store_at


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """An empty store, of either kind."""
    with store_at(database_url) as store:
        yield store


def _get(path: str, *checks: Check, metrics: Metrics | None = None) -> httpx2.Response:
    with TestClient(create_metrics_app(metrics or Metrics(CollectorRegistry()), checks)) as client:
        return client.get(path)


def test_metrics_are_served_in_the_form_that_prometheus_reads(database: Database) -> None:
    """Those of the process and those of the database, never from a cache between."""
    metrics = Metrics(CollectorRegistry())
    metrics.registry.register(StoreCollector("NCT02977156", database, SetClock()))
    answer = _get("/metrics", metrics=metrics)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert answer.headers["cache-control"] == "no-store"
    assert {"toxwatch_events", "toxwatch_open_cases"} <= {f.name for f in text_string_to_metric_families(answer.text)}


@pytest.mark.parametrize(("objection", "shown"), [(None, 1.0), ("the log cannot be reached", 0.0)])
def test_whether_it_is_ready_is_scraped_too(objection: str | None, shown: float) -> None:
    """So that one who only scrapes is told of every reason there may be."""
    scraped = _get("/metrics", lambda: None, lambda: objection).text
    families = {family.name: family for family in text_string_to_metric_families(scraped)}
    assert [sample.value for sample in families["toxwatch_ready"].samples] == [shown]


def test_the_process_lives_though_it_is_not_ready() -> None:
    """A restart would not mend what it waits for."""
    answer = _get("/healthz", lambda: "the log cannot be reached")
    assert (answer.status_code, answer.text) == (200, "ok\n")


def test_ready_when_no_check_objects(database: Database) -> None:
    """The checks that come with it, on a store and a clock that are well."""
    answer = _get("/readyz", database_answers(database), clock_is_believed(SetClock()))
    assert (answer.status_code, answer.json()) == (200, {"status": "ready", "reasons": []})


def test_not_ready_says_every_reason(tmp_path: Path) -> None:
    """In sentences, in the order of the checks; a check that meets a trouble of ours says it too."""
    empty = Database(f"sqlite:///{tmp_path / 'empty.db'}")

    def raises() -> str | None:
        raise StoreUnavailable("the database is locked")

    answer = _get("/readyz", database_answers(empty), lambda: None, clock_is_believed(SetClock(leap=7200.0)), raises)
    empty.close()
    assert answer.status_code == 503
    assert answer.json()["status"] == "not ready"
    no_tables, leap, locked = answer.json()["reasons"]
    assert "toxwatch migrate" in no_tables
    assert "7200 s" in leap
    assert locked == "the database is locked"


def test_nothing_else_is_served() -> None:
    """Nor can anything be written."""
    assert _get("/").status_code == 404
    with TestClient(create_metrics_app(Metrics(CollectorRegistry()), [])) as client:
        assert client.post("/metrics").status_code == 405


def test_a_slow_check_or_scrape_does_not_stop_the_loop() -> None:
    """They run in threads: health is answered meanwhile."""
    waits, done = threading.Event(), threading.Event()

    def slow() -> str | None:
        waits.set()
        assert done.wait(30)
        return None

    async def ask() -> tuple[int, int]:
        app = create_metrics_app(Metrics(CollectorRegistry()), [slow])
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://test") as client:
            ready = asyncio.create_task(client.get("/readyz"))
            await asyncio.to_thread(waits.wait, 30)
            health = await client.get("/healthz")
            assert not ready.done()
            done.set()
            return health.status_code, (await ready).status_code

    assert asyncio.run(ask()) == (200, 200)
