"""Where everything is measured: a broker, a durable PostgreSQL, one topic with the events, and copies of one database."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from typing import Final

import psycopg
from sqlalchemy import make_url

from events.catalog import EVENT_ADAPTER, subject_of
from projections.protocols.isi_jx import PROTOCOL
from projections.store.engine.database import Database
from services.log import topics
from services.log.kafka import KafkaLog
from services.log.kafka_client import Cluster
from services.log.port import NewEntry
from services.platform.settings import read_settings
from services.platform.time_source import SystemClock
from services.runtime.distributed import parts_of, prepare
from services.simulator.portfolio import EVENTS_PER_SUBJECT, Load, simulate_portfolio
from services.simulator.trial import DEFAULT_START
from tests.brokers import Broker, kafka_broker
from tests.databases import postgresql_server
from tests.distributed.fleet import PARTITIONS, Fleet

#: As in production: a commit is on the disk. The instants of commits are kept: delays are measured by them.
POSTGRESQL: Final = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "track_commit_timestamp": "on",
    "max_wal_size": "4GB",
}
APPENDED_AT_ONCE: Final = 2_000
SEED: Final = 5

_numbers = count(1)


@dataclass(frozen=True)
class Ground:
    """What there is. ``base`` is the database that others are copies of."""

    home: Path
    broker: Broker
    server: str
    base: str
    prefix: str

    @property
    def topic(self) -> str:
        """The clinical log."""
        return topics.clinical(self.prefix)

    @contextmanager
    def copy(self) -> Iterator[str]:
        """A copy of the prepared database: its positions stand at the beginning of the topic."""
        name = f"copy_{next(_numbers)}"
        with psycopg.connect(plain(self.server), autocommit=True) as admin:
            admin.execute(f'CREATE DATABASE {name} TEMPLATE "{make_url(self.base).database}"')
            # What earlier runs have left to be written does not belong to the next.
            admin.execute("CHECKPOINT")
        try:
            yield self.server.replace("/postgres?", f"/{name}?")
        finally:
            with psycopg.connect(plain(self.server), autocommit=True) as admin:
                admin.execute(f"DROP DATABASE {name} WITH (FORCE)")

    @contextmanager
    def fleet(self, database: str) -> Iterator[Fleet]:
        """A deployment on a copy; nothing runs yet."""
        home = Path(tempfile.mkdtemp(dir=self.home))
        with Fleet(home, self.broker.address, database, self.prefix) as fleet:
            yield fleet

    def another(self) -> Ground:
        """A topic and a database of their own, on the same broker and server."""
        return _deployment(self.home, self.broker, self.server)

    def ends(self) -> dict[int, int]:
        """Where each partition of the topic ends."""
        log = self._log()
        try:
            return log.ends()
        finally:
            log.close()

    def fill(self, lines: Iterable[bytes]) -> None:
        """Append events to the topic."""
        left = iter(lines)
        log, database = self._log(), Database(self.base)
        try:
            while some := [entry_of(line) for line in islice(left, APPENDED_AT_ONCE)]:
                with database.reading() as connection:
                    log.append(some, connection)
        finally:
            database.close()
            log.close()

    def _log(self) -> KafkaLog:
        return KafkaLog(Cluster((self.broker.address,)), self.topic, "clinical")


def entry_of(line: bytes) -> NewEntry:
    """An event as it is appended."""
    event = EVENT_ADAPTER.validator.validate_json(line)
    subject = subject_of(event) or ""
    return NewEntry(f"{PROTOCOL.trial}/{subject}", subject, event.source, event.id, line)


def portfolio(events: int, *, received: bool = True) -> Iterator[bytes]:
    """Simulated events, many subjects' side by side."""
    load = Load(SEED, max(1, events // EVENTS_PER_SUBJECT), events, DEFAULT_START)
    return (line.rstrip(b"\n") for line in simulate_portfolio(load, received=received))


def plain(url: str) -> str:
    """A URL of SQLAlchemy's as psycopg reads it."""
    return url.replace("postgresql+psycopg://", "postgresql://")


@contextmanager
def ground() -> Iterator[Ground]:
    """Everything up."""
    with (
        tempfile.TemporaryDirectory(prefix="bench") as home,
        kafka_broker() as broker,
        postgresql_server(**POSTGRESQL) as server,
    ):
        yield _deployment(Path(home), broker, server)


def _deployment(home: Path, broker: Broker, server: str) -> Ground:
    """Topics, tables, and the rules in force: the first entry of each partition says so."""
    name = f"base_{next(_numbers)}"
    with psycopg.connect(plain(server), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
    made = Ground(home, broker, server, server.replace("/postgres?", f"/{name}?"), f"{name}-{os.getpid()}")
    with made.fleet(made.base) as fleet:
        fleet.make()
    settings = read_settings(
        log=f"kafka://{broker.address}",
        database=made.base,
        topic_prefix=made.prefix,
        clinical_partitions=PARTITIONS,
    )
    with parts_of(settings, SystemClock()) as parts:
        prepare(parts, activates=True)
    return made
