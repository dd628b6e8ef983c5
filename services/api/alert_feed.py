"""The stream of alert events: from any place on, for as long as the reader likes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Final, NamedTuple

from sqlalchemy import Connection

from projections.store.engine.database import Database
from projections.store.engine.life import life_of
from projections.store.read.alerts import PublishedEvent, events_after, newest_seq
from services.api.cursors import START, Cursor, is_of_another_life, sentence
from services.api.reader import Reader
from services.http.problems import Problem
from services.platform.time_source import elapsed_seconds

LOOK_SECONDS: Final = 0.25
#: A reader who is slow keeps so many events waiting here, and no more.
PAGE: Final = 100
FOLLOWERS_MAX: Final = 200


class Following(NamedTuple):
    """From where a reader follows; ``reset``: why that is not where it asked for."""

    place: Cursor
    reset: str | None = None


class Page(NamedTuple):
    """Some events, and the life in which their places count; ``reset``: why it begins anew behind this."""

    life: int
    events: list[PublishedEvent]
    reset: str | None = None


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
        self._newest = START
        self.followers = 0

    def wake(self) -> None:
        """There may be news: waiting followers look now. To be called in the event loop."""
        woken, self._woken = self._woken, asyncio.Event()
        self._asked_at = float("-inf")
        woken.set()

    async def start(self, after: Cursor | None) -> Following:
        """From where to follow: from the beginning, with why, where the place is of another life of the database.

        Raises :class:`Problem` where the database cannot be read, and where too many follow already.
        """
        if self.followers >= FOLLOWERS_MAX:
            raise Problem(503, "Too many streams", f"{FOLLOWERS_MAX} streams are open already", {"Retry-After": "30"})
        newest = await self._reader.ask(_newest)
        if after is None:
            return Following(newest)
        if is_of_another_life(after, newest.life, newest.number):
            return Following(Cursor(newest.life, 0), sentence(after))
        return Following(Cursor(newest.life, after.number))

    async def pages(self, place: Cursor) -> AsyncIterator[Page]:
        """The events behind a place, in order, some at a time; waits for what is to come."""
        self.followers += 1
        try:
            while not self._stopping.is_set():
                # Taken before the look: who wakes us meanwhile may know of more than it sees.
                woken = self._woken
                page = await self._next(place)
                if page is None:
                    await self._rest(woken)
                else:
                    place = Cursor(page.life, page.events[-1].seq if page.events else 0)
                    yield page
        finally:
            self.followers -= 1

    async def _next(self, place: Cursor) -> Page | None:
        try:
            newest = await self._newest_place()
            if is_of_another_life(place, newest.life, newest.number):
                # Or what we saw last is older than the place: events are told meanwhile, and read.
                newest = await self._newest_place(afresh=True)
            if is_of_another_life(place, newest.life, newest.number):
                return Page(newest.life, [], sentence(place))
            if place.number >= newest.number:
                return None
            found = await self._reader.ask(partial(events_after, after=place.number, limit=PAGE))
        except Problem:
            # The database cannot be read now. What it holds is not lost, and comes when it can.
            return None
        return Page(newest.life, found) if found else None

    async def _newest_place(self, *, afresh: bool = False) -> Cursor:
        async with self._asking:
            if afresh or elapsed_seconds() - self._asked_at >= self._look_seconds:
                woken = self._woken
                self._newest = await self._reader.ask(_newest)
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


def _newest(connection: Connection) -> Cursor:
    return Cursor(life_of(connection), newest_seq(connection))
