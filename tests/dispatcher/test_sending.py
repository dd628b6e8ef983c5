"""Sending: receivers that fail, hang, ask for time or are gone, and a database that cannot be written."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import event

from events.dates import DAY, MINUTE, SECOND
from tests.dispatcher.alerts import AlertingTrial
from tests.dispatcher.desk import at_work, trial_in, until
from tests.dispatcher.files import hook, person, recipients
from tests.dispatcher.receivers import Answer, http_receiver

#: Somebody else who is told what concerns the system.
OPERATOR = '[channels.terminal]\ntype = "console"\n' + person("operator", "terminal", "levels = [99]")


@pytest.fixture
def trial(tmp_path: Path) -> Iterator[AlertingTrial]:
    with trial_in(tmp_path) as trial:
        yield trial


def test_it_is_tried_until_it_is_taken_under_one_id(trial: AlertingTrial, tmp_path: Path) -> None:
    """Whatever the receiver does meanwhile; each attempt is in the ledger, with its outcome."""
    faults = [Answer(500), "reset", Answer(429), "silent", Answer(403), Answer(503)]

    async def story() -> None:
        async with http_receiver() as receiver:
            receiver.answers = list(faults)
            text = hook(receiver.url, more="timeout = 0.2") + person("ann", "hook", "operational = false")
            async with at_work(trial, recipients(tmp_path, text + OPERATOR)) as desk:
                alert_id = trial.raises()
                for attempt in range(1, len(faults) + 1):
                    await desk.comes_to(lambda attempt=attempt: len(trial.outcomes(alert_id)) == attempt)  # type: ignore[misc]
                    trial.clock.turn(5 * MINUTE)
                await desk.comes_to(lambda: trial.rows(alert_id)[0].state == "delivered")
            assert len(set(receiver.ids)) == 1
            assert len(receiver.ids) == len(faults) + 1
            bodies = {post.body for post in receiver.posts}
            assert len(bodies) == 1
        outcomes = [row.outcome for row in trial.attempts() if row.delivery_id == receiver.ids[0]]
        assert outcomes == ["failed", "failed", "throttled", "failed", "rejected", "throttled", "delivered"]

    asyncio.run(story())


def test_it_never_gives_up(trial: AlertingTrial, tmp_path: Path) -> None:
    """After a week of refusals it is tried every five minutes, neither more nor less."""

    async def story() -> None:
        async with http_receiver() as receiver:
            receiver.always = Answer(500)
            people = recipients(tmp_path, hook(receiver.url) + person("ann", "hook"))
            async with at_work(trial, people) as desk:
                alert_id = trial.raises()
                for attempt in range(1, 15):
                    await desk.comes_to(lambda attempt=attempt: len(trial.outcomes(alert_id)) == attempt)  # type: ignore[misc]
                    await desk.is_at_rest()
                    trial.clock.turn(DAY // 2)
                await desk.is_at_rest()
                row = trial.rows(alert_id)[0]
                assert 225 * SECOND <= row.next_attempt_at - trial.clock.now() <= 300 * SECOND
                receiver.always = Answer(204)
                await desk.after(5 * MINUTE, lambda: trial.rows(alert_id)[0].state == "delivered")

    asyncio.run(story())


def test_a_receiver_that_asks_for_time_gets_it(trial: AlertingTrial, tmp_path: Path) -> None:
    """Not one post before the time is over."""

    async def story() -> None:
        async with http_receiver() as receiver:
            receiver.answers = [Answer(429, {"retry-after": "240"})]
            people = recipients(tmp_path, hook(receiver.url) + person("ann", "hook"))
            async with at_work(trial, people) as desk:
                trial.raises()
                await desk.comes_to(lambda: len(trial.outcomes()) == 1)
                trial.clock.turn(239 * SECOND)
                await desk.is_at_rest()
                assert len(receiver.posts) == 1
                await desk.after(SECOND, lambda: trial.states()[0][3] == "delivered")

    asyncio.run(story())


def test_urgent_alerts_go_first_and_not_more_at_once_than_allowed(trial: AlertingTrial, tmp_path: Path) -> None:
    """After an outage of the dispatcher there is a heap of them."""

    async def story() -> None:
        async with http_receiver() as receiver:
            receiver.answers_after_seconds = 0.1
            for n in range(12):
                trial.raises("prompt", case=f"ae:P-{n}")
            for n in range(4):
                trial.raises("urgent", case=f"ae:U-{n}")
            people = recipients(tmp_path, hook(receiver.url, more="concurrency = 2") + person("ann", "hook"))
            async with at_work(trial, people) as desk:
                await desk.comes_to(lambda: len(receiver.posts) == 5)
            bodies = [json.loads(post.body) for post in receiver.posts]
            assert [body["data"].get("urgency") for body in bodies] == ["urgent"] * 4 + [None]
            assert [each["data"]["urgency"] for each in bodies[-1]["data"]["alerts"]] == ["prompt"] * 12
            assert receiver.at_once_max == 2

    asyncio.run(story())


def test_a_revision_waits_for_the_attempt_before_it(trial: AlertingTrial, tmp_path: Path) -> None:
    """A receiver that is slow with the first never sees the second overtake it."""

    async def story() -> None:
        async with http_receiver() as receiver:
            receiver.answers = ["silent"]
            people = recipients(tmp_path, hook(receiver.url, more="timeout = 1") + person("ann", "hook"))
            async with at_work(trial, people) as desk:
                trial.raises()
                await desk.comes_to(lambda: len(receiver.posts) == 1)
                trial.revises()
                await desk.comes_to(lambda: len(trial.rows()) == 2)
                assert [row.outcome for row in trial.attempts()] == ["started"]
                await desk.comes_to(lambda: len(receiver.posts) == 2)
                first = trial.rows()[0].id
                assert [row.outcome for row in trial.attempts() if row.delivery_id == first] == ["failed"]
                assert receiver.at_once_max == 1
                await desk.comes_to(lambda: [row[3] for row in trial.states()] == ["superseded", "delivered"])

    asyncio.run(story())


def test_a_channel_that_hangs_holds_up_no_other(trial: AlertingTrial, tmp_path: Path) -> None:
    """The other is told meanwhile."""

    async def story() -> None:
        async with http_receiver() as silent, http_receiver() as receiver:
            silent.always = "silent"
            text = hook(silent.url, "slow", "timeout = 3") + hook(receiver.url) + person("ann", "slow hook")
            async with at_work(trial, recipients(tmp_path, text)) as desk:
                trial.raises()
                await desk.comes_to(lambda: len(receiver.posts) == 1, seconds=2)
                silent.always = Answer(204)

    asyncio.run(story())


def test_a_channel_that_is_gone_waits_for_another_configuration(trial: AlertingTrial, tmp_path: Path) -> None:
    """410: nothing is posted there again, also after a restart; what waited is sent once the configuration changed."""

    async def story() -> None:
        async with http_receiver() as receiver:
            receiver.answers = [Answer(410)]
            text = hook(receiver.url) + person("ann", "hook")
            async with at_work(trial, recipients(tmp_path, text)) as desk:
                first = trial.raises()
                await desk.comes_to(lambda: trial.states() == [(1, "ann", "hook", "channel-disabled")])
                second = trial.raises(case="ae:AE-2")
                await desk.comes_to(lambda: trial.states(second) == [(1, "ann", "hook", "channel-disabled")])
                trial.revises()
                await desk.comes_to(lambda: trial.states(first)[-1] == (2, "ann", "hook", "channel-disabled"))
            async with at_work(trial, recipients(tmp_path, text)) as desk:
                trial.clock.turn(DAY)
                await desk.is_at_rest()
                assert len(receiver.posts) == 1
            changed = hook(receiver.url, more="timeout = 3") + person("ann", "hook")
            async with at_work(trial, recipients(tmp_path, changed)) as desk:
                await desk.comes_to(lambda: {row[3] for row in trial.states(second)} == {"delivered"})
                await desk.comes_to(lambda: trial.states(first)[-1] == (2, "ann", "hook", "delivered"))
                assert trial.states(first)[0] == (1, "ann", "hook", "superseded")

    asyncio.run(story())


def test_a_database_that_is_locked_is_waited_for(trial: AlertingTrial, tmp_path: Path) -> None:
    """The dispatcher says what keeps it, and goes on by itself; the alert is posted once."""

    async def story() -> None:
        @event.listens_for(trial.database.engine, "connect")
        def _impatient(connection: sqlite3.Connection, _record: object) -> None:
            connection.execute("PRAGMA busy_timeout=20").close()

        trial.database.close()
        async with http_receiver() as receiver:
            people = recipients(tmp_path, hook(receiver.url) + person("ann", "hook"))
            trial.raises()
            async with at_work(trial, people) as desk:
                held = sqlite3.connect(tmp_path / "toxwatch.db", isolation_level=None)
                held.execute("BEGIN IMMEDIATE")
                await until(lambda: desk.dispatcher.problem is not None)
                assert "locked" in (desk.dispatcher.problem or "")
                held.execute("ROLLBACK")
                held.close()
                await desk.comes_to(lambda: [row[3] for row in trial.states()] == ["delivered"])
                assert desk.dispatcher.problem is None
                assert len(receiver.posts) == 1

    asyncio.run(story())


def test_an_outcome_that_cannot_be_written_is_kept_until_it_can(trial: AlertingTrial, tmp_path: Path) -> None:
    """The database is locked while the receiver answers: it is not asked again."""

    async def story() -> None:
        held = sqlite3.connect(tmp_path / "toxwatch.db", isolation_level=None, check_same_thread=False)

        @event.listens_for(trial.database.engine, "connect")
        def _impatient(connection: sqlite3.Connection, _record: object) -> None:
            connection.execute("PRAGMA busy_timeout=20").close()

        trial.database.close()

        def fail_point(step: str) -> None:
            if step == "delivery.sent":
                held.execute("BEGIN IMMEDIATE")

        async with http_receiver() as receiver:
            people = recipients(tmp_path, hook(receiver.url) + person("ann", "hook"))
            trial.raises()
            async with at_work(trial, people, fail_point) as desk:
                await until(lambda: held.in_transaction)
                await asyncio.sleep(0.2)
                held.execute("ROLLBACK")
                await desk.comes_to(lambda: [row[3] for row in trial.states()] == ["delivered"])
            assert len(receiver.posts) == 1
        held.close()

    asyncio.run(story())
