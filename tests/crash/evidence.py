"""Everything that is known of a deployment once it has settled and stopped: what others saw, and what it holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from sqlalchemy import Row, Table, select

from projections.protocols.isi_jx import PROTOCOL
from projections.rules.logic.trial_protocol import TrialProtocol
from projections.store.engine.database import Database
from projections.store.engine.tables import (
    alert_events,
    alert_log,
    alerts,
    clinical_log,
    dead_letters,
    deliveries,
    delivery_attempts,
)
from services.platform.settings import DATABASE_FILE
from tests.crash.deployment import Deployment, Ending
from tests.crash.load import Book
from tests.crash.receivers import Receipt
from tests.files.command_line import Outcome, toxwatch


@dataclass(frozen=True)
class Evidence:
    """What senders were answered and receivers got, how each life ended, and the data directory.

    ``protocols`` are the rules that were in force one after the other, the last still.
    """

    data: Path
    book: Book
    receipts: Sequence[Receipt]
    endings: Sequence[Ending]
    unforeseen: Sequence[dict[str, Any]] = ()
    protocols: Sequence[TrialProtocol] = (PROTOCOL,)
    protocol_option: str = field(default="isi-jx")

    def rows(self, table: Table) -> Sequence[Row[Any]]:
        """A whole table, in the order of its key."""
        database = Database(f"sqlite:///{self.data / DATABASE_FILE}")
        try:
            with database.reading() as connection:
                return connection.execute(select(table).order_by(*table.primary_key)).all()
        finally:
            database.close()

    @cached_property
    def log(self) -> Sequence[Row[Any]]:
        return self.rows(clinical_log)

    @cached_property
    def alert_log(self) -> Sequence[Row[Any]]:
        return self.rows(alert_log)

    @cached_property
    def history(self) -> Sequence[Row[Any]]:
        return self.rows(alert_events)

    @cached_property
    def alerts(self) -> Sequence[Row[Any]]:
        return self.rows(alerts)

    @cached_property
    def ledger(self) -> Sequence[Row[Any]]:
        return self.rows(deliveries)

    @cached_property
    def attempts(self) -> Sequence[Row[Any]]:
        return self.rows(delivery_attempts)

    @cached_property
    def arrived(self) -> frozenset[str]:
        """The deliveries whose message was taken."""
        taken = {receipt.id for receipt in self.receipts if receipt.was_taken}
        return frozenset(attempt.delivery_id for attempt in self.attempts if attempt.message in taken)

    @cached_property
    def letters(self) -> Sequence[Row[Any]]:
        return self.rows(dead_letters)

    @cached_property
    def exported(self) -> bytes:
        """What ``toxwatch export`` writes."""
        return self.command("export").out.encode()

    def command(self, *arguments: str) -> Outcome:
        """A command on the data directory."""
        environment = {"TOXWATCH_PROTOCOL": self.protocol_option}
        return toxwatch(*arguments, "--data", str(self.data), environment=environment)


def evidence_of(deployment: Deployment, book: Book, **more: Any) -> Evidence:
    """The evidence of a deployment that was stopped."""
    return Evidence(
        deployment.data,
        book,
        tuple(deployment.receivers.receipts),
        tuple(deployment.endings),
        tuple(deployment.unforeseen()),
        **more,
    )
