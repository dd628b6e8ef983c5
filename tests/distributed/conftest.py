"""A deployment of its own for each test, on the session's broker and database server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from projections.store.engine.database import Database
from services.gateway import topic_reader
from services.log.kafka_client import Cluster
from tests.brokers import Broker
from tests.databases import new_postgresql_database
from tests.distributed.fleet import Fleet
from tests.distributed.outside import Topics

_numbers = count(1)


@pytest.fixture
def there(on_postgresql: Database, broker: Broker, monkeypatch: pytest.MonkeyPatch) -> Iterator[Topics]:
    """Two intake topics, to which nothing was sent yet; lags are looked at each time."""
    monkeypatch.setattr(topic_reader, "LOOK_SECONDS", 0.0)
    made = Topics(on_postgresql, Cluster((broker.address,)))
    yield made
    made.log.close()


@pytest.fixture
def fleet(tmp_path: Path, broker: Broker, postgresql: str) -> Iterator[Fleet]:
    """Topics and tables are made; nothing runs yet."""
    with (
        new_postgresql_database(postgresql) as database,
        Fleet(tmp_path, broker.address, database, f"f{os.getpid()}-{next(_numbers)}") as made,
    ):
        made.make()
        yield made
