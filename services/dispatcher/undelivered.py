"""A channel that does not deliver is itself an alert: one for each channel and outage, over the channels that work."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from sqlalchemy import Connection

from events.dates import Instant, format_instant
from projections.folds.alert_transition import AlertTransition, alert_id_of
from projections.folds.system_alerts import UNDELIVERED, rung, system_transition
from projections.folds.trial import Trial
from projections.rules.logic.truth import EventKey
from projections.store.engine.database import Database
from projections.store.rows.outbox import publish, published_states
from services.dispatcher import ledger
from services.dispatcher.backoff import clock_span
from services.dispatcher.ledger import Late
from services.platform.time_source import Clock

#: For so long a delivery may be under way before somebody is told that it is (real seconds).
UNDELIVERED_SECONDS_MAX: Final = 300.0

_QUESTIONS: Final = ("Look at the channel, and tell the recipients yourself until it works again.",)


class UndeliveredWatch:
    """Raises ``undelivered:<channel>`` where a channel is late, and withdraws it once nothing late waits there any more."""

    def __init__(
        self,
        database: Database,
        trial: Trial,
        clock: Clock,
        fail_point: Callable[[str], None],
    ) -> None:
        self._database = database
        self._trial = trial
        self._clock = clock
        self._fail_point = fail_point

    def look(self) -> None:
        """Tell what has changed. Raises ``StoreUnavailable``."""
        now = self._clock.now()
        since = now - clock_span(self._clock, UNDELIVERED_SECONDS_MAX)
        with self._database.reading() as connection:
            late, told = ledger.late(connection, since), ledger.told_late(connection)
        if {name: rung(one.number) for name, one in late.items()} == {
            name: rung(count) for name, count in told.items()
        }:
            return
        with self._database.writing() as connection:
            publish(connection, self._trial, self._transitions(connection, since, now))
            self._fail_point("undelivered.told")
        self._fail_point("undelivered.committed")

    def _transitions(self, connection: Connection, since: Instant, now: Instant) -> list[AlertTransition]:
        late, told = ledger.late(connection, since), ledger.told_late(connection)
        names = sorted({*late, *told})
        own_ids = {name: alert_id_of(self._trial.protocol, UNDELIVERED + name) for name in names}
        before = published_states(connection, own_ids.values())
        # Who could be told of nothing, because every channel failed, can be told now.
        has_recovered = bool(told.keys() - late.keys())
        steps = [
            system_transition(
                self._trial.protocol,
                UNDELIVERED + name,
                before.get(own_ids[name]),
                _reasons(name, late, ledger.examples_of_late(connection, name, since)) if name in late else None,
                EventKey(self._trial.source, f"channel:{name}"),
                now,
                questions=_QUESTIONS,
                count=late[name].number if name in late else None,
                telling="news" if has_recovered else "silent",
                withdrawn_because=f"the channel {name} works again, and what waited for it has been delivered",
            )
            for name in names
        ]
        return [step for step in steps if step is not None]


def _reasons(name: str, late: Mapping[str, Late], examples: Sequence[str]) -> list[str]:
    one = late[name]
    alerts = "1 alert waits" if one.number == 1 else f"{one.number} alerts wait"
    reasons = [f"{alerts} for the channel {name}, the oldest since {format_instant(one.since)}"]
    reasons += [f"not delivered: {'; '.join(examples)}"]
    others = sorted(late.keys() - {name})
    if others:
        reasons.append(f"not delivering either: {', '.join(others)}")
    return reasons
