"""``at_least``: what was just sent is in the answer, or the answer says that it is not there yet."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from projections.store.engine.database import Database
from projections.store.engine.generation import begin_first_generation, move_position
from services.api import read_your_write
from services.monitor.monitor import CONSUMER
from tests.api.serving import Reading, reading
from tests.api.telling import START

ROUTES = ("/v1/alerts", "/v1/assessment", "/v1/queries", "/v1/dead-letters", "/v1/status")


@pytest.fixture
def ask(database: Database) -> Iterator[Reading]:
    """An empty store whose monitor has taken ten entries of partition 0."""
    with database.writing() as connection:
        begin_first_generation(connection, START)
        assert move_position(connection, CONSUMER, 0, 0, 10)
    with reading(database) as asked:
        yield asked


@pytest.mark.parametrize("route", ROUTES)
def test_what_is_projected_is_answered_at_once(ask: Reading, route: str) -> None:
    """The last entry that was taken, and any before it, on every route."""
    for position in ("0/9", "0/0"):
        assert ask.get(f"{route}?at_least={position}", "inspector").status_code == 200


def test_an_answer_waits_until_the_projections_have_come_that_far(ask: Reading, database: Database) -> None:
    """The monitor takes the event while the reader waits."""

    def take() -> None:
        time.sleep(0.3)
        with database.writing() as connection:
            assert move_position(connection, CONSUMER, 0, 10, 11)

    taking = threading.Thread(target=take)
    taking.start()
    began = time.monotonic()
    assert ask.get("/v1/alerts?at_least=0/10", "inspector").status_code == 200
    assert time.monotonic() - began >= 0.3
    taking.join()


def test_one_that_waited_for_nothing_is_told_when_to_ask_again(ask: Reading, monkeypatch: pytest.MonkeyPatch) -> None:
    """After five seconds, here fewer: never an answer without what was sent."""
    monkeypatch.setattr(read_your_write, "WAIT_SECONDS_MAX", 0.2)
    answer = ask.get("/v1/alerts?at_least=0/10", "inspector")
    assert (answer.status_code, answer.headers["retry-after"].isdigit()) == (503, True)
    assert "at_least=0/10" in answer.json()["detail"]


@pytest.mark.parametrize("position", ["", "0", "0/", "/1", "0/-1", "0/x", "0/1/2", "0/12345678901234567890", "7/0"])
def test_what_is_no_position_is_refused(ask: Reading, position: str) -> None:
    """With a sentence that says what one looks like, or that there is no such partition."""
    answer = ask.get(f"/v1/alerts?at_least={position}", "inspector")
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith("at_least: ")


def test_nobody_waits_who_may_not_read(ask: Reading) -> None:
    """Keys are looked at first."""
    began = time.monotonic()
    assert ask.get("/v1/alerts?at_least=0/10", None).status_code == 401
    assert ask.get("/v1/alerts?at_least=0/10", "operator").status_code == 403
    assert time.monotonic() - began < 2
