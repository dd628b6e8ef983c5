"""Alerts for a dispatcher to tell of, told as the monitor tells them: through the outbox and the relay."""

from __future__ import annotations

from typing import Any, Literal

from sqlalchemy import Row, select

from events.alert import AlertData, Verdict
from events.dates import format_instant
from events.envelope import EventRef
from events.identity import derived_id
from projections.folds.alert_transition import AlertKind, AlertTransition
from projections.folds.system_alerts import system_transition
from projections.folds.trial import Trial
from projections.protocols.isi_jx import PROTOCOL
from projections.rules.logic.truth import EventKey
from projections.store.engine.database import Database
from projections.store.engine.tables import alert_events, deliveries, delivery_attempts
from projections.store.rows.outbox import publish, published_states
from services.log.embedded import EmbeddedLog
from services.monitor.relay import Relay
from tests.dispatcher.hand_clock import HandClock

SOURCE = "urn:toxwatch:test"
CAUSE = EventKey("urn:site:FR01:edc", "E-1")
#: Occurs only where a message must not have it.
CLINICAL = "myocarditis after the third dose"

Urgency = Literal["urgent", "prompt", "routine"]
VERDICTS: dict[Urgency, Verdict] = {"urgent": "met", "prompt": "possible", "routine": "possible"}


class AlertingTrial:
    """A database with both logs, a clock turned by hand, and the steps of the monitor that concern alerts."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.clock = HandClock()
        self.log = EmbeddedLog(self.database, "alerts")

    def raises(self, urgency: Urgency = "urgent", case: str = "ae:AE-1", **changes: Any) -> str:
        return self._tell("raised", urgency, case, changes)

    def revises(self, urgency: Urgency = "urgent", case: str = "ae:AE-1", **changes: Any) -> str:
        return self._tell("revised", urgency, case, changes)

    def withdraws(self, case: str = "ae:AE-1", urgency: Urgency = "urgent") -> str:
        return self._tell("withdrawn", urgency, case, {"verdict": None, "clauses": {}})

    def system(self, case: str, stands: bool = True, **changes: Any) -> str:
        """An alert that is no subject's is raised or withdrawn."""
        alert_id = derived_id(PROTOCOL.trial, case)
        with self.database.writing() as connection:
            told = published_states(connection, [alert_id]).get(alert_id)
            reasons = changes.pop("reasons", [CLINICAL]) if stands else None
            step = system_transition(PROTOCOL, case, told, reasons, CAUSE, self.clock.now(), **changes)
            assert step is not None
            publish(connection, Trial(PROTOCOL, SOURCE), [step])
        self.relay()
        return alert_id

    def relay(self) -> None:
        while Relay(self.database, self.log).relay():
            pass

    def rows(self, alert_id: str | None = None) -> list[Row[Any]]:
        """The ledger, by alert, revision, recipient and channel."""
        order = (deliveries.c.alert_id, deliveries.c.revision, deliveries.c.recipient, deliveries.c.channel)
        wanted = select(deliveries).order_by(*order)
        with self.database.reading() as connection:
            return list(
                connection.execute(wanted if alert_id is None else wanted.where(deliveries.c.alert_id == alert_id))
            )

    def states(self, alert_id: str | None = None) -> list[tuple[int, str, str, str]]:
        """What the ledger says: revision, recipient, channel, state."""
        return [(row.revision, row.recipient, row.channel, row.state) for row in self.rows(alert_id)]

    def attempts(self) -> list[Row[Any]]:
        with self.database.reading() as connection:
            wanted = select(delivery_attempts).order_by(delivery_attempts.c.delivery_id, delivery_attempts.c.attempt)
            return list(connection.execute(wanted))

    def outcomes(self, alert_id: str | None = None) -> list[str]:
        """What came of every attempt that has ended, about one alert or all."""
        ids = {row.id for row in self.rows(alert_id)}
        return [row.outcome for row in self.attempts() if row.delivery_id in ids and row.outcome != "started"]

    def told(self) -> list[tuple[str, str]]:
        """The case and kind of every alert event, in order."""
        with self.database.reading() as connection:
            wanted = select(alert_events.c.case_name, alert_events.c.kind).order_by(alert_events.c.seq)
            return [(row.case_name, row.kind) for row in connection.execute(wanted)]

    def _tell(self, kind: AlertKind, urgency: Urgency, case: str, changes: dict[str, Any]) -> str:
        subject = changes.pop("subject", "FR01-001")
        alert_id = derived_id(PROTOCOL.trial, subject, case)
        with self.database.writing() as connection:
            before = published_states(connection, [alert_id]).get(alert_id)
            revision = before.data.revision + 1 if before is not None else 1
            values: dict[str, Any] = {
                "verdict": VERDICTS[urgency],
                "clauses": {"DLT-1": VERDICTS[urgency]},
                "population": "part-a",
                "dose_level": 2,
                **changes,
            }
            data = AlertData(
                alert_id=alert_id,
                revision=revision,
                case=case,
                urgency=urgency,
                counts_as_dlt=urgency == "urgent",
                reasons=[CLINICAL],
                questions=[CLINICAL],
                evidence=[],
                detected_at=format_instant(self.clock.now()),
                caused_by=EventRef(source=CAUSE.source, id=CAUSE.id),
                protocol_version=PROTOCOL.version,
                **values,
            )
            step = AlertTransition(kind, derived_id(alert_id, str(revision), kind), subject, data)
            publish(connection, Trial(PROTOCOL, SOURCE), [step])
        self.relay()
        return alert_id
