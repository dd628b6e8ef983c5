"""A database, and the two ways to use it: ``reading`` and ``writing``.

On SQLite there is one writer at a time. Writers of one process wait for each other here, in turn; writers of other processes
(the command line beside a running service) wait in SQLite.
"""

from __future__ import annotations

import fcntl
import hashlib
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from enum import IntEnum
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Final, TypeVar

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Executable,
    Row,
    Select,
    Table,
    create_engine,
    event,
    func,
    select,
    tuple_,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import ExceptionContext, make_url
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from events.errors import ToxwatchError
from projections.store.engine.arrays import LEAVE, REFUSE, Rows, insert_arrays, replace, rows_at

BUSY_MS: Final = 5_000
#: How many keys are asked for in one statement.
ASKED_MAX: Final = 500
CONNECT_SECONDS: Final = 5
#: What is erased is overwritten, not only forgotten: parked input may hold what must not be kept.
PRAGMAS: Final = (
    "journal_mode=WAL",
    "synchronous=FULL",
    f"busy_timeout={BUSY_MS}",
    "cache_size=-32000",
    "secure_delete=ON",
)

#: Primary result codes: permission, busy, locked, no memory, read-only, interrupted, I/O error, full, cannot open, locking
#: protocol, authorisation.
_SQLITE_UNAVAILABLE: Final = frozenset({3, 5, 6, 7, 8, 9, 10, 13, 14, 15, 23})
_SQLITE_READ_ONLY: Final = 8
#: Damaged; not a database.
_SQLITE_NO_DATABASE: Final = frozenset({11, 26})
#: Classes: connection, authorisation, rollback (serialisation, deadlock), resources, object state (lock), operator intervention,
#: system error.
_SQLSTATE_UNAVAILABLE: Final = frozenset({"08", "28", "40", "53", "55", "57", "58"})
#: A transaction that only reads; one that was given up because nothing happened in it; damaged data, damaged index; no right to
#: a table. Never what the parameters of a statement can cause: those are an event's.
_STATE_UNAVAILABLE: Final = frozenset({"25006", "25P03", "XX001", "XX002", "42501"})
#: PostgreSQL ends a transaction that idles this long, so a frozen process cannot keep its locks.
IDLE_MS_MAX: Final = 15_000


Key = TypeVar("Key")


class StoreUnavailable(ToxwatchError):  # noqa: N818 - reads better where it is caught
    """The database cannot take a write now: locked, full, read-only, or down. The same call may succeed later."""

    retriable: ClassVar[bool] = True
    #: What is to be there again before the same call can succeed.
    waits_for: ClassVar[str] = "the database"


class NoDatabase(ToxwatchError):  # noqa: N818 - reads better where it is caught
    """The file is not a database, or is damaged."""


class AlreadyDone(ToxwatchError):  # noqa: N818 - reads better where it is caught
    """Another process is doing on this database what only one may do at a time."""


_AT_IT: Final = "another process already holds {!r} on this database; wait for it to finish"


