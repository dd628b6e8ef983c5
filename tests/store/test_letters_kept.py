"""What is kept of refused input, and for how long: a quota for each sender, a bound for each event, and erasing by the many."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Row, select

from events.dates import DAY, Instant
from projections.folds.trial import Trial
from projections.protocols.isi_jx import PROTOCOL
from projections.store.engine.database import Database
from projections.store.engine.disk_space import compact, size_of
from projections.store.engine.generation import begin_first_generation
from projections.store.engine.tables import alerts, dead_letters
from projections.store.write.dead_letter_quota import DeadLetterQuota, Quota, is_whole
from projections.store.write.dead_letter_store import NewDeadLetter, park
from projections.store.write.dead_letter_upkeep import Where, dead_letter_bytes, erase, expire, meant_by
from tests.api.telling import START, letter
from tests.monitor.deployment import SOURCE

FEW = Quota(3, 10_000)


@pytest.fixture
def store(database: Database) -> Database:
    with database.writing() as connection:
        begin_first_generation(connection, START)
    return database


def _parked(database: Database, quota: DeadLetterQuota, letters: list[NewDeadLetter], at: Instant = START) -> None:
    with database.writing() as connection:
        park(connection, Trial(PROTOCOL, SOURCE), quota.within(connection, letters), at)


def _letters(database: Database) -> list[Row[Any]]:
    with database.reading() as connection:
        return list(connection.execute(select(dead_letters).order_by(dead_letters.c.id)))


def _open_alerts(database: Database) -> int:
    with database.reading() as connection:
        return len(connection.execute(select(alerts).where(alerts.c.state == "open")).all())


def test_a_sender_fills_its_quota_and_nobody_else_s(store: Database) -> None:
    """Beyond it what it sends is counted, in one letter a reason; another sender's is kept as before."""
    quota = DeadLetterQuota(FEW)
    for number in range(50):
        _parked(store, quota, [letter(b'{"n": %d}' % number)])
    _parked(store, quota, [letter(b"{}", sender="key-2", site="FR02")])
    *kept, counted, others = _letters(store)
    assert [row.raw for row in kept] == [b'{"n": 0}', b'{"n": 1}', b'{"n": 2}']
    assert (counted.times, counted.sender, is_whole(counted.raw)) == (47, "key-1", False)
    assert others.raw == b"{}"


def test_the_same_again_takes_no_more_room(store: Database) -> None:
    """A sender that repeats what was refused is counted where it was kept, also when its quota is used up."""
    quota = DeadLetterQuota(FEW)
    for _ in range(3):
        _parked(store, quota, [letter(b"%d" % number) for number in range(3)])
    assert [row.times for row in _letters(store)] == [3, 3, 3]


def test_bytes_count_too(store: Database) -> None:
    quota = DeadLetterQuota(FEW)
    for number in range(3):
        _parked(store, quota, [letter(b"%d" % number + b"x" * 6_000)])
    assert [is_whole(row.raw) for row in _letters(store)] == [True, False]
    with store.reading() as connection:
        assert dead_letter_bytes(connection) < FEW.bytes


def test_what_is_severe_makes_its_alert_beyond_the_quota(store: Database) -> None:
    """It keeps whose record it is, and loses its bytes; and in the end it is counted, and an alert all the same."""
    quota = DeadLetterQuota(Quota(2, 10_000))
    _parked(store, quota, [letter(b"%d" % number) for number in range(2)])
    assert _open_alerts(store) == 0
    severe = [letter(b"s%d" % n, is_severe=True, record_kind="ae", record_id=f"AE-{n}") for n in range(5)]
    _parked(store, quota, severe)
    rows = _letters(store)[2:]
    assert [(row.record_id, is_whole(row.raw), row.is_severe) for row in rows] == [
        ("AE-0", False, True),
        ("AE-1", False, True),
        (None, False, True),
    ]
    assert rows[-1].times == 3
    assert _open_alerts(store) >= 1


def test_of_what_is_too_large_the_beginning_and_its_hash_are_kept(store: Database) -> None:
    """Two that begin alike are two."""
    quota = DeadLetterQuota(Quota(100, 10_000_000))
    _parked(store, quota, [letter(b"x" * 400_000 + b"%d" % number) for number in range(2)])
    first, second = _letters(store)
    assert first.raw.startswith(b"x" * 65_536 + b"\n[toxwatch: 400001 bytes came, SHA-256 ")
    assert first.raw != second.raw
    assert len(first.raw) < 66_000
    assert not is_whole(first.raw)


