"""``toxwatch migrate-log``: every event, and everything that was told, decided and parked, on Kafka and PostgreSQL."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from events.codec import readable_id
from events.dates import DAY, Instant
from projections.protocols.isi_jx import PROTOCOL
from projections.store.engine.database import Database
from projections.store.engine.generation import next_offset
from projections.store.engine.schema import migrate
from projections.store.engine.tables import (
    alert_events,
    alert_log,
    alerts,
    chart_events,
    clinical_log,
    cohorts,
    dead_letters,
    deadlines,
    findings,
    log_ends,
    metadata,
    parked_subjects,
    positions,
    subjects,
    taken_events,
)
from projections.store.read.assessment import assessment
from projections.store.write.dead_letter_store import NOT_WATCHED
from services.dispatcher.alert_entries import CONSUMER as DISPATCHER
from services.gateway.intake import DUPLICATE
from services.log.embedded import EmbeddedLog
from services.log.partitioning import partition_of
from services.log.port import Entry, Position
from services.maintenance.relocation.plan import CARRIED, TOPICS
from services.monitor.monitor import CONSUMER as MONITOR
from services.platform.settings import Settings
from services.trials.rules_version import configuration_hash
from tests.databases import new_postgresql_database
from tests.files.command_line import toxwatch
from tests.log.moving import PARTITIONS, Case, in_one_order
from tests.log.played import (
    HELD,
    PARKED,
    REQUESTS,
    SITES,
    WAITING,
    Continued,
    Request,
    lines_of,
    play,
    requests,
    rows_of,
)
from tests.monitor.events import sepsis
from tests.properties.stories import on

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("migrate-log")]

RULES = f"{PROTOCOL.trial}/@protocol"
#: Where an event stands is another place there, and what a letter of the log is known by goes by that.
MOVED = ("partition", "offset", "fingerprint")


def test_every_table_is_named_once() -> None:
    """One that is added is carried too, or it is said why not."""
    named = [one.table.name for one in CARRIED] + [table.name for table in TOPICS]
    assert sorted(named) == sorted(metadata.tables)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_everything_arrives(case: Case, kind: str, postgresql: str, tmp_path: Path) -> None:
    """From SQLite, and from an embedded deployment on PostgreSQL: what stands there says where it came from."""
    with new_postgresql_database(postgresql) as url:
        if kind == "postgresql":
            case = Case(Settings(database=url), case.database_url, case.cluster, case.prefix)
            with case.old() as database:
                migrate(database)
                play(database, tmp_path)
        moved = case.command("--format", "json")
        assert (moved.code, moved.json["differences"]) == (0, []), moved.err
        with case.old() as old, case.new() as new:
            assert moved.json["clinical"] == len(rows_of(old, clinical_log))
            _logs_are_carried(old, case)
            _rows_are_carried(old, new)
            _places_are_right(old, new, case)
            _positions_are_right(old, new)


def _logs_are_carried(old: Database, case: Case) -> None:
    clinical, alerts = case.entries()
    was = [Entry(Position(0, row["offset"]), row["key"], row["body"]) for row in rows_of(old, alert_log)]
    assert alerts == was
    by_key: dict[str, list[bytes]] = defaultdict(list)
    for row in sorted(rows_of(old, clinical_log), key=lambda row: row["offset"]):
        by_key[row["key"]].append(row["body"])
    rules = by_key.pop(RULES)
    assert len(rules) == 3
    found: dict[tuple[int, str], list[bytes]] = defaultdict(list)
    for entry in clinical:
        found[(entry.position.partition, entry.key)].append(entry.body)
    expected = {(partition_of(key, PARTITIONS), key): bodies for key, bodies in by_key.items()}
    expected |= {(number, RULES): rules for number in range(PARTITIONS)}
    assert found == expected


def _rows_are_carried(old: Database, new: Database) -> None:
    """Save the positions, which are other ones, and the logs themselves, which are topics."""
    for table in metadata.sorted_tables:
        if table in (clinical_log, alert_log):
            assert rows_of(new, table) == []
        elif table not in (positions, log_ends):
            before, after = (in_one_order(rows_of(one, table), *MOVED) for one in (old, new))
            assert after == before, table.name
    stamps = [{row["topic"]: row["last_received"] for row in rows_of(one, log_ends)} for one in (old, new)]
    assert stamps[0] == stamps[1]


def _places_are_right(old: Database, new: Database, case: Case) -> None:
    """At the place that a row names stands what stood at the place that it named before."""
    there = {tuple(entry.position): entry.body for entry in case.entries()[0]}
    was = {row["offset"]: row["body"] for row in rows_of(old, clinical_log)}
    for table, key in ((taken_events, "event_id"), (chart_events, "event_id"), (dead_letters, "id")):
        before = {(row[key], row.get("subject")): row["offset"] for row in rows_of(old, table)}
        for row in rows_of(new, table):
            offset = before[(row[key], row.get("subject"))]
            if offset is not None:
                assert there[(row["partition"], row["offset"])] == was[offset]


def _positions_are_right(old: Database, new: Database) -> None:
    """What was judged before is judged, and nothing else; the dispatcher reads on where it was."""
    judged = next(row["next_offset"] for row in rows_of(old, positions) if row["consumer"] == MONITOR)
    keys = [row["key"] for row in rows_of(old, clinical_log) if row["offset"] < judged]
    rules = sum(key.endswith("@protocol") for key in keys)
    expected = [
        sum(partition_of(key, PARTITIONS) == number for key in keys if not key.endswith("@protocol")) + rules
        for number in range(PARTITIONS)
    ]
    with old.reading() as before, new.reading() as after:
        assert [next_offset(after, MONITOR, number) for number in range(PARTITIONS)] == expected
        assert next_offset(after, DISPATCHER, 0) == next_offset(before, DISPATCHER, 0) > 0
    assert {row["consumer"] for row in rows_of(new, positions)} == {MONITOR, DISPATCHER}


def test_it_goes_on_as_it_would_have_where_it_was(case: Case) -> None:
    """The same is sent to both sides afterwards: the same answers, the same alerts, and nothing is told again."""
    case.move()
    with case.old() as old, case.new() as new, case.topics() as topics:
        told = {row["event_id"] for row in rows_of(new, alert_events)}
        sides = [Continued(old, EmbeddedLog(old, "clinical"), EmbeddedLog(old, "alerts")), Continued(new, *topics)]
        for one in sides:
            one.clock.instant = max(row["last_received"] for row in rows_of(old, log_ends))
        for sender, lines, at in [*requests()[REQUESTS - 20 : REQUESTS + 60], *_about_those_who_wait()]:
            for one in sides:
                one.clock.instant = max(one.clock.instant, at)
            answers = [[each._replace(position=None) for each in one.send(sender, lines)] for one in sides]
            assert answers[1] == answers[0]
        assert {one.status for one in sides[1].send(*requests()[10][:2])} == {DUPLICATE}
        for one in sides:
            one.judge()
            one.clock.instant += 40 * DAY
            one.pass_time()
            one.relay()
        for table in (subjects, findings, cohorts, deadlines, parked_subjects):
            before, after = (in_one_order(rows_of(one, table)) for one in (old, new))
            assert after == before, table.name
        assert _told(new) == _told(old)
        for as_of in (sides[0].clock.instant, requests()[REQUESTS // 2].at):
            assert _assessed(new, as_of) == _assessed(old, as_of)
    news = [readable_id(entry.body) for entry in case.entries()[1]]
    assert len(news) == len(set(news)) > len(told)
    assert told < set(news)


def test_what_was_parked_is_known_again_there(case: Case) -> None:
    """A rebuild meets every entry that was refused, and parks none a second time; what was erased stays erased."""
    case.move()
    with case.new() as new:
        before = {row["id"]: row["state"] for row in rows_of(new, dead_letters)}
        assert toxwatch("rebuild", environment=case.environment).code == 0
        after = {row["id"]: row["state"] for row in rows_of(new, dead_letters)}
    # What the bug had put aside is judged, now that there is none.
    assert after == {letter: "replayed" if letter in _not_watched(case) else state for letter, state in before.items()}
    assert Counter(after.values()) == {"deleted": 2, "parked": 2, "replayed": 2}


def _not_watched(case: Case) -> set[int]:
    with case.old() as old:
        return {row["id"] for row in rows_of(old, dead_letters) if row["reason"] == NOT_WATCHED}


def _about_those_who_wait() -> list[Request]:
    """A repetition, something else under its id, one who is not watched, and one of whom something waits to be judged."""
    at = requests()[-1].at
    first = lines_of([sepsis(HELD[0], on(6))])
    otherwise = [first[0].replace(b'"grade":4', b'"grade":3')]
    news = lines_of([sepsis(PARKED, on(9), revision=3), sepsis(WAITING, on(9), revision=2, grade=2)])
    return [Request(SITES[0], lines, at) for lines in (first, first, otherwise, news)]


def _told(database: Database) -> list[str]:
    """Every step about a subject, and how each dose level stands at last: partitions interleave, and so do steps about those."""
    steps = [row for row in rows_of(database, alert_events) if row["subject"] is not None]
    standing = [(row["case_name"], row["state"], row["urgency"]) for row in rows_of(database, alerts)]
    return in_one_order(steps, "seq", "sent_offset", "sent_partition") + in_one_order(standing)


def _assessed(database: Database, as_of: Instant) -> dict[str, Any]:
    found = assessment(database, PROTOCOL, configuration_hash(PROTOCOL), as_of)
    return {name: in_one_order(value) if isinstance(value, list) else value for name, value in found.items()}
