"""Sending past the ledger, for what the ledger cannot carry since it cannot be written."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final, NamedTuple

from events.identity import derived_id
from projections.folds.alert_transition import AlertKind
from services.dispatcher.channels.port import Channel, Message, SendOutcome
from services.dispatcher.notice import Notice
from services.dispatcher.recipients import Recipients
from services.dispatcher.routing import Directory, Route
from services.platform.time_source import elapsed_seconds

#: For so long after its beginning, what a slow receiver took at last counts as told, and is not sent again (real seconds).
COUNTS_SECONDS_MAX: Final = 900.0


class DirectMessage(NamedTuple):
    """A message on its way, and since when (seconds of ``elapsed_seconds``)."""

    task: asyncio.Task[SendOutcome]
    since: float

    @property
    def is_over(self) -> bool:
        """Whether it came to nothing, or ended so long ago that the same has to be said again."""
        is_old = elapsed_seconds() - self.since > COUNTS_SECONDS_MAX
        return self.task.done() and (is_old or not _was_taken(self.task))


class DirectSender:
    """Sends over every channel of those concerned. Nothing is noted, so that it may come again after a restart.

    A receiver that is slow is not waited for, and is not sent a copy either when the same is to be told again: what is under way
    to it goes on.
    """

    def __init__(self, recipients: Recipients, channels: Mapping[str, Channel]) -> None:
        self._directory = Directory(recipients)
        self._channels = channels
        self._patience = {name: config.timeout for name, config in recipients.channels.items()}
        self._under_way: dict[tuple[str, AlertKind, Route], DirectMessage] = {}

    async def send(self, notice: Notice, link: str) -> int:
        """Say how many took it in the time that their channels have."""
        routes = self._directory.takers(notice)
        sending = {(notice.alert_id, notice.kind, route): self._sending(notice, link, route) for route in routes}
        if not sending:
            return 0
        await asyncio.wait(sending.values(), timeout=max(self._patience[route.channel] for route in routes))
        ended = {key: task for key, task in sending.items() if task.done()}
        for key in ended:
            self._under_way.pop(key, None)
        return sum(_was_taken(task) for task in ended.values())

    async def close(self) -> None:
        """Give up what is under way."""
        tasks = [each.task for each in self._under_way.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _sending(self, notice: Notice, link: str, route: Route) -> asyncio.Task[SendOutcome]:
        key = (notice.alert_id, notice.kind, route)
        under_way = self._under_way.get(key)
        if under_way is None or under_way.is_over:
            parts = ("direct", notice.alert_id, notice.kind, notice.detected_at, route.recipient, route.channel)
            message = Message(derived_id(*parts), notice, self._directory.person(route.recipient), link, None)
            task = asyncio.create_task(self._channels[route.channel].send(message))
            under_way = self._under_way[key] = DirectMessage(task, elapsed_seconds())
        return under_way.task


def _was_taken(task: asyncio.Task[SendOutcome]) -> bool:
    return not task.cancelled() and task.exception() is None and task.result().kind == "delivered"