def test_the_quota_is_free_again_when_letters_are_erased(store: Database) -> None:
    quota = DeadLetterQuota(FEW)
    _parked(store, quota, [letter(b"%d" % number) for number in range(3)])
    with store.writing() as connection:
        assert erase(connection, Trial(PROTOCOL, SOURCE), Where(key="key-1"), "me", "done", START) == 3
    _parked(store, DeadLetterQuota(FEW), [letter(b"new")])
    assert _letters(store)[-1].raw == b"new"


@pytest.mark.parametrize(
    ("where", "meant"),
    [
        (Where(reason="bad-field"), {1, 2, 3}),
        (Where(site="FR02"), {3}),
        (Where(key="key-9"), {2}),
        (Where(before=START + DAY), {1, 2}),
        (Where(reason="bad-field", site="FR01", key="key-1"), {1}),
    ],
)
def test_letters_are_erased_by_what_they_have_in_common(store: Database, where: Where, meant: set[int]) -> None:
    """What the monitor has parked is none of them: a subject waits for it."""
    quota = DeadLetterQuota(Quota(100, 10_000))
    _parked(store, quota, [letter(b"1"), letter(b"2", sender="key-9")])
    _parked(store, quota, [letter(b"3", site="FR02")], START + 2 * DAY)
    _parked(store, quota, [letter(b"4", origin="monitor", reason="bad-field", partition=0, offset=7)])
    with store.writing() as connection:
        assert meant_by(connection, where).letters == len(meant)
        assert erase(connection, Trial(PROTOCOL, SOURCE), where, "me", "done", START) == len(meant)
        assert erase(connection, Trial(PROTOCOL, SOURCE), where, "me", "done", START) == 0
    assert {row.id for row in _letters(store) if row.raw is None} == meant


def test_what_is_old_is_erased_and_what_is_severe_and_open_is_not(store: Database) -> None:
    quota = DeadLetterQuota(Quota(100, 10_000))
    _parked(store, quota, [letter(b"old"), letter(b"severe", is_severe=True)])
    _parked(store, quota, [letter(b"held", origin="monitor", reason="not-watched", partition=0, offset=7)])
    _parked(store, quota, [letter(b"new")], START + 100 * DAY)
    with store.writing() as connection:
        assert expire(connection, Trial(PROTOCOL, SOURCE), START + 99 * DAY, START + 100 * DAY) == 1
        assert expire(connection, Trial(PROTOCOL, SOURCE), START + 99 * DAY, START + 100 * DAY) == 0
    assert [row.raw for row in _letters(store)] == [None, b"severe", b"held", b"new"]
    assert _letters(store)[0].closed_by == "retention"


def test_erasing_makes_the_database_smaller(store: Database, tmp_path: Path) -> None:
    """And what was erased is nowhere in its files (SQLite); on PostgreSQL compacting runs beside whoever uses it."""
    quota = DeadLetterQuota(Quota(1000, 100_000_000))
    for number in range(40):
        _parked(store, quota, [letter(b"%d forget me " % number * 10_000)])
    with store.writing() as connection:
        while erase(connection, Trial(PROTOCOL, SOURCE), Where(site="FR01"), "me", "done", START):
            pass
    before = size_of(store)
    compact(store)
    if store.is_sqlite:
        assert size_of(store) < before / 10
        assert b"forget me" not in b"".join(file.read_bytes() for file in tmp_path.glob("toxwatch.db*"))


def test_a_database_of_an_earlier_version_is_compacted_too(tmp_path: Path) -> None:
    """It was made without the switch that lets it shrink: the first time the file is written anew."""
    path = tmp_path / "old.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t (x)")
        connection.execute("INSERT INTO t VALUES (zeroblob(1000000))")
        connection.execute("DELETE FROM t")
        connection.commit()
    database = Database(f"sqlite:///{path}")
    assert size_of(database) > 1_000_000
    compact(database)
    assert size_of(database) < 100_000
    database.close()
