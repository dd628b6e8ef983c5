"""The relay: from the outbox to the alert log, in order, each alert event once for any reader that goes by id."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Final

import structlog
from sqlalchemy import Select, bindparam, select, update

from events.errors import ToxwatchError
from projections.store.engine.database import Database, Lock, try_lock
from projections.store.engine.tables import NOBODY, alert_events
from services.log.port import EventLog, NewEntry
from services.platform.fail_points import nothing

RELAYED_AT_ONCE_MAX: Final = 500

log = structlog.get_logger()


class Relay:
    """Moves what waits in the outbox. Raises ``StoreUnavailable`` where it cannot."""

    def __init__(self, database: Database, alert_log: EventLog, fail_point: Callable[[str], None] = nothing) -> None:
        self._database = database
        self._log = alert_log
        self._fail_point = fail_point

    def relay(self) -> int:
        """Append what waits, at most so many at once, then mark it as sent; say how many.

        Stopped between the two, it appends again: the log, or its reader, knows the ids. 0 too where another relay runs.
        One alert event that cannot be appended holds back its alert, and no other: raises then, once the others are carried.
        """
        c = alert_events.c
        with self._database.reading() as connection:
            # Nearly always nothing waits, and nobody should wait for us to find that out.
            if connection.scalar(select(c.seq).where(c.sent_offset.is_(None)).limit(1)) is None:
                return 0
        try:
            return self._carry(RELAYED_AT_ONCE_MAX, frozenset())
        except ToxwatchError:
            raise
        except Exception as error:  # noqa: BLE001 - raised below, once it is known which of them it was
            return self._one_by_one(error)

    def _one_by_one(self, error: Exception) -> int:
        """Carry each by itself; those of an alert that fails wait. Raises where none could be carried."""
        stuck: set[str] = set()
        carried = 0
        for _ in range(RELAYED_AT_ONCE_MAX):
            alert_id = self._next_alert(stuck)
            if alert_id is None:
                break
            try:
                carried += self._carry(1, frozenset(stuck))
            except ToxwatchError:
                raise
            except Exception as failure:  # noqa: BLE001 - the others are not to wait for it
                stuck.add(alert_id)
                error = failure
        if stuck:
            log.critical("alert_events_not_relayed", alerts=sorted(stuck), exc_info=error)
        if not carried:
            raise error
        return carried

    def _next_alert(self, stuck: Collection[str]) -> str | None:
        with self._database.reading() as connection:
            found: str | None = connection.scalar(
                self._waiting(stuck).with_only_columns(alert_events.c.alert_id).limit(1)
            )
            return found

    def _waiting(self, stuck: Collection[str]) -> Select[Any]:
        c = alert_events.c
        columns = (c.seq, c.key, c.subject, c.source, c.event_id, c.body)
        return select(*columns).where(c.sent_offset.is_(None), c.alert_id.not_in(sorted(stuck))).order_by(c.seq)

    def _carry(self, count: int, stuck: Collection[str]) -> int:
        with self._database.writing() as connection:
            # Two would carry the revisions of one alert past each other.
            if not try_lock(connection, Lock.RELAY):
                return 0
            waiting = connection.execute(self._waiting(stuck).limit(count)).all()
            if not waiting:
                return 0
            entries = [NewEntry(row.key, row.subject or NOBODY, row.source, row.event_id, row.body) for row in waiting]
            positions = self._log.append(entries, connection)
            self._fail_point("relay.appended")
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
        self._fail_point("relay.committed")
        return len(waiting)
