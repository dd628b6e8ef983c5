"""``at_least=<position>``: a reader waits until the projections have come as far as the event that it has just sent."""

from __future__ import annotations

import asyncio
import re
from functools import partial
from typing import Final

from fastapi import Request
from sqlalchemy import Connection

from projections.store.engine.database import Database
from projections.store.engine.generation import next_offset
from services.api.reader import Reader
from services.http.parameters import AT_LEAST
from services.http.problems import Problem, unavailable
from services.log.port import EventLog
from services.monitor.monitor import CONSUMER
from services.platform.time_source import elapsed_seconds

WAIT_SECONDS_MAX: Final = 5.0
LOOK_SECONDS_MIN: Final = 0.02
LOOK_SECONDS_MAX: Final = 0.25
_POSITION: Final = re.compile(r"(\d{1,4})/(\d{1,18})")


class ReadYourWrite:
    """A dependency of every route that reads. ``clinical`` is the log whose positions are meant."""

    def __init__(self, database: Database, clinical: EventLog) -> None:
        # One thread for all who wait: a page must not wait for them.
        self._reader = Reader(database, at_once=1)
        self._clinical = clinical

    async def __call__(self, request: Request) -> None:
        """Wait at most five seconds. Raises ``Problem``: 422 for what is no position, 503 where it is not reached by then."""
        named = request.query_params.get(AT_LEAST)
        if named is None:
            return
        partition, offset = await self._reader.run(partial(self._read, named))
        since, look = elapsed_seconds(), LOOK_SECONDS_MIN
        while await self._reader.ask(partial(_reached, partition=partition)) <= offset:
            if elapsed_seconds() - since + look > WAIT_SECONDS_MAX:
                raise unavailable(f"the projections have not come to {AT_LEAST}={named} yet; ask again")
            await asyncio.sleep(look)
            look = min(2 * look, LOOK_SECONDS_MAX)

    def _read(self, named: str) -> tuple[int, int]:
        found = _POSITION.fullmatch(named)
        if found is None:
            raise _refused("give a position as the gateway answered it, such as 0/1234")
        if int(found[1]) >= self._clinical.partitions:
            raise _refused(f"the log has no partition {int(found[1])}")
        return int(found[1]), int(found[2])


def _reached(connection: Connection, partition: int) -> int:
    return next_offset(connection, CONSUMER, partition)


def _refused(sentence: str) -> Problem:
    return Problem(422, "Parameters that cannot be taken", f"{AT_LEAST}: {sentence}")
