"""Asking the database from the event loop: in threads of its own, so that a long answer keeps nobody else waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sqlalchemy import Connection

from projections.store.engine.database import Database, StoreUnavailable
from projections.store.engine.generation import NoGenerationError
from services.http.problems import unavailable

Answer = TypeVar("Answer")


class Reader:
    """Asks up to ``at_once`` questions at a time; the others wait their turn. A connection is held no longer than that."""

    def __init__(self, database: Database, at_once: int) -> None:
        self._database = database
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="reading")

    async def ask(self, question: Callable[[Connection], Answer]) -> Answer:
        """The answer, from one consistent view. Raises ``Problem`` where the database cannot be read now."""

        def asked() -> Answer:
            with self._database.reading() as connection:
                return question(connection)

        return await self.run(asked)

    async def run(self, work: Callable[[], Answer]) -> Answer:
        """The same for work that reads by itself."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except (StoreUnavailable, NoGenerationError) as error:
            raise unavailable("the store cannot be read now; ask again") from error
