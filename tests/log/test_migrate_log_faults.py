"""A move that is broken off goes on; one that would overwrite, lose or repeat something does nothing; and its check has teeth."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Connection, delete, update

from events.dates import parse_instant
from projections.store.engine.database import AlreadyDone
from projections.store.engine.schema import SchemaState, migrate, schema_state
from projections.store.engine.tables import chart_events, deliveries, findings, taken_events
from services.log.embedded import EmbeddedLog
from services.log.kafka import LogBroken
from services.log.kafka_client import Cluster
from services.log.moved_away import MovedAway, require_not_moved
from services.log.port import Entry, NewEntry
from services.log.topics import TopicAdmin, declared
from services.maintenance.relocation import entries, rows
from services.maintenance.relocation.entries import SourceBroken, TargetTaken
from services.maintenance.relocation.moving import TopicsDiffer
from services.platform.data_lock import AlreadyRunning, alone_on
from services.platform.settings import DATABASE_FILE, Settings
from services.runtime.embedded import PROCESS
from tests.brokers import Broker
from tests.crash.steps import announced_steps
from tests.databases import new_postgresql_database
from tests.dispatcher.desk import Killed
from tests.files.command_line import ROOT, toxwatch
from tests.log.moving import PARTITIONS, Case
from tests.log.played import SITES, Continued, lines_of
from tests.monitor.deployment import SetClock
from tests.monitor.events import treated

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("migrate-log")]

STEPS = [step for step in announced_steps() if step.startswith("migration.")]
AFTERWARDS = parse_instant("2026-01-01T00:00:00Z")
#: Every entry and every row there.
Everything = tuple[tuple[list[Entry], list[Entry]], dict[str, list[str]]]


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """So few at a time that there are many pages."""
    monkeypatch.setattr(entries, "PAGE", 250)
    monkeypatch.setattr(rows, "PAGE", 250)


@pytest.fixture(scope="module")
def expected(played: Path, broker: Broker, postgresql: str, tmp_path_factory: pytest.TempPathFactory) -> Everything:
    """What a move that nothing has disturbed comes to."""
    data = tmp_path_factory.mktemp("undisturbed")
    shutil.copy(played / DATABASE_FILE, data / DATABASE_FILE)
    cluster, prefix = Cluster((broker.address,)), f"undisturbed-{os.getpid()}"
    TopicAdmin(cluster).create(declared(prefix, PARTITIONS))
    with new_postgresql_database(postgresql) as url:
        case = Case(Settings(data=data), url, cluster, prefix)
        assert case.move().differences == []
        return _everything(case)


def _everything(case: Case) -> Everything:
    return case.entries(), case.tables()


def _dying_at(step: str) -> Callable[[str], None]:
    """Ends the move as it passes a step."""

    def fail_point(passed: str) -> None:
        if passed == step:
            raise Killed

    return fail_point


@pytest.mark.parametrize("step", STEPS)
def test_broken_off_at(step: str, case: Case, expected: Everything) -> None:
    """At the first time that it passes the step, and where it passes it again, once more; then it comes to its end."""
    with pytest.raises(Killed):
        case.move(fail_point=_dying_at(step))
    with suppress(Killed):
        case.move(fail_point=_dying_at(step))
    assert case.move().differences == []
    assert _everything(case) == expected


def test_killed_while_it_writes_the_log(case: Case, expected: Everything) -> None:
    """The process itself, at once (SIGKILL): what the broker has is recognised, and nothing stands there twice."""
    command = [sys.executable, "-m", "tests.log.killed_move", "migration.clinical-appended:3", "migrate-log"]
    killed = subprocess.run(
        [*command, "--from-data", str(case.source.data)],
        cwd=ROOT,
        env={**os.environ, **case.environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert 0 < len(case.entries()[0]) < len(expected[0][0])
    done = case.command()
    assert done.code == 0, done.err
    assert _everything(case) == expected


def test_broken_off_in_the_middle_of_a_page(case: Case, expected: Everything) -> None:
    """One partition has some entries of it, another more, the others none."""
    with case.topics() as (clinical, _):
        for partition, count in ((1, 7), (3, 40)):
            clinical.append_at([one for one in expected[0][0] if one.position.partition == partition][:count])
    assert case.move().differences == []
    assert _everything(case) == expected


def test_done_again_it_changes_nothing(case: Case, expected: Everything) -> None:
    """It only checks again."""
    case.move()
    assert case.command().code == 0
    assert _everything(case) == expected


def _nothing_was_done(case: Case) -> None:
    with case.new() as new, case.old() as old, old.reading() as connection:
        assert schema_state(new) is SchemaState.EMPTY
        require_not_moved(connection)


def test_a_topic_that_holds_something_else_is_left_alone(case: Case) -> None:
    """Whatever partition it stands in."""
    foreign = NewEntry("T/FR09-001", "FR09-001", "urn:x", "x", b"{}")
    with case.topics() as (clinical, _), case.new() as new, new.writing() as connection:
        clinical.append([foreign], connection)
    before = case.entries()
    with pytest.raises(TargetTaken, match="is not from this deployment"):
        case.move()
    assert case.entries() == before
    _nothing_was_done(case)


def test_a_database_that_has_tables_is_left_alone(case: Case) -> None:
    with case.new() as new:
        migrate(new)
    with pytest.raises(TargetTaken, match="name an empty one"):
        case.move()
    assert case.entries() == ([], [])


def test_what_goes_on_there_already_is_left_alone(case: Case) -> None:
    """After the move something was taken there: done again, it says so and changes nothing."""
    case.move()
    with case.topics() as topics, case.new() as new:
        Continued(new, *topics, SetClock(AFTERWARDS)).send(SITES[0], lines_of(treated("FR01-970")))
    before = _everything(case)
    with pytest.raises(TargetTaken, match="goes on already"):
        case.move()
    assert _everything(case) == before


def test_nobody_may_be_at_it(case: Case) -> None:
    """Neither on the directory nor on the database."""
    with alone_on(case.source.data), pytest.raises(AlreadyRunning):
        case.move()
    with case.old() as old, old.alone(PROCESS), pytest.raises(AlreadyDone):
        case.move()
    _nothing_was_done(case)


def test_topics_must_be_as_declared(case: Case) -> None:
    """Missing, or with another number of partitions."""
    with pytest.raises(TopicsDiffer, match="topics create"):
        replace(case, prefix=f"{case.prefix}-none").move()
    wrong = f"{case.prefix}-wrong"
    TopicAdmin(case.cluster).create(declared(wrong, PARTITIONS + 1))
    with pytest.raises(TopicsDiffer, match="5 partitions, not 4"):
        replace(case, prefix=wrong).move()


def test_the_rules_in_force_must_be_at_hand(case: Case, tmp_path: Path) -> None:
    """Under others it could not be checked, and the first service to start would judge everybody again."""
    rules = tmp_path / "other.toml"
    rules.write_text('base = "isi-jx"\nversion = "2"\nwindow_days = 3\n')
    assert "the rules in force are" in case.command("--protocol", str(rules)).words
    _nothing_was_done(case)


def _writing_at(step: str, write: Callable[[], object]) -> Callable[[str], None]:
    """Somebody writes as the step is passed for the first time."""
    left = [write]

    def fail_point(passed: str) -> None:
        if passed == step and left:
            left.pop()()

    return fail_point


def test_what_is_written_there_meanwhile_by_another_is_noticed(case: Case) -> None:
    foreign = NewEntry("T/FR09-001", "FR09-001", "urn:x", "x", b"{}")

    def write() -> None:
        with case.topics() as (clinical, _), case.old() as old, old.reading() as connection:
            clinical.append_everywhere(foreign, connection)

    with pytest.raises(LogBroken, match="another writes there"):
        case.move(fail_point=_writing_at("migration.clinical-appended", write))
    with pytest.raises(TargetTaken):
        case.move()
    _nothing_was_done(case)


def test_what_is_written_here_meanwhile_comes_along(case: Case) -> None:
    """A letter that is replayed, say: the move is broken off, and the next one carries it too."""

    def write() -> None:
        with case.old() as old:
            logs = EmbeddedLog(old, "clinical"), EmbeddedLog(old, "alerts")
            Continued(old, *logs, SetClock(AFTERWARDS)).send(SITES[0], lines_of(treated("FR01-970")))

    with pytest.raises(SourceBroken, match="meanwhile"):
        case.move(fail_point=_writing_at("migration.logs-carried", write))
    assert case.move().differences == []
    assert any(b'"FR01-970"' in entry.body for entry in case.entries()[0])


def test_what_was_moved_is_not_started_again(case: Case) -> None:
    """Unless somebody takes it back."""
    case.move()
    run = ("run", "--data", str(case.source.data), "--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0")
    started = toxwatch(*run)
    assert started.code == 1
    assert "was moved to Kafka" in started.words
    assert case.command("--take-back").code == 0
    with case.old() as old, old.reading() as connection:
        require_not_moved(connection)


def test_what_was_moved_is_not_moved_to_another_place(case: Case, postgresql: str) -> None:
    """It would go on twice."""
    case.move()
    other = f"{case.prefix}-other"
    TopicAdmin(case.cluster).create(declared(other, PARTITIONS))
    with new_postgresql_database(postgresql) as url:
        elsewhere = replace(case, prefix=other, database_url=url)
        with pytest.raises(MovedAway, match="not to here"):
            elsewhere.move()
        assert elsewhere.entries() == ([], [])
        with elsewhere.new() as new:
            assert schema_state(new) is SchemaState.EMPTY


def _a_finding(connection: Connection) -> str:
    connection.execute(update(findings).values(urgency="urgent"))
    return findings.name


def _a_chart(connection: Connection) -> str:
    connection.execute(update(chart_events).where(chart_events.c.kind == "ae").values(time=chart_events.c.time + 1))
    return chart_events.name


def _a_place(connection: Connection) -> str:
    connection.execute(update(taken_events).values(offset=taken_events.c.offset + 1))
    return taken_events.name


def _a_delivery(connection: Connection) -> str:
    connection.execute(delete(deliveries).where(deliveries.c.state == "waiting"))
    return deliveries.name


@pytest.mark.parametrize("spoil", [_a_finding, _a_chart, _a_place, _a_delivery])
def test_its_check_has_teeth(case: Case, spoil: Callable[[Connection], str]) -> None:
    """What is other than it was is named."""
    spoilt: list[str] = []

    def write() -> None:
        with case.new() as new, new.writing() as connection:
            spoilt.append(spoil(connection))

    report = case.move(fail_point=_writing_at("migration.committed", write))
    assert {one.table for one in report.differences if one.where == "carried over otherwise"} == set(spoilt)
