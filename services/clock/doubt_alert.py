"""The alert that countdowns wait because the clock is doubted: silence must not be taken for safety."""

from __future__ import annotations

from events.identity import derived_id
from projections.folds.system_alerts import DRIFT, system_transition
from projections.rules.protocol import Protocol
from projections.rules.truth import EventRef
from projections.store.database import Database
from projections.store.told import tell, told_of
from services.clock.time_source import Clock

CASE = f"{DRIFT}clock"
QUESTION = (
    "Compare the machine's clock with a reliable one, and set it right; where it is right, run `toxwatch clock confirm`."
    " Until then, judge by hand what time alone would change."
)


class DoubtAlert:
    """Raises the alert when the clock is doubted, and withdraws it when it is not any more."""

    def __init__(self, database: Database, protocol: Protocol, clock: Clock, source: str) -> None:
        self._database = database
        self._protocol = protocol
        self._clock = clock
        self._source = source
        self._told: bool | None = None

    def look(self) -> bool:
        """Tell what has changed, and say whether anything has. Raises ``StoreUnavailable``."""
        doubt = self._clock.doubt()
        if self._told is (doubt is not None):
            return False
        alert_id = derived_id(self._protocol.trial, CASE)
        now = self._clock.now()
        with self._database.writing() as connection:
            told = told_of(connection, [alert_id]).get(alert_id)
            is_open = told is not None and told.open is not None
            if is_open is not (doubt is not None):
                step = system_transition(
                    self._protocol,
                    CASE,
                    told,
                    None if doubt is None else [doubt],
                    EventRef(self._source, CASE),
                    now,
                    questions=[QUESTION],
                )
                tell(connection, self._protocol, self._source, [] if step is None else [step])
        self._told = doubt is not None
        return is_open is not self._told
