"""The feed behind the stream asks the database for all readers at once: what it saw last may be older than their places."""

from __future__ import annotations

import asyncio
import json

import pytest

from projections.store.engine.database import Database
from services.api.alert_feed import AlertFeed, Page
from services.api.cursors import START, Cursor
from tests.api.telling import told

#: The database is not looked at again by itself.
NEVER_SECONDS = 300.0


def _tell(database: Database, times: int) -> None:
    with database.writing() as connection:
        for _ in range(times):
            told(connection)


@pytest.mark.parametrize(("after", "expected"), [(None, [4]), (START, [1, 2, 3, 4])])
def test_a_place_newer_than_the_last_look_is_no_other_life(
    database: Database, after: Cursor | None, expected: list[int]
) -> None:
    """Neither one who begins at the newest event, nor one who has read up to it, is sent back to the beginning."""
    feed = AlertFeed(database, asyncio.Event(), NEVER_SECONDS)

    async def scene() -> list[Page]:
        _tell(database, 1)
        await anext(feed.pages(START))
        _tell(database, 2)
        pages = feed.pages((await feed.start(after)).place)
        found = [await anext(pages)] if after == START else []
        coming = asyncio.ensure_future(anext(pages))
        await asyncio.wait([coming], timeout=0.2)
        _tell(database, 1)
        feed.wake()
        return [*found, await asyncio.wait_for(coming, 20)]

    pages = asyncio.run(scene())
    assert [page.reset for page in pages] == [None] * len(pages)
    assert [json.loads(event.body)["data"]["revision"] for page in pages for event in page.events] == expected
