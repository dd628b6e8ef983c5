"""An alert that does not arrive is itself an alert, on the channels that work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sqlalchemy import Connection

from events.dates import Instant
from events.identity import derived_id
from projections.folds.alert_transition import AlertTransition
from projections.folds.system_alerts import UNDELIVERED, system_transition
from projections.rules.protocol import Protocol
from projections.rules.truth import EventRef
from projections.store.database import Database
from projections.store.told import tell, told_of
from services.clock.time_source import Clock
from services.dispatcher import ledger
from services.dispatcher.delivery import Delivery
from services.dispatcher.pace import clock_span

#: For so long a delivery may be under way before somebody is told that it is (real seconds).
UNDELIVERED_SECONDS_MAX: Final = 300.0
ROUTES_NAMED_MAX: Final = 20


class UndeliveredWatch:
    """Raises ``undelivered:<alert_id>`` once for each alert that waits too long, and withdraws it. Never about one of these."""

    def __init__(
        self,
        database: Database,
        protocol: Protocol,
        clock: Clock,
        source: str,
        passing: Callable[[str], None],
    ) -> None:
        self._database = database
        self._protocol = protocol
        self._clock = clock
        self._source = source
        self._passing = passing

    def look(self) -> None:
        """Tell what has changed. Raises ``StoreUnavailable``."""
        now = self._clock.now()
        since = now - clock_span(self._clock, UNDELIVERED_SECONDS_MAX)
        with self._database.reading() as connection:
            changed = ledger.late(connection, since) != ledger.told_late(connection)
        if not changed:
            return
        with self._database.writing() as connection:
            tell(connection, self._protocol, self._source, self._transitions(connection, since, now))
            self._passing("undelivered.told")
        self._passing("undelivered.committed")

    def _transitions(self, connection: Connection, since: Instant, now: Instant) -> list[AlertTransition]:
        late, told = ledger.late(connection, since), ledger.told_late(connection)
        changed = sorted(late ^ told)
        rows = ledger.known_of(connection, changed)
        cases = {alert_id: UNDELIVERED + alert_id for alert_id in changed}
        own_ids = {alert_id: derived_id(self._protocol.trial, case) for alert_id, case in cases.items()}
        before = told_of(connection, own_ids.values())
        steps = [
            system_transition(
                self._protocol,
                cases[alert_id],
                before.get(own_ids[alert_id]),
                [_reason(rows[alert_id], since)] if alert_id in late else None,
                EventRef(self._source, rows[alert_id][-1].event_id),
                now,
            )
            for alert_id in changed
        ]
        return [step for step in steps if step is not None]


def _reason(rows: list[Delivery], since: Instant) -> str:
    late = [row for row in rows if row.is_unfinished and row.not_before <= since]
    routes = sorted({f"{row.recipient} over {row.channel}" for row in late})
    more = f" and {len(routes) - ROUTES_NAMED_MAX} more" if len(routes) > ROUTES_NAMED_MAX else ""
    return f"revision {late[-1].revision} has not reached {', '.join(routes[:ROUTES_NAMED_MAX])}{more}"
