"""Killed between any two steps and started again: nothing is lost; a kill repeats a message at most once, under its id."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from events.dates import MINUTE, SECOND
from services.dispatcher.recipients import Recipients
from services.platform.fail_points import nothing
from tests.dispatcher.alerts import AlertingTrial
from tests.dispatcher.desk import Desk, Killed, trial_in
from tests.dispatcher.files import hook, person, recipients
from tests.dispatcher.receivers import Answer, HttpReceiver, http_receiver

STEPS = (
    "reconciled",
    "plan.read",
    "plan.written",
    "plan.committed",
    "delivery.beginning-written",
    "delivery.begun",
    "delivery.sent",
    "delivery.outcome-written",
    "delivery.recorded",
    "undelivered.told",
    "undelivered.committed",
)


class Assassin:
    """Kills as a step is passed for the n-th time, and never again."""

    def __init__(self, step: str, times: int) -> None:
        self.step = step
        self.left = times
        self.passed: Counter[str] = Counter()

    @property
    def has_struck(self) -> bool:
        return self.left == 0

    def __call__(self, step: str) -> None:
        self.passed[step] += 1
        if step == self.step and self.left:
            self.left -= 1
            if not self.left:
                raise Killed(step)


class Survivor:
    """A dispatcher that is started again, on the same database, whenever it is killed."""

    def __init__(self, trial: AlertingTrial, people: Recipients, fail_point: Callable[[str], None]) -> None:
        self.trial = trial
        self.people = people
        self.fail_point = fail_point
        self.kills = 0

    async def comes_to(self, condition: Callable[[], bool]) -> None:
        """Work until the condition holds, through every kill; then stop in order."""
        while True:
            desk = Desk(self.trial, self.people, self.fail_point)
            stop = asyncio.Event()
            running = asyncio.create_task(desk.dispatcher.run(stop))
            coming = asyncio.create_task(desk.comes_to(condition, tick=SECOND // 5))
            await asyncio.wait([running, coming], return_when=asyncio.FIRST_COMPLETED)
            stop.set()
            try:
                await running
                await coming
                return
            except Killed:
                self.kills += 1
            finally:
                coming.cancel()
                await asyncio.gather(coming, return_exceptions=True)


async def story(
    trial: AlertingTrial, directory: Path, fail_point: Callable[[str], None]
) -> tuple[Survivor, HttpReceiver, HttpReceiver]:
    """An alert that one receiver takes and another only after a while, what is told of that, its revision and its end."""
    async with http_receiver() as receiver, http_receiver() as down:
        down.always = Answer(500)
        text = hook(receiver.url) + hook(down.url, "down") + person("ann", "hook") + person("ben", "down")
        survivor = Survivor(trial, recipients(directory, text), fail_point)
        alert_id = trial.raises()
        await survivor.comes_to(lambda: _states(trial, alert_id, "hook") == ["delivered"] and len(down.posts) > 0)
        trial.clock.turn(5 * MINUTE)
        late = "undelivered:down"
        await survivor.comes_to(lambda: _told(trial, late) == ["delivered"])
        down.always = Answer(204)
        trial.clock.turn(5 * MINUTE)
        await survivor.comes_to(lambda: _told(trial, late) == ["delivered", "delivered"])
        trial.revises()
        await survivor.comes_to(lambda: _states(trial, alert_id, "hook") == ["delivered"] * 2)
        trial.withdraws()
        await survivor.comes_to(
            lambda: _states(trial, alert_id, "hook", "down")[-2:] == ["delivered"] * 2 and _done(trial)
        )
        return survivor, receiver, down


def _states(trial: AlertingTrial, alert_id: str, *channels: str) -> list[str]:
    return [row.state for row in trial.rows(alert_id) if row.channel in channels]


def _told(trial: AlertingTrial, case: str) -> list[str]:
    """The states of what is told of a case, by revision, where each of its events is in the log and planned."""
    rows = [row for row in trial.rows() if f'"{case}"' in row.notice]
    return [row.state for row in rows]


def _done(trial: AlertingTrial) -> bool:
    return all(row.state in ("delivered", "superseded", "settled") for row in trial.rows())


@pytest.mark.parametrize("times", [1, 2, 4])
@pytest.mark.parametrize("step", STEPS)
def test_nothing_is_lost_and_no_message_repeats_more_than_once_a_kill(tmp_path: Path, step: str, times: int) -> None:
    """Each receiver ends with the newest state, and knows each message by its id.

    What repeats is what was under way as the kill struck, another delivery's attempt included.
    """
    assassin = Assassin(step, times)
    with trial_in(tmp_path) as trial:
        survivor, receiver, down = asyncio.run(story(trial, tmp_path, assassin))
        assert survivor.kills == assassin.has_struck
        # Planned, sent and told exactly as if nothing had happened.
        assert [kind for case, kind in trial.told() if case == "ae:AE-1"] == ["raised", "revised", "withdrawn"]
        assert [kind for case, kind in trial.told() if case != "ae:AE-1"] == ["raised", "withdrawn"]
        taken = Counter(receiver.taken + down.taken)
        ids = {row.id for row in trial.rows() if row.state == "delivered"}
        assert taken.keys() == ids
        assert max(taken.values()) <= 1 + survivor.kills
        for row in trial.rows():
            assert row.attempts == sum(attempt.delivery_id == row.id for attempt in trial.attempts())


def test_every_step_is_one_that_a_kill_is_tried_at(tmp_path: Path) -> None:
    """The story passes each of them, and no other."""
    assassin = Assassin("none", 0)
    with trial_in(tmp_path) as trial:
        asyncio.run(story(trial, tmp_path, assassin))
    assert set(assassin.passed) == set(STEPS)


@pytest.mark.parametrize(
    ("step", "taken", "outcomes"),
    [
        ("plan.written", 1, ["delivered"]),
        ("plan.committed", 1, ["delivered"]),
        ("delivery.beginning-written", 1, ["delivered"]),
        ("delivery.begun", 1, ["started", "delivered"]),
        ("delivery.sent", 2, ["started", "delivered"]),
        ("delivery.outcome-written", 2, ["started", "delivered"]),
        ("delivery.recorded", 1, ["delivered"]),
    ],
)
def test_only_a_kill_between_sending_and_recording_repeats(
    tmp_path: Path, step: str, taken: int, outcomes: list[str]
) -> None:
    """The price of losing nothing. The attempt whose end is not known stays in the ledger as it is."""

    async def once(trial: AlertingTrial) -> tuple[int, list[str]]:
        async with http_receiver() as receiver:
            people = recipients(tmp_path, hook(receiver.url) + person("ann", "hook"))
            survivor = Survivor(trial, people, Assassin(step, 1))
            trial.raises()
            await survivor.comes_to(lambda: [row[3] for row in trial.states()] == ["delivered"])
            return survivor.kills, receiver.taken

    with trial_in(tmp_path) as trial:
        kills, ids = asyncio.run(once(trial))
        assert kills == 1
        assert ids == [trial.rows()[0].id] * taken
        assert [row.outcome for row in trial.attempts()] == outcomes


def test_without_a_kill_nothing_repeats(tmp_path: Path) -> None:
    """What the story looks like when all goes well."""
    with trial_in(tmp_path) as trial:
        _, receiver, down = asyncio.run(story(trial, tmp_path, nothing))
        assert len(set(receiver.taken + down.taken)) == len(receiver.taken + down.taken)
