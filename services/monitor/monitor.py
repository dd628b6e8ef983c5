"""``Monitor.process``: one batch of the clinical log, in one transaction (DESIGN, "The monitor's step")."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import Connection, Select, select

from events.dates import Instant
from events.errors import ToxwatchError
from projections.rules.protocol import Protocol
from projections.store.apply import EventFailed, LogEntry, Outcome, Step, parked_now
from projections.store.aside import put_aside
from projections.store.database import Database
from projections.store.generation import current_generation, hold_positions, move_position, next_offset
from projections.store.rules_in_force import Rules, rules_in_force
from projections.store.tables import parked_subjects, subjects
from projections.store.told import tell
from projections.store.watch_cache import WatchCache
from services.log.decoding import Decoder
from services.log.port import Entry
from services.monitor.halting import HaltingLimit, tell_of_halt
from services.monitor.observer import MonitorObserver, Unobserved
from services.rules_version import configuration_hash
from services.steps import nothing

CONSUMER: Final = "monitor"
#: How many subjects are judged again in one transaction after the rules have changed.
JUDGED_AGAIN_MAX: Final = 50


class FencedMonitor(ToxwatchError):  # noqa: N818 - reads better where it is caught
    """Another monitor has moved the position: start again from where it is."""


class Halted(ToxwatchError):  # noqa: N818 - reads better where it is caught
    """So many subjects met a bug that this partition is not read on: the fault is not theirs."""


class Monitor:
    """Applies batches of the clinical log to the projections, and tells of what changed. One thread uses it at a time."""

    def __init__(
        self,
        database: Database,
        protocol: Protocol,
        source: str,
        observer: MonitorObserver | None = None,
        passing: Callable[[str], None] = nothing,
        partitions: int = 1,
    ) -> None:
        self._database = database
        self._protocol = protocol
        self._rules = configuration_hash(protocol)
        self._source = source
        self._observer = observer or Unobserved()
        self._passing = passing
        self._decoder = Decoder(protocol, partitions)
        self._watches = WatchCache()
        self._generation: int | None = None
        self._limit = HaltingLimit()
        self._goes_on: set[int] = set()

    def position(self, partition: int) -> int:
        """The offset from which to read on."""
        with self._database.reading() as connection:
            return next_offset(connection, CONSUMER, partition)

    def process(self, entries: Sequence[Entry], now: Instant) -> Outcome:
        """Take a batch of one partition, in order and without a gap, from its position on.

        Raises :class:`FencedMonitor`, :class:`Halted`, ``OtherRules`` or ``StoreUnavailable``; then nothing of it was taken.
        """
        decoded = self._decoder.decode(entries)
        failing: dict[int, EventFailed] = {}
        good_from = entries[0].position.offset
        while True:
            try:
                outcome = self._attempt(decoded, failing, now)
            except EventFailed as failed:
                # What the subject's chart has half taken in is forgotten, and the batch taken again without the event.
                if failed.offset is None or failed.offset in failing:
                    raise
                failing[failed.offset] = failed
                self._limit.judged(failed.offset - good_from)
                good_from = failed.offset + 1
                self._limit.met_a_bug()
                self._observer.met_a_bug(failed)
                if self._limit.is_reached:
                    self._halt(entries[0].position.partition, failed, now)
            else:
                self._limit.judged(sum(offset >= good_from for _, offset in outcome.places))
                self._observer.processed(outcome, now)
                return outcome

    def judge_again(self, now: Instant) -> int:
        """Judge some of the subjects that were judged under other rules; say how many. 0: all are under those in force."""
        if not self._is_judged_otherwise():
            return 0
        with self._forgetting_on_failure(), self._database.writing() as connection:
            # Another monitor may have an event of one of these subjects in its hands.
            hold_positions(connection, CONSUMER)
            rules = rules_in_force(connection)
            if rules is None:
                return 0
            step = self._step(connection, now)
            found: list[str] = list(connection.scalars(_judged_otherwise(connection, rules).limit(JUDGED_AGAIN_MAX)))
            if found:
                step.judge_again(found)
                self._passing("rules.judged")
                self._write(connection, step, now)
        if found:
            self._passing("rules.committed")
            self._observer.processed(step.outcome, now)
        self._watches.trim(step.worked_on)
        return len(found)

    def _is_judged_otherwise(self) -> bool:
        """Whether there is such a subject; nearly always there is none, and nobody should wait for us to find that out."""
        with self._database.reading() as connection:
            rules = rules_in_force(connection)
            return rules is not None and connection.scalar(_judged_otherwise(connection, rules).limit(1)) is not None

    def _attempt(self, entries: Sequence[LogEntry], failing: dict[int, EventFailed], now: Instant) -> Outcome:
        first, last = entries[0], entries[-1]
        with self._forgetting_on_failure(), self._database.writing() as connection:
            # Before anything is looked at: until now a rebuild may have changed over, or a subject be watched again.
            if not move_position(connection, CONSUMER, first.partition, first.offset, last.offset + 1):
                raise FencedMonitor(f"the position of partition {first.partition} is no longer {first.offset}")
            self._passing("monitor.moved")
            step = self._step(connection, now)
            step.apply(entries, failing)
            self._passing("monitor.judged")
            self._write(connection, step, now)
            if first.partition not in self._goes_on:
                tell_of_halt(connection, self._protocol, self._source, first.partition, None, now)
            self._passing("monitor.written")
        self._passing("monitor.committed")
        self._goes_on.add(first.partition)
        self._watches.trim(step.worked_on)
        return step.outcome

    def _step(self, connection: Connection, now: Instant) -> Step:
        generation = current_generation(connection)
        if generation != self._generation:
            self._watches.clear()
            self._generation = generation
        parked = parked_now(connection)
        return Step(connection, self._protocol, self._rules, generation, self._watches, now, parked)

    def _write(self, connection: Connection, step: Step, now: Instant) -> None:
        step.write()
        tell(connection, self._protocol, self._source, step.outcome.transitions)
        put_aside(connection, self._protocol, self._source, step.outcome, now)

    def _halt(self, partition: int, failed: EventFailed, now: Instant) -> None:
        """Stop reading, and tell somebody: nobody of this partition is being watched."""
        self._goes_on.discard(partition)
        with self._database.writing() as connection:
            tell_of_halt(connection, self._protocol, self._source, partition, failed, now)
        raise Halted(f"judging fails for one subject after the other; the latest: {failed}") from failed

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
