"""The move, step by step: each can be broken off anywhere, and done again.

1. Both logs to their topics, each entry at a place that follows from the old log alone: what stands there is compared, what is
   missing is appended.
2. The mark in the old database: nothing is started on it any more.
3. All tables in one transaction. Before it the new database is empty, and services that are up already wait for its tables.
4. The check: every entry, every row, what is true now, and the projections made again from the new log.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, select

from events.dates import Instant, format_instant
from projections.rules.logic.trial_protocol import TrialProtocol
from projections.store.engine.database import Database
from projections.store.engine.generation import current_generation
from projections.store.engine.schema import SchemaState, make_tables, require_current, schema_state
from projections.store.engine.tables import log_ends
from projections.store.read.assessment import assessment
from projections.store.rebuild.rebuild import Rebuild
from projections.store.rebuild.verify import Difference, differences
from projections.store.write.rules_in_force import require_rules
from services.log.embedded import EmbeddedLog
from services.log.kafka import KafkaLog
from services.log.moved_away import MovedAway, is_moved, mark_moved
from services.maintenance.relocation.entries import (
    Advance,
    Requirement,
    SourceBroken,
    TargetTaken,
    append_missing,
    is_whole,
    places_of,
    require_all,
    require_beginning,
)
from services.maintenance.relocation.places import Places
from services.maintenance.relocation.plan import CARRIED, Moving
from services.maintenance.relocation.rows import compare_rows, write_rows
from services.platform.fail_points import nothing
from services.platform.time_source import Clock
from services.trials.rules_version import configuration_hash

#: What one process at a time does with a new database: see ``Database.alone``.
MIGRATION: Final = "migrate-log"

#: Gives something to call with how far a part of the work has come.
Showing = Callable[[str], AbstractContextManager[Advance]]


class Target(NamedTuple):
    """Where it goes on: an empty database on PostgreSQL, and two empty topics."""

    database: Database
    clinical: KafkaLog
    alerts: KafkaLog


class MoveReport(NamedTuple):
    """What was carried over, by topic and by table, and what the check found."""

    clinical: int
    alerts: int
    partitions: int
    tables: dict[str, int]
    checked_at: str
    differences: list[Difference]


class Move:
    """One move of an embedded deployment that is held: see ``source``.

    ``rebuild`` makes the rebuild of the new one by which its projections are checked.
    """

    def __init__(
        self,
        source: Database,
        target: Target,
        protocol: TrialProtocol,
        clock: Clock,
        rebuild: Callable[[], Rebuild],
        showing: Showing,
        fail_point: Callable[[str], None] = nothing,
    ) -> None:
        self._source = source
        self._target = target
        self._protocol = protocol
        self._rules = configuration_hash(protocol)
        self._clock = clock
        self._rebuild = rebuild
        self._showing = showing
        self._fail_point = fail_point
        self._from_clinical = EmbeddedLog(source, "clinical")
        self._from_alerts = EmbeddedLog(source, "alerts")

    def carry_over(self) -> MoveReport:
        """Carry over what is not there yet, and check all of it.

        Raises ``SourceBroken``, ``TargetTaken``, ``MovedAway``, ``LogBroken``, ``OtherRules``, ``AlreadyDone`` or
        ``StoreUnavailable``: done again, once that is mended, it goes on.
        """
        with self._target.database.alone(MIGRATION):
            require_current(self._source)
            with self._source.reading() as connection:
                current_generation(connection)
                require_rules(connection, self._rules)
            clinical = places_of(self._from_clinical, self._target.clinical.partitions)
            alerts = places_of(self._from_alerts, self._target.alerts.partitions)
            is_made = self._is_made(clinical, alerts)
            self._compare_logs(require_beginning, clinical, alerts)
            self._require_not_moved_elsewhere(clinical, alerts)
            self._append(clinical, alerts)
            self._mark(clinical, alerts)
            if not is_made:
                self._make(clinical, alerts)
            return self._check(clinical, alerts)

    def _is_made(self, clinical: Places, alerts: Places) -> bool:
        """Whether the tables are there already, as this would make them. Raises :class:`TargetTaken` where others are."""
        if schema_state(self._target.database) is SchemaState.EMPTY:
            return False
        require_current(self._target.database)
        _, otherwise = self._compare_tables(clinical, alerts)
        if otherwise:
            raise TargetTaken(
                "the new database holds something else, or goes on already; name an empty one, without tables"
                f" ({', '.join(otherwise)})"
            )
        return True

    def _compare_logs(self, require: Requirement, clinical: Places, alerts: Places) -> None:
        with self._showing("comparing the topics") as advance:
            require(self._from_alerts, self._target.alerts, alerts, advance)
            require(self._from_clinical, self._target.clinical, clinical, advance)

    def _append(self, clinical: Places, alerts: Places) -> None:
        with self._showing("writing the topics") as advance:
            append_missing(
                self._from_clinical,
                self._target.clinical,
                clinical,
                advance,
                lambda: self._fail_point("migration.clinical-appended"),
            )
            append_missing(
                self._from_alerts,
                self._target.alerts,
                alerts,
                advance,
                lambda: self._fail_point("migration.alerts-appended"),
            )
        self._fail_point("migration.logs-carried")

    def _require_not_moved_elsewhere(self, clinical: Places, alerts: Places) -> None:
        """It is marked once both topics are whole: where they are not, it was for others. Raises :class:`MovedAway`."""
        with self._source.reading() as connection:
            if not is_moved(connection):
                return
        if not (is_whole(self._target.clinical, clinical) and is_whole(self._target.alerts, alerts)):
            raise MovedAway(
                "this deployment was moved before, and not to here; should it come here instead, first"
                " `toxwatch migrate-log --take-back`"
            )

    def _mark(self, clinical: Places, alerts: Places) -> None:
        with self._source.writing() as connection:
            _require_ends(connection, clinical, alerts)
            mark_moved(connection, len(clinical))
            self._fail_point("migration.marking")
        self._fail_point("migration.marked")

    def _make(self, clinical: Places, alerts: Places) -> None:
        with (
            self._showing("writing the tables"),
            self._standing_still(clinical, alerts) as (generation, moving),
            self._target.database.writing() as connection,
        ):
            make_tables(connection)
            self._fail_point("migration.tables-made")
            write_rows(connection, generation, moving)
            self._fail_point("migration.rows-written")
        self._fail_point("migration.committed")

    @contextmanager
    def _standing_still(self, clinical: Places, alerts: Places) -> Iterator[tuple[int, Moving]]:
        """The old database at one moment. Raises :class:`SourceBroken` where its logs have grown."""
        with self._source.reading() as connection:
            _require_ends(connection, clinical, alerts)
            yield current_generation(connection), Moving(clinical, connection)

    def _compare_tables(self, clinical: Places, alerts: Places) -> tuple[dict[str, int], list[str]]:
        """How many rows each table is to have, and which tables have others."""
        counts: dict[str, int] = {}
        otherwise: list[str] = []
        with (
            self._showing("comparing the tables"),
            self._standing_still(clinical, alerts) as (generation, moving),
            self._target.database.reading() as connection,
        ):
            for one in CARRIED:
                counts[one.table.name], is_alike = compare_rows(connection, one, generation, moving)
                if not is_alike:
                    otherwise.append(one.table.name)
        return counts, otherwise

    def _check(self, clinical: Places, alerts: Places) -> MoveReport:
        self._compare_logs(require_all, clinical, alerts)
        counts, otherwise = self._compare_tables(clinical, alerts)
        now = self._clock.now()
        found = [Difference(name, "carried over otherwise", "") for name in otherwise]
        found += self._assessed_otherwise(now)
        with self._showing("judging again") as advance, self._rebuild().aside(now) as made:
            with made.snapshot(self._clock.now, advance) as connection:
                found += differences(connection, made.generation)
            self._fail_point("migration.verified")
        return MoveReport(len(clinical), len(alerts), len(clinical.ends), counts, format_instant(now), found)

    def _assessed_otherwise(self, now: Instant) -> Iterator[Difference]:
        """What is true now according to one side alone."""
        here, there = self._said_by(self._source, now), self._said_by(self._target.database, now)
        for name in sorted(here.keys() | there.keys()):
            if here.get(name) != there.get(name):
                yield Difference("assessment", "says otherwise", name)

    def _said_by(self, database: Database, now: Instant) -> dict[str, bytes]:
        """A hash of each part of the assessment: the whole may be large."""
        said = assessment(database, self._protocol, self._rules, now)
        return {name: hashlib.sha256(_in_one_order(value).encode()).digest() for name, value in said.items()}


def _require_ends(connection: Connection, clinical: Places, alerts: Places) -> None:
    """Raises :class:`SourceBroken` where the old logs have grown."""
    ends = dict(connection.execute(select(log_ends.c.topic, log_ends.c.next_offset)).all())
    if (ends.get("clinical", 0), ends.get("alerts", 0)) != (len(clinical), len(alerts)):
        raise SourceBroken("something was written to the old deployment meanwhile: start again, it goes on from here")


def _in_one_order(said: Any) -> str:
    if isinstance(said, list):
        return "\n".join(sorted(json.dumps(one, sort_keys=True) for one in said))
    return json.dumps(said, sort_keys=True)
