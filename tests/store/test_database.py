"""Transactions: all or nothing, one writer in turn, and the database's own trouble told from ours."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from projections.store.engine.database import Database, StoreUnavailable, insert_all, insert_new, rows_of, upsert
from projections.store.engine.tables import alert_events, log_ends, positions, subjects


def _ends(database: Database) -> dict[str, int]:
    with database.reading() as connection:
        return {row.topic: row.next_offset for row in connection.execute(select(log_ends))}


def _row(topic: str, offset: int) -> dict[str, object]:
    return {"topic": topic, "next_offset": offset, "last_received": 0}


def test_a_transaction_that_raises_leaves_nothing(database: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        _write_and_fail(database)
    assert _ends(database) == {}


def _write_and_fail(database: Database) -> None:
    with database.writing() as connection:
        insert_new(connection, log_ends, [_row("a", 1)])
        raise ZeroDivisionError


def test_an_upsert_replaces_and_an_insert_of_new_ones_does_not(database: Database) -> None:
    with database.writing() as connection:
        upsert(connection, log_ends, [_row("a", 1), _row("b", 1)])
        upsert(connection, log_ends, [_row("a", 2)])
        insert_new(connection, log_ends, [_row("b", 3), _row("c", 3)])
        upsert(connection, log_ends, [_row("c", 9)], keep=["next_offset"])
        upsert(connection, log_ends, [])
    assert _ends(database) == {"a": 2, "b": 1, "c": 3}


def test_rows_in_bulk_come_out_as_they_went_in(database: Database) -> None:
    """Numbers of every size, nothing, text that looks like syntax, bytes: in one column side by side, or nothing throughout."""
    rows = [
        _subject("FR01-001", version=1, next_turn=None, part=None),
        _subject("FR01-002", version=2**62, next_turn=-1, part='{"é", NULL, \\x00'),
        _subject("", version=-(2**40), next_turn=300, part="NULL"),
    ]
    with database.writing() as connection:
        insert_all(connection, subjects, rows)
        insert_all(connection, subjects, [])
        found = connection.execute(select(subjects).order_by(subjects.c.version)).all()
    assert [row._asdict() for row in found] == sorted(rows, key=lambda row: row["version"])


def _subject(subject: str, **some: Any) -> dict[str, Any]:
    instants = dict.fromkeys(("high_water", "latest_time", "latest_received"), 1_700_000_000_000_000)
    nothing = dict.fromkeys(("site", "dose_level", "status", "pending_reason"))
    return {"generation": 1, "subject": subject, "judged_under": "", "has_dlt": False, **instants, **nothing, **some}


def test_rows_in_bulk_are_numbered_in_their_order(database: Database) -> None:
    """The order of the outbox is that in which things were told."""
    rows = [_told(f"{number:03d}", bytes([number])) for number in range(200, 0, -1)]
    with database.writing() as connection:
        insert_new(connection, alert_events, rows)
        found = connection.execute(select(alert_events).order_by(alert_events.c.seq)).all()
    assert [(row.event_id, row.body) for row in found] == [(row["event_id"], row["body"]) for row in rows]


def _told(event_id: str, body: bytes) -> dict[str, Any]:
    texts = dict.fromkeys(("source", "alert_id", "kind", "key", "case_name", "urgency"), "x")
    return {"event_id": event_id, "body": body, "revision": 1, "detected_at": 0, **texts}


def test_rows_are_found_by_keys_of_several_columns(database: Database) -> None:
    """Each once, however often it is asked for, and those alone of which every column agrees."""
    rows = [{"consumer": name, "partition": number, "next_offset": 7} for name in ("a", "b") for number in range(1_500)]
    key = (positions.c.consumer, positions.c.partition)
    some = select(*key).where(positions.c.partition != 3)
    with database.writing() as connection:
        insert_all(connection, positions, rows)
        few = rows_of(connection, some, key, [("a", 1), ("b", 2), ("c", 1), ("a", 1), ("a", 3)])
        many = rows_of(connection, some, key, [("b", number) for number in range(2_000)])
        none = rows_of(connection, some, key, [])
    assert sorted(map(tuple, few)) == [("a", 1), ("b", 2)]
    assert sorted(map(tuple, many)) == [("b", number) for number in range(1_500) if number != 3]
    assert none == []


def test_to_insert_what_is_known_as_if_it_were_new_is_an_error(database: Database) -> None:
    with database.writing() as connection:
        insert_all(connection, log_ends, [_row("a", 1)])
    with pytest.raises(IntegrityError), database.writing() as connection:
        insert_all(connection, log_ends, [_row("b", 1), _row("a", 2)])
    assert _ends(database) == {"a": 1}


def test_writers_wait_for_each_other(database: Database) -> None:
    """Each reads and then writes: none loses what another wrote in between."""
    with database.writing() as connection:
        upsert(connection, log_ends, [_row("a", 0)])

    def count(_: int) -> None:
        with database.writing() as connection:
            seen = connection.scalar(select(log_ends.c.next_offset).with_for_update())
            connection.execute(log_ends.update().values(next_offset=seen + 1))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(count, range(40)))
    assert _ends(database) == {"a": 40}


def test_what_is_read_is_one_view(database: Database) -> None:
    """What is committed meanwhile is not seen."""
    with database.writing() as connection:
        upsert(connection, log_ends, [_row("a", 1)])
    with database.reading() as connection:
        before = connection.scalar(select(log_ends.c.next_offset))
        writer = threading.Thread(target=lambda: _write(database, 2))
        writer.start()
        writer.join()
        assert connection.scalar(select(log_ends.c.next_offset)) == before == 1
    assert _ends(database) == {"a": 2}


def _write(database: Database, offset: int) -> None:
    with database.writing() as connection:
        upsert(connection, log_ends, [_row("a", offset)])


def test_a_statement_that_is_wrong_is_not_the_database_being_unavailable(database: Database) -> None:
    """Waiting would not mend it."""
    with pytest.raises(DBAPIError) as raised, database.writing() as connection:
        connection.execute(text("SELECT nothing FROM nowhere"))
    assert not isinstance(raised.value, StoreUnavailable)
    with pytest.raises(DBAPIError), database.writing() as connection:
        connection.execute(positions.insert(), [{"consumer": "c", "partition": 0, "next_offset": 0}] * 2)


def test_a_server_that_is_not_there_is_unavailable() -> None:
    database = Database("postgresql+psycopg://nobody@/nothing?host=/nowhere")
    with pytest.raises(StoreUnavailable), database.reading():
        pass
    database.close()
