"""``GET /v1/alerts`` and ``/v1/alerts/{alert_id}``: nothing missing, nothing twice, and all there is about one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.envelope import EventRef
from projections.store.engine.database import Database
from projections.store.engine.life import begin_next_life
from projections.store.engine.schema import migrate
from projections.store.engine.tables import alert_events
from projections.store.read.alerts import alerts_after
from tests.api.serving import Reading, reading
from tests.api.telling import alert_id_of, charted, delivered, told

SUBJECTS = ("FR01-001", "FR01-002", "FR02-001")


def _cases(page: dict[str, list[dict[str, str]]]) -> list[str]:
    return [alert["case"] for alert in page["alerts"]]


@pytest.fixture
def three(database: Database) -> Database:
    """A met alert, a possible one that was withdrawn, and one about a dose level."""
    with database.writing() as connection:
        told(connection, "FR01-001", "ae:AE-1")
        told(connection, "FR01-002", "ae:AE-2", verdict="possible", clauses={"DLT-2": "possible"})
        told(connection, None, "cohort:A/2")
        told(connection, "FR01-002", "ae:AE-2", "withdrawn", previous_verdict="possible")
    return database


def test_alerts_come_in_the_order_in_which_they_changed(three: Database) -> None:
    """The one that was withdrawn last comes last, as it stands now."""
    with reading(three) as ask:
        page = ask.read("/v1/alerts")
    assert _cases(page) == ["ae:AE-1", "cohort:A/2", "ae:AE-2"]
    assert page["next"] is None
    last = page["alerts"][-1]
    assert (last["subject"], last["state"], last["revision"], last["verdict"]) == ("FR01-002", "withdrawn", 2, None)
    assert (last["raised_at"], last["changed_at"]) == ("2017-03-20T09:00:01Z", "2017-03-20T09:00:02Z")
    assert page["alerts"][1]["subject"] is None


@pytest.mark.parametrize(
    ("wanted", "cases"),
    [
        ({"subject": "FR01-001"}, ["ae:AE-1"]),
        ({"subject": "FR09-009"}, []),
        ({"verdict": "met"}, ["ae:AE-1"]),
        ({"verdict": "possible"}, []),
        ({"state": "open"}, ["ae:AE-1", "cohort:A/2"]),
        ({"state": "withdrawn"}, ["ae:AE-2"]),
        ({"state": "open", "subject": "FR01-002"}, []),
    ],
)
def test_filters_are_about_how_an_alert_stands_now(three: Database, wanted: dict[str, str], cases: list[str]) -> None:
    """A verdict that was taken back is not found any more."""
    with reading(three) as ask:
        assert _cases(ask.read("/v1/alerts", **wanted)) == cases


def test_one_alert_comes_with_all_there_is_about_it(database: Database) -> None:
    """Its whole history, the events that it rests on, and every attempt to deliver it; of no other alert."""
    with database.writing() as connection:
        body = charted(connection, 0, id="e-1")
        evidence = [EventRef(source=body["source"], id="e-1"), EventRef(source="urn:site:FR01:edc", id="gone")]
        alert_id = told(connection, evidence=evidence)
        other = told(connection, "FR02-001")
        told(connection, evidence=evidence, clauses={"DLT-1": "met", "DLT-3": "possible"})
        told(connection, kind="withdrawn", evidence=evidence, reasons=["retracted"], previous_verdict="met")
        delivered(connection, alert_id, 1, "monitor", ["failed", "delivered"])
        delivered(connection, alert_id, 3, "monitor", ["waiting"])
        delivered(connection, other, 1, "monitor", ["delivered"])
        stored = connection.execute(alert_events.select().where(alert_events.c.alert_id == alert_id)).all()
    with reading(database) as ask:
        alert = ask.read(f"/v1/alerts/{alert_id}")
    assert (alert["revision"], alert["state"], alert["reasons"]) == (3, "withdrawn", ["retracted"])
    assert [entry["kind"] for entry in alert["history"]] == ["raised", "revised", "withdrawn"]
    assert [entry["event"] for entry in alert["history"]] == [json.loads(row.body) for row in stored]
    assert alert["evidence_events"] == [
        {"source": body["source"], "id": "e-1", "event": body},
        {"source": "urn:site:FR01:edc", "id": "gone", "event": None},
    ]
    ways = [(way["revision"], way["state"], [a["outcome"] for a in way["attempts"]]) for way in alert["deliveries"]]
    assert ways == [(1, "delivered", ["failed", "delivered"]), (3, "waiting", ["waiting"])]
    assert alert["deliveries"][0]["delivered_at"] == "2017-03-20T09:00:02Z"


def test_an_alert_that_was_never_told_is_not_found(three: Database) -> None:
    """Whatever the id looks like."""
    with reading(three) as ask:
        for alert_id in ("8c4e9f0a-3f5b-5d0e-9a39-6b1f0e1c7d52", "x", "%00", "a%2Fb", "'; DROP TABLE alerts; --"):
            answer = ask.get(f"/v1/alerts/{alert_id}")
            assert answer.status_code == 404
        assert len(ask.read("/v1/alerts")["alerts"]) == 3


def test_a_page_that_is_full_says_where_the_next_begins(three: Database) -> None:
    """And the last one that there is none."""
    with reading(three) as ask:
        assert _read_to_the_end(ask, 2) == ["ae:AE-1", "cohort:A/2", "ae:AE-2"]
        assert _read_to_the_end(ask, 1) == ["ae:AE-1", "cohort:A/2", "ae:AE-2"]
        assert _read_to_the_end(ask, 500) == ["ae:AE-1", "cohort:A/2", "ae:AE-2"]


def _read_to_the_end(ask: Reading, limit: int) -> list[str]:
    found: list[str] = []
    after: int | None = 0
    while after is not None:
        page = ask.read("/v1/alerts", after=after, limit=limit)
        found += _cases(page)
        after = page["next"]
    return found


_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("tell"), st.sampled_from(SUBJECTS), st.integers(1, 3), st.booleans()),
        st.tuples(st.just("read"), st.integers(1, 4)),
    ),
    max_size=40,
)


@pytest.fixture(scope="module")
def emptied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """One database for all examples of a property."""
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('pages') / 'toxwatch.db'}")
    migrate(database)
    yield database
    database.close()


@given(steps=_STEPS)
def test_paging_while_alerts_change_misses_nothing_and_repeats_no_revision(emptied: Database, steps: list[Any]) -> None:
    """However reading and telling take turns, the reader ends with the newest revision of every alert, each seen once."""
    newest: dict[str, int] = {}
    seen: list[tuple[str, int]] = []
    after = 0

    def read(limit: int) -> bool:
        nonlocal after
        with emptied.reading() as connection:
            page = alerts_after(connection, after, limit)
        seen.extend((alert.data.alert_id, alert.data.revision) for alert in page)
        after = page[-1].seq if page else after
        return bool(page)

    with emptied.writing() as connection:
        connection.exec_driver_sql("DELETE FROM alerts")
        connection.exec_driver_sql("DELETE FROM alert_events")
    for step in steps:
        if step[0] == "read":
            read(step[1])
            continue
        _, subject, case, withdrawn = step
        with emptied.writing() as connection:
            alert_id = alert_id_of(subject, f"ae:AE-{case}")
            told(connection, subject, f"ae:AE-{case}", "withdrawn" if withdrawn and alert_id in newest else None)
        newest[alert_id] = newest.get(alert_id, 0) + 1
    while read(3):
        pass
    assert len(seen) == len(set(seen))
    assert {alert_id: max(r for a, r in seen if a == alert_id) for alert_id in newest} == newest


def test_a_place_of_another_life_is_answered_with_a_sentence(database: Database) -> None:
    """After a restore the same number means another alert: 409, what to do, and nothing skipped."""
    with database.writing() as connection:
        for number in range(4):
            told(connection, "FR01-001", f"ae:AE-{number}")
    with reading(database) as ask:
        _is_told_of_another_life(ask, database)


def _is_told_of_another_life(ask: Reading, database: Database) -> None:
    place = ask.read("/v1/alerts", limit=2)["next"]
    assert len(ask.read("/v1/alerts", after=place)["alerts"]) == 2
    with database.writing() as connection:
        begin_next_life(connection, 1)
    for after, status in ((place, 409), (2, 422)):
        for path in ("/v1/alerts", "/v1/dead-letters"):
            answer = ask.get(path, after=after)
            assert answer.status_code == status
            assert "`after=0` begins anew" in answer.json()["detail"]
    assert len(ask.read("/v1/alerts", after=0)["alerts"]) == 4
