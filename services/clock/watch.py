"""Whether the machine's clock is to be believed: compared with the last time on record, and with the database's clock.

At the start nobody knows how long the machine was off, and its clock may be years wrong. So it is doubted where it says that
more time has passed than an ordinary stop takes, or less than none; and at any time where a database server says otherwise. While
it is doubted, nothing becomes due, and what is received is stamped with the last time on record and what has elapsed since: late
at worst, and never in a future that has not come. The doubt ends when a witness with a clock of its own confirms the time.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Final, Literal, NamedTuple

import structlog
from sqlalchemy import Connection, func, select, text

from events.dates import DAY, FAR_PAST, HOUR, MINUTE, SECOND, Instant, format_instant, from_datetime
from projections.store.engine.database import Database
from projections.store.engine.tables import log_ends
from projections.store.engine.tables_upkeep import clock_confirmations
from services.platform.time_source import LEAP_BELIEVED_MAX, Clock, SystemClock, elapsed_seconds

#: How long a stop may last before a start waits for confirmation. A deployment that runs leaves its time every few seconds,
#: however quiet the sites are: what is measured is how long it was off.
STOPPED_MAX: Final = 3 * HOUR
#: An event from outside agrees with the machine's clock where they differ by no more than this.
AGREEMENT: Final = 15 * MINUTE
#: A database server on this very machine has the same clock. It rules out that this process was lied to, and no more.
SAME_MACHINE_MAX: Final = 30 * DAY
LOOK_SECONDS: Final = 2.0
SET_BACK_REPORTED_SECONDS: Final = 2.0
OPERATOR: Final = "operator"

WAITS: Final = (
    "Countdowns and deadlines wait, and nothing becomes due, until the clock is confirmed: by the database's clock, by an event"
    " from outside that bears this time, or by `toxwatch clock confirm`"
)

Why = Literal["start", "database"]

_DATABASE_CLOCK: Final = text(
    "SELECT clock_timestamp() AS at, coalesce(host(inet_server_addr()) <> host(inet_client_addr()), false) AS is_elsewhere"
)

log = structlog.get_logger()


class Confirmation(NamedTuple):
    """Somebody's word that the clock is right when it says ``at``."""

    id: int
    at: Instant
    witness: str


class _Seen(NamedTuple):
    """What the database says: the latest time on record, its own clock less ours (None: it has none), and whose word there is."""

    latest: Instant | None
    ahead: int | None
    is_elsewhere: bool
    confirmations: list[Confirmation]


