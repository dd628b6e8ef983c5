"""Erases parked input that is older than the deployment keeps it; what is severe and open stays until somebody deals with it."""

from __future__ import annotations

from typing import Final

from events.dates import DAY
from projections.folds.trial import Trial
from projections.store.engine.database import Database
from projections.store.engine.disk_space import give_back
from projections.store.write.dead_letter_upkeep import expire
from services.platform.time_source import Clock, elapsed_seconds

LOOK_SECONDS: Final = 3600.0


class DeadLetterRetention:
    """Looks once an hour, and goes on at once while there is more."""

    def __init__(self, database: Database, trial: Trial, clock: Clock, days: int) -> None:
        self._database = database
        self._trial = trial
        self._clock = clock
        self._kept = days * DAY
        self._looked_at = elapsed_seconds()

    def look(self) -> bool:
        """Erase some, and say whether there may be more. Raises ``StoreUnavailable``."""
        if elapsed_seconds() - self._looked_at < LOOK_SECONDS or self._clock.doubt() is not None:
            return False
        now = self._clock.now()
        with self._database.writing() as connection:
            erased = expire(connection, self._trial, now - self._kept, now)
        if not erased:
            self._looked_at = elapsed_seconds()
            give_back(self._database)
        return erased > 0
