"""The dispatcher from the alert log to real receivers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from standardwebhooks.webhooks import Webhook

from events.dates import DAY, HOUR, MINUTE, SECOND, parse_instant
from projections.store.engine.database import Database
from services.dispatcher.recipients import TERMINAL
from services.platform.time_source import ScaledClock
from tests.dispatcher.alerts import CLINICAL, AlertingTrial
from tests.dispatcher.desk import at_work, trial_in, until
from tests.dispatcher.files import WEBHOOK_SECRET, hook, mail, person, recipients
from tests.dispatcher.receivers import Answer, http_receiver, mail_server


@pytest.fixture
def trial(tmp_path: Path) -> Iterator[AlertingTrial]:
    with trial_in(tmp_path) as trial:
        yield trial


def test_an_alert_reaches_console_mailbox_and_webhook(trial: AlertingTrial, tmp_path: Path) -> None:
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
        trial = AlertingTrial(database)
        async with http_receiver() as receiver, http_receiver() as gone:
            gone.answers = [Answer(500), Answer(500)]
            gone.always = Answer(410)
            text = hook(receiver.url) + hook(gone.url, "gone") + person("ann", "hook gone")
            async with at_work(trial, recipients(tmp_path, text)) as desk:
                alert_id = trial.raises()
                await desk.comes_to(lambda: len(trial.outcomes(alert_id)) == 2)
                await desk.after(6 * MINUTE, lambda: ("undelivered:gone", "raised") in trial.told())
                await desk.comes_to(lambda: len(trial.outcomes(alert_id)) == 3)
                await desk.after(6 * MINUTE, lambda: (1, "ann", "gone", "channel-disabled") in trial.states(alert_id))
                trial.revises()
                await desk.comes_to(lambda: (2, "ann", "hook", "delivered") in trial.states(alert_id))
            changed = hook(receiver.url) + hook(receiver.url, "gone") + person("ann", "hook gone")
            async with at_work(trial, recipients(tmp_path, changed)) as desk:
                await desk.comes_to(lambda: (2, "ann", "gone", "delivered") in trial.states(alert_id))
                await desk.comes_to(lambda: ("undelivered:gone", "withdrawn") in trial.told())
                trial.withdraws()
                await desk.comes_to(
                    lambda: trial.states(alert_id)[-2:] == [(3, "ann", c, "delivered") for c in ("gone", "hook")]
                )

    asyncio.run(story())


def test_revisions_are_one_thread_for_each_recipient(trial: AlertingTrial, tmp_path: Path) -> None:
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
                assert third["Subject"].startswith("[Toxwatch] Withdrawn: FR01-001 alert ")
            assert len({got["Message-ID"] for got in box.mails}) == 6

    asyncio.run(story())


def test_without_a_file_the_terminal_is_told(trial: AlertingTrial) -> None:
    """One line an alert."""

    async def story() -> None:
        async with at_work(trial, TERMINAL) as desk:
            trial.raises()
            await desk.comes_to(lambda: "URGENT raised: FR01-001 DLT-1 met" in desk.console.getvalue())

    asyncio.run(story())


def test_a_routine_alert_waits_a_day_through_a_restart(trial: AlertingTrial, tmp_path: Path) -> None:
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


def test_only_those_who_were_told_hear_of_a_withdrawal(trial: AlertingTrial, tmp_path: Path) -> None:
    """One had it, the mail server of one was down all the while, and one does not take such alerts."""

    async def story() -> None:
        async with http_receiver() as receiver, mail_server() as box:
            box.down = True
            channels = hook(receiver.url) + mail(box.port) + '[channels.terminal]\ntype = "console"\n'
            text = channels + person("ann", "hook") + person("ben", "mail") + person("cleo", "terminal", "levels = [1]")
            async with at_work(trial, recipients(tmp_path, text)) as desk:
                trial.raises()
                await desk.comes_to(lambda: len(trial.outcomes()) == 2)
                trial.withdraws()
                box.down = False
                await desk.comes_to(lambda: len(receiver.posts) == 2)
                await desk.is_at_rest()
                assert box.mails == []
                assert "raised" not in desk.console.getvalue()
                assert trial.states() == [
                    (1, "ann", "hook", "delivered"),
                    (1, "ben", "mail", "settled"),
                    (2, "ann", "hook", "delivered"),
                ]

    asyncio.run(story())


def test_a_message_that_may_have_arrived_is_followed_by_its_withdrawal(trial: AlertingTrial, tmp_path: Path) -> None:
    """The receiver broke off when it had everything: it may have shown the alert to somebody."""

    async def story() -> None:
        async with http_receiver() as receiver:
            receiver.answers = ["reset"]
            async with at_work(trial, recipients(tmp_path, hook(receiver.url) + person("ben", "hook"))) as desk:
                trial.raises()
                await desk.comes_to(lambda: len(trial.outcomes()) == 1)
                trial.withdraws()
                done = [(1, "ben", "hook", "superseded"), (2, "ben", "hook", "delivered")]
                await desk.comes_to(lambda: trial.states() == done)
                assert json.loads(receiver.posts[-1].body)["type"] == "toxwatch.alert.withdrawn.v1"

    asyncio.run(story())


def test_a_dose_level_on_hold_is_told_at_once_to_all_who_take_the_level(trial: AlertingTrial, tmp_path: Path) -> None:
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


def test_what_keeps_it_from_planning_does_not_keep_it_from_sending(trial: AlertingTrial, tmp_path: Path) -> None:
    """An error that nobody foresaw is told to whoever asks, and what it stopped goes on once it is gone."""
    broken = False

    def fail_point(step: str) -> None:
        if broken and step == "plan.read":
            raise RuntimeError("what it stumbled over")

    async def story() -> None:
        nonlocal broken
        async with http_receiver() as receiver:
            receiver.answers = [Answer(500)]
            async with at_work(
                trial, recipients(tmp_path, hook(receiver.url) + person("ann", "hook")), fail_point
            ) as desk:
                first = trial.raises()
                await desk.comes_to(lambda: len(trial.outcomes(first)) == 1)
                broken = True
                second = trial.raises(case="ae:AE-2")
                await until(lambda: desk.dispatcher.problem is not None)
                assert desk.dispatcher.problem == "dispatcher: failed with RuntimeError, and tries again"
                await desk.after(MINUTE, lambda: trial.states(first) == [(1, "ann", "hook", "delivered")])
                assert trial.states(second) == []
                broken = False
                await desk.comes_to(lambda: trial.states(second) == [(1, "ann", "hook", "delivered")])
                assert desk.dispatcher.problem is None

    asyncio.run(story())


def test_a_clock_at_speed_delivers_and_is_patient_in_real_time(trial: AlertingTrial, tmp_path: Path) -> None:
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
                detected = parse_instant(json.loads(row.notice)["detected_at"])
                assert row.delivered_at >= row.not_before >= detected + 24 * HOUR
                assert {case for case, _ in trial.told()} == {"ae:AE-1", "ae:AE-2"}

    asyncio.run(story())


def test_what_is_posted_is_signed_for_the_receivers_clock(trial: AlertingTrial, tmp_path: Path) -> None:
    """Although the clock of the trial stands in 2017."""

    async def story() -> None:
        async with http_receiver() as receiver:
            async with at_work(trial, recipients(tmp_path, hook(receiver.url) + person("ann", "hook"))) as desk:
                trial.raises()
                await desk.comes_to(lambda: len(receiver.posts) == 1)
            (post,) = receiver.posts
            assert Webhook(WEBHOOK_SECRET).verify(post.body, post.headers)["timestamp"].startswith("2017-03-01")

    asyncio.run(story())
