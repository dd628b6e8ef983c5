"""The room that a database takes: how much, giving back what nothing stands in, and writing where hardly any is left."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, func, select
from sqlalchemy.engine import make_url

from projections.store.engine.database import Database, StoreUnavailable

AUTO_VACUUM_INCREMENTAL: Final = 2
#: So many pages are given back in one transaction, between which others may come.
PAGES_AT_ONCE: Final = 500


def size_of(database: Database) -> int:
    """How many bytes a database takes, its write-ahead log included."""
    if not database.is_sqlite:
        with database.reading() as connection:
            return int(connection.scalar(select(func.pg_database_size(func.current_database()))) or 0)
    files = (Path(f"{make_url(database.url).database}{suffix}") for suffix in ("", "-wal", "-shm"))
    return sum(file.stat().st_size for file in files if file.exists())


def give_back(database: Database) -> None:
    """Give the room of what was erased back to the file system, as far as that needs no more room (SQLite)."""
    if not database.is_sqlite:
        return
    with _driver(database) as cursor:
        free = cursor.execute("PRAGMA freelist_count").fetchone()[0]
        for _ in range(-(-free // PAGES_AT_ONCE) if _is_incremental(cursor) else 0):
            # As a script: by itself the driver stops after the first page.
            cursor.executescript(f"PRAGMA incremental_vacuum({PAGES_AT_ONCE});")


def compact(database: Database) -> None:
    """Give back all the room that nothing stands in. SQLite needs as much again for a moment where it was never done."""
    if not database.is_sqlite:
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM")
        return
    with _driver(database) as cursor:
        if not _is_incremental(cursor):
            cursor.execute("PRAGMA auto_vacuum=INCREMENTAL")
            cursor.execute("VACUUM")
    give_back(database)
    database.forget_erased()


@contextmanager
def writing_sparingly(database: Database) -> Iterator[Connection]:
    """Write on a disk that is full: what is erased is not overwritten at once, for which there is no room (SQLite).

    It is gone once its room was given back.
    """
    with database.writing() as connection:
        if not database.is_sqlite:
            yield connection
            return
        # Of this connection alone; by the driver, since it is no statement of the transaction.
        driver: Any = connection.connection.driver_connection
        for pragma in ("secure_delete=FAST", "wal_autocheckpoint=0"):
            driver.execute(f"PRAGMA {pragma}").close()
        # What it is like from now on is for this connection only, which is not used again.
        connection.detach()
        yield connection


@contextmanager
def _driver(database: Database) -> Iterator[Any]:
    """A cursor outside of any transaction. Raises ``StoreUnavailable``."""
    with closing(database.engine.raw_connection()) as connection:
        cursor = connection.cursor()
        try:
            yield cursor
        except sqlite3.OperationalError as error:
            raise StoreUnavailable(f"the database cannot be used now: {error}") from error
        finally:
            cursor.close()


def _is_incremental(cursor: Any) -> bool:
    return bool(cursor.execute("PRAGMA auto_vacuum").fetchone()[0] == AUTO_VACUUM_INCREMENTAL)
