"""Planning in the database: rows and position are one transaction, and reading twice plans once."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import event, insert

from events.dates import HOUR, SECOND
from projections.folds.trial import Trial
from projections.protocols.isi_jx import PROTOCOL
from projections.store.engine.database import Database
from projections.store.engine.generation import begin_first_generation, current_generation
from projections.store.engine.tables import deadlines, positions
from services.dispatcher import ledger
from services.dispatcher.alert_entries import FencedDispatcher, position_of
from services.dispatcher.delivery import new_delivery
from services.dispatcher.notice import Notice
from services.dispatcher.planner import Planner
from services.dispatcher.planning import DUE_WAIT
from services.dispatcher.routing import Route
from services.log.port import Entry, NewEntry
from tests.dispatcher.alerts import SOURCE, AlertingTrial
from tests.dispatcher.desk import trial_in
from tests.dispatcher.files import hook, person, recipients
from tests.dispatcher.test_notice import VALUES

ROW = new_delivery("E-1", Notice(**VALUES), Route("ann", "hook"), "waiting", 0, 0)
HOOKS = hook("https://a.example") + hook("https://b.example", "other") + person("ann", "hook other")


@pytest.fixture
def trial(database: Database) -> AlertingTrial:
    return AlertingTrial(database)


@pytest.fixture
def planner(tmp_path: Path) -> Planner:
    return Planner(Trial(PROTOCOL, SOURCE), recipients(tmp_path, HOOKS))


def plan(trial: AlertingTrial, planner: Planner, entries: list[Entry] | None = None) -> int:
    with trial.database.reading() as connection:
        start = position_of(connection, 0)
    entries = trial.log.read(0, start, 1000) if entries is None else entries
    with trial.database.writing() as connection:
        return planner.plan(entries, connection, trial.clock.now())


@pytest.mark.parametrize("at_once", [True, False])
def test_one_batch_or_many_make_the_same_ledger(trial: AlertingTrial, planner: Planner, at_once: bool) -> None:
    """A revision that supersedes another in its own batch leaves its row all the same."""
    for step in (trial.raises, trial.revises, trial.withdraws, trial.raises):
        step()
        if not at_once:
            plan(trial, planner)
    plan(trial, planner)
    assert trial.states() == [
        (1, "ann", "hook", "superseded"),
        (1, "ann", "other", "superseded"),
        (2, "ann", "hook", "settled"),
        (2, "ann", "other", "settled"),
        (4, "ann", "hook", "waiting"),
        (4, "ann", "other", "waiting"),
    ]


def test_an_entry_that_stands_twice_in_the_log_is_planned_once(trial: AlertingTrial, planner: Planner) -> None:
    """A log may hold a relayed event twice; an older one that comes again supersedes nothing."""
    trial.raises()
    trial.revises()
    first, second = trial.log.read(0, 0, 10)
    again = [
        entry._replace(position=entry.position._replace(offset=2 + n)) for n, entry in enumerate([first, second, first])
    ]
    assert plan(trial, planner, [first, second, *again]) == 4
    assert {(revision, state) for revision, _, _, state in trial.states()} == {(1, "superseded"), (2, "waiting")}


def test_somebody_else_who_planned_it_fences_us(trial: AlertingTrial, planner: Planner) -> None:
    """Nothing is written twice, and nothing of a batch that begins elsewhere."""
    trial.raises()
    entries = trial.log.read(0, 0, 10)
    assert plan(trial, planner, entries) == 2
    before = trial.rows()
    with pytest.raises(FencedDispatcher):
        plan(trial, planner, entries)
    assert trial.rows() == before


def test_position_and_rows_are_one_transaction(trial: AlertingTrial, planner: Planner) -> None:
    """Where the transaction fails at its end, neither stays."""
    trial.raises()

    def fail_at_the_end() -> None:
        with trial.database.writing() as connection:
            planner.plan(trial.log.read(0, 0, 10), connection, 0)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_at_the_end()
    with trial.database.reading() as connection:
        assert connection.execute(positions.select()).all() == []
    assert trial.rows() == []
    assert plan(trial, planner) == 2


def test_the_wait_of_a_routine_alert_is_read_from_its_history(trial: AlertingTrial, planner: Planner) -> None:
    """Also when every revision is read in one batch, late: the day counts from when it was raised."""
    trial.raises("routine")
    raised_at = trial.clock.now()
    trial.clock.turn(3 * HOUR)
    trial.revises("routine")
    plan(trial, planner)
    assert {(row.revision, row.not_before - raised_at) for row in trial.rows() if row.state == "waiting"} == {
        (2, 24 * HOUR)
    }


def test_who_filters_for_urgent_joins_a_routine_alert_with_its_wait(trial: AlertingTrial, tmp_path: Path) -> None:
    """A recipient who was not told before waits for the same hour as the others."""
    people = HOOKS + person("ben", "hook", 'populations = ["part-b"]')
    planner = Planner(Trial(PROTOCOL, SOURCE), recipients(tmp_path, people))
    trial.raises("routine")
    raised_at = trial.clock.now()
    plan(trial, planner)
    trial.clock.turn(3 * HOUR)
    trial.revises("routine", population="part-b")
    plan(trial, planner)
    assert [row.not_before - raised_at for row in trial.rows() if row.recipient == "ben"] == [24 * HOUR]


def test_what_cannot_be_read_is_an_alert_itself(trial: AlertingTrial, planner: Planner) -> None:
    """Nobody knows what it would have said; what stands behind it is planned."""
    with trial.database.writing() as connection:
        trial.log.append([NewEntry("k", "", SOURCE, "broken", b'{"type": "toxwatch.alert.raised.v9"}')], connection)
    trial.raises()
    plan(trial, planner)
    trial.relay()
    assert ("undelivered:0/0", "raised") in trial.told()
    plan(trial, planner)
    assert len(trial.rows()) == 4


def test_what_is_asked_twice_a_second_is_found_by_an_index(tmp_path: Path) -> None:
    """The ledger is kept for ever, and its length must not matter."""
    asked: list[str] = []
    with trial_in(tmp_path) as trial, trial.database.reading() as connection:

        @event.listens_for(connection, "before_cursor_execute")
        def _keep(_connection: object, _cursor: object, sql: str, *_: object) -> None:
            if "FROM deliveries" in sql:
                asked.append(sql)

        ledger.due(connection, "hook", 0, 5, [], 0, 0)
        ledger.going_with(connection, ROW, 0, 5, 0)
        ledger.next_due(connection, 0)
        ledger.late(connection, 0)
        event.remove(connection, "before_cursor_execute", _keep)
        steps = [
            " ".join(
                step.detail for step in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", (0,) * sql.count("?"))
            )
            for sql in asked
        ]
    assert len(steps) == 4
    assert [step for step in steps if "ix_deliveries_due" not in step and "ix_deliveries_queue" not in step] == []


def test_what_is_about_subjects_goes_before_what_is_about_toxwatch(trial: AlertingTrial, planner: Planner) -> None:
    """At equal urgency, on every channel; a dose level on hold is the subjects' affair."""
    trial.system("intake:FR01/bad-field")
    trial.system("unwatched:FR01-001")
    hold = trial.system("cohort:A/2", dose_level=2, clauses=["COHORT-HOLD"])
    met = trial.raises()
    plan(trial, planner)
    with trial.database.reading() as connection:
        first = [row.alert_id for row in ledger.due(connection, "hook", trial.clock.now(), 2, [], 0, 0)]
    assert set(first) == {hold, met}


