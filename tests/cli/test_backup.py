"""Backup and restore: one consistent file while others write, whole or not there at all; nothing is overwritten unasked."""

from __future__ import annotations

import shutil
import sqlite3
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import typer
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, func, select

from events.dates import format_instant
from projections.store.engine.database import Database, upsert
from projections.store.engine.generation import next_offset
from projections.store.engine.life import life_of
from projections.store.engine.schema import (
    MIGRATIONS,
    SchemaState,
    latest_revision,
    migrate,
    require_current,
    schema_state,
)
from projections.store.engine.tables import alert_events, alert_log, clinical_log, dead_letters, positions
from services.cli.backup import backup as backup_command
from services.cli.backup import restore as restore_command
from services.log.embedded import EmbeddedLog
from services.log.port import NewEntry
from services.maintenance import backup as backups
from services.maintenance.backup import MANIFEST, BackupError, Manifest, verify
from services.maintenance.backup_key import SEAL_BYTES, BackupKey
from services.monitor.relay import Relay
from tests.cli.command_line import run
from tests.cli.stores import NOW, put, tell_system_alert

ENTRIES_AT_ONCE = 5
KEY = BackupKey(b"5" * 64, Path("the.key"))


def back_up(database: Path, to: Path, now: int) -> Manifest:
    """A backup, sealed."""
    return backups.back_up(database, to, now, KEY)


