"""Which life of the database this is. A restored database goes on in a new one.

After a restore the outbox counts on from where the backup ended: the same number means another alert than before. So every place
that is given out carries the life that it was given out in, and one from another life is known for what it is.
"""

from __future__ import annotations

import hashlib
from typing import Final

from sqlalchemy import Connection, func, select, text

from events.dates import Instant
from events.identity import derived_id
from projections.store.engine.database import insert_new
from projections.store.engine.tables import alert_events, log_ends
from projections.store.engine.tables_upkeep import database_life

#: Lives are numbered from 1 to this: enough to tell those of one deployment apart, and small enough to be part of a place.
LIFE_MAX: Final = (1 << 20) - 1
#: PostgreSQL is restored by its own tools, which know nothing of our row. Afterwards the cluster, its timeline (a recovery to a
#: point in time begins another), the database or the table is another.
_POSTGRESQL_MARKS: Final = text(
    "SELECT (SELECT system_identifier FROM pg_control_system())::text || '/' ||"
    " CASE WHEN pg_is_in_recovery() THEN '' ELSE left(pg_walfile_name(pg_current_wal_lsn()), 8) END || '/' ||"
    " (SELECT oid FROM pg_database WHERE datname = current_database()) || '/' || CAST('alert_events' AS regclass)::oid"
)


def begin_life(connection: Connection, now: Instant) -> None:
    """The first life of a database; one that lives already goes on, also where it was carried over to another database."""
    row = {"id": 1, "life": derived_id("life", str(now)), "marks": "", "began_at": now}
    insert_new(connection, database_life, [row])
    marks = _marks(connection)
    if marks:
        connection.execute(database_life.update().where(database_life.c.marks == "").values(marks=marks))


def begin_next_life(connection: Connection, now: Instant) -> None:
    """From now on it is another: what is in the database was restored."""
    before = connection.scalar(select(database_life.c.life)) or ""
    ends = connection.scalar(select(func.sum(log_ends.c.next_offset))) or 0
    newest = connection.scalar(select(func.max(alert_events.c.seq))) or 0
    life = derived_id("life", before, str(now), str(ends), str(newest))
    if _number(life) == _number(before):
        life = derived_id("life", life)
    connection.execute(database_life.delete())
    connection.execute(database_life.insert(), [{"id": 1, "life": life, "marks": "", "began_at": now}])


def life_of(connection: Connection) -> int:
    """The life that places are given out in now."""
    row = connection.execute(select(database_life.c.life, database_life.c.marks)).one_or_none()
    life, marks = ("", "") if row is None else row
    there = _marks(connection) if marks else ""
    return _number(life if there == marks else f"{life} {there}")


def _number(life: str) -> int:
    return 1 + int.from_bytes(hashlib.sha256(life.encode()).digest()[:8]) % LIFE_MAX


def _marks(connection: Connection) -> str:
    return str(connection.scalar(_POSTGRESQL_MARKS)) if connection.dialect.name == "postgresql" else ""