def test_a_silent_revision_is_sent_to_nobody_who_was_told(trial: AlertingTrial, planner: Planner) -> None:
    """Who still waits for the revision before is sent the newest instead, as news."""
    alert_id = trial.system("intake:FR01/bad-field", count=1)
    plan(trial, planner)
    told = next(row for row in trial.rows(alert_id) if row.channel == "hook")
    with trial.database.writing() as connection:
        ledger.close(connection, {told.id: "delivered"})
    trial.system("intake:FR01/bad-field", reasons=["two"], count=2, telling="silent")
    plan(trial, planner)
    assert trial.states(alert_id) == [
        (1, "ann", "hook", "delivered"),
        (1, "ann", "other", "superseded"),
        (2, "ann", "other", "waiting"),
    ]
    waiting = trial.rows(alert_id)[-1]
    assert ('"kind":"raised"' in waiting.notice, '"telling":"news"' in waiting.notice) == (True, True)


def test_a_message_waits_a_moment_for_what_is_due_already(trial: AlertingTrial, planner: Planner) -> None:
    """A late report, by which time alone has changed a verdict too: one message says both, not two within a second."""
    now = trial.clock.now()
    with trial.database.writing() as connection:
        begin_first_generation(connection, now)
        row = {"generation": current_generation(connection), "subject": "FR01-001", "case_name": "ae:AE-1"}
        connection.execute(insert(deadlines).values(**row, due=now - HOUR, is_fired=False))
    first = trial.raises("prompt")
    other = trial.raises(subject="FR01-002")
    plan(trial, planner)
    assert {row.not_before - now for row in trial.rows(first)} == {DUE_WAIT}
    assert {row.not_before - now for row in trial.rows(other)} == {0}
    trial.clock.turn(SECOND // 4)
    trial.revises("urgent")
    plan(trial, planner)
    assert [row.state for row in trial.rows(first)] == ["superseded"] * 2 + ["waiting"] * 2
    assert {row.not_before - now for row in trial.rows(first)} == {DUE_WAIT}
