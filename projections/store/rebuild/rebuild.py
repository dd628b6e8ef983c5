"""Making the projections again from the first event, beside the live ones, and then cutting over, or comparing.

Live traffic goes on meanwhile. The cutover is one transaction, at a moment when both have come equally far.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Final, NamedTuple

from sqlalchemy import Connection, delete, func, insert, select, update

from events.dates import Instant
from events.errors import ToxwatchError
from projections.folds.alert_transition import AlertTransition
from projections.folds.trial import Trial
from projections.store.engine.database import Database
from projections.store.engine.generation import current_generation, hold_positions, move_position, next_offset
from projections.store.engine.tables import (
    NOBODY,
    chart_events,
    cohorts,
    dead_letters,
    deadlines,
    findings,
    generations,
    positions,
    subjects,
)
from projections.store.rebuild.cutover import settle_parked, what_is_told_otherwise
from projections.store.rows.outbox import publish
from projections.store.write import dead_letter_store
from projections.store.write.batch import BatchOutcome, BatchWriter, EventFailed, LogEntry
from projections.store.write.parked_entries import keep_unsettled
from projections.store.write.rules_in_force import require_rules
from projections.store.write.subject_cache import SubjectCache
from projections.store.write.taking import Failing, taken_in_pieces

BATCH_MAX: Final = 2_000
PROJECTED: Final = (chart_events, subjects, findings, deadlines, cohorts)
#: What one process at a time does with a database: see ``Database.alone``.
OPERATION: Final = "operation"

#: Up to so many entries of a partition, from an offset on.
Read = Callable[[int, int, int], Sequence[LogEntry]]
Advance = Callable[[int, int], None]


class RebuildInterrupted(ToxwatchError):  # noqa: N818 - reads better where it is caught
    """Somebody else has worked on what this was making."""


class Progress(NamedTuple):
    """How far a rebuild has come, in events of all partitions."""

    done: int
    total: int


class Rebuild:
    """One rebuild: ``catch_up`` until it has come as far as the monitor, then ``change_over``, or ``snapshot`` and ``discard``.

    To be used within ``with rebuild.begun(now)``, or ``aside(now)``, which discards: one at a time works on a database.
    """

    def __init__(
        self,
        database: Database,
        trial: Trial,
        rules: str,
        read: Read,
        partitions: int,
        consumer: str,
    ) -> None:
        self._database = database
        self._trial = trial
        self._rules = rules
        self._read = read
        self._partitions = range(partitions)
        self._consumer = consumer
        self._watches = SubjectCache()
        self._erased: set[tuple[int, int]] = set()
        self.parked: set[str] = set()
        self.outcome = BatchOutcome()
        self.generation = 0

    @contextmanager
    def begun(self, now: Instant) -> Iterator[Rebuild]:
        """Make room, and keep others from doing the same. What an earlier one left behind is dropped.

        Raises ``OtherRules`` where others than these are in force, ``AlreadyDone`` where another rebuild runs.
        """
        with self._database.alone(OPERATION):
            with self._database.reading() as connection:
                require_rules(connection, self._rules)
                left = connection.scalars(select(generations.c.generation).where(~generations.c.is_current)).all()
                self._erased = _erased(connection)
            for generation in left:
                drop_generation(self._database, generation)
            with self._database.writing() as connection:
                self.generation = (connection.scalar(select(func.max(generations.c.generation))) or 0) + 1
                row = {"generation": self.generation, "is_current": False, "started_at": now}
                connection.execute(insert(generations), row)
            yield self

    @contextmanager
    def aside(self, now: Instant) -> Iterator[Rebuild]:
        """The same, to be looked at and not to be used: it is dropped in the end."""
        with self.begun(now):
            try:
                yield self
            finally:
                self.discard()

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

    def change_over(
        self, now: Callable[[], Instant], advance: Advance = lambda _done, _total: None
    ) -> list[AlertTransition]:
        """Make this the generation in use. Nothing is told again: only what is another verdict than was told last."""
        with self._level(now, advance) as connection:
            old = current_generation(connection)
            protocol = self._trial.protocol
            transitions = what_is_told_otherwise(connection, protocol, self.generation, self.parked, now())
            publish(connection, self._trial, transitions)
            settle_parked(connection, self._trial, self.generation, self.parked, self.outcome, now())
            connection.execute(update(generations).values(is_current=generations.c.generation == self.generation))
            connection.execute(delete(positions).where(positions.c.consumer == self._name))
        drop_generation(self._database, old)
        return transitions

    @contextmanager
    def snapshot(
        self, now: Callable[[], Instant], advance: Advance = lambda _done, _total: None
    ) -> Iterator[Connection]:
        """Both generations as they are when this has come as far as the monitor, which goes on meanwhile."""
        with ExitStack() as stack:
            with self._level(now, advance):
                connection = stack.enter_context(self._database.reading())
                # The view is that of the first look.
                current_generation(connection)
            yield connection

    def discard(self) -> None:
        """Drop what was made."""
        drop_generation(self._database, self.generation)

    @contextmanager
    def _level(self, now: Callable[[], Instant], advance: Advance) -> Iterator[Connection]:
        """A transaction in which this has come as far as the monitor, which cannot move on until it ends."""
        while True:
            for reached in self.catch_up(now):
                advance(reached.done, reached.total)
            with self._database.writing() as connection:
                hold_positions(connection, self._consumer)
                if self._is_level(connection):
                    require_rules(connection, self._rules)
                    yield connection
                    return

    @property
    def _name(self) -> str:
        return f"rebuild-{self.generation}"

    def _is_level(self, connection: Connection) -> bool:
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
        def attempt(piece: Sequence[LogEntry], failing: Failing) -> BatchOutcome:
            return self._attempt(piece, failing, now)

        def met(_failed: EventFailed) -> None:
            """Alerts about what is parked in the end are published at the cutover."""

        for outcome in taken_in_pieces(entries, attempt, met, self._subject_at):
            self.outcome.refused += outcome.refused
            self.outcome.behind += outcome.behind
            keep_unsettled(self.outcome, outcome)

    def _attempt(self, piece: Sequence[LogEntry], failing: Failing, now: Instant) -> BatchOutcome:
        first, last = piece[0], piece[-1]
        kept = [entry for entry in piece if (entry.partition, entry.offset) not in self._erased]
        try:
            with self._database.writing() as connection:
                step = self._step(connection, now, set(self.parked))
                if not move_position(connection, self._name, first.partition, first.offset, last.offset + 1):
                    raise RebuildInterrupted("another rebuild has worked on what this was making: start again")
                step.apply(kept, failing)
                step.write()
        except BaseException:
            self._watches.clear()
            raise
        self.parked = step.parked
        self._watches.trim(step.worked_on)
        return step.outcome

    def _subject_at(self, key: str) -> str:
        trial, _, subject = key.partition("/")
        return subject if trial == self._trial.protocol.trial and not subject.startswith("@") else NOBODY

    def _step(self, connection: Connection, now: Instant, parked: set[str]) -> BatchWriter:
        return BatchWriter(
            connection, self._trial.protocol, self._rules, self.generation, self._watches, now, parked, publishes=False
        )


def drop_generation(database: Database, generation: int) -> None:
    """Delete a generation that is not in use, some subjects at a time, so that nobody waits long."""
    while True:
        with database.writing() as connection:
            if current_generation(connection) == generation:
                raise RebuildInterrupted(f"generation {generation} is in use, and is not dropped")
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


def _erased(connection: Connection) -> set[tuple[int, int]]:
    """Where entries stand that met a bug, and that somebody has decided are not to be judged: their letters were deleted."""
    c = dead_letters.c
    wanted = select(c.partition, c.offset).where(
        c.reason == dead_letter_store.NOT_WATCHED, c.state == dead_letter_store.DELETED
    )
    return {(row.partition, row.offset) for row in connection.execute(wanted)}
