"""Two dispatchers on one database: each message goes out once, in order; what one leaves behind, the other takes up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from events.dates import SECOND
from projections.store.engine.database import Database
from services.dispatcher.lease import BEYOND_TIMEOUT_SECONDS
from services.dispatcher.recipients import Recipients
from tests.dispatcher.alerts import AlertingTrial
from tests.dispatcher.desk import Desk, Killed, at_work
from tests.dispatcher.files import hook, person, recipients
from tests.dispatcher.receivers import http_receiver

TIMEOUT_SECONDS = 8


@asynccontextmanager
async def two_at_work(trial: AlertingTrial, people: Recipients) -> AsyncIterator[tuple[Desk, Desk]]:
    async with at_work(trial, people, is_alone=False) as one, at_work(trial, people, is_alone=False) as other:
        yield one, other


def _people(directory: Path, url: str) -> Recipients:
    return recipients(directory, hook(url, more=f"timeout = {TIMEOUT_SECONDS}") + person("ann", "hook"))


def test_what_one_has_under_way_the_other_leaves_alone(database: Database, tmp_path: Path) -> None:
    """Also after the time at which what failed is tried again: a slow receiver is told once, and of one revision at a time."""

    async def story() -> None:
        trial = AlertingTrial(database)
        async with http_receiver() as receiver:
            receiver.answers_after_seconds = 2.0
            async with two_at_work(trial, _people(tmp_path, receiver.url)) as (one, other):
                trial.raises()
                await one.comes_to(lambda: len(receiver.posts) == 1)
                trial.clock.turn(3 * SECOND)
                trial.revises()
                await one.is_at_rest()
                await other.is_at_rest()
                assert len(receiver.posts) == 1
                await one.comes_to(lambda: [row[3] for row in trial.states()][-1] == "delivered")
            assert receiver.at_once_max == 1
            assert [row.attempts for row in trial.rows()] == [1, 1]
            assert receiver.taken == [row.id for row in trial.rows()]

    asyncio.run(story())


def test_they_share_what_there_is_to_do(database: Database, tmp_path: Path) -> None:
    """Twenty alerts at once: every one of them goes out, once."""

    async def story() -> None:
        trial = AlertingTrial(database)
        async with http_receiver() as receiver:
            async with two_at_work(trial, _people(tmp_path, receiver.url)) as (one, other):
                for number in range(20):
                    trial.raises(case=f"ae:AE-{number}")
                other.dispatcher.wake()
                await one.comes_to(lambda: [row.state for row in trial.rows()] == ["delivered"] * 20)
            assert sorted(receiver.ids) == sorted(row.id for row in trial.rows())

    asyncio.run(story())


@pytest.mark.parametrize("step", ["delivery.begun", "delivery.sent"])
def test_what_a_dead_one_has_begun_the_other_repeats(database: Database, tmp_path: Path, step: str) -> None:
    """Once nobody can have it under way any more, and not before."""

    def dies(passed: str) -> None:
        if passed == step:
            raise Killed(step)

    async def story() -> None:
        trial = AlertingTrial(database)
        async with http_receiver() as receiver:
            people = _people(tmp_path, receiver.url)
            trial.raises()
            with suppress(Killed):
                async with at_work(trial, people, dies, is_alone=False) as dying:
                    await dying.comes_to(lambda: [row.attempts for row in trial.rows()] == [1])
            sent = len(receiver.posts)
            async with at_work(trial, people, is_alone=False) as other:
                trial.clock.turn(TIMEOUT_SECONDS * SECOND)
                await other.is_at_rest()
                assert len(receiver.posts) == sent
                passed = round(BEYOND_TIMEOUT_SECONDS * SECOND)
                await other.after(passed, lambda: [row.state for row in trial.rows()] == ["delivered"])
            assert receiver.ids == [trial.rows()[0].id] * (sent + 1)

    asyncio.run(story())