def restore(file: Path, data: Path, *, force: bool = False, key: BackupKey | None = KEY) -> Manifest:
    """Put it back."""
    return backups.restore(file, data, NOW, key, force=force)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory with a new database, its tables made as ``toxwatch migrate`` does."""
    directory = tmp_path / "data"
    database = _opened(directory)
    migrate(database)
    database.close()
    return directory


def _opened(directory: Path) -> Database:
    return Database(f"sqlite:///{directory / 'toxwatch.db'}")


def _step(database: Database, number: int) -> None:
    """What a batch does, in one transaction: the log grows, the position moves, something is told."""
    with database.writing() as connection:
        first = number * ENTRIES_AT_ONCE
        entries = [
            NewEntry("T/FR01-001", "FR01-001", "urn:s", f"e-{n}", b"body %d" % n + b"." * 500)
            for n in range(first, first + ENTRIES_AT_ONCE)
        ]
        EmbeddedLog(database, "clinical").append(entries, connection)
        row = {"consumer": "monitor", "partition": 0, "next_offset": first + ENTRIES_AT_ONCE}
        upsert(connection, positions, [row])
        tell_system_alert(connection, f"intake:{number}", ["severe"], NOW + number)
    Relay(database, EmbeddedLog(database, "alerts")).relay()


@contextmanager
def _written_to(database: Database) -> Iterator[Callable[[], None]]:
    """Somebody writes all the while, as fast as he can. Gives a function that waits until he has written again."""
    stop, wrote = threading.Event(), threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            _step(database, number)
            wrote.set()
            number += 1

    def wait() -> None:
        wrote.clear()
        assert wrote.wait(30), "the writer has stopped"

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield wait
        wait()
    finally:
        stop.set()
        thread.join()


def test_a_backup_under_load_is_one_moment_of_the_deployment(data: Path, tmp_path: Path) -> None:
    """The log in it is a beginning of the whole log, its position and its alerts are those of that very batch; twelve times."""
    database = _opened(data)
    manifests = []
    with _written_to(database) as wait:
        for n in range(12):
            wait()
            manifests.append(back_up(data / "toxwatch.db", tmp_path / f"backup-{n}", NOW + n))
    with database.reading() as connection:
        whole = connection.execute(select(clinical_log).order_by(clinical_log.c.offset)).all()
    database.close()
    assert len({manifest.log_end for manifest in manifests}) == len(manifests), "it was written to meanwhile"
    for n, manifest in enumerate(manifests):
        restored = tmp_path / f"restored-{n}"
        assert restore(tmp_path / f"backup-{n}", restored) == manifest
        copy = _opened(restored)
        with copy.reading() as connection:
            log = connection.execute(select(clinical_log).order_by(clinical_log.c.offset)).all()
            assert log == whole[: manifest.log_end]
            assert len(log) == manifest.log_end == next_offset(connection, "monitor", 0)
            assert connection.scalar(select(func.count()).select_from(alert_events)) == len(log) / ENTRIES_AT_ONCE
            assert connection.scalar(select(func.count()).select_from(alert_log)) == manifest.alert_log_end
        assert schema_state(copy) is SchemaState.CURRENT
        _step(copy, manifest.log_end // ENTRIES_AT_ONCE)
        copy.close()


def test_a_backup_says_what_it_is(data: Path, tmp_path: Path) -> None:
    """When it was made, of which tables, how far the logs had come; readable by its owner alone."""
    database = _opened(data)
    _step(database, 0)
    database.close()
    file = tmp_path / "backup"
    manifest = back_up(data / "toxwatch.db", file, NOW)
    assert manifest == verify(file)
    assert manifest.made_at == format_instant(NOW)
    assert manifest.schema_version == latest_revision()
    assert (manifest.log_end, manifest.alert_log_end) == (5, 1)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backup", "data"]


def test_what_was_erased_is_not_in_a_backup(data: Path, tmp_path: Path) -> None:
    """Not even in pages that nothing refers to any longer."""
    database = _opened(data)
    with database.writing() as connection:
        for n in range(50):
            put(connection, dead_letters, fingerprint=str(n), raw=b"JOHN DOE" * 500)
    database.close()
    with closing(sqlite3.connect(data / "toxwatch.db")) as connection:
        # Some builds of SQLite overwrite what is deleted, others do not.
        connection.execute("PRAGMA secure_delete=OFF").fetchone()
        connection.execute("UPDATE dead_letters SET raw = NULL")
        connection.commit()
    assert b"JOHN DOE" in (data / "toxwatch.db").read_bytes()
    back_up(data / "toxwatch.db", tmp_path / "backup", NOW)
    assert b"JOHN DOE" not in (tmp_path / "backup").read_bytes()


def test_a_file_that_is_there_is_not_overwritten(data: Path, tmp_path: Path) -> None:
    """Neither a backup nor one that is being made."""
    (tmp_path / "backup").write_text("precious")
    with pytest.raises(BackupError, match="is not overwritten"):
        back_up(data / "toxwatch.db", tmp_path / "backup", NOW)
    assert (tmp_path / "backup").read_text() == "precious"
    (tmp_path / "other.unfinished").write_text("somebody's")
    with pytest.raises(BackupError, match="another backup is being made"):
        back_up(data / "toxwatch.db", tmp_path / "other", NOW)
    assert (tmp_path / "other.unfinished").read_text() == "somebody's"


def test_a_backup_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """No database, a database of somebody else, a file that is none."""
    with pytest.raises(BackupError, match="there is no database"):
        back_up(tmp_path / "absent.db", tmp_path / "backup", NOW)
    with closing(sqlite3.connect(tmp_path / "other.db")) as other:
        other.execute("CREATE TABLE songs (title)")
    with pytest.raises(BackupError, match="none of Toxwatch's tables"):
        back_up(tmp_path / "other.db", tmp_path / "backup", NOW)
    (tmp_path / "text.db").write_text("not a database" * 1000)
    with pytest.raises(BackupError, match="not a database"):
        back_up(tmp_path / "text.db", tmp_path / "backup", NOW)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other.db", "text.db"]


def _backup_of_steps(data: Path, file: Path, steps: int) -> Path:
    database = _opened(data)
    for number in range(steps):
        _step(database, number)
    database.close()
    back_up(data / "toxwatch.db", file, NOW)
    return file


def test_a_damaged_backup_is_not_restored(data: Path, tmp_path: Path) -> None:
    """A byte in the middle, a cut end, a missing entry, a file that is no backup: refused, and nothing is left behind."""
    good = _backup_of_steps(data, tmp_path / "good", 200)
    damaged = tmp_path / "damaged"
    content = bytearray(good.read_bytes())
    for start in range(4096, len(content), 4096 * 3):
        content[start : start + 64] = b"\xff" * 64
    damaged.write_bytes(content)
    cut = tmp_path / "cut"
    cut.write_bytes(good.read_bytes()[: len(content) // 2])
    gap = tmp_path / "gap"
    shutil.copy(good, gap)
    with closing(sqlite3.connect(gap)) as connection:
        connection.execute('DELETE FROM clinical_log WHERE "offset" = 500')
        connection.commit()
    foreign = tmp_path / "foreign"
    shutil.copy(data / "toxwatch.db", foreign)
    for file, said in (
        (damaged, "damaged|malformed|not a database"),
        (cut, "damaged|malformed"),
        (gap, "the clinical log has a gap: 999 entries, and the next would be 1000"),
        (foreign, "no backup made by"),
        (tmp_path / "absent", "no such file"),
    ):
        with pytest.raises(BackupError, match=said):
            restore(file, tmp_path / "new", key=None)
        assert not (tmp_path / "new").exists() or list((tmp_path / "new").iterdir()) == []


def test_a_directory_that_is_not_empty_is_left_alone(data: Path, tmp_path: Path) -> None:
    """Unless one insists; then the database is replaced, and the rest stays."""
    good = _backup_of_steps(data, tmp_path / "good", 3)
    database = _opened(data)
    _step(database, 3)
    database.close()
    (data / "notes").write_text("kept")
    with pytest.raises(BackupError, match="is not empty"):
        restore(good, data)
    assert _log_end(data) == 20
    restore(good, data, force=True)
    assert _log_end(data) == 15
    assert (data / "notes").read_text() == "kept"


def _log_end(data: Path) -> int:
    database = _opened(data)
    end = EmbeddedLog(database, "clinical").end(0)
    database.close()
    return end


def test_a_database_in_use_is_not_replaced(data: Path, tmp_path: Path) -> None:
    """It would go on writing to a file that nobody finds any more."""
    good = _backup_of_steps(data, tmp_path / "good", 1)
    database = _opened(data)
    _step(database, 1)
    with pytest.raises(BackupError, match="is in use; stop Toxwatch first"):
        restore(good, data, force=True)
    _step(database, 2)
    database.close()
    assert _log_end(data) == 15
    assert sorted(path.name for path in data.iterdir()) == ["toxwatch.db"]


def test_what_a_crash_left_beside_the_old_database_does_not_reach_the_new_one(data: Path, tmp_path: Path) -> None:
    """A write-ahead log belongs to its own database: a damaged one is replaced with it."""
    good = _backup_of_steps(data, tmp_path / "good", 2)
    database = _opened(data)
    _step(database, 2)
    crashed = {name: (data / name).read_bytes() for name in ("toxwatch.db-wal", "toxwatch.db-shm")}
    database.close()
    for name, content in crashed.items():
        (data / name).write_bytes(content)
    (data / "toxwatch.db").write_bytes(b"damaged beyond repair" * 1000)
    restore(good, data, force=True)
    assert sorted(path.name for path in data.iterdir()) == ["toxwatch.db"]
    assert _log_end(data) == 10


def test_a_restored_database_is_no_backup(data: Path, tmp_path: Path) -> None:
    """It has the tables that it should have, and a backup can be made of it."""
    restore(_backup_of_steps(data, tmp_path / "good", 1), tmp_path / "new")
    with closing(sqlite3.connect(tmp_path / "new" / "toxwatch.db")) as connection:
        assert connection.execute("SELECT name FROM sqlite_schema WHERE name = ?", (MANIFEST,)).fetchone() is None
    assert back_up(tmp_path / "new" / "toxwatch.db", tmp_path / "again", NOW).log_end == 5


STRANGE = {
    "a trigger": "CREATE TRIGGER t AFTER INSERT ON alerts BEGIN DELETE FROM alerts; END",
    "a view": "CREATE VIEW v AS SELECT * FROM api_keys",
    "a table": "CREATE TABLE notes (text)",
    "a column": "ALTER TABLE alerts ADD COLUMN note",
    "a computed column": "ALTER TABLE alerts ADD COLUMN seen GENERATED ALWAYS AS (revision + 1)",
    "a missing table": "DROP TABLE deliveries",
    "a missing column": "ALTER TABLE alerts DROP COLUMN raised_at",
    "a name that steers a terminal": 'CREATE TABLE "\x1b[2Jgone" (text)',
    "nothing to say of itself": f"DELETE FROM {MANIFEST}",
    "two things to say": f"INSERT INTO {MANIFEST} SELECT * FROM {MANIFEST}",
    "a terminal's escape": f"UPDATE {MANIFEST} SET made_at = made_at || char(27) || '[2J'",
    "a version that is a text with a line break": f"UPDATE {MANIFEST} SET toxwatch_version = '1' || char(10) || 'ok'",
    "a count that is none": f"UPDATE {MANIFEST} SET log_end = 'many'",
    "a negative count": f"UPDATE {MANIFEST} SET log_end = -1",
    "a version of the tables that never was": f"UPDATE {MANIFEST} SET schema_version = '9999'",
}


@pytest.mark.parametrize("statement", STRANGE.values(), ids=STRANGE)
def test_a_backup_with_anything_else_in_it_is_not_restored(data: Path, tmp_path: Path, statement: str) -> None:
    """Neither where its seal is asked for, nor where somebody has vouched for it; and no message steers a terminal."""
    changed = _backup_of_steps(data, tmp_path / "good", 1)
    with closing(sqlite3.connect(changed)) as connection:
        connection.execute(statement)
        connection.commit()
    for key in (KEY, None):
        with pytest.raises(BackupError) as refused:
            restore(changed, tmp_path / "new", key=key)
        assert str(refused.value).isprintable()
    assert list((tmp_path / "new").iterdir()) == []


def test_a_backup_of_every_earlier_version_is_restored(tmp_path: Path) -> None:
    """Its tables are those of that version, and `toxwatch migrate` brings them to this one."""
    for revision in ("0001", "0002"):
        old = tmp_path / revision / "toxwatch.db"
        old.parent.mkdir()
        with create_engine(f"sqlite:///{old}").begin() as connection:
            config = Config()
            config.set_main_option("script_location", str(MIGRATIONS))
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
        back_up(old, tmp_path / f"{revision}.backup", NOW)
        restore(tmp_path / f"{revision}.backup", tmp_path / f"restored-{revision}")
        database = _opened(tmp_path / f"restored-{revision}")
        assert migrate(database) is SchemaState.OLDER
        require_current(database)
        database.close()


def test_one_changed_byte_breaks_the_seal(data: Path, tmp_path: Path) -> None:
    """Though the file is whole to SQLite: somebody else's key hash in place of ours, say."""
    good = _backup_of_steps(data, tmp_path / "good", 3)
    content = good.read_bytes()
    at = content.index(b"body 7")
    changed, cut, twice = tmp_path / "changed", tmp_path / "cut", tmp_path / "twice"
    changed.write_bytes(content[:at] + b"b0dy 7" + content[at + 6 :])
    cut.write_bytes(content[:-SEAL_BYTES])
    twice.write_bytes(content + content[-SEAL_BYTES:])
    for file, said in ((changed, "its seal does not fit"), (cut, "is not sealed"), (twice, "its seal does not fit")):
        with pytest.raises(BackupError, match=said):
            restore(file, tmp_path / "new")
    with pytest.raises(BackupError, match=r"sealed with another key.*--key-file"):
        restore(good, tmp_path / "new", key=BackupKey(b"6" * 64, Path("another.key")))
    restore(cut, tmp_path / "vouched", key=None)
    restore(good, tmp_path / "new")
    assert (tmp_path / "new" / "toxwatch.db").read_bytes()[-16:] != content[-16:]


