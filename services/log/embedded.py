"""The log as an append-only table in the database of the projections. One partition; durable with its transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from sqlalchemy import Connection, Table, select, update

from events.dates import Instant
from projections.store.engine.database import Database, insert_all, rows_of
from projections.store.engine.tables import alert_log, clinical_log, log_ends
from services.log.port import Entry, NewEntry, Position
from services.log.stamps import make_end, stamp

TABLES: Final[dict[str, Table]] = {"clinical": clinical_log, "alerts": alert_log}

Identity = tuple[str, str, str]


class EmbeddedLog:
    """One of the two logs: see :class:`services.log.port.EventLog`."""

    partitions: Final = 1

    def __init__(self, database: Database, topic: Literal["clinical", "alerts"]) -> None:
        self._database = database
        self._topic = topic
        self._table = TABLES[topic]

    def append(self, entries: Sequence[NewEntry], transaction: Connection) -> list[Position]:
        """Append entries in the caller's transaction; those known by (subject, source, id) keep their position."""
        known = self._known(entries, transaction)
        fresh: dict[Identity, NewEntry] = {}
        for entry in entries:
            identity = (entry.subject, entry.source, entry.event_id)
            if identity not in known:
                fresh.setdefault(identity, entry)
        if fresh:
            first = self._take_offsets(len(fresh), transaction)
            rows = [{"offset": first + n, **entry._asdict()} for n, entry in enumerate(fresh.values())]
            insert_all(transaction, self._table, rows)
            known.update({identity: first + n for n, identity in enumerate(fresh)})
        return [Position(0, known[(entry.subject, entry.source, entry.event_id)]) for entry in entries]

    def append_everywhere(self, entry: NewEntry, transaction: Connection) -> None:
        """There is one partition."""
        self.append([entry], transaction)

    def read(self, partition: int, offset: int, limit: int) -> list[Entry]:
        """Entries from ``offset`` on, in order."""
        assert partition == 0, "the embedded log has one partition"
        table = self._table
        wanted = select(table.c.offset, table.c.key, table.c.body).where(table.c.offset >= offset)
        with self._database.reading() as connection:
            rows = connection.execute(wanted.order_by(table.c.offset).limit(limit)).all()
        return [Entry(Position(0, row.offset), row.key, row.body) for row in rows]

    def end(self, partition: int) -> int:
        """The offset of the next entry."""
        assert partition == 0, "the embedded log has one partition"
        with self._database.reading() as connection:
            found = connection.scalar(select(log_ends.c.next_offset).where(log_ends.c.topic == self._topic))
        return found or 0

    def ends(self) -> dict[int, int]:
        """The same, by partition."""
        return {0: self.end(0)}

    def stamp(self, now: Instant, transaction: Connection) -> Instant:
        """``now``, or the latest stamp given before, should the clock have been set back."""
        return stamp(self._topic, now, transaction)

    def _known(self, entries: Sequence[NewEntry], transaction: Connection) -> dict[Identity, int]:
        table = self._table
        key = (table.c.subject, table.c.source, table.c.event_id)
        identities = [(entry.subject, entry.source, entry.event_id) for entry in entries]
        rows = rows_of(transaction, select(*key, table.c.offset), key, identities)
        return {(row.subject, row.source, row.event_id): row.offset for row in rows}

    def _take_offsets(self, count: int, transaction: Connection) -> int:
        """The first of ``count`` offsets. The row is locked until the transaction ends, so that there is never a gap."""
        make_end(self._topic, transaction)
        moved = (
            update(log_ends)
            .where(log_ends.c.topic == self._topic)
            .values(next_offset=log_ends.c.next_offset + count)
            .returning(log_ends.c.next_offset)
        )
        after: int = transaction.execute(moved).scalar_one()
        return after - count
