"""One consistent file of the whole embedded deployment, made while it runs, and the way back.

The copy is what one reader sees at one moment (SQLite's ``VACUUM INTO``): the log, what is projected from it and the positions
belong together, and bytes that were erased are not carried along in free pages. A backup is sealed with the deployment's key: it
is restored as it was made, or not at all.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Final, NamedTuple

from sqlalchemy import Connection, create_engine, inspect

from events.dates import Instant, format_instant
from events.errors import ToxwatchError
from projections.store.engine.life import begin_next_life
from projections.store.engine.schema import WrongSchema, require_ours
from projections.store.engine.tables_upkeep import database_life
from services.maintenance.backup_key import KEY_FILE, SEAL_BYTES, BackupKey, is_sealed_by, seal, seal_of
from services.platform.data_lock import LOCK_FILE
from services.platform.disk import RESERVE_FILE
from services.platform.settings import DATABASE_FILE

#: In the copy alone; a database that is in use has no such table.
MANIFEST: Final = "backup_manifest"
#: Readable by nobody else: it holds clinical data and the hashes of keys.
MODE: Final = 0o600
#: While it is being written. A backup that was broken off is not taken for one.
UNFINISHED: Final = ".unfinished"
BUSY_SECONDS: Final = 10.0
_MANIFEST_TEXTS: Final = {
    "made_at": re.compile(r"[0-9T:.-]{19,26}Z"),
    "toxwatch_version": re.compile(r"[0-9A-Za-z.+-]{1,40}"),
    "schema_version": re.compile(r"[0-9A-Za-z]{0,20}"),
}
_ANYWAY: Final = "Where you know that it is unchanged: --unverified --reason WHY"


class BackupError(ToxwatchError):
    """A backup cannot be made, or what is to be restored is none."""


class Manifest(NamedTuple):
    """What a backup says of itself. ``log_end`` and ``alert_log_end``: the offsets that the next entries would have had."""

    made_at: str
    toxwatch_version: str
    schema_version: str
    log_end: int
    alert_log_end: int


def back_up(database: Path, to: Path, now: Instant, key: BackupKey) -> Manifest:
    """Copy a database, in use or not, to a new file, and seal it. Raises :class:`BackupError`; then there is no such file."""
    if not database.is_file():
        raise BackupError(f"{database}: there is no database")
    if to.exists():
        raise BackupError(f"{to}: is there already, and is not overwritten")
    part = to.with_name(to.name + UNFINISHED)
    _make(part)
    with _removed_on_failure(part):
        with _connected(database) as connection:
            connection.execute("VACUUM INTO ?", (str(part),))
        with _connected(part) as copy:
            manifest = _described(copy, now)
        verify(part)
        seal(part, key)
        _reach_the_disk(part)
        if to.exists():
            raise BackupError(f"{to}: has been made meanwhile, and is not overwritten")
        part.rename(to)
        _reach_the_disk(to.parent)
    return manifest


def restore(backup: Path, data: Path, now: Instant, key: BackupKey | None, *, force: bool = False) -> Manifest:
    """Put a backup into a data directory as its database, which begins a new life.

    ``key``: the one that has sealed it; None where somebody has taken it upon himself that it is unchanged. Raises
    :class:`BackupError` where the backup is not whole or not ours, or the directory not empty; ``force`` replaces the
    database that is there, unless it is in use.
    """
    if not backup.is_file():
        raise BackupError(f"{backup}: there is no such file")
    if key is not None:
        _require_sealed(backup, key)
    data.mkdir(parents=True, exist_ok=True)
    if any(path.name not in (LOCK_FILE, KEY_FILE, RESERVE_FILE) for path in data.iterdir()) and not force:
        raise BackupError(f"{data}: is not empty; --force replaces the database in it")
    target = data / DATABASE_FILE
    part = data / (DATABASE_FILE + UNFINISHED)
    with _removed_on_failure(part):
        _copy(backup, part)
        manifest = verify(part)
        with _connected(part) as copy:
            copy.execute(f"DROP TABLE {MANIFEST}")
        _begin_new_life(part, now)
        _reach_the_disk(part)
        _put_out_of_use(target)
        part.replace(target)
        _reach_the_disk(data)
    return manifest


def verify(backup: Path) -> Manifest:
    """What a backup says of itself, once it has been found whole. Raises :class:`BackupError`."""
    with _connected(backup) as connection:
        found = [row[0] for row in connection.execute("PRAGMA integrity_check(5)")]
        if found != ["ok"]:
            raise BackupError(f"{backup}: the file is damaged: {'; '.join(found)}")
        if not _has_table(connection, MANIFEST):
            raise BackupError(f"{backup}: this is no backup made by `toxwatch backup`")
        manifest = _manifest(connection, backup)
        if (manifest.log_end, manifest.alert_log_end) != _log_ends(connection):
            raise BackupError(f"{backup}: the logs in it do not end where the backup says that they do")
    with _used(backup) as used:
        try:
            require_ours(used, manifest.schema_version, {MANIFEST: frozenset(Manifest._fields)})
        except WrongSchema as error:
            raise BackupError(f"{backup}: {error}") from None
    return manifest


def _require_sealed(backup: Path, key: BackupKey) -> None:
    found = seal_of(backup)
    if found is None:
        raise BackupError(
            f"{backup}: is not sealed: it was cut, or made by an earlier version or by something else. {_ANYWAY}"
        )
    if found.key != key.name:
        raise BackupError(
            f"{backup}: was sealed with another key ({found.key.decode()}) than that in {key.path} ({key.name.decode()}); name"
            f" the file of that key (--key-file). {_ANYWAY}"
        )
    if not is_sealed_by(backup, key, found):
        raise BackupError(f"{backup}: was changed or damaged after it was made: its seal does not fit")


def _manifest(connection: sqlite3.Connection, backup: Path) -> Manifest:
    """What a backup says of itself, which is shown to people: nothing but instants, versions and counts."""
    columns = {row[1] for row in connection.execute(f"PRAGMA table_info({MANIFEST})")}
    rows = (
        connection.execute(f"SELECT * FROM {MANIFEST} LIMIT 2").fetchall() if columns == set(Manifest._fields) else []
    )
    if len(rows) != 1:
        raise BackupError(f"{backup}: what it should say of itself is missing; it is no backup, or was changed")
    values = dict(zip((row[1] for row in connection.execute(f"PRAGMA table_info({MANIFEST})")), rows[0], strict=True))
    for name, pattern in _MANIFEST_TEXTS.items():
        if not (isinstance(values[name], str) and pattern.fullmatch(values[name])):
            raise BackupError(f"{backup}: what it says of itself cannot be right: {name}")
    for name in ("log_end", "alert_log_end"):
        if not (isinstance(values[name], int) and values[name] >= 0):
            raise BackupError(f"{backup}: what it says of itself cannot be right: {name}")
    return Manifest(**values)


@contextmanager
def _used(database: Path) -> Iterator[Connection]:
    """A database by way of SQLAlchemy."""
    engine = create_engine(f"sqlite:///{database}")
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def _begin_new_life(database: Path, now: Instant) -> None:
    with _used(database) as connection:
        # An earlier version has none yet: it begins when it is first run on.
        if inspect(connection).has_table(database_life.name):
            begin_next_life(connection, now)


def _described(copy: sqlite3.Connection, now: Instant) -> Manifest:
    """The manifest, written into the copy."""
    if not _has_table(copy, "log_ends"):
        raise BackupError("the database holds none of Toxwatch's tables")
    schema = (
        copy.execute("SELECT version_num FROM alembic_version").fetchone()
        if _has_table(copy, "alembic_version")
        else None
    )
    manifest = Manifest(format_instant(now), version("toxwatch"), schema[0] if schema else "", *_log_ends(copy))
    copy.execute(f"CREATE TABLE {MANIFEST} ({', '.join(Manifest._fields)})")
    copy.execute(f"INSERT INTO {MANIFEST} VALUES ({', '.join('?' * len(manifest))})", manifest)
    return manifest


def _log_ends(connection: sqlite3.Connection) -> tuple[int, int]:
    """Where the logs end; raises where one has a gap."""
    ends = dict(connection.execute("SELECT topic, next_offset FROM log_ends"))
    for topic, table in (("clinical", "clinical_log"), ("alerts", "alert_log")):
        count, highest = connection.execute(f'SELECT count(*), max("offset") FROM {table}').fetchone()
        if not count == ends.get(topic, 0) == (0 if highest is None else highest + 1):
            raise BackupError(f"the {topic} log has a gap: {count} entries, and the next would be {ends.get(topic, 0)}")
    return ends.get("clinical", 0), ends.get("alerts", 0)


def _has_table(connection: sqlite3.Connection, name: str) -> bool:
    found = connection.execute("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?", (name,))
    return found.fetchone() is not None


def _put_out_of_use(database: Path) -> None:
    """Make sure that nobody has the database open, and that nothing of it is left beside it to be applied to another."""
    if database.exists():
        try:
            with closing(sqlite3.connect(database, timeout=0, isolation_level=None)) as connection:
                # Only the last connection may leave the write-ahead log, and takes it along.
                connection.execute("PRAGMA journal_mode=DELETE").fetchone()
        except sqlite3.OperationalError as error:
            raise BackupError(f"{database}: is in use; stop Toxwatch first ({error})") from None
        except sqlite3.DatabaseError:
            pass  # Damaged: why it is being replaced.
    for beside in ("-wal", "-shm", "-journal"):
        database.with_name(database.name + beside).unlink(missing_ok=True)


@contextmanager
def _connected(path: Path) -> Iterator[sqlite3.Connection]:
    try:
        with closing(sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)) as connection:
            yield connection
    except sqlite3.DatabaseError as error:
        raise BackupError(f"{path}: {error}") from None


def _make(part: Path) -> None:
    try:
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, MODE))
    except FileExistsError:
        raise BackupError(f"{part}: another backup is being made, or one was broken off; then remove it") from None


@contextmanager
def _removed_on_failure(part: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _copy(source: Path, to: Path) -> None:
    """The bytes of a backup without its seal, readable by nobody else, a piece at a time."""
    descriptor = os.open(to, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, MODE)
    with source.open("rb") as read, os.fdopen(descriptor, "wb") as written:
        while piece := read.read(1024 * 1024):
            written.write(piece)
        if seal_of(source) is not None:
            written.truncate(source.stat().st_size - SEAL_BYTES)


def _reach_the_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
