"""Databases to read metrics from, and to back up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import BigInteger, Boolean, Connection, Integer, LargeBinary, Table

from events.dates import Instant, parse_instant
from projections.folds.alert_transition import AlertState, state_after
from projections.folds.system_alerts import system_transition
from projections.folds.trial import Trial
from projections.rules.logic.truth import EventKey
from projections.store.engine.database import Database
from projections.store.engine.generation import begin_first_generation
from projections.store.engine.schema import migrate
from projections.store.rows.outbox import publish
from services.trials.protocols import find_protocol

PROTOCOL = find_protocol("isi-jx")
OURS = "urn:toxwatch:test"
NOW: Instant = parse_instant("2017-04-01T12:00:00Z")


class SetClock:
    """A clock that stands until it is set."""

    def __init__(self, now: Instant = NOW, leap: float = 0.0) -> None:
        self.instant = now
        self.leapt = leap

    def now(self) -> Instant:
        return self.instant

    def seconds_until(self, instant: Instant) -> float:
        return max(0, instant - self.instant) / 1_000_000

    def leap(self) -> float:
        return self.leapt

    def doubt(self) -> str | None:
        return f"the machine's clock has leapt by {self.leapt:.0f} s" if self.leapt else None


@contextmanager
def store_at(url: str) -> Iterator[Database]:
    """A database with every table and nothing in them but the first generation."""
    database = Database(url)
    migrate(database)
    with database.writing() as connection:
        begin_first_generation(connection, NOW)
    yield database
    database.close()


def put(connection: Connection, table: Table, **values: Any) -> None:
    """A row of which only the columns that matter are said."""
    connection.execute(table.insert().values({**_nothing_in(table), **values}))


def _nothing_in(table: Table) -> dict[str, Any]:
    needed = [
        c for c in table.columns if not c.nullable and c.server_default is None and not _numbers_itself(table, c.name)
    ]
    blanks: dict[type, Any] = {Boolean: False, Integer: 0, BigInteger: 0, LargeBinary: b""}
    return {c.name: next((blank for kind, blank in blanks.items() if isinstance(c.type, kind)), "") for c in needed}


def _numbers_itself(table: Table, name: str) -> bool:
    return table.autoincrement_column is not None and table.autoincrement_column.name == name


def tell_system_alert(
    connection: Connection, case: str, reasons: list[str] | None, at: Instant, told: AlertState | None = None
) -> AlertState:
    """Raise, revise or withdraw an alert of the system, through the functions that do so in earnest."""
    transition = system_transition(PROTOCOL, case, told, reasons, EventKey("urn:site:FR01", "e-1"), at)
    assert transition is not None
    publish(connection, Trial(PROTOCOL, OURS), [transition])
    return state_after(transition)
