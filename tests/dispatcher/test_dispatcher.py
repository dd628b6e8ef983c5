"""The dispatcher from the alert log to real receivers."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import event

from events.dates import DAY, HOUR, MINUTE, SECOND
from projections.store.database import Database
from services.clock.time_source import ScaledClock
from services.dispatcher.recipients import TERMINAL
from tests.dispatcher.alerts import CLINICAL, Trial
from tests.dispatcher.desk import at_work, trial_in
from tests.dispatcher.files import hook, mail, person, recipients
from tests.dispatcher.receivers import Answer, http_receiver, mail_server


@pytest.fixture
def trial(tmp_path: Path) -> Iterator[Trial]:
    with trial_in(tmp_path) as trial:
        yield trial


def test_an_alert_reaches_console_mailbox_and_webhook(trial: Trial, tmp_path: Path) -> None:
    """Within a second of the log, with the link, and without a clinical word."""

    async def story() -> None:
        async with http_receiver() as receiver, mail_server() as box:
            channels = hook(receiver.url) + mail(box.port) + '[channels.terminal]\ntype = "console"\n'
            people = recipients(tmp_path, channels + person("ann", "hook mail terminal"))
            async with at_work(trial, people) as desk:
                alert_id = trial.raises()
                desk.dispatcher.wake()
                await desk.comes_to(
                    lambda: all(row.state == "delivered" for row in trial.rows()) and len(trial.rows()) == 3
                )
                link = f"https://tox.example.org/alerts/{alert_id}"
                said = [desk.console.getvalue(), box.mails[0].as_string(), receiver.posts[0].body.decode()]
                assert all(link in text.replace("=\n", "") for text in said)
                assert not any(CLINICAL in text or "ae:AE-1" in text for text in said)
                assert desk.measured.attempts.count(("hook", "delivered")) == 1
                assert {row.outcome for row in trial.attempts()} == {"delivered"}

    asyncio.run(story())


def test_either_kind_of_database_serves(database: Database, tmp_path: Path) -> None:
    """Raised, tried in vain, found undelivered, gone for good, revised and withdrawn: every statement there is."""

    async def story() -> None:
        trial = Trial(database)
        async with http_receiver() as receiver, http_receiver() as gone:
            gone.answers = [Answer(500), Answer(500)]
            gone.always = Answer(410)
            text = hook(receiver.url) + hook(gone.url, "gone") + person("ann", "hook gone")
            async with at_work(trial, recipients(tmp_path, text)) as desk:
                alert_id = trial.raises()
                await desk.comes_to(lambda: len(_attempts(trial, alert_id)) == 2)
                await desk.after(6 * MINUTE, lambda: (f"undelivered:{alert_id}", "raised") in trial.told())
                await desk.comes_to(lambda: len(_attempts(trial, alert_id)) == 3)
                await desk.after(6 * MINUTE, lambda: (1, "ann", "gone", "channel-disabled") in trial.states(alert_id))
                trial.revises()
                await desk.comes_to(lambda: (2, "ann", "hook", "delivered") in trial.states(alert_id))
            changed = hook(receiver.url) + hook(receiver.url, "gone") + person("ann", "hook gone")
            async with at_work(trial, recipients(tmp_path, changed)) as desk:
                await desk.comes_to(lambda: (2, "ann", "gone", "delivered") in trial.states(alert_id))
                await desk.comes_to(lambda: (f"undelivered:{alert_id}", "withdrawn") in trial.told())
                trial.withdraws()
                await desk.comes_to(
                    lambda: trial.states(alert_id)[-2:] == [(3, "ann", c, "delivered") for c in ("gone", "hook")]
                )

    asyncio.run(story())


def test_revisions_are_one_thread_for_each_recipient(trial: Trial, tmp_path: Path) -> None:
    """Each later mail answers the first one that its recipient got."""

    async def story() -> None:
        async with mail_server() as box:
            people = recipients(tmp_path, mail(box.port) + person("ann", "mail") + person("ben", "mail"))
            async with at_work(trial, people) as desk:
                for n, step in enumerate((trial.raises, trial.revises, trial.withdraws), 1):
                    step()
                    await desk.comes_to(lambda n=n: len(box.mails) == 2 * n)  # type: ignore[misc]
            for name in ("ann", "ben"):
                first, second, third = (got for got in box.mails if got["To"] == f"{name}@example.org")
                assert first["References"] is None
                assert second["References"] == third["In-Reply-To"] == first["Message-ID"]
                assert len({first["Message-ID"], second["Message-ID"], third["Message-ID"]}) == 3
                assert "withdrawn: FR01-001 no longer stands" in third["Subject"]
            assert len({got["Message-ID"] for got in box.mails}) == 6

    asyncio.run(story())


def test_without_a_file_the_terminal_is_told(trial: Trial) -> None:
    """One line an alert."""

    async def story() -> None:
        async with at_work(trial, TERMINAL) as desk:
            trial.raises()
            await desk.comes_to(lambda: "URGENT raised: FR01-001 DLT-1 met" in desk.console.getvalue())

    asyncio.run(story())


def test_it_is_tried_until_it_is_taken_under_one_id(trial: Trial, tmp_path: Path) -> None:
    """Whatever the receiver does meanwhile; each attempt is in the ledger, with its outcome."""
    faults = [Answer(500), "reset", Answer(429), "silent", Answer(403), Answer(503)]

    async def story() -> None:
        async with http_receiver() as receiver:
            receiver.answers = list(faults)
            text = hook(receiver.url, more="timeout = 0.2") + person("ann", "hook", "operational = false")
            async with at_work(trial, recipients(tmp_path, text + OPERATOR)) as desk:
                alert_id = trial.raises()
                for attempt in range(1, len(faults) + 1):
                    await desk.comes_to(lambda attempt=attempt: len(_attempts(trial, alert_id)) == attempt)  # type: ignore[misc]
                    trial.clock.turn(5 * MINUTE)
                await desk.comes_to(lambda: trial.rows(alert_id)[0].state == "delivered")
            assert len(set(receiver.ids)) == 1
            assert len(receiver.ids) == len(faults) + 1
            bodies = {post.body for post in receiver.posts}
            assert len(bodies) == 1
        outcomes = [row.outcome for row in trial.attempts() if row.delivery_id == receiver.ids[0]]
        assert outcomes == ["failed", "failed", "throttled", "failed", "rejected", "throttled", "delivered"]

    asyncio.run(story())


#: Somebody else who is told what concerns the system.
OPERATOR = '[channels.terminal]\ntype = "console"\n' + person("operator", "terminal", "levels = [99]")


def _ended(trial: Trial) -> int:
    return sum(row.outcome != "started" for row in trial.attempts() if row.attempt)


def test_it_never_gives_up(trial: Trial, tmp_path: Path) -> None:
    """After a week of refusals it is tried every five minutes, neither more nor less."""

    async def story() -> None:
        async with http_receiver() as receiver:
            receiver.always = Answer(500)
            people = recipients(tmp_path, hook(receiver.url) + person("ann", "hook"))
            async with at_work(trial, people) as desk:
                alert_id = trial.raises()
                for attempt in range(1, 15):
                    await desk.comes_to(lambda attempt=attempt: len(_attempts(trial, alert_id)) == attempt)  # type: ignore[misc]
                    await desk.is_at_rest()
                    trial.clock.turn(DAY // 2)
                await desk.is_at_rest()
                row = trial.rows(alert_id)[0]
                assert 225 * SECOND <= row.next_attempt_at - trial.clock.now() <= 300 * SECOND
                receiver.always = Answer(204)
                await desk.after(5 * MINUTE, lambda: trial.rows(alert_id)[0].state == "delivered")

    asyncio.run(story())


def _attempts(trial: Trial, alert_id: str) -> list[object]:
    ids = {row.id for row in trial.rows(alert_id)}
    return [row for row in trial.attempts() if row.delivery_id in ids and row.outcome != "started"]


def test_a_receiver_that_asks_for_time_gets_it(trial: Trial, tmp_path: Path) -> None:
    """Not one post before the time is over."""

    async def story() -> None:
        async with http_receiver() as receiver:
            receiver.answers = [Answer(429, {"retry-after": "240"})]
            people = recipients(tmp_path, hook(receiver.url) + person("ann", "hook"))
            async with at_work(trial, people) as desk:
                trial.raises()
                await desk.comes_to(lambda: _ended(trial) == 1)
                trial.clock.turn(239 * SECOND)
                await desk.is_at_rest()
                assert len(receiver.posts) == 1
                await desk.after(SECOND, lambda: trial.states()[0][3] == "delivered")

    asyncio.run(story())


def test_a_routine_alert_waits_a_day_through_a_restart(trial: Trial, tmp_path: Path) -> None:
    """Nothing is sent a second before; what is settled by then is never sent."""

    async def story() -> None:
        async with http_receiver() as receiver:
            people = recipients(tmp_path, hook(receiver.url) + person("ann", "hook"))
            async with at_work(trial, people) as desk:
                trial.raises("routine")
                settled = trial.raises("routine", case="ae:AE-2")
                await desk.comes_to(lambda: len(trial.rows()) == 2)
            trial.clock.turn(24 * HOUR - SECOND)
            async with at_work(trial, people) as desk:
                trial.withdraws("ae:AE-2", urgency="routine")
                await desk.comes_to(lambda: trial.states(settled) == [(1, "ann", "hook", "settled")])
                await desk.is_at_rest()
                assert receiver.posts == []
                await desk.after(SECOND, lambda: len(receiver.posts) == 1)
                await desk.is_at_rest()
                assert len(receiver.posts) == 1
                # Waiting for its hour, it was not late; nobody was told that it was.
                assert not [case for case, _ in trial.told() if case.startswith("undelivered")]

    asyncio.run(story())


def test_only_those_who_were_told_hear_of_a_withdrawal(trial: Trial, tmp_path: Path) -> None:
    """One had it, one was down all the while and never got an answer, one did not take it."""

    async def story() -> None:
        async with http_receiver() as receiver, mail_server() as box:
            box.down = True
            channels = hook(receiver.url) + mail(box.port) + '[channels.terminal]\ntype = "console"\n'
            text = channels + person("ann", "hook") + person("ben", "mail") + person("cleo", "terminal", "levels = [1]")
            async with at_work(trial, recipients(tmp_path, text)) as desk:
                trial.raises()
                await desk.comes_to(lambda: _ended(trial) == 2)
                trial.withdraws()
                box.down = False
                await desk.comes_to(lambda: len(receiver.posts) == 2 and len(box.mails) == 1)
                await desk.is_at_rest()
                # The mail server may have had the first one: it gets the withdrawal, and not what no longer stands.
                assert "withdrawn" in box.mails[0]["Subject"]
                assert "raised" not in desk.console.getvalue()
                assert trial.states() == [
                    (1, "ann", "hook", "delivered"),
                    (1, "ben", "mail", "superseded"),
                    (2, "ann", "hook", "delivered"),
                    (2, "ben", "mail", "delivered"),
                ]

    asyncio.run(story())


def test_a_dose_level_on_hold_is_told_at_once_to_all_who_take_the_level(trial: Trial, tmp_path: Path) -> None:
    """Also to who does not look after the system; what is the system's own goes to those who do."""

    async def story() -> None:
        async with http_receiver() as receiver:
            text = hook(receiver.url) + person("ann", "hook", "operational = false") + person("ben", "hook")
            async with at_work(trial, recipients(tmp_path, text)) as desk:
                hold = trial.system("cohort:A/2", dose_level=2, clauses=["COHORT-HOLD"])
                parked = trial.system("unwatched:FR01-001")
                await desk.comes_to(lambda: len(receiver.posts) == 3)
                await desk.is_at_rest()
                assert {row[1] for row in trial.states(hold)} == {"ann", "ben"}
                assert {row[1] for row in trial.states(parked)} == {"ben"}
                assert CLINICAL not in "".join(post.body.decode() for post in receiver.posts)

    asyncio.run(story())


