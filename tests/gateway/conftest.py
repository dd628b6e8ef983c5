"""Gateways for the tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from projections.store.engine.database import Database
from projections.store.engine.schema import migrate
from tests.gateway.serving import Gateway, gateway_on


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Database]:
    """The embedded database."""
    database = Database(f"sqlite:///{tmp_path / 'toxwatch.db'}")
    migrate(database)
    yield database
    database.close()


@pytest.fixture
def gateway(sqlite: Database) -> Iterator[Gateway]:
    """A gateway on the embedded database."""
    with gateway_on(sqlite) as made:
        yield made


@pytest.fixture
def any_gateway(database: Database) -> Iterator[Gateway]:
    """A gateway on each kind of database."""
    with gateway_on(database) as made:
        yield made
