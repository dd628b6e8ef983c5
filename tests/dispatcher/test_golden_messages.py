"""The mails of the demonstration's trial, as its medical monitor gets them: read through, and kept as they were found clear.

Where a change of words is meant, ``TOXWATCH_WRITE_GOLDEN=1`` writes the file again: read it before it is committed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from events.dates import DAY, MINUTE, SECOND, Instant
from projections.folds.trial import Trial
from projections.protocols.isi_jx import PROTOCOL
from projections.store.engine.database import Database
from projections.store.engine.generation import begin_first_generation
from services.clock.deadlines import DeadlineClock
from services.demo.player import ScheduledEvent, arrivals
from services.dispatcher import attempts, ledger
from services.dispatcher.alert_entries import position_of
from services.dispatcher.channels.mail_text import subject_of, text_of
from services.dispatcher.channels.port import GroupedAlert, Message, SendOutcome
from services.dispatcher.notice import GROUPED_RANK
from services.dispatcher.parcel import LISTED_MAX, Busy, Parcel, parcels
from services.dispatcher.planner import Planner
from services.dispatcher.recipients import Recipients
from services.gateway.intake import Intake, Submission
from services.gateway.messages import LINES, media_type_of, messages_of
from services.http.caller import Caller
from services.log.embedded import EmbeddedLog
from services.monitor.activation import activate
from services.monitor.monitor import Monitor
from services.monitor.relay import Relay
from services.simulator.trial import simulate_trial
from tests.dispatcher.alerts import SOURCE
from tests.dispatcher.desk import trial_in
from tests.dispatcher.files import mail, person, recipients
from tests.dispatcher.hand_clock import HandClock

GOLDEN: Final = Path(__file__).parent / "golden" / "mails.txt"
SEED: Final = 7
#: Of the same kind, so many are kept.
KEPT_OF_A_KIND: Final = 2


class Watched:
    """The trial on one machine, its clock turned from arrival to arrival; what is mailed is kept instead of sent."""

    def __init__(self, database: Database, people: Recipients, start: Instant) -> None:
        self.database = database
        self.clock = HandClock(start)
        self.people = people
        self.mails: list[tuple[str, str]] = []
        self.parts: list[GroupedAlert] = []
        self.kinds: dict[tuple[object, ...], int] = {}
        self._clinical = EmbeddedLog(database, "clinical")
        self._alerts = EmbeddedLog(database, "alerts")
        self._intake = Intake(database, self._clinical, Trial(PROTOCOL, SOURCE), self.clock)
        self._monitor = Monitor(database, Trial(PROTOCOL, SOURCE))
        self._deadlines = DeadlineClock(database, self._clinical, Trial(PROTOCOL, SOURCE), self.clock)
        self._planner = Planner(Trial(PROTOCOL, SOURCE), people)
        with database.writing() as connection:
            begin_first_generation(connection, self.clock.now())
        activate(database, self._clinical, Trial(PROTOCOL, SOURCE), self.clock)

    def take(self, together: list[ScheduledEvent]) -> None:
        """What arrived on one day, as if it had come at once at the end of it."""
        self.turn_to(together[-1].at)
        sent = [(sender, list(several)) for sender, several in groupby(together, lambda one: one.sender or "FR01")]
        self._intake.take([_submission(sender, several) for sender, several in sent])
        self._work()

    def turn_to(self, instant: Instant) -> None:
        """Let time pass, and everything come due on the way."""
        while self.clock.now() < instant:
            self.clock.turn(min(instant - self.clock.now(), DAY))
            while self._deadlines.fire():
                self._work()

    def _work(self) -> None:
        while entries := self._clinical.read(0, self._monitor.position(0), 500):
            self._monitor.process(entries, self.clock.now())
        while Relay(self.database, self._alerts).relay():
            pass
        with self.database.writing() as connection:
            entries = self._alerts.read(0, position_of(connection, 0), 500)
            self._planner.plan(entries, connection, self.clock.now())
        self._mail()

    def _mail(self) -> None:
        now = self.clock.now() + 2 * SECOND
        with self.database.writing() as connection:
            rows = ledger.due(connection, "mail", now, LISTED_MAX, [], now, now - MINUTE)
            for parcel in list(parcels(connection, rows, Busy([]), now, now)):
                self._deliver(connection, parcel, now)

    def _deliver(self, connection: Connection, parcel: Parcel, now: Instant) -> None:
        for delivery in parcel.deliveries:
            attempts.begin(connection, delivery, parcel.id, now, now, now)
            attempts.record(connection, delivery, SendOutcome("delivered"), now, now)
        parts = tuple(
            GroupedAlert(each.notice, f"https://tox.example.org/alerts/{each.alert_id}") for each in parcel.deliveries
        )
        first = parts[0]
        message = Message(
            parcel.id, first.notice, self.people.people[0], first.link, None, parts if len(parts) > 1 else ()
        )
        kind = tuple(sorted({_kind(part) for part in parts})) if message.parts else (_kind(first),)
        self.kinds[kind] = self.kinds.get(kind, 0) + 1
        self.parts += [part for part in parts if part.notice.rank >= GROUPED_RANK]
        if self.kinds[kind] <= KEPT_OF_A_KIND:
            self.mails.append((subject_of(message), text_of(message)))


def _kind(part: GroupedAlert) -> str:
    notice = part.notice
    about = "subject" if notice.subject is not None else notice.case.partition(":")[0]
    return f"{about} {notice.kind} {notice.telling} {','.join(sorted(set(notice.alerting_clauses.values())))}"


def _submission(sender: str, several: list[ScheduledEvent]) -> Submission:
    role, site = ("sponsor", None) if sender == "sponsor" else ("site", sender)
    lines = b"\n".join(one.line for one in several)
    return Submission(Caller(sender, role, site), messages_of(media_type_of({"content-type": LINES}), [], lines))


def _days(arriving: list[ScheduledEvent]) -> Iterator[list[ScheduledEvent]]:
    together: list[ScheduledEvent] = []
    for one in arriving:
        if together and one.at - together[0].at >= DAY:
            yield together
            together = []
        together.append(one)
    if together:
        yield together


def test_the_mails_of_the_demonstration(tmp_path: Path) -> None:
    """Two of each kind: raised, revised, told quietly, withdrawn, of a dose level, of Toxwatch itself, several in one."""
    arriving = arrivals(simulate_trial(SEED))
    people = recipients(tmp_path, mail(25) + person("monitor", "mail"))
    with trial_in(tmp_path) as trial:
        watched = Watched(trial.database, people, arriving[0].at)
        for together in _days(arriving):
            watched.take(together)
        watched.turn_to(watched.clock.now() + 60 * DAY)
    several = tuple(watched.parts[:4])
    listing = Message("D", several[0].notice, people.people[0], several[0].link, None, several)
    watched.mails.append((subject_of(listing), text_of(listing)))
    text = "".join(f"{'=' * 100}\nSubject: {subject}\n\n{body}\n" for subject, body in watched.mails)
    if os.environ.get("TOXWATCH_WRITE_GOLDEN"):
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8")
