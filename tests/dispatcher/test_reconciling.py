"""A changed file of recipients loses nothing that waits."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.dispatcher.alerts import AlertingTrial
from tests.dispatcher.desk import at_work, trial_in
from tests.dispatcher.files import hook, person, recipients
from tests.dispatcher.receivers import Answer, http_receiver


@pytest.fixture
def trial(tmp_path: Path) -> Iterator[AlertingTrial]:
    with trial_in(tmp_path) as trial:
        yield trial


def test_a_channel_with_a_new_name_delivers_what_waited_for_the_old(trial: AlertingTrial, tmp_path: Path) -> None:
    """And what was withdrawn since reaches those who were told over the old one."""

    async def story() -> None:
        async with http_receiver() as receiver:
            old = recipients(tmp_path, hook(receiver.url, "old") + person("ann", "old"))
            async with at_work(trial, old) as desk:
                known = trial.raises(case="ae:AE-0")
                await desk.comes_to(lambda: trial.states(known) == [(1, "ann", "old", "delivered")])
                receiver.always = Answer(500)
                waiting = trial.raises()
                await desk.comes_to(lambda: len(receiver.posts) == 2)
            receiver.always = Answer(204)
            async with at_work(trial, recipients(tmp_path, hook(receiver.url, "new") + person("ann", "new"))) as desk:
                await desk.comes_to(lambda: (1, "ann", "new", "delivered") in trial.states(waiting))
                assert (1, "ann", "old", "unroutable") in trial.states(waiting)
                trial.withdraws(case="ae:AE-0")
                await desk.comes_to(lambda: (2, "ann", "new", "delivered") in trial.states(known))

    asyncio.run(story())


def test_what_waited_for_somebody_who_left_goes_to_whoever_is_told_now(trial: AlertingTrial, tmp_path: Path) -> None:
    """Not a second time to those who know it."""

    async def story() -> None:
        async with http_receiver() as receiver, http_receiver() as down:
            down.always = Answer(500)
            channels = hook(receiver.url) + hook(down.url, "down")
            before = recipients(tmp_path, channels + person("ann", "hook") + person("ben", "down"))
            async with at_work(trial, before) as desk:
                trial.raises()
                await desk.comes_to(lambda: len(receiver.taken) == 1 and len(down.posts) >= 1)
                await desk.is_at_rest()
            after = recipients(tmp_path, channels + person("ann", "hook") + person("cleo", "hook"))
            async with at_work(trial, after) as desk:
                await desk.comes_to(lambda: (1, "cleo", "hook", "delivered") in trial.states())
                await desk.is_at_rest()
                assert trial.states() == [
                    (1, "ann", "hook", "delivered"),
                    (1, "ben", "down", "unroutable"),
                    (1, "cleo", "hook", "delivered"),
                ]
                assert len(receiver.taken) == 2

    asyncio.run(story())
