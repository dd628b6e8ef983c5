"""``Monitor.process``: one batch of the clinical log, in one transaction (design.md, "From an event to an alert, live")."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, NoReturn

from sqlalchemy import Connection, Select, select

from events.dates import Instant
from events.errors import ToxwatchError
from projections.folds.trial import Trial
from projections.rules.logic.truth import EventKey
from projections.store.engine.database import Database
from projections.store.engine.generation import current_generation, hold_positions, move_position, next_offset
from projections.store.engine.tables import parked_subjects, subjects
from projections.store.rows.charts import parked_now
from projections.store.rows.outbox import publish
from projections.store.write.batch import BatchOutcome, BatchWriter, EventFailed, LogEntry
from projections.store.write.parked_entries import put_aside
from projections.store.write.rules_in_force import Rules, rules_in_force
from projections.store.write.subject_cache import SubjectCache
from projections.store.write.taking import CannotPark, Failing, taken_in_pieces
from services.log.decoding import Decoder
from services.log.port import Entry
from services.monitor.halting import HaltingLimit, tell_of_halt
from services.monitor.observed import MonitorMetrics
from services.platform.fail_points import nothing
from services.platform.metrics import unmeasured
from services.platform.time_source import SystemClock
from services.trials.rules_version import configuration_hash

CONSUMER: Final = "monitor"
#: How many subjects are judged again in one transaction after the rules have changed.
JUDGED_AGAIN_MAX: Final = 50


class FencedMonitor(ToxwatchError):  # noqa: N818 - reads better where it is caught
    """Another monitor has moved the position: start again from where it is."""


class Halted(ToxwatchError):  # noqa: N818 - reads better where it is caught
    """Subjects of several sites met a bug, or an entry cannot be put aside: this partition is not read on."""


class Monitor:
    """Applies batches of the clinical log to the projections, and tells of what changed. One thread uses it at a time."""

    def __init__(
        self,
        database: Database,
        trial: Trial,
        observed: MonitorMetrics | None = None,
        fail_point: Callable[[str], None] = nothing,
        partitions: int = 1,
    ) -> None:
        self._database = database
        self._trial = trial
        self._rules = configuration_hash(trial.protocol)
        self._observed = observed or MonitorMetrics(unmeasured(trial.id), SystemClock())
        self._fail_point = fail_point
        self._decoder = Decoder(trial.protocol, partitions)
        self._watches = SubjectCache()
        self._generation: int | None = None
        self._limit = HaltingLimit()
        self._goes_on: set[int] = set()

    def position(self, partition: int) -> int:
        """The offset from which to read on."""
        with self._database.reading() as connection:
            return next_offset(connection, CONSUMER, partition)

    def process(self, entries: Sequence[Entry], now: Instant) -> BatchOutcome:
        """Take a batch of one partition, in order and without a gap, from its position on.

        Whatever else it meets, it parks the subject of the event that it met it at, and goes on. Raises :class:`FencedMonitor`,
        :class:`Halted`, ``OtherRules`` or ``StoreUnavailable``; then the position says how much of it was taken.
        """
        whole = BatchOutcome()
        decoded = self._decoder.decode(entries)
        good_from = entries[0].position.offset

        def attempt(piece: Sequence[LogEntry], failing: Failing) -> BatchOutcome:
            return self._attempt(piece, failing, now)

        def met(failed: EventFailed) -> None:
            # What the subject's chart has half taken in is forgotten, and the piece taken again without the event.
            nonlocal good_from
            if failed.offset is not None and failed.offset >= good_from:
                self._limit.judged(failed.offset - good_from)
                good_from = failed.offset + 1
            self._limit.met_a_bug(self._site_of(failed))
            self._observed.met_a_bug(failed)
            if self._limit.is_reached:
                self._halt(entries[0].position.partition, failed, now)

        try:
            for outcome in taken_in_pieces(decoded, attempt, met, self._decoder.subject_at):
                self._limit.judged(sum(offset >= good_from for _, offset in outcome.places))
                self._observed.processed(outcome, now)
                whole.add(outcome)
        except CannotPark as failure:
            self._halt(entries[0].position.partition, failure, now)
        return whole

    def judge_again(self, now: Instant) -> int:
        """Judge some of the subjects that were judged under other rules; say how many. 0: all are under those in force."""
        if not self._is_judged_otherwise():
            return 0
        try:
            return self._judged_again(now, JUDGED_AGAIN_MAX)
        except ToxwatchError:
            raise
        except Exception:  # noqa: BLE001 - one subject at a time, it is known whose fault it is
            return self._judged_again(now, 1)

    def _judged_again(self, now: Instant, count: int) -> int:
        """Judge so many subjects in one transaction. One alone that cannot be written is parked."""
        found: list[str] = []
        try:
            with self._forgetting_on_failure(), self._database.writing() as connection:
                # Another monitor may have an event of one of these subjects in its hands.
                hold_positions(connection, CONSUMER)
                rules = rules_in_force(connection)
                if rules is None:
                    return 0
                step = self._step(connection, now)
                found += connection.scalars(_judged_otherwise(connection, rules).limit(count))
                if found:
                    step.judge_again(found)
                    self._fail_point("rules.judged")
                    self._write(connection, step, now)
        except ToxwatchError:
            raise
        except Exception as error:
            if count > 1 or not found:
                raise
            self._park(found[0], error, now)
            return 1
        if found:
            self._fail_point("rules.committed")
            self._observed.processed(step.outcome, now)
        self._watches.trim(step.worked_on)
        return len(found)

    def _park(self, subject: str, error: Exception, now: Instant) -> None:
        """Watch a subject no longer: under the rules in force, what is found of it cannot be written."""
        with self._forgetting_on_failure(), self._database.writing() as connection:
            hold_positions(connection, CONSUMER)
            rules = rules_in_force(connection)
            cause = rules.activated_by if rules is not None else EventKey(self._trial.source, f"subject:{subject}")
            failed = EventFailed(subject, None, cause, error)
            failed.__cause__ = error
            step = self._step(connection, now)
            step.park(failed)
            self._write(connection, step, now)
        self._observed.met_a_bug(failed)
        self._observed.processed(step.outcome, now)

    def _is_judged_otherwise(self) -> bool:
        """Whether there is such a subject; nearly always there is none, and nobody should wait for us to find that out."""
        with self._database.reading() as connection:
            rules = rules_in_force(connection)
            return rules is not None and connection.scalar(_judged_otherwise(connection, rules).limit(1)) is not None

    def _attempt(self, entries: Sequence[LogEntry], failing: Failing, now: Instant) -> BatchOutcome:
        first, last = entries[0], entries[-1]
        with self._forgetting_on_failure(), self._database.writing() as connection:
            # Before anything is looked at: until now a rebuild may have cut over, or a subject been replayed.
            if not move_position(connection, CONSUMER, first.partition, first.offset, last.offset + 1):
                raise FencedMonitor(f"the position of partition {first.partition} is no longer {first.offset}")
            self._fail_point("monitor.moved")
            step = self._step(connection, now)
            step.apply(entries, failing)
            self._fail_point("monitor.judged")
            self._write(connection, step, now)
            if first.partition not in self._goes_on:
                tell_of_halt(connection, self._trial, first.partition, None, now)
            self._fail_point("monitor.written")
        self._fail_point("monitor.committed")
        self._goes_on.add(first.partition)
        self._watches.trim(step.worked_on)
        return step.outcome

    def _step(self, connection: Connection, now: Instant) -> BatchWriter:
        generation = current_generation(connection)
        if generation != self._generation:
            self._watches.clear()
            self._generation = generation
        parked = parked_now(connection)
        return BatchWriter(connection, self._trial.protocol, self._rules, generation, self._watches, now, parked)

    def _write(self, connection: Connection, step: BatchWriter, now: Instant) -> None:
        step.write()
        publish(connection, self._trial, step.outcome.transitions)
        put_aside(connection, self._trial, step.outcome, now)

    def _site_of(self, failed: EventFailed) -> str:
        """The site whose subject met a bug: as its id names it, else as the event does."""
        return self._trial.protocol.site_of(failed.subject) or failed.site or ""

    def _halt(self, partition: int, failure: EventFailed | CannotPark, now: Instant) -> NoReturn:
        """Stop reading, and tell somebody: nobody of this partition is being watched."""
        self._goes_on.discard(partition)
        with self._database.writing() as connection:
            tell_of_halt(connection, self._trial, partition, failure, now)
        raise Halted(f"events of several sites, or of no subject, cannot be taken; the latest: {failure}") from failure

    @contextmanager
    def _forgetting_on_failure(self) -> Iterator[None]:
        """Where a transaction fails, the charts that it has changed in memory are not those that are stored."""
        try:
            yield
        except BaseException:
            self._watches.clear()
            raise


def _judged_otherwise(connection: Connection, rules: Rules) -> Select[Any]:
    """The subjects that were judged under other rules, save those that are not watched."""
    c = subjects.c
    return (
        select(c.subject)
        .where(
            c.generation == current_generation(connection),
            c.judged_under != rules.sha256,
            c.subject.not_in(select(parked_subjects.c.subject)),
        )
        .order_by(c.subject)
    )
