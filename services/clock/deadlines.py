"""The clock service: each deadline that has come becomes an event in the clinical log, once.

The monitor handles it like any other event, so that a replay sees the timers that the live system saw. The event's id is
derived from what is due: written twice, it is one event. What came due while everything was down is written first thing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from typing import Any, Final, NamedTuple

import structlog
from sqlalchemy import Connection, Select, bindparam, func, select, update

from events.dates import Instant, format_instant
from events.errors import ToxwatchError
from events.identity import derived_id
from projections.folds.trial import Trial
from projections.store.engine.database import Database
from projections.store.engine.generation import current_generation
from projections.store.engine.tables import deadlines
from services.log.port import EventLog, NewEntry
from services.platform.fail_points import nothing
from services.platform.time_source import Clock

FIRED_AT_ONCE_MAX: Final = 500
#: How long the service sleeps at most (real seconds): a deadline may be written, or the machine's clock set, meanwhile.
SLEEP_SECONDS_MAX: Final = 0.25

log = structlog.get_logger()


class Due(NamedTuple):
    """A deadline that has come."""

    subject: str
    case: str
    due: Instant


class DeadlineClock:
    """Writes ``toxwatch.clock.reached.v1`` for what is due. Raises ``StoreUnavailable`` where it cannot."""

    def __init__(
        self,
        database: Database,
        log: EventLog,
        trial: Trial,
        clock: Clock,
        fail_point: Callable[[str], None] = nothing,
    ) -> None:
        self._database = database
        self._log = log
        self._trial = trial
        self._clock = clock
        self._fail_point = fail_point

    def fire(self) -> int:
        """Write an event for every deadline that has come, at most so many at once, and say for how many.

        None while the clock is doubted: a countdown that has ended too early cannot be begun again.
        """
        if self._clock.doubt() is not None:
            return 0
        now = self._clock.now()
        with self._database.reading() as connection:
            # Nearly always nothing is due, and nobody should wait for us to find that out.
            if connection.execute(self._due(connection, now).limit(1)).first() is None:
                return 0
        try:
            return self._fire(now, FIRED_AT_ONCE_MAX, frozenset())
        except ToxwatchError:
            raise
        except Exception as error:  # noqa: BLE001 - raised below, once it is known which of them it was
            return self._one_by_one(now, error)

    def _one_by_one(self, now: Instant, error: Exception) -> int:
        """Fire each by itself; those of a subject whose deadline fails wait. Raises where none could be fired."""
        stuck: set[str] = set()
        fired = 0
        for _ in range(FIRED_AT_ONCE_MAX):
            with self._database.reading() as connection:
                first = connection.execute(self._due(connection, now, stuck).limit(1)).first()
            if first is None:
                break
            try:
                fired += self._fire(now, 1, stuck)
            except ToxwatchError:
                raise
            except Exception as failure:  # noqa: BLE001 - the others are not to wait for it
                stuck.add(first.subject)
                error = failure
        if stuck:
            log.critical("deadlines_not_fired", count=len(stuck), exc_info=error)
        if not fired:
            raise error
        return fired

    def _fire(self, now: Instant, count: int, stuck: Collection[str]) -> int:
        with self._database.writing() as connection:
            generation = current_generation(connection)
            locked = self._due(connection, now, stuck).limit(count).with_for_update(skip_locked=True)
            found = [Due(*row) for row in connection.execute(locked)]
            if not found:
                return 0
            received = self._log.stamp(now, connection)
            self._fail_point("clock.claimed")
            self._log.append([self._entry(one, now, received) for one in found], connection)
            self._fail_point("clock.appended")
            fired = (
                update(deadlines)
                .where(
                    deadlines.c.generation == generation,
                    deadlines.c.subject == bindparam("of_subject"),
                    deadlines.c.case_name == bindparam("of_case"),
                    deadlines.c.due == bindparam("at"),
                )
                .values(is_fired=True)
            )
            connection.execute(fired, [{"of_subject": d.subject, "of_case": d.case, "at": d.due} for d in found])
        self._fail_point("clock.committed")
        return len(found)

    def seconds_to_next(self) -> float:
        """Real seconds until the next deadline, at most so many as the service may sleep."""
        with self._database.reading() as connection:
            due: Instant | None = connection.scalar(
                select(func.min(deadlines.c.due)).where(
                    deadlines.c.generation == current_generation(connection), ~deadlines.c.is_fired
                )
            )
        return SLEEP_SECONDS_MAX if due is None else min(SLEEP_SECONDS_MAX, self._clock.seconds_until(due))

    def _due(self, connection: Connection, now: Instant, stuck: Collection[str] = ()) -> Select[Any]:
        """What has come and was not fired, save what is of these subjects."""
        c = deadlines.c
        return (
            select(c.subject, c.case_name, c.due)
            .where(
                c.generation == current_generation(connection),
                ~c.is_fired,
                c.due <= now,
                c.subject.not_in(sorted(stuck)),
            )
            .order_by(c.due, c.subject, c.case_name)
        )

    def _entry(self, one: Due, now: Instant, received: Instant) -> NewEntry:
        trial, due = self._trial, format_instant(one.due)
        event_id = derived_id("clock", trial.id, one.subject, one.case, due)
        # Not the stamp: where the log is ahead of the clock, other countdowns would end early.
        time = format_instant(max(one.due, now))
        data = {"due": due, "case": one.case}
        event = trial.envelope("toxwatch.clock.reached.v1", event_id, time, data, one.subject)
        body = json.dumps(event | {"receivedtime": format_instant(received)}).encode()
        return NewEntry(trial.key_of(one.subject), one.subject, trial.source, event_id, body)