def test_urgent_alerts_go_first_and_not_more_at_once_than_allowed(trial: Trial, tmp_path: Path) -> None:
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
                await desk.comes_to(lambda: len(receiver.posts) == 16)
            urgencies = [json.loads(post.body)["data"]["urgency"] for post in receiver.posts]
            assert urgencies == ["urgent"] * 4 + ["prompt"] * 12
            assert receiver.at_once_max == 2

    asyncio.run(story())


def test_a_revision_waits_for_the_attempt_before_it(trial: Trial, tmp_path: Path) -> None:
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


def test_a_channel_that_hangs_holds_up_no_other(trial: Trial, tmp_path: Path) -> None:
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


def test_a_channel_that_is_gone_waits_for_another_configuration(trial: Trial, tmp_path: Path) -> None:
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


def test_a_database_that_is_locked_is_waited_for(trial: Trial, tmp_path: Path) -> None:
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
                await _until(lambda: desk.dispatcher.problem is not None)
                assert "locked" in (desk.dispatcher.problem or "")
                held.execute("ROLLBACK")
                held.close()
                await desk.comes_to(lambda: [row[3] for row in trial.states()] == ["delivered"])
                assert desk.dispatcher.problem is None
                assert len(receiver.posts) == 1

    asyncio.run(story())


