"""``GET /v1/status``: positions, lag and counts for those who run the system, and nothing clinical."""

from __future__ import annotations

from projections.store.engine.database import Database
from projections.store.engine.tables import parked_subjects
from services.log.embedded import EmbeddedLog
from services.log.port import NewEntry
from tests.api.serving import reading
from tests.api.telling import START, at_position, delivered, letter, parked, told


def test_an_operator_sees_how_far_everything_has_come(database: Database) -> None:
    """Each consumer beside the log that it reads; the dispatcher reads the alert log."""
    entries = [NewEntry("k", "FR01-001", "urn:site:FR01:edc", f"e-{n}", b"{}") for n in range(7)]
    with database.writing() as connection:
        EmbeddedLog(database, "clinical").append(entries, connection)
        EmbeddedLog(database, "alerts").append(entries[:3], connection)
        at_position(connection, "monitor", 5)
        at_position(connection, "dispatcher", 1)
        alert_id = told(connection)
        told(connection, "FR01-002")
        told(connection, "FR01-002", kind="withdrawn")
        delivered(connection, alert_id, 1, "monitor", ["failed", "waiting"])
        parked(connection, letter(b"1"), letter(b"2"), letter(b"3", reason="not-json"))
        row = {"subject": "FR01-003", "parked_at": START, "error": "KeyError('Marie Curie')"}
        connection.execute(parked_subjects.insert(), [row])
    with reading(database) as ask:
        answer = ask.get("/v1/status", "operator")
    status = answer.json()
    assert status["ends"] == {"clinical": [7], "alerts": [3]}
    assert {row["consumer"]: (row["log"], row["next_offset"], row["lag"]) for row in status["consumers"]} == {
        "monitor": ("clinical", 5, 2),
        "dispatcher": ("alerts", 1, 2),
    }
    assert status["alerts"] == {"open": 1, "withdrawn": 1}
    assert status["alert_events_unsent"] == 3
    assert status["deliveries"] == {"waiting": 1}
    assert [(row["reason"], row["letters"]) for row in status["dead_letters"]] == [("bad-field", 2), ("not-json", 1)]
    assert status["parked_subjects"] == {"subjects": 1, "since": "2017-03-20T09:00:00Z"}
    assert [secret for secret in ("FR01", "Curie", "AE-1", "e-7") if secret in answer.text] == []


def test_a_deployment_that_has_done_nothing_yet_has_a_status(database: Database) -> None:
    """All of it nothing."""
    with reading(database) as ask:
        status = ask.read("/v1/status", "operator")
    assert (status["ends"], status["consumers"]) == ({"clinical": [0], "alerts": [0]}, [])
    assert (status["alerts"], status["parked_subjects"]["subjects"]) == ({"open": 0, "withdrawn": 0}, 0)
