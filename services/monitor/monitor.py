"""``Monitor.process``: one batch of the clinical log, in one transaction (DESIGN, "The monitor's step")."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from sqlalchemy import Connection, select

from events.codec import Codec
from events.dates import Instant
from events.errors import ToxwatchError
from projections.rules.protocol import Protocol
from projections.store.apply import EventFailed, LogEntry, Outcome, Step, parked_now, rules_in_force
from projections.store.database import Database
from projections.store.generation import current_generation, move_position, next_offset
from projections.store.tables import parked_subjects, subjects
from projections.store.told import tell
from projections.store.watch import SubjectWatch
from services.log.port import Entry
from services.monitor.aside import put_aside
from services.monitor.halting import HaltingLimit
from services.monitor.observer import MonitorObserver, Unobserved
from services.steps import nothing

CONSUMER: Final = "monitor"
#: How many events all the charts may have together that are kept between batches.
KEPT_EVENTS_MAX: Final = 400_000
#: How many subjects are judged again in one transaction after the rules have changed.
JUDGED_AGAIN_MAX: Final = 50


class Fenced(ToxwatchError):  # noqa: N818 - reads better where it is caught
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
    ) -> None:
        self._database = database
        self._protocol = protocol
        self._source = source
        self._observer = observer or Unobserved()
        self._passing = passing
        self._codec = Codec(protocol.contract)
        self._watches: OrderedDict[str, SubjectWatch] = OrderedDict()
        self._counted: dict[str, int] = {}
        self._kept_events = 0
        self._generation: int | None = None
        self._limit = HaltingLimit()

    def position(self, partition: int) -> int:
        """The offset from which to read on."""
        with self._database.reading() as connection:
            return next_offset(connection, CONSUMER, partition)

    def process(self, entries: Sequence[Entry], now: Instant) -> Outcome:
        """Take a batch of one partition, in order and without a gap, from its position on.

        Raises :class:`Fenced`, :class:`Halted` or ``StoreUnavailable``; then nothing of the batch was taken.
        """
        decoded = [LogEntry(*entry.position, entry.key, entry.body, self._codec.read(entry.body)) for entry in entries]
        failing: dict[int, EventFailed] = {}
        while True:
            try:
                outcome = self._attempt(decoded, failing, now)
            except EventFailed as failed:
                # What the subject's chart has half taken in is forgotten, and the batch taken again without the event.
                if failed.offset is None or failed.offset in failing:
                    raise
                failing[failed.offset] = failed
                self._limit.met_a_bug()
                self._observer.met_a_bug(failed)
                if self._limit.is_reached:
                    raise Halted(f"judging fails for one subject after the other; the latest: {failed}") from failed
            else:
                self._limit.judged(len(outcome.taken))
                self._observer.processed(outcome, now)
                return outcome

    def judge_again(self, now: Instant) -> int:
        """Judge some of the subjects that were judged under other rules; say how many. 0: all are under those in force."""
        with self._forgetting_on_failure(), self._database.writing() as connection:
            rules = rules_in_force(connection)
            if rules is None:
                return 0
            step = self._step(connection, now)
            c = subjects.c
            wanted = select(c.subject).where(
                c.generation == self._generation,
                c.judged_under != rules.sha256,
                c.subject.not_in(select(parked_subjects.c.subject)),
            )
            found = list(connection.scalars(wanted.order_by(c.subject).limit(JUDGED_AGAIN_MAX)))
            if found:
                step.judge_again(found)
                self._passing("rules.judged")
                self._write(connection, step, now)
        if found:
            self._passing("rules.committed")
            self._observer.processed(step.outcome, now)
        self._keep(step.worked_on)
        return len(found)

    def _attempt(self, entries: Sequence[LogEntry], failing: dict[int, EventFailed], now: Instant) -> Outcome:
        first, last = entries[0], entries[-1]
        with self._forgetting_on_failure(), self._database.writing() as connection:
            step = self._step(connection, now)
            if not move_position(connection, CONSUMER, first.partition, first.offset, last.offset + 1):
                raise Fenced(f"the position of partition {first.partition} is no longer {first.offset}")
            self._passing("monitor.moved")
            step.apply(entries, failing)
            self._passing("monitor.judged")
            self._write(connection, step, now)
            self._passing("monitor.written")
        self._passing("monitor.committed")
        self._keep(step.worked_on)
        return step.outcome

    def _step(self, connection: Connection, now: Instant) -> Step:
        generation = current_generation(connection)
        if generation != self._generation:
            self._forget()
            self._generation = generation
        return Step(connection, self._protocol, generation, self._watches, now, parked_now(connection))

    def _write(self, connection: Connection, step: Step, now: Instant) -> None:
        step.write()
        tell(connection, self._protocol, self._source, step.outcome.transitions)
        put_aside(connection, self._protocol, self._source, step.outcome, now)

    @contextmanager
    def _forgetting_on_failure(self) -> Iterator[None]:
        """Where a transaction fails, the charts that it has changed in memory are not those that are stored."""
        try:
            yield
        except BaseException:
            self._forget()
            raise

    def _forget(self) -> None:
        self._watches.clear()
        self._counted.clear()
        self._kept_events = 0

    def _keep(self, used: set[str]) -> None:
        """Keep the charts used last, as far as they fit."""
        for subject in used & self._watches.keys():
            self._watches.move_to_end(subject)
            version = self._watches[subject].version
            self._kept_events += version - self._counted.get(subject, 0)
            self._counted[subject] = version
        while self._kept_events > KEPT_EVENTS_MAX and len(self._watches) > 1:
            subject, _ = self._watches.popitem(last=False)
            self._kept_events -= self._counted.pop(subject, 0)