def test_a_restored_database_is_in_a_new_life(data: Path, tmp_path: Path) -> None:
    """Places that were given out after the backup was made mean nothing in what was restored; again and again."""
    file = _backup_of_steps(data, tmp_path / "good", 2)
    lives = set()
    for number in range(3):
        restored = tmp_path / f"restored-{number}"
        backups.restore(file, restored, NOW + number, KEY)
        database = _opened(restored)
        with database.reading() as connection:
            lives.add(life_of(connection))
        database.close()
    assert len(lives) == 3


def _commands() -> typer.Typer:
    app = typer.Typer()
    app.command()(backup_command)
    app.command()(restore_command)
    return app


def test_the_commands(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing on standard output, what was done on the other. A key is made with the first backup, and is asked for."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    database = _opened(data)
    _step(database, 0)
    database.close()
    file, new = str(tmp_path / "backup"), str(tmp_path / "new")
    made = run(_commands(), "backup", "--to", file, "--data", str(data))
    assert (made.code, made.out) == (0, "")
    assert "5 entries of the clinical log, 1 of the alert log" in made.err
    done = run(_commands(), "restore", "--from", file, "--data", new)
    assert (done.code, done.out) == (0, "")
    assert "restored" in done.err
    again = run(_commands(), "restore", "--from", file, "--data", new)
    assert again.code == 1
    (key,) = tmp_path.joinpath("config", "toxwatch").iterdir()
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    key.chmod(0o644)
    assert "chmod 600" in run(_commands(), "restore", "--from", file, "--data", new, "--force").err
    key.rename(tmp_path / "kept.key").chmod(0o600)
    elsewhere = ("restore", "--from", file, "--data", str(tmp_path / "elsewhere"))
    assert "--key-file" in run(_commands(), *elsewhere).words
    assert run(_commands(), *elsewhere, "--unverified").code == 64
    vouched = run(_commands(), *elsewhere, "--unverified", "--reason", "from the safe\x1b[2J")
    assert (vouched.code, "not verified (from the safe" in vouched.err, "\x1b" in vouched.err) == (0, True, False)
    assert run(_commands(), *elsewhere, "--force", "--key-file", str(tmp_path / "kept.key")).code == 0
    key.write_bytes((tmp_path / "kept.key").read_bytes())
    key.chmod(0o600)
    assert "--force" in again.err
    assert run(_commands(), "restore", "--from", file, "--data", new, "--force").code == 0


@pytest.mark.parametrize("url", ["postgresql+psycopg://owner:s3cret@db.example.org/tox", None])
def test_another_database_or_none_is_wrong_usage(url: str | None, tmp_path: Path) -> None:
    """PostgreSQL has its own tools, which are named; its password is not."""
    environment = {} if url is None else {"TOXWATCH_DATABASE": url}
    outcome = run(_commands(), "backup", "--to", str(tmp_path / "backup"), environment=environment)
    assert outcome.code == 64
    assert ("pg_dump" if url else "TOXWATCH_DATA") in outcome.words
    assert "s3cret" not in outcome.words
