"""The same events on every back end come to the same: embedded on SQLite and PostgreSQL, and Kafka with Faust workers."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import Table, select

from events.dates import parse_instant
from projections.folds.trial import Trial
from projections.protocols.isi_jx import PROTOCOL
from projections.store.engine.database import Database
from projections.store.engine.generation import begin_first_generation
from projections.store.engine.schema import migrate
from projections.store.engine.tables import alert_events, alerts, cohorts, dead_letters, deadlines, findings, subjects
from projections.store.read.assessment import assessment
from services.clock.deadlines import DeadlineClock
from services.demo.player import arrivals
from services.gateway.intake import Intake, Submission
from services.gateway.messages import LINES, media_type_of, messages_of
from services.http.caller import Caller
from services.log.embedded import EmbeddedLog
from services.monitor.activation import activate
from services.monitor.monitor import Monitor
from services.monitor.relay import Relay
from services.platform.settings import read_settings
from services.platform.time_source import SystemClock
from services.simulator.trial import simulate_trial
from services.trials.rules_version import configuration_hash
from tests.databases import new_postgresql_database
from tests.distributed.fleet import Fleet
from tests.distributed.waiting import await_settled

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("distributed")]

Json = dict[str, Any]
SITES = ("FR01", "FR02", "FR03", "FR04", "FR05")
SPONSOR = "sponsor"
SOURCE = read_settings().source
TOGETHER = 100
#: What is when, or by which instance, and not what.
ASIDE = frozenset(
    {
        "latest_received",
        "received",
        "detected_at",
        "raised_at",
        "changed_at",
        "received_at",
        "last_seen_at",
        "seq",
        "sender",
    }
    | {"sent_partition", "sent_offset", "fingerprint", "source", "version", "high_water", "time", "body", "is_fired"}
)
COMPARED: tuple[Table, ...] = (subjects, findings, cohorts, deadlines, dead_letters)
AS_OF = ("2017-06-01T00:00:00Z", "2018-03-20T00:00:00Z", "2030-01-01T00:00:00Z")

Request = tuple[str, list[bytes]]


def requests() -> list[Request]:
    """A simulated trial as its sites send it, with all its mishaps; some of it sent twice."""
    made = []
    for sender, several in groupby(arrivals(simulate_trial(7)), lambda one: one.sender):
        lines = [one.line for one in several]
        made += [(sender or SITES[0], lines[n : n + TOGETHER]) for n in range(0, len(lines), TOGETHER)]
    return [again for number, one in enumerate(made) for again in ([one, one] if number % 10 == 0 else [one])]


class Embedded:
    """One process's parts on the embedded log."""

    def __init__(self, database: Database) -> None:
        clock = SystemClock()
        self.database = database
        self._log = EmbeddedLog(database, "clinical")
        self._clock = clock
        self._intake = Intake(database, self._log, Trial(PROTOCOL, SOURCE), clock)
        self._monitor = Monitor(database, Trial(PROTOCOL, SOURCE))
        self._relay = Relay(database, EmbeddedLog(database, "alerts"))
        self._deadlines = DeadlineClock(database, self._log, Trial(PROTOCOL, SOURCE), clock)
        with database.writing() as connection:
            begin_first_generation(connection, clock.now())
        activate(database, self._log, Trial(PROTOCOL, SOURCE), clock)

    def send(self, sender: str, lines: list[bytes]) -> list[Json]:
        role, site = ("sponsor", None) if sender == SPONSOR else ("site", sender)
        messages = messages_of(media_type_of({"content-type": LINES}), [], b"\n".join(lines))
        results = self._intake.take([Submission(Caller(sender, role, site), messages)]).results[0]
        return [{"id": one.id, "status": one.status, "error": one.error} for one in results]

    def settle(self) -> None:
        while entries := self._log.read(0, self._monitor.position(0), 500):
            self._monitor.process(entries, self._clock.now())
        while self._relay.relay():
            pass

    def pass_time(self) -> None:
        while self._deadlines.fire():
            self.settle()


