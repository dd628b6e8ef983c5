"""A deployment in miniature: log, monitor, clock and relay on one database, with a clock that is set by hand."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from events.alert import AlertEvent
from events.catalog import EVENT_ADAPTER, subject_of
from events.codec import Codec, Logged
from events.dates import Instant, format_instant, parse_instant
from projections.folds.system_alerts import LOWER_REVISION
from projections.folds.trial import Trial
from projections.protocols.isi_jx import PROTOCOL
from projections.rules.logic.trial_protocol import TrialProtocol
from projections.store.engine.database import Database
from projections.store.engine.generation import begin_first_generation, current_generation
from projections.store.engine.tables import alert_events, dead_letters, deadlines
from projections.store.read.assessment import Axis, assessment
from projections.store.write.batch import BatchOutcome
from services.clock.deadlines import DeadlineClock
from services.files.log_reading import read_log
from services.log.embedded import EmbeddedLog
from services.log.port import NewEntry
from services.monitor.activation import activate
from services.monitor.monitor import Monitor
from services.monitor.relay import Relay
from services.platform.fail_points import nothing
from services.terminal.options import Axis as AssessAxis
from services.trials.rules_version import configuration_hash

Json = dict[str, Any]
SOURCE = "urn:toxwatch:test"
#: Before the first event of any story.
BEFORE_ALL = parse_instant("2016-06-01T00:00:00Z")
COMPARED = ("events", "cases", "cohorts", "lab_grades", "queries")


class SetClock:
    """A clock that stands until it is set."""

    def __init__(self, instant: Instant = BEFORE_ALL) -> None:
        self.instant = instant

    def now(self) -> Instant:
        return self.instant

    def seconds_until(self, instant: Instant) -> float:
        return max(0, instant - self.instant) / 1_000_000

    def leap(self) -> float:
        return 0.0

    def doubt(self) -> str | None:
        return None


class Deployment:
    """Everything between the gateway and the dispatcher."""

    def __init__(
        self, database: Database, protocol: TrialProtocol = PROTOCOL, fail_point: Callable[[str], None] = nothing
    ) -> None:
        self.database = database
        self.protocol = protocol
        self.clock = SetClock()
        self.log = EmbeddedLog(database, "clinical")
        self.alert_log = EmbeddedLog(database, "alerts")
        self.monitor = Monitor(database, Trial(protocol, SOURCE), fail_point=fail_point)
        self.deadlines = DeadlineClock(database, self.log, Trial(protocol, SOURCE), self.clock, fail_point)
        self.relay = Relay(database, self.alert_log, fail_point)
        with database.writing() as connection:
            begin_first_generation(connection, 0)
        activate(database, self.log, Trial(protocol, SOURCE), self.clock, fail_point)

    def receive(self, events: Iterable[Logged]) -> None:
        """Append events as the gateway does, each received when it was recorded, the stamps never going back."""
        codec = Codec(self.protocol.contract)
        entries = []
        with self.database.writing() as connection:
            for logged in events:
                self.clock.instant = max(self.clock.instant, logged.time)
                received = format_instant(self.log.stamp(logged.time, connection))
                body = {**json.loads(codec.encode(logged.event)), "receivedtime": received}
                entries.append(self.entry(logged, json.dumps(body).encode()))
            self.log.append(entries, connection)

    def entry(self, logged: Logged, body: bytes) -> NewEntry:
        subject = subject_of(logged.event) or ""
        return NewEntry(f"{self.protocol.trial}/{subject}", subject, logged.event.source, logged.event.id, body)

    def run(self, batch: int = 500) -> list[BatchOutcome]:
        """Take everything that waits."""
        outcomes = []
        while entries := self.log.read(0, self.monitor.position(0), batch):
            outcomes.append(self.monitor.process(entries, self.clock.now()))
        while self.monitor.judge_again(self.clock.now()):
            pass
        return outcomes

    def pass_time(self, until: Instant) -> int:
        """Let the clock fire whatever comes due until an instant, one deadline after the other; say how many."""
        fired = 0
        while True:
            with self.database.reading() as connection:
                c = deadlines.c
                due = connection.scalar(
                    select(func.min(c.due)).where(c.generation == current_generation(connection), ~c.is_fired)
                )
            if due is None or due > until:
                self.clock.instant = max(self.clock.instant, until)
                return fired
            self.clock.instant = max(self.clock.instant, due)
            fired += self.deadlines.fire()
            self.run()

    def told(self) -> list[AlertEvent]:
        """Every alert event there is, in order."""
        with self.database.reading() as connection:
            bodies = connection.scalars(select(alert_events.c.body).order_by(alert_events.c.seq)).all()
        events = [EVENT_ADAPTER.validate_json(body) for body in bodies]
        assert all(isinstance(event, AlertEvent) for event in events)
        return events  # type: ignore[return-value]

    def parked(self) -> int:
        """How many entries of the log were refused; a lower revision, which is kept until it is settled, was not."""
        wanted = select(func.count()).select_from(dead_letters).where(dead_letters.c.reason != LOWER_REVISION)
        with self.database.reading() as connection:
            return connection.scalar(wanted) or 0

    def export(self, path: Path) -> Path:
        """The clinical log as a file."""
        path.write_bytes(b"".join(entry.body + b"\n" for entry in self.log.read(0, 0, 1_000_000)))
        return path

    def assessed(self, as_of: Instant, axis: Axis = "recorded") -> Json:
        """What the stored projections say at an instant."""
        found = assessment(self.database, self.protocol, configuration_hash(self.protocol), as_of, axis)
        return {name: json.loads(json.dumps(found[name])) for name in COMPARED}

    def assessed_document(self) -> Json:
        """Everything that the stored projections say now."""
        rules = configuration_hash(self.protocol)
        return assessment(self.database, self.protocol, rules, self.clock.now())

    def judged_from_log(self, path: Path, as_of: Instant, axis: Axis = "recorded") -> Json:
        """What ``assess`` says of the exported log."""
        found = read_log([str(self.export(path))], self.protocol, as_of, AssessAxis(axis)).as_json()
        assert len(found["refused"]) == self.parked(), found["refused"]
        return {name: found[name] for name in COMPARED}


def without_instants(events: Sequence[AlertEvent]) -> list[Json]:
    """Alert events without when they were detected."""
    told = []
    for event in events:
        body = json.loads(event.model_dump_json(exclude_unset=True))
        del body["time"], body["data"]["detected_at"]
        told.append(body)
    return told