class Database:
    """The engine of one database, with its transactions. Raises :class:`StoreUnavailable` where it cannot be used now."""

    def __init__(self, url: str) -> None:
        self.url: Final = url
        self.is_sqlite: Final = make_url(url).get_backend_name() == "sqlite"
        self.engine: Final = _sqlite_engine(url) if self.is_sqlite else _postgresql_engine(url)
        # Also on PostgreSQL reentrant use would be two transactions where one was meant.
        self._turn = threading.Lock()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One consistent view; nothing that is done in it stays."""
        with _unavailable(self.url), self.engine.connect() as connection, connection.begin() as transaction:
            if not self.is_sqlite:
                connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield connection
            transaction.rollback()

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction that writes: all of it, or, where anything raises, nothing."""
        with _unavailable(self.url):
            if not self.is_sqlite:
                with self.engine.begin() as connection:
                    yield connection
                return
            with self._in_turn(), self.engine.connect() as connection:
                connection.info["writes"] = True
                try:
                    with connection.begin():
                        yield connection
                finally:
                    # One that is let go is asked for nothing: it would be opened again for that.
                    if not connection.invalidated:
                        connection.info.pop("writes", None)

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        # Bounded: where another process has the database, each writer of this one waits for it, one after the other.
        if not self._turn.acquire(timeout=BUSY_MS / 1000):
            raise StoreUnavailable("the database cannot be used now: another writer of this process waits for it")
        try:
            yield
        finally:
            self._turn.release()

    @contextmanager
    def alone(self, on: str) -> Iterator[None]:
        """Hold a lock by name. Raises :class:`AlreadyDone` where another process holds it on this database."""
        if self.is_sqlite:
            with Path(f"{make_url(self.url).database}.{on}.lock").open("w") as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    raise AlreadyDone(_AT_IT.format(on)) from None
                yield
            return
        number = _lock_number(on)
        # For the session, not for a transaction: it lasts for hours, and idle ones are ended.
        with _unavailable(), self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            if not connection.scalar(select(func.pg_try_advisory_lock(number))):
                raise AlreadyDone(_AT_IT.format(on))
            try:
                yield
            finally:
                connection.scalar(select(func.pg_advisory_unlock(number)))

    def forget_erased(self) -> bool:
        """Have what was erased overwritten in the file too, and say whether it is; False while somebody reads what was before.

        Or while a full disk has no room for that.
        """
        if not self.is_sqlite:
            return True
        with _unavailable(), closing(self.engine.raw_connection()) as connection:
            # By the driver: outside of any transaction.
            cursor = connection.cursor()
            try:
                (busy, *_) = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            except sqlite3.OperationalError:
                return False
            finally:
                cursor.close()
        return not busy

    def close(self) -> None:
        """Let go of every connection."""
        self.engine.dispose()


@contextmanager
def _unavailable(url: str = "") -> Iterator[None]:
    try:
        yield
    except PoolTimeout as error:
        raise StoreUnavailable("the database cannot be used now: every connection is taken") from error
    except DBAPIError as error:
        if is_transient(error):
            raise StoreUnavailable(f"the database cannot be used now: {error.orig}") from error
        if getattr(error.orig, "sqlite_errorcode", 0) & 0xFF in _SQLITE_NO_DATABASE:
            raise NoDatabase(
                f"{make_url(url).database}: {error.orig}; restore a backup, or name another file"
            ) from None
        raise


def is_transient(error: DBAPIError) -> bool:
    """Whether the database, not the statement, is the cause: the same statement may succeed later."""
    if error.connection_invalidated:
        return True
    code = getattr(error.orig, "sqlite_errorcode", None)
    if code is not None:
        return code & 0xFF in _SQLITE_UNAVAILABLE
    state = getattr(error.orig, "sqlstate", None)
    if state is None:
        # No answer at all: psycopg could not connect, or was cut off.
        return isinstance(error, OperationalError)
    return str(state)[:2] in _SQLSTATE_UNAVAILABLE or state in _STATE_UNAVAILABLE


def _postgresql_engine(url: str) -> Engine:
    connecting = {
        "connect_timeout": CONNECT_SECONDS,
        "options": f"-c idle_in_transaction_session_timeout={IDLE_MS_MAX}",
        # A server that vanished without a word is noticed within half a minute.
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
    }
    return create_engine(url, pool_pre_ping=True, connect_args=connecting, hide_parameters=True)


def _sqlite_engine(url: str) -> Engine:
    path = make_url(url).database
    if path and path != ":memory:":
        Path(path).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # Parameters are the bytes of events, and do not belong in an error.
    engine = create_engine(url, hide_parameters=True, connect_args={"timeout": BUSY_MS / 1000})

    @event.listens_for(engine, "do_connect")
    def _make_private(*_: object) -> None:
        # Clinical data and the hashes of keys; what SQLite puts beside it has the same mode.
        if path and path != ":memory:" and Path(path).parent.is_dir() and not Path(path).exists():
            Path(path).touch(mode=0o600)

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        # Python's driver would begin transactions by itself, and too late: see `_begin`.
        connection.isolation_level = None
        if connection.execute("PRAGMA page_count").fetchone()[0] == 0:
            # Only while nothing stands in the file, and before anything else: so what is erased can be given back later.
            connection.execute("PRAGMA auto_vacuum=INCREMENTAL").close()
        for pragma in PRAGMAS:
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A transaction that reads first and writes later cannot wait its turn: one that writes says so at once.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.info.get("writes") else "BEGIN")

    @event.listens_for(engine, "handle_error")
    def _let_go(context: ExceptionContext) -> None:
        # A connection that was opened while the file could not be written will never write: others are to be opened.
        if getattr(context.original_exception, "sqlite_errorcode", 0) & 0xFF == _SQLITE_READ_ONLY:
            context.is_disconnect = True

    return engine


