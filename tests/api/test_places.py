"""Places in the outbox: who reads on from one must find everything that is committed later behind it."""

from __future__ import annotations

import threading

from projections.store.engine.database import Database
from projections.store.read.alerts import events_after
from tests.api.telling import told


def test_of_two_who_tell_at_once_the_later_to_commit_stands_behind(database: Database) -> None:
    """The gateway and the monitor tell side by side: a reader between their commits misses neither."""
    first_has_told, first_may_commit, second_is_done = (threading.Event() for _ in range(3))

    def first() -> None:
        with database.writing() as connection:
            told(connection, "FR01-001")
            first_has_told.set()
            first_may_commit.wait(10)

    def second() -> None:
        with database.writing() as connection:
            told(connection, "FR01-002")
        second_is_done.set()

    seen: list[str | None] = []
    after = 0

    def read() -> None:
        nonlocal after
        with database.reading() as connection:
            for event in events_after(connection, after, 10):
                seen.append(event.subject)
                after = event.seq

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    threads[0].start()
    assert first_has_told.wait(10)
    threads[1].start()
    # The second may have to wait for the first, which waits for us.
    second_is_done.wait(0.5)
    read()
    first_may_commit.set()
    for thread in threads:
        thread.join(10)
    read()
    assert seen == ["FR01-001", "FR01-002"]