def _answers(results: Sequence[Json]) -> list[tuple[Any, ...]]:
    return [(one["id"], one["status"], one.get("error")) for one in results]


def _rows(database: Database, table: Table) -> list[str]:
    with database.reading() as connection:
        rows = connection.execute(select(table)).mappings().all()
    kept = [{name: value for name, value in row.items() if name not in ASIDE} for row in rows]
    # Of a finding the body is compared too: it is what `assess` says.
    if table is findings:
        for one, row in zip(kept, rows, strict=True):
            one["body"] = row["body"]
    return sorted(json.dumps(one, sort_keys=True, default=str) for one in kept)


def _history(database: Database) -> dict[str, list[str]]:
    """What was told of each subject, in order; when and by whom aside."""
    found: dict[str, list[str]] = defaultdict(list)
    with database.reading() as connection:
        rows = connection.execute(select(alert_events).order_by(alert_events.c.seq)).all()
    for row in rows:
        if row.subject is not None:
            event = json.loads(row.body)
            del event["time"], event["data"]["detected_at"]
            found[row.subject].append(json.dumps(event, sort_keys=True))
    return found


def _standing(database: Database) -> list[str]:
    """How each alert stands at last, those of dose levels and of parked input included."""
    with database.reading() as connection:
        rows = connection.execute(select(alerts)).all()
    return sorted(json.dumps([row.case_name, row.subject, row.state, row.verdict, row.urgency]) for row in rows)


def _said(database: Database) -> list[Json]:
    said = []
    for as_of in AS_OF:
        found = assessment(database, PROTOCOL, configuration_hash(PROTOCOL), parse_instant(as_of))
        said.append(
            {name: sorted(json.dumps(one, sort_keys=True) for one in found[name]) for name in ("cases", "cohorts")}
        )
    return said


def _everything(database: Database) -> Json:
    tables = {table.name: _rows(database, table) for table in COMPARED}
    return {**tables, "history": _history(database), "standing": _standing(database), "said": _said(database)}


@pytest.fixture
def embedded(tmp_path: Path, postgresql: str) -> Iterator[list[Embedded]]:
    """On SQLite, and on PostgreSQL."""
    with new_postgresql_database(postgresql) as url:
        databases = [Database(f"sqlite:///{tmp_path / 'embedded.db'}"), Database(url)]
        for database in databases:
            migrate(database)
        yield [Embedded(database) for database in databases]
        for database in databases:
            database.close()


def test_three_back_ends_come_to_the_same(fleet: Fleet, embedded: list[Embedded]) -> None:
    """Answers, projections, what was told of each subject and how each alert stands; before time passes, and after."""
    sent = requests()
    expected, other = ([_answers(one.send(*request)) for request in sent] for one in embedded)
    assert other == expected
    fleet.start("monitor-1", "monitor-2", "gateway")
    keys = fleet.make_keys(SITES, SPONSOR)
    with httpx2.Client(timeout=60) as client:
        for number, (sender, lines) in enumerate(sent):
            headers = {"Authorization": f"Bearer {keys[sender]}", "Content-Type": LINES}
            response = client.post(f"{fleet.url}/v1/events", content=b"\n".join(lines), headers=headers)
            assert _answers(response.json()["results"]) == expected[number], number
    for one in embedded:
        one.settle()
    fleet.start("dispatcher")
    await_settled(fleet, due=False)
    with fleet.database() as database:
        first, *others = [_everything(each) for each in (embedded[0].database, embedded[1].database, database)]
        for name, value in first.items():
            assert [each[name] == value for each in others] == [True, True], name
        assert len(first["history"]) > 10
        for one in embedded:
            one.pass_time()
        fleet.start("clock")
        await_settled(fleet)
        first, *others = [_everything(each) for each in (embedded[0].database, embedded[1].database, database)]
        for name, value in first.items():
            assert [each[name] == value for each in others] == [True, True], name
    assert fleet.command("verify").code == 0
