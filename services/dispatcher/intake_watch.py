"""Keeps the alerts of refused severe input right where no event does: their numbers, and those that earlier versions raised."""

from __future__ import annotations

from typing import Final

from projections.folds.trial import Trial
from projections.store.engine.database import Database, Lock, take_lock
from projections.store.write.intake_alerts import merge_single_alerts, tell_of_numbers
from services.platform.time_source import Clock, elapsed_seconds

#: How often the numbers are looked at (real seconds).
LOOK_SECONDS: Final = 30.0


class IntakeWatch:
    """Looks now and then; the first time, it merges what earlier versions raised one by one."""

    def __init__(self, database: Database, trial: Trial, clock: Clock) -> None:
        self._database = database
        self._trial = trial
        self._clock = clock
        self._looked_at = float("-inf")
        self._has_merged = False

    def look(self) -> None:
        """Tell what has changed. Raises ``StoreUnavailable``."""
        if elapsed_seconds() - self._looked_at < LOOK_SECONDS:
            return
        with self._database.writing() as connection:
            take_lock(connection, Lock.OUTBOX)
            at = (connection, self._trial, self._clock.now())
            if not self._has_merged:
                merge_single_alerts(*at)
            tell_of_numbers(*at)
        self._has_merged = True
        self._looked_at = elapsed_seconds()
