"""Making the projections again from the first event, beside the living ones, and then changing over.

Live traffic goes on meanwhile. The change-over is one transaction, at a moment when both have come equally far; it tells nothing
again: only where a verdict is another now is its alert revised, caused by the rules in force.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, delete, func, insert, select, update

from events.dates import Instant
from events.identity import derived_id
from projections.folds.alert_transition import AlertTransition, Standing
from projections.folds.cohort_board import CohortKey, CohortRow
from projections.folds.system_alerts import UNWATCHED, hold_transition, system_transition
from projections.rules.cohort_designs import DESIGNS
from projections.rules.protocol import Protocol
from projections.store import charts, parking
from projections.store.apply import EventFailed, LogEntry, Step, parked_now, rules_in_force
from projections.store.database import Database
from projections.store.generation import current_generation, move_position, next_offset
from projections.store.tables import (
    NOBODY,
    alerts,
    chart_events,
    cohorts,
    dead_letters,
    deadlines,
    findings,
    generations,
    parked_subjects,
    positions,
    subjects,
)
from projections.store.told import OPEN, tell, told_of, told_of_subjects
from projections.store.watch import SubjectWatch

BATCH_MAX: Final = 2_000
#: How many events all the charts may have together that are kept between batches.
KEPT_EVENTS_MAX: Final = 400_000
PROJECTED: Final = (chart_events, subjects, findings, deadlines, cohorts)

#: Up to so many entries of a partition, from an offset on.
Read = Callable[[int, int, int], Sequence[LogEntry]]


class Progress(NamedTuple):
    """How far a rebuild has come, in events of all partitions."""

    done: int
    total: int


class Rebuild:
    """One rebuild: ``catch_up`` until it has come as far as the monitor, then ``change_over`` or ``discard``."""

    def __init__(
        self, database: Database, protocol: Protocol, source: str, read: Read, partitions: int, consumer: str
    ) -> None:
        self._database = database
        self._protocol = protocol
        self._source = source
        self._read = read
        self._partitions = range(partitions)
        self._consumer = consumer
        self._watches: dict[str, SubjectWatch] = {}
        self._parked: set[str] = set()
        self.generation = 0

    def begin(self, now: Instant) -> None:
        """Make room: what an earlier rebuild left behind is dropped."""
        with self._database.reading() as connection:
            left = connection.scalars(select(generations.c.generation).where(~generations.c.is_current)).all()
        for generation in left:
            drop_generation(self._database, generation)
        with self._database.writing() as connection:
            self.generation = (connection.scalar(select(func.max(generations.c.generation))) or 0) + 1
            row = {"generation": self.generation, "is_current": False, "started_at": now}
            connection.execute(insert(generations), row)

    @property
    def _name(self) -> str:
        return f"rebuild-{self.generation}"

    def catch_up(self, now: Callable[[], Instant]) -> Iterator[Progress]:
        """Apply what the monitor has applied, batch by batch, until this has come as far."""
        behind = True
        while behind:
            behind = False
            for partition in self._partitions:
                with self._database.reading() as connection:
                    target = next_offset(connection, self._consumer, partition)
                    start = next_offset(connection, self._name, partition)
                if start < target:
                    behind = True
                    self._apply(self._read(partition, start, min(BATCH_MAX, target - start)), now())
            yield self._progress()

    def change_over(self, now: Callable[[], Instant]) -> list[AlertTransition]:
        """Make this the generation in use, and tell what is another verdict than was told last."""
        with self.level(now) as connection:
            old = current_generation(connection)
            transitions = self._news(connection, now())
            tell(connection, self._protocol, self._source, transitions)
            connection.execute(update(generations).values(is_current=generations.c.generation == self.generation))
            self._unpark(connection, now())
        drop_generation(self._database, old)
        return transitions

    @contextmanager
    def level(
        self, now: Callable[[], Instant], advance: Callable[[int, int], None] = lambda _done, _total: None
    ) -> Iterator[Connection]:
        """A transaction in which this has come as far as the monitor, which cannot move on until it ends."""
        while True:
            for reached in self.catch_up(now):
                advance(reached.done, reached.total)
            with self._database.writing() as connection:
                if self._is_level(connection):
                    yield connection
                    return

    def discard(self) -> None:
        """Drop what was made."""
        drop_generation(self._database, self.generation)

    def _is_level(self, connection: Connection) -> bool:
        """Whether this has come as far as the monitor; its positions are locked, so that it stays so."""
        locked = select(positions).where(positions.c.consumer == self._consumer)
        connection.execute(locked.order_by(positions.c.partition).with_for_update()).all()
        return all(
            next_offset(connection, self._consumer, partition) == next_offset(connection, self._name, partition)
            for partition in self._partitions
        )

    def _progress(self) -> Progress:
        with self._database.reading() as connection:
            done = sum(next_offset(connection, self._name, partition) for partition in self._partitions)
            total = sum(next_offset(connection, self._consumer, partition) for partition in self._partitions)
        return Progress(done, total)

    def _apply(self, entries: Sequence[LogEntry], now: Instant) -> None:
        failing: dict[int, EventFailed] = {}
        while True:
            try:
                with self._database.writing() as connection:
                    parked = set(self._parked)
                    step = Step(connection, self._protocol, self.generation, self._watches, now, parked, tells=False)
                    move_position(
                        connection, self._name, entries[0].partition, entries[0].offset, entries[-1].offset + 1
                    )
                    step.apply(entries, failing)
                    step.write()
            except EventFailed as failed:
                self._watches.clear()
                if failed.offset is None or failed.offset in failing:
                    raise
                failing[failed.offset] = failed
            else:
                break
        self._parked = parked
        if sum(watch.version for watch in self._watches.values()) > KEPT_EVENTS_MAX:
            self._watches.clear()

    def _news(self, connection: Connection, now: Instant) -> list[AlertTransition]:
        rules = rules_in_force(connection)
        if rules is None:
            return []
        transitions: list[AlertTransition] = []
        for part in charts.chunks(sorted(told_otherwise(connection, self.generation) - self._parked)):
            rows = charts.subject_rows(connection, self.generation, part)
            known = charts.known_events(connection, self.generation, part)
            told = told_of_subjects(connection, part)
            for subject in part:
                watch = SubjectWatch(self._protocol, subject, rows.get(subject), known[subject], told[subject])
                transitions += watch.judge_again(rules.sha256, rules.activated_by, now)
        for row, with_dlt, told_hold in held_levels(connection, self._protocol, self.generation):
            transition = hold_transition(row, with_dlt, told_hold, self._protocol, rules.activated_by, now)
            if transition is not None:
                transitions.append(transition)
        for subject in sorted(parked_now(connection) - self._parked):
            case = UNWATCHED + subject
            alert_id = derived_id(self._protocol.trial, case)
            told_parked = told_of(connection, [alert_id]).get(alert_id)
            transition = system_transition(self._protocol, case, told_parked, None, rules.activated_by, now)
            if transition is not None:
                transitions.append(transition)
        return transitions

    def _unpark(self, connection: Connection, now: Instant) -> None:
        """Subjects of whom every event was judged now are watched again, and what they had waiting is taken."""
        watched = parked_now(connection) - self._parked
        c = dead_letters.c
        waiting = select(c.id).where(c.subject.in_(watched), c.state == parking.PARKED, c.reason == parking.NOT_WATCHED)
        letters = connection.scalars(waiting).all()
        parking.close_replayed(connection, self._protocol, self._source, letters, "rebuild", now)
        connection.execute(delete(parked_subjects).where(parked_subjects.c.subject.in_(watched)))


def drop_generation(database: Database, generation: int) -> None:
    """Delete a generation that is not in use, some subjects at a time, so that nobody waits long."""
    while True:
        with database.writing() as connection:
            some = select(subjects.c.subject).where(subjects.c.generation == generation).limit(20)
            found = connection.scalars(some).all()
            for table in (chart_events, findings, deadlines, subjects):
                connection.execute(delete(table).where(table.c.generation == generation, table.c.subject.in_(found)))
            if not found:
                for table in PROJECTED:
                    connection.execute(delete(table).where(table.c.generation == generation))
                connection.execute(delete(generations).where(generations.c.generation == generation))
                connection.execute(delete(positions).where(positions.c.consumer == f"rebuild-{generation}"))
                return


def told_otherwise(connection: Connection, generation: int) -> set[str]:
    """The subjects of whom something was told that is not what stands, or that was not told."""
    columns = (findings.c.subject, findings.c.case_name, findings.c.urgency, findings.c.body)
    stands: dict[tuple[str, str], tuple[Any, ...]] = {}
    for subject, case, urgency, body in connection.execute(select(*columns).where(findings.c.generation == generation)):
        told = charts.told_by(body, urgency)
        if told is not None:
            stands[(subject, case)] = told
    open_alerts = select(alerts.c.subject, alerts.c.case_name, alerts.c.data).where(
        alerts.c.state == OPEN, alerts.c.subject != NOBODY
    )
    was_told = {(row.subject, row.case_name): charts.told_by(row.data) for row in connection.execute(open_alerts)}
    return {key[0] for key in stands.keys() | was_told.keys() if stands.get(key) != was_told.get(key)}


def held_levels(
    connection: Connection, protocol: Protocol, generation: int
) -> Iterable[tuple[CohortRow, list[str], Standing | None]]:
    """Every dose level with the subjects that count there, and what was told of it."""
    design = DESIGNS[protocol.cohort_design]
    c = cohorts.c
    for row in connection.execute(select(cohorts).where(c.generation == generation).order_by(c.part, c.dose_level)):
        key = CohortKey(row.part, row.dose_level or None)
        level = CohortRow(key, row.evaluable, row.pending, row.replaceable, row.dlts, design)
        with_dlt = connection.scalars(
            select(subjects.c.subject)
            .where(
                subjects.c.generation == generation,
                subjects.c.has_dlt,
                subjects.c.part == row.part,
                subjects.c.dose_level == row.dose_level,
            )
            .order_by(subjects.c.subject)
        ).all()
        alert_id = derived_id(protocol.trial, key.case)
        yield level, list(with_dlt), told_of(connection, [alert_id]).get(alert_id)
