"""Waking other processes: PostgreSQL tells those who listen as soon as a transaction is committed.

Nothing depends on it: a notification is lost where nobody is connected, so listeners also look by themselves now and then. On
SQLite all who wait are in this process, and are woken without the database.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import psycopg
from sqlalchemy import Connection, func, select
from sqlalchemy.exc import SQLAlchemyError

from projections.store.engine.database import Database, StoreUnavailable

#: There are new alert events in the outbox.
ALERTS: Final = "toxwatch_alerts"
#: How long a listener waits before it looks whether it is to stop.
LISTEN_SECONDS: Final = 0.5


def notify(connection: Connection, channel: str) -> None:
    """Tell those who listen, once this transaction is committed."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_notify(channel, "")))


class Listener:
    """``listen`` waits a moment for a notification; ``on_notify`` is called in its thread, once for those that came together."""

    def __init__(self, database: Database, channel: str, on_notify: Callable[[], object]) -> None:
        self._database = database
        self._channel = channel
        self._on_notify = on_notify
        self._connection: Any = None

    def listen(self) -> bool:
        """Always True: it goes on at once. Raises :class:`StoreUnavailable` where the server cannot be reached."""
        try:
            if self._connection is None:
                self._connection = self._connected()
                # What was committed before this moment told nobody.
                self._on_notify()
            if any(True for _ in self._connection.notifies(timeout=LISTEN_SECONDS, stop_after=1)):
                self._on_notify()
        except (psycopg.Error, SQLAlchemyError) as error:
            self.close()
            raise StoreUnavailable(f"cannot listen for news: {type(error).__name__}") from None
        return True

    def close(self) -> None:
        """Give the connection back."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(psycopg.Error):
                connection.close()

    def _connected(self) -> Any:
        taken = self._database.engine.raw_connection()
        connection = taken.driver_connection
        # It is ours alone from here on: the pool forgets it, and it is in no transaction while it waits.
        taken.detach()
        assert connection is not None
        connection.autocommit = True
        connection.execute(f"LISTEN {self._channel}")
        return connection
