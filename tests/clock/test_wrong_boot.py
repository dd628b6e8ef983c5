"""A machine that starts with a wrong clock, or after a long stop (a running system): nothing is due before the time is sure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import func, select

from events.dates import DAY, MINUTE, SECOND, Instant, parse_instant
from projections.store.engine.tables import clinical_log, deadlines
from services.platform import time_source
from tests.crash.deployment import eventually
from tests.crash.load import Book
from tests.crash.stories import Author, Line
from tests.neighbours.neighbour import System, embedded

pytestmark = pytest.mark.slow

SITE: Final = "FR01"
YEARS: Final = 14 * 365 * DAY


class Machine:
    """A system that runs under a clock that can be set."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.running: Any = system.running
        self._shift = system.home / "shift"
        self._key = system.make_keys([SITE])[SITE]
        self.set_clock(0)
        self.running.stop()
        self.running.program = ["tests.clock.shifted_run", str(self._shift)]
        self.running.start()

    def set_clock(self, by: int) -> None:
        """From now on it is wrong by this; whole or not at all, since it is read all the time."""
        new = self._shift.with_suffix(".new")
        new.write_text(str(by // SECOND))
        new.rename(self._shift)

    def restart(self, by: int) -> None:
        """Off, and on again with a clock that is wrong by this."""
        self.running.stop()
        self.set_clock(by)
        self.running.begin()
        assert self.running.await_listening()

    def send(self, lines: list[Line]) -> None:
        """All of it must be taken."""
        book = Book()
        with self.system.sender(self._key, book) as sender:
            sender.send(lines)
        assert {answer.status for answer in book.answers} == {"accepted"}, book.answers

    def reasons(self) -> str:
        return " ".join(self.system.unready())

    def count(self, wanted: Any) -> int:
        with self.running.database() as database, database.reading() as connection:
            found: int = connection.scalar(wanted)
            return found

    def fired(self) -> int:
        """How many clock events are in the log."""
        return sum(event["type"] == "toxwatch.clock.reached.v1" for event in self._log())

    def last_received(self) -> Instant:
        """The latest stamp in the log itself."""
        return max(parse_instant(event["receivedtime"]) for event in self._log())

    def _log(self) -> list[Any]:
        with self.running.database() as database, database.reading() as connection:
            return [json.loads(body) for body in connection.scalars(select(clinical_log.c.body))]


def test_a_wrong_boot_ends_no_countdown_and_leaves_nothing_behind(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Started in 2040: loud, and harmless, until the clock is set right. Ten days off: until an event bears the same time."""
    with embedded(tmp_path, database_url) as system:
        machine, author = Machine(system), Author("FR01-001")
        machine.send(author.treated())
        due = time_source.now() + 3 * DAY
        machine.send([author.lasting(due)])
        eventually(lambda: machine.count(select(func.count()).select_from(deadlines)) == 1)

        machine.restart(YEARS)
        eventually(lambda: system.arrived(case="drift:clock"))
        assert "the machine's clock is not confirmed" in machine.reasons()
        assert "toxwatch clock confirm" in machine.reasons()
        machine.send(Author("FR01-002").treated())  # Ahead of the doubted clock, and taken all the same.
        assert machine.fired() == 0
        assert machine.last_received() < time_source.now() + MINUTE

        machine.set_clock(0)
        eventually(lambda: not system.unready(), otherwise=system.unready)
        eventually(lambda: system.arrived("withdrawn", case="drift:clock"))
        assert machine.fired() == 0

        machine.restart(10 * DAY)
        eventually(lambda: len(system.arrived(case="drift:clock")) == 2)
        assert machine.fired() == 0
        right = time_source.now
        monkeypatch.setattr(time_source, "now", lambda: right() + 10 * DAY)
        machine.send(Author("FR01-003").treated())
        eventually(lambda: system.arrived(subject="FR01-001", verdict="met"), otherwise=machine.reasons)
        eventually(lambda: not system.unready(), otherwise=system.unready)
        assert machine.fired() == 1


def test_an_evening_restart_of_a_quiet_trial_fires_what_comes_due(tmp_path: Path, database_url: str) -> None:
    """However long no site has sent anything, a deployment that ran an hour ago is not doubted."""
    with embedded(tmp_path, database_url) as system:
        machine, author = Machine(system), Author("FR01-001")
        machine.send(author.treated())
        machine.send([author.lasting(time_source.now() + 10 * MINUTE)])
        eventually(lambda: machine.count(select(func.count()).select_from(deadlines)) == 1)
        machine.restart(50 * MINUTE)
        eventually(lambda: system.arrived(subject="FR01-001", verdict="met"), otherwise=machine.reasons)
        assert not system.unready()
