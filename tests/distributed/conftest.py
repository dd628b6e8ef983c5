"""A deployment of its own for each test, on the session's broker and database server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.brokers import Broker
from tests.databases import new_postgresql_database
from tests.distributed.fleet import Fleet

_numbers = count(1)


@pytest.fixture
def fleet(tmp_path: Path, broker: Broker, postgresql: str) -> Iterator[Fleet]:
    """Topics and tables are made; nothing runs yet."""
    with (
        new_postgresql_database(postgresql) as database,
        Fleet(tmp_path, broker.address, database, f"f{os.getpid()}-{next(_numbers)}") as made,
    ):
        made.make()
        yield made
