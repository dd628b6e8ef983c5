"""Topics of its own for each test, on the session's broker."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from projections.store.engine.database import Database
from projections.store.engine.schema import migrate
from services.log import topics
from services.log.kafka import KafkaLog
from services.log.kafka_client import Cluster
from services.log.topics import TopicAdmin, declared
from services.platform.settings import DATABASE_FILE, Settings
from tests.brokers import Broker
from tests.databases import new_postgresql_database
from tests.log.moving import PARTITIONS, Case
from tests.log.played import missing_of, play

_numbers = count(1)


@pytest.fixture
def cluster(broker: Broker) -> Cluster:
    """The session's broker, as clients know it."""
    return Cluster((broker.address,))


@pytest.fixture
def prefix(cluster: Cluster) -> str:
    """What the names of this test's topics begin with; they are made."""
    name = f"t{os.getpid()}-{next(_numbers)}"
    TopicAdmin(cluster).create(declared(name, PARTITIONS))
    return name


@pytest.fixture
def log(cluster: Cluster, prefix: str) -> Iterator[KafkaLog]:
    """This test's clinical log, empty."""
    opened = KafkaLog(cluster, topics.clinical(prefix), "clinical")
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with an embedded deployment that was played. Tests move copies of it."""
    directory = tmp_path_factory.mktemp("played")
    database = Database(f"sqlite:///{directory / DATABASE_FILE}")
    migrate(database)
    play(database, directory)
    assert missing_of(database) == []
    database.close()
    return directory


@pytest.fixture
def case(played: Path, tmp_path: Path, cluster: Cluster, prefix: str, postgresql: str) -> Iterator[Case]:
    """A copy of it, and where it is to be moved to."""
    data = tmp_path / "data"
    data.mkdir()
    shutil.copy(played / DATABASE_FILE, data / DATABASE_FILE)
    with new_postgresql_database(postgresql) as url:
        yield Case(Settings(data=data), url, cluster, prefix)
