"""An alert that does not arrive is itself an alert, on the channels that work."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from events.dates import HOUR, MINUTE, SECOND
from tests.dispatcher.alerts import Trial
from tests.dispatcher.desk import at_work, trial_in
from tests.dispatcher.files import hook, mail, person, recipients
from tests.dispatcher.receivers import Answer, HttpReceiver, http_receiver, mail_server


@pytest.fixture
def trial(tmp_path: Path) -> Iterator[Trial]:
    with trial_in(tmp_path) as trial:
        yield trial


def cases(receiver: HttpReceiver) -> list[tuple[str, str]]:
    """What a receiver was told: kind, and case or subject."""
    said = [json.loads(post.body) for post in receiver.posts]
    return [(each["type"].split(".")[2], each["data"].get("case", each["data"].get("subject"))) for each in said]


def test_the_other_channel_is_told_once_and_told_when_it_is_over(trial: Trial, tmp_path: Path) -> None:
    """Not a second before five minutes; not on the channel that fails; withdrawn once the mail arrives."""

    async def story() -> None:
        async with http_receiver() as receiver, mail_server() as box:
            box.down = True
            people = recipients(tmp_path, hook(receiver.url) + mail(box.port) + person("ann", "mail hook"))
            async with at_work(trial, people) as desk:
                alert_id = trial.raises()
                await desk.comes_to(
                    lambda: len(receiver.posts) == 1 and bool(desk.measured.attempts.count(("mail", "failed")))
                )
                trial.clock.turn(5 * MINUTE - SECOND)
                await desk.is_at_rest()
                assert cases(receiver) == [("raised", "FR01-001")]
                late = ("raised", f"undelivered:{alert_id}")
                await desk.after(SECOND, lambda: late in cases(receiver))
                await desk.after(HOUR, lambda: desk.measured.attempts.count(("mail", "failed")) >= 3)
                await desk.is_at_rest()
                assert cases(receiver).count(late) == 1
                assert {row.channel for row in trial.rows() if row.alert_id != alert_id} == {"hook"}
                box.down = False
                over = ("withdrawn", f"undelivered:{alert_id}")
                await desk.after(5 * MINUTE, lambda: over in cases(receiver))
                await desk.is_at_rest()
                assert len(box.mails) == 1
                assert trial.told()[1:] == [
                    (f"undelivered:{alert_id}", "raised"),
                    (f"undelivered:{alert_id}", "withdrawn"),
                ]

    asyncio.run(story())


def test_there_is_no_alert_about_an_alert_that_another_is_not_delivered(trial: Trial, tmp_path: Path) -> None:
    """With one channel, which is down, it goes there too: once, however long it takes; that it is over, a minute after that."""

    async def story() -> None:
        async with http_receiver() as receiver:
            receiver.always = Answer(500)
            people = recipients(tmp_path, hook(receiver.url) + person("ann", "hook"))
            async with at_work(trial, people) as desk:
                alert_id = trial.raises()
                for _ in range(4):
                    await desk.is_at_rest()
                    trial.clock.turn(10 * MINUTE)
                await desk.is_at_rest()
                assert trial.told() == [("ae:AE-1", "raised"), (f"undelivered:{alert_id}", "raised")]
                receiver.always = Answer(204)
                over = (f"undelivered:{alert_id}", "withdrawn")
                await desk.after(5 * MINUTE, lambda: len(receiver.taken) == 2 and trial.told()[2:] == [over])
                trial.clock.turn(MINUTE - SECOND)
                await desk.is_at_rest()
                assert len(receiver.taken) == 2, "of an alert about Toxwatch itself, people are told once a minute"
                await desk.after(SECOND, lambda: len(receiver.taken) == 3)
                await desk.is_at_rest()
                assert trial.told()[2:] == [over]
                assert {row.state for row in trial.rows()} <= {"delivered", "superseded"}

    asyncio.run(story())


def test_a_new_revision_does_not_make_the_wait_young_again(trial: Trial, tmp_path: Path) -> None:
    """An alert that changes every four minutes and never arrives is undelivered all the same."""

    async def story() -> None:
        async with http_receiver() as receiver, http_receiver() as down:
            down.always = Answer(500)
            text = hook(receiver.url) + hook(down.url, "down") + person("ann", "hook down")
            async with at_work(trial, recipients(tmp_path, text)) as desk:
                alert_id = trial.raises()
                for _ in range(2):
                    await desk.is_at_rest()
                    trial.clock.turn(4 * MINUTE)
                    trial.revises()
                await desk.comes_to(lambda: ("raised", f"undelivered:{alert_id}") in cases(receiver))

    asyncio.run(story())


def test_what_is_settled_is_no_longer_undelivered(trial: Trial, tmp_path: Path) -> None:
    """Withdrawn before anybody on the failing channel could know of it; that this is over is told a minute after it began."""

    async def story() -> None:
        async with http_receiver() as receiver, http_receiver() as gone:
            gone.always = Answer(410)
            text = hook(receiver.url) + hook(gone.url, "gone") + person("ann", "hook gone")
            async with at_work(trial, recipients(tmp_path, text)) as desk:
                trial.raises(case="ae:AE-0")
                await desk.is_at_rest()
                alert_id = trial.raises()
                first = [(1, "ann", "gone", "channel-disabled"), (1, "ann", "hook", "delivered")]
                await desk.comes_to(lambda: trial.states(alert_id) == first)
                await desk.after(5 * MINUTE, lambda: ("raised", f"undelivered:{alert_id}") in cases(receiver))
                trial.withdraws()
                await desk.comes_to(lambda: trial.told()[-1] == (f"undelivered:{alert_id}", "withdrawn"))
                await desk.is_at_rest()
                over = ("withdrawn", f"undelivered:{alert_id}")
                assert over not in cases(receiver)
                await desk.after(MINUTE, lambda: over in cases(receiver))
                assert (1, "ann", "gone", "settled") in trial.states(alert_id)

    asyncio.run(story())


def test_a_dispatcher_that_was_down_is_not_late_at_once(trial: Trial, tmp_path: Path) -> None:
    """What happened while it was down is delivered first thing, and nobody is alarmed beside that."""

    async def story() -> None:
        async with http_receiver() as receiver:
            trial.raises()
            trial.raises("routine", case="ae:AE-2")
            trial.clock.turn(48 * HOUR)
            async with at_work(trial, recipients(tmp_path, hook(receiver.url) + person("ann", "hook"))) as desk:
                await desk.comes_to(lambda: len(receiver.posts) == 2)
                await desk.is_at_rest()
                assert [kind for kind, _ in cases(receiver)] == ["raised", "raised"]

    asyncio.run(story())
