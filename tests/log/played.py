"""A trial played on the embedded run, with something of everything in its database; and how it goes on, wherever it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
from sqlalchemy import Connection, select

from events.codec import Codec, Logged
from events.dates import DAY, Instant
from projections.folds import findings
from projections.folds.trial import Trial
from projections.protocols.isi_jx import PROTOCOL
from projections.store.engine.database import Database
from projections.store.engine.tables import (
    alert_events,
    alerts,
    dead_letters,
    deliveries,
    metadata,
    source_assignments,
    subject_sites,
)
from projections.store.write import audit, dead_letter_store
from services.clock.deadlines import DeadlineClock
from services.clock.watch import confirm_as_operator
from services.demo.player import arrivals
from services.dispatcher import attempts, ledger
from services.dispatcher.alert_entries import position_of
from services.dispatcher.channels.port import SendOutcome
from services.dispatcher.parcel import parcel_of
from services.dispatcher.planner import Planner
from services.gateway.intake import Intake, IntakeResult, Submission
from services.gateway.keys import add_key
from services.gateway.messages import LINES, media_type_of, messages_of
from services.http.caller import Caller
from services.log.port import EventLog, NewEntry
from services.monitor.activation import activate
from services.monitor.monitor import Monitor
from services.monitor.relay import Relay
from services.simulator.trial import simulate_trial
from tests.dispatcher.files import hook, person, recipients
from tests.monitor.deployment import SOURCE, Deployment, SetClock
from tests.monitor.events import LASTING, sepsis, treated
from tests.monitor.test_rebuild import rebuilt
from tests.properties.stories import on

Json = dict[str, Any]
SITES: Final = ("FR01", "FR02", "FR03", "FR04", "FR05")
SPONSOR: Final = "sponsor"
#: Of the simulated trial: so many requests of its sites, each of so many events at most.
REQUESTS: Final = 90
TOGETHER: Final = 25
OTHER_RULES: Final = replace(PROTOCOL, version="other", window_days=20)
BAD: Final = "Sepsis that no rule foresaw"
#: Whose event meets a bug; whose deadline has fired and was not judged; of whom nothing was judged yet.
PARKED, FIRED, WAITING = "FR01-901", "FR01-902", "FR01-903"
#: The two subjects of whose dose-limiting toxicities their level is on hold.
HELD: Final = ("FR01-906", "FR01-907")
HOOKS: Final = hook("https://a.example") + hook("https://b.example", "other") + person("ann", "hook other")


class Continued:
    """Gateway, monitor, relay and clock on a deployment that was played, on whatever log; the clock is set by hand."""

    def __init__(self, database: Database, clinical: EventLog, alerts: EventLog, clock: SetClock | None = None) -> None:
        self.database = database
        self.clock = clock = clock or SetClock()
        self._clinical = clinical
        self._intake = Intake(database, clinical, Trial(PROTOCOL, SOURCE), clock)
        self._monitor = Monitor(database, Trial(PROTOCOL, SOURCE), partitions=clinical.partitions)
        self._relay = Relay(database, alerts)
        self.deadlines = DeadlineClock(database, clinical, Trial(PROTOCOL, SOURCE), clock)

    def send(self, sender: str, events: Iterable[bytes]) -> list[IntakeResult]:
        """One request, with the authority of a site or of the sponsor."""
        role, site = (SPONSOR, None) if sender == SPONSOR else ("site", sender)
        messages = messages_of(media_type_of({"content-type": LINES}), [], b"\n".join(events))
        return self._intake.take([Submission(Caller(f"key-of-{sender}", role, site), messages)]).results[0]

    def judge(self) -> None:
        """Take everything that waits."""
        for partition in range(self._clinical.partitions):
            while entries := self._clinical.read(partition, self._monitor.position(partition), 100):
                self._monitor.process(entries, self.clock.now())
        while self._monitor.judge_again(self.clock.now()):
            pass

    def relay(self) -> None:
        """Carry everything that waits to the alert log."""
        while self._relay.relay():
            pass

    def pass_time(self) -> None:
        """Fire what is due."""
        while self.deadlines.fire():
            self.judge()


def play(database: Database, directory: Path) -> Deployment:
    """A trial with something in every table, and everything under way that may be."""
    deployment = Deployment(database)
    going = Continued(database, deployment.log, deployment.alert_log, deployment.clock)
    with database.writing() as connection:
        for site in SITES:
            add_key(connection, "site", site, "played", deployment.clock.now())
        # As in a trial whose subject ids do not name the site.
        connection.execute(subject_sites.insert(), [{"subject": "S-1", "site": SITES[0]}])
        _administered(connection, deployment.clock.now())
    for number, (sender, lines, at) in enumerate(requests()[:REQUESTS]):
        going.clock.instant = at
        going.send(sender, lines)
        if number % 10 == 0:
            going.judge()
            going.relay()
        if number == REQUESTS // 2:
            _change_the_rules(deployment, going)
    going.judge()
    deployment.pass_time(deployment.clock.now() + 3 * DAY)
    rebuilt(deployment)
    _park_entries(deployment, going)
    _park_a_subject(going)
    _hold_a_level(going)
    going.relay()
    _deliver(deployment, recipients(directory, HOOKS))
    _leave_things_under_way(going)
    return deployment


class Request(NamedTuple):
    """What a site, or the sponsor, sends, and when."""

    sender: str
    lines: list[bytes]
    at: Instant


def requests() -> list[Request]:
    """A simulated trial as its sites send it, with its mishaps."""
    made: list[Request] = []
    for one in arrivals(simulate_trial(7)):
        sender = one.sender or SITES[0]
        if not made or made[-1].sender != sender or len(made[-1].lines) == TOGETHER:
            made.append(Request(sender, [], one.at))
        made[-1] = made[-1]._replace(lines=[*made[-1].lines, one.line], at=one.at)
    return made


def lines_of(events: Sequence[Logged]) -> list[bytes]:
    """Events as a site sends them."""
    codec = Codec(PROTOCOL.contract)
    return [codec.encode(one.event) for one in events]


def _change_the_rules(deployment: Deployment, going: Continued) -> None:
    """To others, under which somebody is judged, and back."""
    database, log, clock = deployment.database, deployment.log, deployment.clock
    activate(database, log, Trial(OTHER_RULES, SOURCE), clock)
    other = Monitor(database, Trial(OTHER_RULES, SOURCE))
    while entries := log.read(0, other.position(0), 100):
        other.process(entries, clock.now())
    while other.judge_again(clock.now()):
        pass
    activate(database, log, Trial(PROTOCOL, SOURCE), clock)
    going.judge()


def _park_entries(deployment: Deployment, going: Continued) -> None:
    """What cannot be read: two letters of the gateway and two of what stands in the log, and of each the first erased."""
    (severe,) = lines_of([sepsis("FR01-905", on(6))])
    going.send(SITES[0], [b"nonsense", severe.replace(b'"grade":4', b'"grade":44')])
    with deployment.database.writing() as connection:
        for number in range(2):
            key = f"{PROTOCOL.trial}/FR01-{number}"
            deployment.log.append([NewEntry(key, "", "urn:nobody", f"x{number}", b'{"not": "an event"}')], connection)
    going.judge()
    with deployment.database.writing() as connection:
        c = dead_letters.c
        for origin in (dead_letter_store.MONITOR, dead_letter_store.GATEWAY):
            wanted = select(c.id).where(c.origin == origin, c.state == dead_letter_store.PARKED).order_by(c.id).limit(1)
            letter = connection.execute(wanted).scalar_one()
            dead_letter_store.delete(
                connection, Trial(PROTOCOL, SOURCE), letter, "somebody", "a name in it", deployment.clock.now()
            )


@contextmanager
def a_bug() -> Any:
    """Rules that raise for one term."""
    evaluate = findings.evaluate_case
    with pytest.MonkeyPatch.context() as patched:

        def raises(facts: Any, name: str) -> Any:
            row = facts.adverse_events.get(name.removeprefix("ae:"))
            if row is not None and row.event.data.term == BAD:
                raise ZeroDivisionError("a bug")
            return evaluate(facts, name)

        patched.setattr(findings, "evaluate_case", raises)
        yield


def _park_a_subject(going: Continued) -> None:
    events = [*treated(PARKED), sepsis(PARKED, on(6), term=BAD), sepsis(PARKED, on(8), revision=2)]
    with a_bug():
        going.send(SITES[0], lines_of([*events, *treated(FIRED), sepsis(FIRED, on(6), **LASTING)]))
        going.judge()


def _hold_a_level(going: Continued) -> None:
    going.send(SITES[0], lines_of([event for one in HELD for event in (*treated(one), sepsis(one, on(6)))]))
    going.judge()


def _deliver(deployment: Deployment, known: Any) -> None:
    """Some of what was told was delivered, some was tried, some waits, and one channel was switched off."""
    with deployment.database.writing() as connection:
        now = deployment.clock.now()
        entries = deployment.alert_log.read(0, position_of(connection, 0), 40)
        Planner(Trial(PROTOCOL, SOURCE), known).plan(entries, connection, now)
        due = ledger.due(connection, "hook", now + 40 * DAY, 6, [], now, now)
        for number, one in enumerate(due):
            begun = attempts.begin(connection, one, one.id, now, now + DAY, now)
            assert begun is not None
            outcome = SendOutcome("delivered") if number % 2 else SendOutcome("failed", "busy")
            attempts.record(connection, one, outcome, now, now + DAY)
        attempts.group(connection, parcel_of(due[:1]), now)
        attempts.disable(connection, "other", known.fingerprint("other"), now, "HTTP 410")


def _leave_things_under_way(going: Continued) -> None:
    """Told and not relayed; fired and not judged; taken and not judged."""
    going.send(SITES[0], lines_of([*treated("FR01-904"), sepsis("FR01-904", on(6))]))
    going.judge()
    going.clock.instant += DAY
    assert going.deadlines.fire() > 0
    going.send(SITES[0], lines_of([*treated(WAITING), sepsis(WAITING, on(6))]))
    with going.database.writing() as connection:
        confirm_as_operator(connection, going.clock.instant, "night shift")


def rows_of(database: Database, table: Any) -> list[Json]:
    """Every row of a table."""
    with database.reading() as connection:
        return [dict(row) for row in connection.execute(select(table)).mappings()]


def _administered(connection: Connection, now: Instant) -> None:
    """What operators and keys leave behind: who did what, how keys were used, whose a source is."""
    audit.record(connection, now, "played", "keys.add", SITES[0], "a played trial")
    use = audit.UseKey(now, "played", "/v1/alerts", "answered")
    audit.add_uses(connection, {use: audit.UseCount(3, now, now)})
    assigned = {
        "pattern": "urn:laboratory:played",
        "site": SITES[0],
        "assigned_by": "played",
        "reason": "a played trial",
    }
    connection.execute(source_assignments.insert(), [{**assigned, "assigned_at": now}])


def missing_of(database: Database) -> list[str]:
    """What a played database lacks of what a move has to be shown."""
    missing = [f"{table.name} is empty" for table in metadata.sorted_tables if not rows_of(database, table)]
    with database.reading() as connection:
        unsent = connection.execute(select(alert_events.c.seq).where(alert_events.c.sent_offset.is_(None))).all()
        states = set(connection.scalars(select(deliveries.c.state)))
        letters = {tuple(row) for row in connection.execute(select(dead_letters.c.origin, dead_letters.c.state))}
        cases = {case.partition(":")[0] for case in connection.scalars(select(alerts.c.case_name))}
    missing += [] if unsent else ["nothing waits for the relay"]
    missing += [f"no delivery is {one}" for one in {"waiting", "delivered", "channel-disabled"} - states]
    missing += [f"no alert is about {one}" for one in {"ae", "cohort", "intake", "unwatched"} - cases]
    wanted = {(origin, state) for origin in ("gateway", "monitor") for state in ("parked", "deleted")}
    return missing + [f"no letter is {one}" for one in wanted - letters]
