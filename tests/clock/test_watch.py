"""Who is asked whether the machine's clock is right, and who may confirm it."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from events.dates import DAY, HOUR, MINUTE, Instant
from projections.folds.trial import Trial
from projections.protocols.isi_jx import PROTOCOL
from projections.store.engine.database import Database
from projections.store.engine.generation import begin_first_generation
from projections.store.engine.tables import alert_events, deadlines, log_ends
from services.clock import watch
from services.clock.deadlines import DeadlineClock
from services.clock.doubt_alert import clock_is_doubted
from services.clock.watch import ClockWatch, confirm, confirm_as_operator
from services.log.embedded import EmbeddedLog
from services.log.stamps import stamp
from services.platform import time_source
from services.platform.condition_alert import ConditionAlert
from services.platform.time_source import SystemClock
from tests.monitor.deployment import SOURCE

LAST = time_source.now()


class Machine:
    """A machine whose clock says what it is told, with the watch that a process on it has."""

    def __init__(self, database: Database, says: Instant, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(watch, "LOOK_SECONDS", 0.0)
        self.database, self.wall, self.elapsed = database, says, 0
        self.clock = SystemClock(lambda: self.wall, lambda: self.elapsed)
        self.watch = ClockWatch(database, self.clock)
        self.log = EmbeddedLog(database, "clinical")
        with database.writing() as connection:
            begin_first_generation(connection, LAST)
            stamp("clinical", LAST, connection)
        self.watch.look()

    def fire(self) -> int:
        return DeadlineClock(self.database, self.log, Trial(PROTOCOL, SOURCE), self.clock).fire()

    def waits_until(self, due: Instant) -> None:
        row = {"generation": 1, "subject": "FR01-001", "case_name": "ae:FR01-001/AE-1", "due": due, "is_fired": False}
        with self.database.writing() as connection:
            connection.execute(deadlines.insert(), [row])

    def last_received(self) -> Instant:
        with self.database.reading() as connection:
            found: Instant = connection.scalar(select(log_ends.c.last_received).where(log_ends.c.topic == "clinical"))
            return found


@pytest.mark.parametrize("off", [4 * HOUR, 14 * 365 * DAY, -2 * HOUR, -30 * 365 * DAY])
def test_a_start_far_from_the_last_time_on_record_waits(
    database: Database, off: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing fires, the time goes on from the last one on record, and the alert is told once."""
    machine = Machine(database, LAST + off, monkeypatch)
    machine.waits_until(LAST + MINUTE)
    machine.elapsed += 2 * MINUTE
    machine.wall += 2 * MINUTE
    assert machine.clock.now() == LAST + 2 * MINUTE
    assert machine.fire() == 0
    alert = ConditionAlert(database, Trial(PROTOCOL, SOURCE), machine.clock, clock_is_doubted(machine.clock))
    assert (alert.look(), alert.look()) == (True, False)
    with database.writing() as connection:
        confirm_as_operator(connection, machine.wall, "night shift")
    machine.watch.look()
    if database.is_sqlite:  # The clock of a server says otherwise, whoever confirms ours.
        assert machine.clock.doubt() is None
        assert machine.clock.now() == machine.wall
        assert machine.fire() == (1 if off > 0 else 0)
        assert alert.look()
        with database.reading() as connection:
            assert list(connection.scalars(select(alert_events.c.kind))) == ["raised", "withdrawn"]


def test_the_clock_of_the_database_is_compared(on_postgresql: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that says another time stops the countdowns; an ordinary stop is confirmed by one that says the same."""
    machine = Machine(on_postgresql, LAST + 2 * HOUR, monkeypatch)
    assert "the database's clock says" in (machine.clock.doubt() or "")
    machine.wall = time_source.now()
    machine.watch.look()
    assert machine.clock.doubt() is None


def test_a_long_stop_is_confirmed_by_the_database(on_postgresql: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three days off, and the server agrees: nobody has to be asked. A server on this machine is no proof after 60 days."""
    monkeypatch.setitem(globals(), "LAST", time_source.now() - 3 * DAY)
    assert Machine(on_postgresql, time_source.now(), monkeypatch).clock.doubt() is None
    with on_postgresql.writing() as connection:
        connection.execute(log_ends.update().values(last_received=time_source.now() - 60 * DAY))
    monkeypatch.setitem(globals(), "LAST", time_source.now() - 60 * DAY)
    assert "60 days after" in (Machine(on_postgresql, time_source.now(), monkeypatch).clock.doubt() or "")


def test_a_confirmation_of_another_time_is_none(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody at another machine says that its clock is right, which is not ours."""
    machine = Machine(database, LAST + 10 * DAY, monkeypatch)
    with database.writing() as connection:
        confirm(connection, LAST + 12 * DAY, "operator", "another machine")
    machine.watch.look()
    assert machine.clock.doubt() is not None


def test_an_event_from_outside_confirms_only_the_time_that_it_bears(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine(database, LAST + 10 * DAY, monkeypatch)
    with database.writing() as connection:
        machine.watch.heard(connection, [LAST, LAST + 9 * DAY])
        assert machine.clock.doubt() is not None
        machine.watch.heard(connection, [LAST, LAST + 10 * DAY - MINUTE])
    assert machine.clock.doubt() is None
    machine.watch.look()
    assert machine.clock.doubt() is None, "and no witness that said otherwise before is heard again"


def test_stamps_follow_a_clock_that_an_operator_has_confirmed(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An earlier version let a wrong clock into the log: from here on nothing bears a time that has not come."""
    right = time_source.now()
    monkeypatch.setitem(globals(), "LAST", right + 5 * DAY)
    machine = Machine(database, right, monkeypatch)
    assert "last time on record" in (machine.clock.doubt() or "")
    machine.waits_until(right + 4 * DAY)
    assert machine.fire() == 0
    with database.writing() as connection:
        assert confirm_as_operator(connection, right, "night shift") == 5 * 24 * 3600
    assert machine.last_received() == right
    machine.watch.look()
    assert machine.clock.doubt() is None
    assert machine.clock.now() == right
