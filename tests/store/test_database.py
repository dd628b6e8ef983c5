"""A database that cannot be used now says so within a bounded time, and is used again as soon as it can be."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from projections.store import database as database_module
from projections.store.database import Database, StoreUnavailable
from tests.crash.disks import is_root, may_become_read_only, read_only


@contextmanager
def _opened(url: str) -> Iterator[Database]:
    database = Database(url)
    try:
        yield database
    finally:
        database.close()


def _write(database: Database) -> None:
    with database.writing() as connection:
        connection.execute(text("INSERT INTO notes VALUES (1)"))


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """A database with one table."""
    with _opened(f"sqlite:///{tmp_path / 'toxwatch.db'}") as database:
        with database.writing() as connection:
            connection.execute(text("CREATE TABLE notes (n INTEGER)"))
        yield database


def test_a_writer_waits_a_bounded_time_for_another_of_its_process(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or what waits for a database that somebody else has would wait once for every writer before it."""
    monkeypatch.setattr(database_module, "BUSY_MS", 50)
    has_it, let_go = threading.Event(), threading.Event()

    def hold() -> None:
        with database.writing():
            has_it.set()
            let_go.wait()

    holder = threading.Thread(target=hold)
    holder.start()
    try:
        has_it.wait()
        began = time.monotonic()
        with pytest.raises(StoreUnavailable, match="another writer of this process"):
            _write(database)
        assert time.monotonic() - began < 2
    finally:
        let_go.set()
        holder.join()
    _write(database)


@pytest.mark.skipif(not is_root(), reason="only root makes a file immutable")
def test_a_connection_that_was_opened_read_only_is_not_kept(database: Database, tmp_path: Path) -> None:
    """SQLite opens what it cannot write for reading, and such a connection never writes, whatever becomes of the file."""
    if not may_become_read_only(tmp_path):
        pytest.skip("this file system knows no immutable files")
    with _opened(database.url) as other:
        with read_only(tmp_path):
            for _ in range(2):
                with pytest.raises(StoreUnavailable, match="readonly"):
                    _write(other)
        _write(other)
