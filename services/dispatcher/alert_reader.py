"""Follows the alert log: reads on from the position, and has planned what it reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import structlog

from events.errors import ToxwatchError
from projections.store.engine.database import Database
from services.dispatcher.alert_entries import FencedDispatcher, position_of
from services.dispatcher.planner import Planner
from services.log.port import Entry, EventLog
from services.platform.time_source import Clock

READ_AT_ONCE_MAX: Final = 500

log = structlog.get_logger()


class AlertReader:
    """Knows the position of each partition, and loads it again where somebody else has moved it."""

    def __init__(
        self, database: Database, log: EventLog, planner: Planner, clock: Clock, fail_point: Callable[[str], None]
    ) -> None:
        self._database = database
        self._log = log
        self._planner = planner
        self._clock = clock
        self._fail_point = fail_point
        self._next: dict[int, int] = {}

    def catch_up(self) -> bool:
        """Plan the next entries of each partition, and say whether there may be more. Raises ``StoreUnavailable``."""
        may_be_more = False
        for partition in range(self._log.partitions):
            may_be_more |= self._read_on(partition)
        return may_be_more

    def _read_on(self, partition: int) -> bool:
        if partition not in self._next:
            with self._database.reading() as connection:
                self._next[partition] = position_of(connection, partition)
        entries = self._log.read(partition, self._next[partition], READ_AT_ONCE_MAX)
        if not entries:
            return False
        self._fail_point("plan.read")
        try:
            self._plan(entries)
        except FencedDispatcher:
            del self._next[partition]
            return True
        except ToxwatchError:
            raise
        except Exception:  # noqa: BLE001 - one entry is to blame, and nobody behind it is to wait
            for entry in entries:
                self._plan_one(entry)
        self._next[partition] = entries[-1].position.offset + 1
        self._fail_point("plan.committed")
        return len(entries) == READ_AT_ONCE_MAX

    def _plan(self, entries: Sequence[Entry]) -> None:
        with self._database.writing() as connection:
            self._planner.plan(entries, connection, self._clock.now())
            self._fail_point("plan.written")

    def _plan_one(self, entry: Entry) -> None:
        """Plan an entry, or, where that raises, have somebody told that it reaches nobody. Raises ``StoreUnavailable``."""
        try:
            self._plan([entry])
        except ToxwatchError:
            raise
        except Exception as error:
            log.critical("alert_event_not_planned", position=str(entry.position), exc_info=error)
            with self._database.writing() as connection:
                self._planner.pass_over(entry, type(error).__name__, connection, self._clock.now())