class ClockWatch:
    """Doubts a clock, and lets it be confirmed. Any thread may use it; a clock of a story is never doubted."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock if isinstance(clock, SystemClock) else None
        self._lock = threading.Lock()
        self._looked_at: float | None = None
        self._last_confirmation = 0
        self._why: Why | None = None
        self._was_set_back = False
        #: By how much the database's clock is ahead, and was when ours was confirmed by somebody else.
        self._ahead = 0
        self._ahead_accepted = 0

    def look(self) -> None:
        """Compare, at most once in a while. To be called before anything is stamped. Raises ``StoreUnavailable``."""
        clock = self._clock
        if clock is None:
            return
        with self._lock:
            if self._looked_at is not None and elapsed_seconds() - self._looked_at < LOOK_SECONDS:
                return
            seen = self._seen(clock)
            is_first, self._looked_at = self._looked_at is None, elapsed_seconds()
            self._ahead = seen.ahead or 0
            if is_first:
                self._begin(clock, seen)
            else:
                self._hear_of(clock, seen.confirmations)
            if seen.confirmations:
                self._last_confirmation = seen.confirmations[-1].id
            self._go_on(clock, seen)
            self._report_set_back(clock)

    def heard(self, connection: Connection, times: Iterable[Instant]) -> None:
        """Events from outside came with these times: one that agrees with a doubted clock confirms it."""
        clock = self._clock
        if clock is None or clock.is_confirmed():
            return
        with self._lock:
            wall = clock.wall()
            if any(abs(time - wall) <= AGREEMENT for time in times):
                self._confirm(clock, "an event from outside bears the same time")
                confirm(connection, wall, "event", "gateway")

    def _seen(self, clock: SystemClock) -> _Seen:
        with self._database.reading() as connection:
            latest: Instant | None = connection.scalar(
                select(log_ends.c.last_received).where(log_ends.c.topic == "clinical")
            )
            if latest == FAR_PAST:
                latest = None
            c = clock_confirmations.c
            rows = select(c.id, c.at, c.witness).where(c.id > self._last_confirmation).order_by(c.id)
            found = [Confirmation(*row) for row in connection.execute(rows)]
            if connection.dialect.name != "postgresql":
                return _Seen(latest, None, False, found)
            before = clock.wall()
            row = connection.execute(_DATABASE_CLOCK).one()
            middle = (before + clock.wall()) // 2
        return _Seen(latest, from_datetime(row.at) - middle, row.is_elsewhere, found)

    def _begin(self, clock: SystemClock, seen: _Seen) -> None:
        """Nothing was stamped yet: the time may still go on from the last one on record."""
        wall = clock.wall()
        if seen.latest is not None and not _is_an_ordinary_stop(wall - seen.latest):
            self._doubt(clock, "start", _unlikely(wall, seen.latest), seen.latest)
        elif self._is_contradicted(seen.ahead):
            present = min(wall, wall + self._ahead) if seen.latest is None else seen.latest
            self._doubt(clock, "database", _contradiction(wall, wall + self._ahead), present)

    def _hear_of(self, clock: SystemClock, confirmations: Iterable[Confirmation]) -> None:
        for one in confirmations:
            if clock.doubt() is not None and abs(one.at - clock.wall()) <= LEAP_BELIEVED_MAX:
                self._confirm(clock, f"confirmed ({one.witness})", may_go_back=one.witness == OPERATOR)

    def _go_on(self, clock: SystemClock, seen: _Seen) -> None:
        wall = clock.wall()
        if self._is_contradicted(seen.ahead):
            if self._why != "database":
                self._doubt(clock, "database", _contradiction(wall, wall + self._ahead))
        elif self._why is not None and self._is_settled(wall, seen):
            self._confirm(clock, "the machine's clock was set right, or the database's clock agrees with it")
        elif clock.leap() and seen.is_elsewhere:
            self._confirm(clock, "the clock of the database, on another machine, agrees")

    def _is_contradicted(self, ahead: int | None) -> bool:
        return ahead is not None and min(abs(ahead), abs(ahead - self._ahead_accepted)) > LEAP_BELIEVED_MAX

    def _is_settled(self, wall: Instant, seen: _Seen) -> bool:
        """Whether what was doubted is so no more. No witness contradicts; a database server agrees."""
        stopped = 0 if seen.latest is None else wall - seen.latest
        if seen.ahead is None:
            return _is_an_ordinary_stop(stopped)
        return seen.is_elsewhere or abs(stopped) <= SAME_MACHINE_MAX

    def _doubt(self, clock: SystemClock, why: Why, sentence: str, present: Instant | None = None) -> None:
        clock.distrust(f"{sentence}. {WAITS}", present)
        self._why = why
        log.error("clock_doubted", trouble=sentence)

    def _confirm(self, clock: SystemClock, reason: str, *, may_go_back: bool = False) -> None:
        clock.confirm(may_go_back=may_go_back)
        self._why, self._ahead_accepted = None, self._ahead
        log.warning("clock_confirmed", reason=reason)

    def _report_set_back(self, clock: SystemClock) -> None:
        behind = clock.set_back()
        is_set_back = behind > SET_BACK_REPORTED_SECONDS
        if is_set_back and not self._was_set_back:
            log.warning("clock_was_set_back", seconds=round(behind))
        self._was_set_back = is_set_back


def confirm(connection: Connection, at: Instant, witness: str, by: str) -> None:
    """Write down that a clock that says ``at`` is right. Every process that doubts its own clock looks for that."""
    connection.execute(clock_confirmations.insert(), [{"at": at, "witness": witness, "confirmed_by": by}])


def confirm_as_operator(connection: Connection, at: Instant, by: str) -> int:
    """Somebody at this machine says that its clock is right; gives how many seconds the log was ahead of it.

    Stamps that are far ahead, since an earlier clock was wrong, follow the confirmed clock from here on: or what is received now
    would bear a time that has not come, for years perhaps.
    """
    confirm(connection, at, OPERATOR, by)
    latest: Instant = connection.scalar(select(func.max(log_ends.c.last_received))) or at
    ahead = max(0, latest - at)
    if ahead > LEAP_BELIEVED_MAX:
        connection.execute(log_ends.update().where(log_ends.c.last_received > at).values(last_received=at))
    return ahead // SECOND


def checked_clock(database: Database) -> SystemClock:
    """The machine's clock for a command that writes: doubted where a service would doubt it."""
    clock = SystemClock()
    ClockWatch(database, clock).look()
    return clock


def _is_an_ordinary_stop(stopped: int) -> bool:
    return -LEAP_BELIEVED_MAX <= stopped <= STOPPED_MAX


def _unlikely(wall: Instant, latest: Instant) -> str:
    way = "after" if wall > latest else "before"
    span = abs(wall - latest)
    long = f"{span // DAY} days" if span >= 3 * DAY else f"{span // HOUR} h {span % HOUR // MINUTE} min"
    return (
        f"the machine's clock is not confirmed: it says {format_instant(wall)}, {long} {way} the last time on record,"
        f" {format_instant(latest)}"
    )


def _contradiction(wall: Instant, database: Instant) -> str:
    return (
        f"the machine's clock is not confirmed: it says {format_instant(wall)}, and the database's clock says"
        f" {format_instant(database)}"
    )
