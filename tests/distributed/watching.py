"""What is watched while a deployment is struck: things that must hold at every moment, and not only in the end."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Final

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from events.errors import ToxwatchError
from projections.store.engine.tables import positions
from services.monitor.monitor import CONSUMER
from tests.distributed.fleet import Fleet

LOOK_SECONDS: Final = 0.02


class PositionsWatch:
    """Looks at the monitor's positions again and again: they never go back. ``faults`` says where they did."""

    def __init__(self, fleet: Fleet) -> None:
        self.faults: list[str] = []
        self._fleet = fleet
        self._stopping = threading.Event()
        self._furthest: dict[int, int] = {}
        self._thread = threading.Thread(target=self._run, name="positions")

    def __enter__(self) -> PositionsWatch:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        was_watching = self._thread.is_alive()
        self._stopping.set()
        self._thread.join()
        assert was_watching, "nobody was watching any more"

    def _run(self) -> None:
        wanted = select(positions.c.partition, positions.c.next_offset).where(positions.c.consumer == CONSUMER)
        with self._fleet.database() as database:
            while not self._stopping.wait(LOOK_SECONDS):
                try:
                    with database.reading() as connection:
                        found = {row.partition: row.next_offset for row in connection.execute(wanted)}
                except (ToxwatchError, SQLAlchemyError):
                    continue  # It was struck, too.
                self._see(found)

    def _see(self, found: dict[int, int]) -> None:
        for partition, reached in found.items():
            if reached < self._furthest.get(partition, 0):
                self.faults.append(
                    f"the position of partition {partition} went back from {self._furthest[partition]} to {reached}"
                )
            self._furthest[partition] = reached
