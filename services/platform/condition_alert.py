"""An alert about Toxwatch itself that stands for as long as something is the case: nobody may take silence for safety."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from projections.folds.alert_transition import alert_id_of
from projections.folds.system_alerts import system_transition
from projections.folds.trial import Trial
from projections.rules.logic.truth import EventKey
from projections.store.engine.database import Database
from projections.store.rows.outbox import publish, published_states
from services.platform.time_source import Clock


class Condition(NamedTuple):
    """What is looked at: the alert's case, why it stands (None while it does not), and what to do."""

    case: str
    reason: Callable[[], str | None]
    advice: str


class ConditionAlert:
    """Raises the alert when the condition begins, and withdraws it when it ends; what the reason says meanwhile is no news."""

    def __init__(self, database: Database, trial: Trial, clock: Clock, condition: Condition) -> None:
        self._database = database
        self._trial = trial
        self._clock = clock
        self._condition = condition
        self._told: bool | None = None

    def look(self) -> bool:
        """Tell what has changed, and say whether anything has. Raises ``StoreUnavailable``."""
        case, reason = self._condition.case, self._condition.reason()
        stands = reason is not None
        if self._told is stands:
            return False
        alert_id, now = alert_id_of(self._trial.protocol, case), self._clock.now()
        with self._database.writing() as connection:
            told = published_states(connection, [alert_id]).get(alert_id)
            is_open = told is not None and told.stands
            if is_open is not stands:
                step = system_transition(
                    self._trial.protocol,
                    case,
                    told,
                    [reason] if reason is not None else None,
                    EventKey(self._trial.source, case),
                    now,
                    questions=[self._condition.advice],
                )
                publish(connection, self._trial, [] if step is None else [step])
        self._told = stands
        return is_open is not stands
