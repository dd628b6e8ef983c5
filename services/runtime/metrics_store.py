"""The metrics that say how the database stands: read when they are scraped, all in one short transaction.

So they survive a restart, and are the same whichever process is asked. Where the database cannot be read they are left out, with
``toxwatch_store_up`` 0: an old number shown as if it were a new one would hide what it is there to show.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import product
from typing import Final, get_args

import structlog
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Connection, Select, func, select
from sqlalchemy.exc import SQLAlchemyError

from events.dates import SECOND, Instant
from events.errors import EventRefused, ToxwatchError
from projections.folds.alert_transition import AlertKind
from projections.store.engine.database import Database
from projections.store.engine.disk_space import size_of
from projections.store.engine.generation import next_offset
from projections.store.engine.tables import (
    IS_URGENT,
    alert_events,
    alerts,
    dead_letters,
    deadlines,
    deliveries,
    disabled_channels,
    findings,
    generations,
    parked_subjects,
    positions,
    source_sites,
)
from projections.store.rows.outbox import OPEN
from projections.store.write import dead_letter_store
from projections.store.write.audit import counts_by_outcome
from projections.store.write.dead_letter_upkeep import dead_letter_bytes
from services.dispatcher.alert_entries import CONSUMER as DISPATCHER
from services.dispatcher.delivery import CHANNEL_DISABLED, WAITING
from services.gateway.authority import OutsideAuthority
from services.gateway.key_uses import OUTCOMES
from services.log.embedded import EmbeddedLog
from services.log.port import EventLog
from services.monitor.monitor import CONSUMER as MONITOR
from services.platform import metrics
from services.platform.disk import disk_of
from services.platform.time_source import Clock, elapsed_seconds

#: Several scrapers at once, or an impatient one, are given one reading.
KEPT_SECONDS: Final = 1.0
VERDICTS: Final = ("met", "possible", "watch")

Reading = tuple[tuple[str, ...], float]

log = structlog.get_logger()


class StoreCollector(Collector):
    """Register it once in the registry of the process that is scraped. ``clock`` is the deployment's: ages are in its time.

    The logs are the embedded ones unless others are given.
    """

    def __init__(
        self,
        trial: str,
        database: Database,
        clock: Clock,
        clinical: EventLog | None = None,
        alerts: EventLog | None = None,
    ) -> None:
        self._trial = trial
        self._database = database
        self._logs = (
            (metrics.LOG_LAG, MONITOR, clinical or EmbeddedLog(database, "clinical")),
            (metrics.ALERT_LOG_LAG, DISPATCHER, alerts or EmbeddedLog(database, "alerts")),
        )
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: list[Metric] = []
        self._read_at: float | None = None
        self._was_up = True

    def describe(self) -> Iterable[Metric]:
        """What it gives, without reading anything."""
        return [self._family(declared) for declared in metrics.FROM_STORE]

    def collect(self) -> Iterable[Metric]:
        """Every metric of ``metrics.FROM_STORE``."""
        with self._lock:
            now = elapsed_seconds()
            if self._read_at is None or now - self._read_at >= KEPT_SECONDS:
                self._kept = self._read()
                self._read_at = now
            return self._kept

    def _read(self) -> list[Metric]:
        readings: dict[str, list[Reading]] = {}
        try:
            with self._database.reading() as connection:
                now = self._clock.now()
                for declared, read in READERS:
                    readings[declared.name] = list(read(connection, now))
            is_up = True
        except (ToxwatchError, SQLAlchemyError) as error:
            readings, is_up = {}, False
            if self._was_up:
                log.warning("metrics_without_store", error=error)
        self._was_up = is_up
        for declared, consumer, event_log in self._logs if is_up else ():
            # Not knowing where a log ends is no lag of 0.
            with suppress(ToxwatchError, SQLAlchemyError):
                readings[declared.name] = list(_lag(self._database, consumer, event_log.ends()))
        if is_up:
            readings |= _room(self._database)
        readings[metrics.STORE_UP.name] = [((), float(is_up))]
        readings[metrics.CLOCK_LEAP.name] = [((), self._clock.leap())]
        return [self._family(declared, readings.get(declared.name, ())) for declared in metrics.FROM_STORE]

    def _family(self, declared: metrics.Declared, readings: Iterable[Reading] = ()) -> Metric:
        make = CounterMetricFamily if declared.kind == "counter" else GaugeMetricFamily
        family = make(declared.name, declared.meaning, labels=declared.all_labels)
        own = () if declared.is_of_process else (self._trial,)
        for labels, value in readings:
            family.add_metric((*own, *labels), value)
        return family


def _room(database: Database) -> dict[str, list[Reading]]:
    found: dict[str, list[Reading]] = {}
    # Not knowing how much there is is no 0.
    with suppress(ToxwatchError, SQLAlchemyError, OSError):
        found[metrics.DATABASE_BYTES.name] = [((), float(size_of(database)))]
        disk = disk_of(database)
        if disk is not None:
            found[metrics.DISK_FREE.name] = [((), float(disk.free()))]
    return found


_current: Final = select(generations.c.generation).where(generations.c.is_current).scalar_subquery()


def _alerts(connection: Connection, _now: Instant) -> Iterator[Reading]:
    c = alert_events.c
    found: Counter[tuple[str, str]] = Counter()
    for verdict, kind, count in connection.execute(select(c.verdict, c.kind, func.count()).group_by(c.verdict, c.kind)):
        found[verdict or metrics.NO_VERDICT, kind] += count
    for labels in {*product((*VERDICTS, metrics.NO_VERDICT), get_args(AlertKind)), *found}:
        yield labels, found[labels]


def _open_cases(connection: Connection, _now: Instant) -> Iterator[Reading]:
    c = findings.c
    wanted = select(c.verdict, func.count()).where(c.generation == _current, c.verdict.is_not(None)).group_by(c.verdict)
    found: dict[str | None, int] = dict(connection.execute(wanted).all())
    for verdict in VERDICTS:
        yield (verdict,), found.get(verdict, 0)


def _deadlines_overdue(connection: Connection, now: Instant) -> Iterator[Reading]:
    c = deadlines.c
    yield _one(connection, select(func.count()).where(c.generation == _current, ~c.is_fired, c.due <= now))


def _oldest_undelivered(connection: Connection, now: Instant) -> Iterator[Reading]:
    """What is planned and waits, what waits for the relay, and what the dispatcher has not read: none may hide."""
    planned = select(func.min(deliveries.c.not_before)).where(
        deliveries.c.state.in_([WAITING, CHANNEL_DISABLED]), deliveries.c.not_before <= now
    )
    in_outbox = (
        select(alert_events.c.detected_at).where(alert_events.c.sent_offset.is_(None)).order_by(alert_events.c.seq)
    )
    read_until = select(positions.c.next_offset).where(positions.c.consumer == DISPATCHER)
    unread = (
        select(alert_events.c.detected_at)
        .where(alert_events.c.sent_offset >= func.coalesce(read_until.scalar_subquery(), 0))
        .order_by(alert_events.c.seq)
    )
    yield _age(now, *(connection.scalar(wanted.limit(1)) for wanted in (planned, in_outbox, unread)))


def _oldest_unacknowledged(connection: Connection, now: Instant) -> Iterator[Reading]:
    yield _age(now, connection.scalar(select(func.min(alerts.c.raised_at)).where(alerts.c.state == OPEN)))


def _outbox(connection: Connection, _now: Instant) -> Iterator[Reading]:
    yield _one(connection, select(func.count()).where(alert_events.c.sent_offset.is_(None)))


def _channels_disabled(connection: Connection, _now: Instant) -> Iterator[Reading]:
    yield _one(connection, select(func.count()).select_from(disabled_channels))


def _lag(database: Database, consumer: str, ends: Mapping[int, int]) -> Iterator[Reading]:
    with database.reading() as connection:
        reached = {partition: next_offset(connection, consumer, partition) for partition in ends}
    for partition, end in sorted(ends.items()):
        yield (str(partition),), max(0, end - reached[partition])


def _dead_letters(connection: Connection, _now: Instant) -> Iterator[Reading]:
    c = dead_letters.c
    found: dict[str, int] = dict(connection.execute(select(c.reason, func.count()).group_by(c.reason)).all())
    # An increase can be told of the very first one only where there was a 0 before it.
    for reason in sorted({*reasons(), *found}):
        yield (reason,), found.get(reason, 0)


def reasons() -> set[str]:
    """Every reason under which something may be parked."""
    known, waiting = {dead_letter_store.NOT_WATCHED, dead_letter_store.LOWER_REVISION}, [EventRefused]
    while waiting:
        kind = waiting.pop()
        known.add(kind.reason)
        waiting += kind.__subclasses__()
    return known | {OutsideAuthority.reason}


def _dead_letter_bytes(connection: Connection, _now: Instant) -> Iterator[Reading]:
    yield (), float(dead_letter_bytes(connection))


def _severe_dead_letters(connection: Connection, _now: Instant) -> Iterator[Reading]:
    yield _one(connection, select(func.count()).select_from(dead_letters).where(IS_URGENT))


def _key_requests(connection: Connection, _now: Instant) -> Iterator[Reading]:
    counted = counts_by_outcome(connection)
    for outcome in OUTCOMES:
        yield (outcome,), counted.get(outcome, 0)


def _parked_subjects(connection: Connection, _now: Instant) -> Iterator[Reading]:
    yield _one(connection, select(func.count()).select_from(parked_subjects))


def _site_silence(connection: Connection, now: Instant) -> Iterator[Reading]:
    c = source_sites.c
    last = func.max(func.coalesce(c.last_used_at, c.first_used_at))
    for site, heard in connection.execute(select(c.site, last).group_by(c.site)):
        yield (site,), max(0, now - heard) / SECOND


READERS: Final[tuple[tuple[metrics.Declared, Callable[[Connection, Instant], Iterator[Reading]]], ...]] = (
    (metrics.ALERTS, _alerts),
    (metrics.OPEN_CASES, _open_cases),
    (metrics.DEADLINES_OVERDUE, _deadlines_overdue),
    (metrics.OLDEST_UNDELIVERED, _oldest_undelivered),
    (metrics.OLDEST_UNACKNOWLEDGED, _oldest_unacknowledged),
    (metrics.OUTBOX, _outbox),
    (metrics.CHANNELS_DISABLED, _channels_disabled),
    (metrics.DEAD_LETTERS, _dead_letters),
    (metrics.SEVERE_DEAD_LETTERS, _severe_dead_letters),
    (metrics.KEY_REQUESTS, _key_requests),
    (metrics.PARKED_SUBJECTS, _parked_subjects),
    (metrics.SITE_SILENCE, _site_silence),
    (metrics.DEAD_LETTER_BYTES, _dead_letter_bytes),
)


def _one(connection: Connection, wanted: Select[int]) -> Reading:
    return (), connection.scalar(wanted) or 0


def _age(now: Instant, *since: Instant | None) -> Reading:
    known = [instant for instant in since if instant is not None]
    return (), max(0, now - min(known)) / SECOND if known else 0.0