def pieces(keys: Iterable[Key], at_once: int = ASKED_MAX) -> Iterator[list[Key]]:
    """The keys, so many at a time as are asked for in one statement."""
    listed = list(keys)
    for start in range(0, len(listed), at_once):
        yield listed[start : start + at_once]


def rows_of(
    connection: Connection, wanted: Select[Any], key: Sequence[Column[Any]], values: Iterable[tuple[Any, ...]]
) -> list[Row[Any]]:
    """Of what is wanted, the rows whose key, of several columns, has one of these values; in any order."""
    found: list[Row[Any]] = []
    for asked in pieces(dict.fromkeys(values)):
        if connection.dialect.name == "postgresql":
            found += rows_at(connection, wanted, key, asked)
        else:
            found += connection.execute(wanted.where(tuple_(*key).in_(asked)))
    return found


def upsert(connection: Connection, table: Table, rows: Rows, keep: Iterable[str] = ()) -> None:
    """Write rows by their primary key, in bulk: new ones are inserted, known ones replaced, save the columns to ``keep``.

    No two of them may have the same key.
    """
    if rows:
        key = [column.name for column in table.primary_key]
        changed = tuple(name for name in rows[0] if name not in key and name not in keep)
        if connection.dialect.name == "postgresql":
            insert_arrays(connection, table, rows, replace(table, changed))
        else:
            connection.execute(_upsert(table, changed), list(rows))


def insert_new(connection: Connection, table: Table, rows: Rows) -> None:
    """Write rows in bulk, and leave those that are known already as they are."""
    if rows:
        if connection.dialect.name == "postgresql":
            insert_arrays(connection, table, rows, LEAVE)
        else:
            connection.execute(_insert_new(table), list(rows))


def insert_all(connection: Connection, table: Table, rows: Rows) -> None:
    """Write rows in bulk that are all new: one that is known is an error."""
    if rows:
        if connection.dialect.name == "postgresql":
            insert_arrays(connection, table, rows, REFUSE)
        else:
            connection.execute(table.insert(), list(rows))


@cache
def _upsert(table: Table, changed: tuple[str, ...]) -> Executable:
    """Made once: to put the statement together costs more than to run it for one row."""
    insert = sqlite.insert(table)
    made: Executable = insert.on_conflict_do_update(
        index_elements=list(table.primary_key), set_={name: insert.excluded[name] for name in changed}
    )
    return made


@cache
def _insert_new(table: Table) -> Executable:
    made: Executable = sqlite.insert(table).on_conflict_do_nothing()
    return made


class Lock(IntEnum):
    """What only one transaction of a PostgreSQL database does at a time. On SQLite one writes at a time anyhow."""

    #: Gives out places in the outbox.
    OUTBOX = 7_205_759
    #: Puts rules in force.
    ACTIVATION = 7_205_760
    #: Carries the outbox to the alert log.
    RELAY = 7_205_761
    #: Reads the topic of an outside producer: a turn for each.
    INTAKE = 7_205_762


def take_lock(connection: Connection, turn: Lock) -> None:
    """Wait for the lock, and keep it until this transaction ends."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(turn.value)))


def try_lock(connection: Connection, turn: Lock, of: str = "") -> bool:
    """Take the lock, or the one of a thing among several, if it is free; say whether it was taken."""
    if connection.dialect.name != "postgresql":
        return True
    number = _lock_number(f"{turn.value} {of}") if of else turn.value
    return bool(connection.scalar(select(func.pg_try_advisory_xact_lock(number))))


def _lock_number(name: str) -> int:
    """PostgreSQL knows locks by number."""
    return int.from_bytes(hashlib.sha256(f"toxwatch {name}".encode()).digest()[:7])
