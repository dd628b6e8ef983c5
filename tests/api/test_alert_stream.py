"""``GET /v1/alerts/stream``: every alert event once, in order, over broken connections and a real server."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import fastapi.routing
import httpx2
import pytest

from projections.store.engine.database import Database
from projections.store.engine.life import begin_next_life, life_of
from projections.store.engine.tables import alert_events
from projections.store.read.alerts import newest_seq
from services.api.alert_feed import FOLLOWERS_MAX
from services.api.cursors import Cursor
from tests.api.serving import Server, served, until
from tests.api.telling import told

Event = httpx2.ServerSentEvent


@pytest.fixture
def server(database: Database) -> Iterator[Server]:
    """The routes, served."""
    with served(database) as running:
        yield running


@contextmanager
def following(server: Server, key: str = "medical-monitor", **more: str) -> Iterator[Iterator[Event]]:
    """The stream of alert events. ``last`` is the Last-Event-ID, anything else a parameter."""
    headers = server.keys.headers(key)
    if "last" in more:
        headers["Last-Event-ID"] = more.pop("last")
    with httpx2.stream("GET", f"{server.url}/v1/alerts/stream", params=more, headers=headers, timeout=20) as answer:
        assert answer.status_code == 200
        yield iter(httpx2.EventSource(answer))


def _next(events: Iterator[Event], count: int) -> list[Event]:
    """So many events that say something."""
    found: list[Event] = []
    while len(found) < count:
        event = next(events)
        if event.data:
            found.append(event)
    return found


def _revisions(events: list[Event]) -> list[int]:
    return [json.loads(event.data)["data"]["revision"] for event in events]


def _tell(database: Database, times: int = 1) -> None:
    with database.writing() as connection:
        for _ in range(times):
            told(connection)


def test_each_event_comes_as_it_is_told(server: Server, database: Database) -> None:
    """Without a place to start from, only what is new; the data is the event of the alert log."""
    _tell(database, 2)
    with following(server) as events:
        opening = next(events)
        assert (int(opening.id) & 0xFF, opening.data) == (2, "")
        _tell(database)
        (event,) = _next(events, 1)
    assert (int(event.id), event.event) == (int(opening.id) + 1, "message")
    assert json.loads(event.data)["type"] == "toxwatch.alert.revised.v1"
    assert _revisions([event]) == [3]


def test_who_was_cut_off_goes_on_where_it_was(server: Server, database: Database) -> None:
    """Every event once and in order, whatever was told while nobody listened."""
    seen: list[Event] = []
    last = "0"
    for times in (3, 1, 250):
        _tell(database, times)
        with following(server, last=last) as events:
            # Away again before the last one was read.
            seen += _next(events, max(1, times - 1))
        last = seen[-1].id
    with following(server, last=last) as events:
        seen += _next(events, 254 - len(seen))
    assert _revisions(seen) == list(range(1, 255))


def test_a_browser_that_comes_back_means_its_last_event(server: Server, database: Database) -> None:
    """It repeats the address it was opened with, and adds the header: that goes first."""
    _tell(database, 4)
    with following(server, after="0") as events:
        first, _, third, _ = [event.id for event in _next(events, 4)]
    with following(server, after=first) as events:
        assert _revisions(_next(events, 3)) == [2, 3, 4]
    with following(server, after=first, last=third) as events:
        assert _revisions(_next(events, 1)) == [4]


def test_one_who_was_cut_off_before_the_first_event_misses_none(server: Server, database: Database) -> None:
    """The stream begins with the place that it begins at."""
    _tell(database)
    with following(server) as events:
        last = next(events).id
    _tell(database)
    with following(server, last=last) as events:
        assert _revisions(_next(events, 1)) == [2]


@pytest.mark.parametrize("last", ["9000", "1", str((1 << 20) - 1 << 33 | 1)])
def test_a_place_from_another_life_is_reset(server: Server, database: Database, last: str) -> None:
    """Its number means nothing here, however low: everything comes, behind a word that says why, and what is new."""
    _tell(database, 2)
    with following(server, last=last) as events:
        begins = next(events).id
        reset, *told_before = _next(events, 3)
        assert (reset.event, reset.id) == ("reset", begins)
        assert f"the place {last}" in json.loads(reset.data)["detail"]
        assert _revisions(told_before) == [1, 2]
        _tell(database)
        assert _revisions(_next(events, 1)) == [3]
    with following(server, last=told_before[-1].id) as events:
        assert _revisions(_next(events, 1)) == [3], "the places of this life hold"


def test_who_follows_while_the_database_is_restored_is_reset(server: Server, database: Database) -> None:
    """PostgreSQL is restored under a gateway that runs: what has the same number now is another alert, and nobody skips it."""
    _tell(database, 3)
    with following(server) as events:
        next(events)
        with database.writing() as connection:
            connection.execute(alert_events.delete().where(alert_events.c.revision == 3))
            begin_next_life(connection, 1)
            told(connection, "FR01-009")
        reset, *rest = _next(events, 4)
        assert reset.event == "reset"
        assert [json.loads(event.data)["subject"] for event in rest] == ["FR01-001", "FR01-001", "FR01-009"]


def test_the_server_stops_while_somebody_follows(server: Server) -> None:
    """The stream ends by itself, in an orderly way, and is not cut after some grace."""
    with following(server) as events:
        next(events)
        assert server.stop() < 1.5
        assert list(events) == []


def test_a_follower_who_has_gone_is_forgotten(server: Server) -> None:
    """Though nothing was told that it could not be sent."""
    with following(server) as events:
        next(events)
        until(lambda: server.feed.followers == 1)
    until(lambda: server.feed.followers == 0)


def test_a_follower_who_does_not_read_keeps_nobody_waiting(server: Server, database: Database) -> None:
    """It holds no connection to the database, and the others are served, however much was told."""
    _tell(database, 50)
    with database.writing() as connection:
        for number in range(400):
            told(connection, "FR01-002", f"ae:AE-{number}", reasons=["x" * 1900] * 20)
        newest, life = newest_seq(connection), life_of(connection)
    with socket.create_connection(("127.0.0.1", server.port)) as stuck:
        key = server.keys.headers("inspector")["Authorization"]
        request = f"GET /v1/alerts/stream?after=0 HTTP/1.1\r\nHost: localhost\r\nAuthorization: {key}\r\n\r\n"
        stuck.sendall(request.encode())
        until(lambda: server.feed.followers == 1)
        with following(server, after="0") as events:
            assert _next(events, newest)[-1].id == str(Cursor(life, newest).told)
        until(lambda: database.engine.pool.checkedout() == 0)  # type: ignore[attr-defined]
        assert server.stop() < 5


def test_a_revoked_key_hears_nothing_more(server: Server, database: Database) -> None:
    """Its stream ends before the next event."""
    with following(server) as events:
        next(events)
        server.keys.revoke("medical-monitor")
        _tell(database)
        assert list(events) == []


def test_a_silent_stream_gives_signs_of_life(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a connection that is dead is seen, by us and by whatever stands between."""
    monkeypatch.setattr(fastapi.routing, "_PING_INTERVAL", 0.05)
    headers = server.keys.headers("inspector")
    with httpx2.stream("GET", f"{server.url}/v1/alerts/stream", headers=headers, timeout=20) as answer:
        lines = (line for line in answer.iter_lines() if line.startswith(": ping"))
        assert [next(lines) for _ in range(3)] == [": ping"] * 3


def test_there_is_an_end_to_how_many_may_follow(server: Server) -> None:
    """One more is told to come back later, and those who follow are served on."""
    server.feed.followers += FOLLOWERS_MAX
    answer = httpx2.get(f"{server.url}/v1/alerts/stream", headers=server.keys.headers("inspector"))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")
    server.feed.followers -= 1
    with following(server) as events:
        next(events)


def test_what_cannot_be_a_place_is_refused(server: Server) -> None:
    """As a problem, before there is a stream."""
    for last in ("x", "-1", "9" * 30):
        headers = {**server.keys.headers("inspector"), "Last-Event-ID": last}
        answer = httpx2.get(f"{server.url}/v1/alerts/stream", headers=headers)
        assert answer.status_code == 422
        assert "last-event-id" in answer.json()["detail"]
