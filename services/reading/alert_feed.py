"""The stream of alert events: from any place on, for as long as the reader likes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Final

from projections.store.database import Database
from projections.store.reading import ToldEvent, events_after, newest_seq
from services.clock.time_source import elapsed_seconds
from services.gateway.problems import Problem
from services.reading.reader import Reader

LOOK_SECONDS: Final = 0.25
#: A reader who is slow keeps so many events waiting here, and no more.
PAGE: Final = 100
FOLLOWERS_MAX: Final = 200


class AlertFeed:
    """Alert events for those who follow. However many they are, the database is asked for news once in a while, for all.

    Once in ``look_seconds``, and at once when woken by somebody who knows of news. Ends for everybody when ``stopping`` is
    set: do that before the server is told to stop, since it waits for whom it serves.
    """

    def __init__(self, database: Database, stopping: asyncio.Event, look_seconds: float = LOOK_SECONDS) -> None:
        self._reader = Reader(database, at_once=1)
        self._stopping = stopping
        self._look_seconds = look_seconds
        self._asking = asyncio.Lock()
        self._woken = asyncio.Event()
        self._asked_at = float("-inf")
        self._newest = 0
        self.followers = 0

    def wake(self) -> None:
        """There may be news: whoever waits looks now. To be called in the event loop."""
        woken, self._woken = self._woken, asyncio.Event()
        self._asked_at = float("-inf")
        woken.set()

    async def start(self, after: int | None) -> int:
        """The place to follow from. One beyond the newest is of another database, before it was restored: not waited for.

        Raises :class:`Problem` where the database cannot be read, and where too many follow already.
        """
        if self.followers >= FOLLOWERS_MAX:
            raise Problem(503, "Too many streams", f"{FOLLOWERS_MAX} streams are open already", {"Retry-After": "30"})
        newest = await self._reader.ask(newest_seq)
        return newest if after is None else min(after, newest)

    async def pages(self, after: int) -> AsyncIterator[list[ToldEvent]]:
        """The events behind ``after``, in order, some at a time; waits for what is to come."""
        self.followers += 1
        try:
            while not self._stopping.is_set():
                # Taken before the look: who wakes us meanwhile may know of more than it sees.
                woken = self._woken
                page = await self._next(after)
                if page:
                    after = page[-1].seq
                    yield page
                else:
                    await self._rest(woken)
        finally:
            self.followers -= 1

    async def _next(self, after: int) -> list[ToldEvent]:
        try:
            if after >= await self._newest_seq():
                return []
            return await self._reader.ask(partial(events_after, after=after, limit=PAGE))
        except Problem:
            # The database cannot be read now. What it holds is not lost, and comes when it can.
            return []

    async def _newest_seq(self) -> int:
        async with self._asking:
            if elapsed_seconds() - self._asked_at >= self._look_seconds:
                woken = self._woken
                self._newest = await self._reader.ask(newest_seq)
                if woken is self._woken:
                    self._asked_at = elapsed_seconds()
            return self._newest

    async def _rest(self, woken: asyncio.Event) -> None:
        waiting = [asyncio.create_task(event.wait()) for event in (woken, self._stopping)]
        try:
            await asyncio.wait(waiting, timeout=self._look_seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()
