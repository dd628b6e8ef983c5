"""An alert that does not arrive is itself an alert, on the channels that work."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from events.dates import HOUR, MINUTE, SECOND
from tests.dispatcher.alerts import AlertingTrial
from tests.dispatcher.desk import at_work, trial_in
from tests.dispatcher.files import hook, mail, person, recipients
from tests.dispatcher.receivers import Answer, HttpReceiver, http_receiver, mail_server


@pytest.fixture
def trial(tmp_path: Path) -> Iterator[AlertingTrial]:
    with trial_in(tmp_path) as trial:
        yield trial


def cases(receiver: HttpReceiver) -> list[tuple[str, str]]:
    """What a receiver was told: kind, and case or subject."""
    said = [json.loads(post.body) for post in receiver.posts]
    return [(each["type"].split(".")[2], each["data"].get("case", each["data"].get("subject"))) for each in said]


def test_the_other_channel_is_told_once_and_told_when_it_is_over(trial: AlertingTrial, tmp_path: Path) -> None:
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
                late = ("raised", "undelivered:mail")
                await desk.after(SECOND, lambda: late in cases(receiver))
                await desk.after(HOUR, lambda: desk.measured.attempts.count(("mail", "failed")) >= 3)
                await desk.is_at_rest()
                assert cases(receiver).count(late) == 1
                assert {row.channel for row in trial.rows() if row.alert_id != alert_id} == {"hook"}
                box.down = False
                over = ("withdrawn", "undelivered:mail")
                await desk.after(5 * MINUTE, lambda: over in cases(receiver))
                await desk.is_at_rest()
                assert len(box.mails) == 1
                assert trial.told()[1:] == [
                    ("undelivered:mail", "raised"),
                    ("undelivered:mail", "withdrawn"),
                ]

    asyncio.run(story())


def test_it_is_never_queued_on_the_channel_that_fails(trial: AlertingTrial, tmp_path: Path) -> None:
    """With one channel, which is down, nobody can be told: it is in the log and read there; fifty alerts make one."""

    async def story() -> None:
        async with http_receiver() as receiver:
            receiver.always = Answer(500)
            people = recipients(tmp_path, hook(receiver.url) + person("ann", "hook"))
            async with at_work(trial, people) as desk:
                for number in range(20):
                    trial.raises(case=f"ae:AE-{number}")
                await desk.comes_to(lambda: len({row.delivery_id for row in trial.attempts()}) == 20)
                trial.clock.turn(6 * MINUTE)
                await desk.comes_to(lambda: ("undelivered:hook", "raised") in trial.told())
                assert {json.loads(row.notice)["case"] for row in trial.rows()} == {
                    f"ae:AE-{number}" for number in range(20)
                }
                receiver.always = Answer(204)
                await desk.after(5 * MINUTE, lambda: ("undelivered:hook", "withdrawn") in trial.told())
                assert len(receiver.taken) == 20
                kinds = [kind for case, kind in trial.told() if case == "undelivered:hook"]
                assert (kinds[0], {*kinds[1:-1]} <= {"revised"}, kinds[-1]) == ("raised", True, "withdrawn")

    asyncio.run(story())


def test_a_new_revision_does_not_make_the_wait_young_again(trial: AlertingTrial, tmp_path: Path) -> None:
    """An alert that changes every four minutes and never arrives is undelivered all the same."""

    async def story() -> None:
        async with http_receiver() as receiver, http_receiver() as down:
            down.always = Answer(500)
            text = hook(receiver.url) + hook(down.url, "down") + person("ann", "hook down")
            async with at_work(trial, recipients(tmp_path, text)) as desk:
                trial.raises()
                for _ in range(2):
                    await desk.is_at_rest()
                    trial.clock.turn(4 * MINUTE)
                    trial.revises()
                await desk.comes_to(lambda: ("raised", "undelivered:down") in cases(receiver))

    asyncio.run(story())


def test_what_is_settled_is_no_longer_undelivered(trial: AlertingTrial, tmp_path: Path) -> None:
    """Withdrawn before anybody on the failing channel could know of it: one waits less, which wakes nobody."""

    async def story() -> None:
        async with http_receiver() as receiver, http_receiver() as gone:
            gone.always = Answer(410)
            text = hook(receiver.url) + hook(gone.url, "gone") + person("ann", "hook gone")
            async with at_work(trial, recipients(tmp_path, text)) as desk:
                trial.raises(case="ae:AE-0")
                await desk.comes_to(lambda: (1, "ann", "gone", "channel-disabled") in trial.states())
                alert_id = trial.raises()
                states = [(1, "ann", "gone", "channel-disabled"), (1, "ann", "hook", "delivered")]
                await desk.comes_to(lambda: trial.states(alert_id) == states)
                await desk.after(5 * MINUTE, lambda: ("raised", "undelivered:gone") in cases(receiver))
                trial.withdraws()
                await desk.comes_to(lambda: ("undelivered:gone", "revised") in trial.told())
                assert (1, "ann", "gone", "settled") in trial.states(alert_id)

    asyncio.run(story())


def test_a_dispatcher_that_was_down_is_not_late_at_once(trial: AlertingTrial, tmp_path: Path) -> None:
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