def test_an_outcome_that_cannot_be_written_is_kept_until_it_can(trial: Trial, tmp_path: Path) -> None:
    """The database is locked while the receiver answers: it is not asked again."""

    async def story() -> None:
        held = sqlite3.connect(tmp_path / "toxwatch.db", isolation_level=None, check_same_thread=False)

        @event.listens_for(trial.database.engine, "connect")
        def _impatient(connection: sqlite3.Connection, _record: object) -> None:
            connection.execute("PRAGMA busy_timeout=20").close()

        trial.database.close()

        def passing(step: str) -> None:
            if step == "delivery.sent":
                held.execute("BEGIN IMMEDIATE")

        async with http_receiver() as receiver:
            people = recipients(tmp_path, hook(receiver.url) + person("ann", "hook"))
            trial.raises()
            async with at_work(trial, people, passing) as desk:
                await _until(lambda: held.in_transaction)
                await asyncio.sleep(0.2)
                held.execute("ROLLBACK")
                await desk.comes_to(lambda: [row[3] for row in trial.states()] == ["delivered"])
            assert len(receiver.posts) == 1
        held.close()

    asyncio.run(story())


async def _until(condition: object) -> None:
    assert callable(condition)
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


def test_a_clock_at_speed_delivers_and_is_patient_in_real_time(trial: Trial, tmp_path: Path) -> None:
    """At a day in two seconds a routine alert comes after two, and a slow receiver is not called undelivered."""

    async def story() -> None:
        clock = ScaledClock(trial.clock.now(), DAY / (2 * SECOND))
        trial.clock = clock  # type: ignore[assignment]
        async with http_receiver() as receiver:
            receiver.answers = [Answer(500)]
            people = recipients(tmp_path, hook(receiver.url) + person("ann", "hook"))
            async with at_work(trial, people) as desk:
                trial.raises("urgent")
                waiting = trial.raises("routine", case="ae:AE-2")
                await desk.comes_to(
                    lambda: len(receiver.posts) == 3 and {r[3] for r in trial.states()} == {"delivered"}
                )
                row = trial.rows(waiting)[0]
                assert row.delivered_at >= row.not_before >= row.created_at + 23 * HOUR
                assert {case for case, _ in trial.told()} == {"ae:AE-1", "ae:AE-2"}

    asyncio.run(story())


def test_what_is_posted_is_signed_for_the_receivers_clock(trial: Trial, tmp_path: Path) -> None:
    """Although the clock of the trial stands in 2017."""
    from standardwebhooks.webhooks import Webhook

    from tests.dispatcher.files import WEBHOOK_SECRET

    async def story() -> None:
        async with http_receiver() as receiver:
            async with at_work(trial, recipients(tmp_path, hook(receiver.url) + person("ann", "hook"))) as desk:
                trial.raises()
                await desk.comes_to(lambda: len(receiver.posts) == 1)
            (post,) = receiver.posts
            assert Webhook(WEBHOOK_SECRET).verify(post.body, post.headers)["timestamp"].startswith("2017-03-01")

    asyncio.run(story())
