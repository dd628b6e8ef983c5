"""Refused severe events are counted: one alert for each site and reason, whatever their number (rules.md §6)."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import select

from events.alert import AlertData
from events.dates import MINUTE, parse_instant
from events.identity import derived_id
from projections.folds.system_alerts import system_transition
from projections.folds.trial import Trial
from projections.protocols.isi_jx import PROTOCOL
from projections.rules.logic.truth import EventKey
from projections.store.engine.database import Database
from projections.store.engine.tables import alert_events, alerts, dead_letters
from projections.store.rows.outbox import publish
from projections.store.write import dead_letter_store
from projections.store.write.dead_letter_store import ArrivedEvent, NewDeadLetter
from projections.store.write.intake_alerts import merge_single_alerts, tell_of_numbers

SOURCE = "urn:toxwatch:test"
NOW = parse_instant("2017-03-01T08:00:00Z")
CASE = "intake:FR01/wrong-trial"
TRIAL = Trial(PROTOCOL, SOURCE)


def letter(number: int, site: str | None = "FR01", reason: str = "wrong-trial") -> NewDeadLetter:
    raw = f"{site} {number}".encode()
    record = {"subject": f"FR01-{number:05d}", "record_kind": "ae", "record_id": "AE-1"}
    return NewDeadLetter(
        dead_letter_store.GATEWAY, reason, "e", "f", raw, is_severe=True, sender="key", site=site, **record
    )


def told(database: Database, case: str = CASE) -> list[str]:
    """Kind and number of every alert event of a case."""
    with database.reading() as connection:
        rows = connection.execute(
            select(alert_events.c.kind, alert_events.c.body)
            .where(alert_events.c.case_name == case)
            .order_by(alert_events.c.seq)
        ).all()
    found = []
    for kind, body in rows:
        data = json.loads(body)["data"]
        found.append(f"{kind} {data['count']} {data['telling']}")
    return found


def test_ten_thousand_refused_one_by_one_are_some_twenty_revisions(database: Database) -> None:
    """Up to ten each number is told, then 20, 50, 100, …; in between at most once a minute, which wakes nobody."""
    for start in range(0, 10_000, 250):
        with database.writing() as connection:
            dead_letter_store.park(
                connection, TRIAL, [letter(number) for number in range(start, start + 250)], NOW + start
            )
    assert told(database)[0] == "raised 250 news"
    assert told(database)[-1] == "revised 10000 news"
    assert len(told(database)) <= 8


@pytest.mark.parametrize("at_once", [1, 7])
def test_small_numbers_are_exact(database: Database, at_once: int) -> None:
    """Each of the first ten is news; of 23 the alert says 20, until the minute is over."""
    for start in range(0, 21, at_once):
        with database.writing() as connection:
            dead_letter_store.park(
                connection, TRIAL, [letter(number) for number in range(start, start + at_once)], NOW + start
            )
    if at_once == 1:
        assert told(database)[:3] == ["raised 1 news", "revised 2 news", "revised 3 news"]
        assert told(database)[9:] == ["revised 10 news", "revised 20 news"]
        with database.writing() as connection:
            assert tell_of_numbers(connection, TRIAL, NOW + MINUTE + 30) == 1
            assert tell_of_numbers(connection, TRIAL, NOW + MINUTE + 31) == 0
    assert told(database)[-1].split()[1] == "21"


def test_it_is_withdrawn_when_a_valid_event_for_every_record_has_arrived(database: Database) -> None:
    """And not before the last; what is counted less is told to nobody."""
    with database.writing() as connection:
        dead_letter_store.park(connection, TRIAL, [letter(1), letter(2), letter(1, "FR02")], NOW)
    for number in (1, 2):
        with database.writing() as connection:
            arrival = ArrivedEvent(f"FR01-{number:05d}", "ae", "AE-1", "urn:site:FR01:edc", f"E-{number}", NOW + number)
            dead_letter_store.settle(connection, TRIAL, [arrival], NOW + number)
    assert told(database) == ["raised 2 news", "revised 1 silent", "withdrawn None quiet"]
    assert told(database, "intake:FR02/wrong-trial") == ["raised 1 news", "withdrawn None quiet"]


def test_sites_and_reasons_are_counted_apart(database: Database) -> None:
    """A sender can add to the alerts of its own key's site only."""
    letters = [letter(1), letter(2, "FR02"), letter(3, reason="bad-field"), letter(4, None)]
    with database.writing() as connection:
        dead_letter_store.park(connection, TRIAL, letters, NOW)
        cases = set(connection.scalars(select(alerts.c.case_name)))
    assert cases == {CASE, "intake:FR02/wrong-trial", "intake:FR01/bad-field", "intake:@other/wrong-trial"}


def test_the_alerts_of_single_letters_are_merged_and_nothing_that_waits_is_forgotten(database: Database) -> None:
    """A database of an earlier version, brought up by its migration: the numbers are raised, then the old ones withdrawn."""
    with database.writing() as connection:
        dead_letter_store.park(connection, TRIAL, [letter(1), letter(2), letter(3, "FR02")], NOW)
        connection.execute(alert_events.delete())
        connection.execute(alerts.delete())
        for row in connection.execute(select(dead_letters.c.id)).all():
            step = system_transition(PROTOCOL, f"intake:{row.id}", None, ["refused"], EventKey(SOURCE, "x"), NOW)
            assert step is not None
            publish(connection, TRIAL, [step])
    with database.writing() as connection:
        assert merge_single_alerts(connection, TRIAL, NOW + 1) == 5
        assert merge_single_alerts(connection, TRIAL, NOW + 2) == 0
        rows = connection.execute(select(alert_events.c.case_name, alert_events.c.kind).order_by(alert_events.c.seq))
        steps = [(row.case_name, row.kind) for row in rows][3:]
        data = connection.scalar(select(alerts.c.data).where(alerts.c.alert_id == derived_id(PROTOCOL.trial, CASE)))
    assert set(steps[:2]) == {(CASE, "raised"), ("intake:FR02/wrong-trial", "raised")}
    assert sorted(steps[2:]) == [(f"intake:{number}", "withdrawn") for number in (1, 2, 3)]
    assert AlertData.model_validate_json(data or "").count == 2


def test_an_example_is_never_what_the_sender_wrote(database: Database) -> None:
    """Save the ids of the trial's own subjects and of their records."""
    with database.writing() as connection:
        dead_letter_store.park(
            connection, TRIAL, [letter(1)._replace(subject=None, error="Jeanne Dupont", field="Dupont")], NOW
        )
        body = connection.scalar(select(alert_events.c.body))
    assert body is not None
    assert b"Dupont" not in body
    assert b"dead letter 1" in body
