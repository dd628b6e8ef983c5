"""The relay: from the outbox to the alert log, in order, each alert event once for any reader that goes by id."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sqlalchemy import bindparam, select, update

from projections.store.database import Database, Turn, turn_is_free
from projections.store.tables import NOBODY, alert_events
from services.log.port import EventLog, NewEntry
from services.steps import nothing

RELAYED_AT_ONCE_MAX: Final = 500


class Relay:
    """Moves what waits in the outbox. Raises ``StoreUnavailable`` where it cannot."""

    def __init__(self, database: Database, alert_log: EventLog, passing: Callable[[str], None] = nothing) -> None:
        self._database = database
        self._log = alert_log
        self._passing = passing

    def relay(self) -> int:
        """Append what waits, at most so many at once, then mark it as sent; say how many.

        Stopped between the two, it appends again: the log, or its reader, knows the ids. 0 too where another relay is at it.
        """
        c = alert_events.c
        with self._database.reading() as connection:
            # Nearly always nothing waits, and nobody should wait for us to find that out.
            if connection.scalar(select(c.seq).where(c.sent_offset.is_(None)).limit(1)) is None:
                return 0
        with self._database.writing() as connection:
            # Two would carry the revisions of one alert past each other.
            if not turn_is_free(connection, Turn.RELAY):
                return 0
            wanted = (
                select(c.seq, c.key, c.subject, c.source, c.event_id, c.body)
                .where(alert_events.c.sent_offset.is_(None))
                .order_by(alert_events.c.seq)
                .limit(RELAYED_AT_ONCE_MAX)
            )
            waiting = connection.execute(wanted).all()
            if not waiting:
                return 0
            entries = [NewEntry(row.key, row.subject or NOBODY, row.source, row.event_id, row.body) for row in waiting]
            positions = self._log.append(entries, connection)
            self._passing("relay.appended")
            sent = (
                update(alert_events)
                .where(alert_events.c.seq == bindparam("number"))
                .values(sent_partition=bindparam("at_partition"), sent_offset=bindparam("at_offset"))
            )
            connection.execute(
                sent,
                [
                    {"number": row.seq, "at_partition": position.partition, "at_offset": position.offset}
                    for row, position in zip(waiting, positions, strict=True)
                ],
            )
        self._passing("relay.committed")
        return len(waiting)
