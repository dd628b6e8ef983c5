"""A report of a lower revision changes no verdict, and is not passed over: a query, and an alert where it is graver."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from sqlalchemy import select

from events.alert import AlertEvent
from events.codec import Logged
from projections.folds.trial import Trial
from projections.store.engine.database import Database
from projections.store.engine.tables import dead_letters
from projections.store.write import dead_letter_store
from projections.store.write.dead_letter_store import LOWER_REVISION
from services.monitor.replay import Replay, ReplayFailed
from tests.monitor.deployment import SOURCE, Deployment
from tests.monitor.events import sepsis, treated
from tests.monitor.test_rebuild import rebuilt
from tests.properties.stories import on

SUBJECT = "FR01-001"
MILD = sepsis(SUBJECT, on(6, 9), revision=5, grade=2)
#: An electronic record that was set up anew counts from 1 again.
GRAVE = sepsis(SUBJECT, on(8, 9), revision=2)
SETTLING = sepsis(SUBJECT, on(10, 9), revision=6, grade=3)


def lived(database: Database, events: Sequence[Logged], batch: int = 500) -> Deployment:
    deployment = Deployment(database)
    for logged in [*treated(SUBJECT), *events]:
        deployment.receive([logged])
        if batch == 1:
            deployment.run(1)
    deployment.run(batch)
    return deployment


def intake_alerts(deployment: Deployment) -> list[AlertEvent]:
    return [told for told in deployment.told() if told.data.case.startswith("intake:")]


def kinds(deployment: Deployment) -> list[str]:
    return [told.type.split(".")[2] for told in intake_alerts(deployment)]


def letters(database: Database) -> list[tuple[str, str]]:
    with database.reading() as connection:
        rows = connection.execute(select(dead_letters.c.reason, dead_letters.c.state).order_by(dead_letters.c.id))
        return [tuple(row) for row in rows]


@pytest.mark.parametrize("batch", [1, 500])
def test_a_graver_report_of_a_lower_revision_is_an_alert(database: Database, batch: int) -> None:
    """The verdict stays that of the higher revision; a person is told, and the data manager asked. Batches change nothing."""
    deployment = lived(database, [MILD, GRAVE], batch)
    (told,) = intake_alerts(deployment)
    assert (told.type, told.data.urgency) == ("toxwatch.alert.raised.v1", "urgent")
    assert told.data.case == "intake:FR01/lower-revision"
    assert any(SUBJECT in reason for reason in told.data.reasons)
    assert not any("refused" in reason for reason in told.data.reasons)
    assert letters(database) == [(LOWER_REVISION, "parked")]
    assessed = deployment.assessed_document()
    assert assessed["cases"] == []
    assert [query["record"] for query in assessed["queries"] if "is not used" in query["question"]] == ["ae:AE-1"]


@pytest.mark.parametrize(
    "sent",
    [
        sepsis(SUBJECT, on(8, 9), revision=2, grade=2),
        sepsis(SUBJECT, on(5, 20), revision=2),
        sepsis(SUBJECT, on(8, 9), revision=6),
    ],
    ids=["no graver", "recorded before", "of a higher revision"],
)
def test_what_is_no_graver_or_older_or_newer_is_no_such_alert(database: Database, sent: Logged) -> None:
    deployment = lived(database, [MILD, sent])
    assert intake_alerts(deployment) == []
    assert letters(database) == []


@pytest.mark.parametrize("batch", [1, 500])
def test_a_higher_revision_settles_it_and_another_lower_one_does_not(database: Database, batch: int) -> None:
    """The second lower one says no more than the first, and does not take its alert away."""
    lower = sepsis(SUBJECT, on(9, 9), revision=3, grade=2)
    deployment = lived(database, [MILD, GRAVE, lower], batch)
    assert kinds(deployment) == ["raised"]
    deployment.receive([SETTLING])
    deployment.run()
    assert kinds(deployment) == ["raised", "withdrawn"]
    assert letters(database) == [(LOWER_REVISION, "settled")]
    assert not [query for query in deployment.assessed_document()["queries"] if "is not used" in query["question"]]


def test_a_person_settles_it_with_a_reason(database: Database) -> None:
    deployment = lived(database, [MILD, GRAVE])
    with database.writing() as connection:
        letter = connection.scalars(select(dead_letters.c.id)).one()
        now = deployment.clock.now()
        dead_letter_store.delete(
            connection, Trial(deployment.protocol, SOURCE), letter, "alice", "the site confirms grade 2", now
        )
    assert kinds(deployment) == ["raised", "withdrawn"]


def test_it_cannot_be_replayed(database: Database) -> None:
    """It is in the log: to take it again would change nothing and close its alert."""
    deployment = lived(database, [MILD, GRAVE])
    with database.reading() as connection:
        letter = connection.scalars(select(dead_letters.c.id)).one()
    with pytest.raises(ReplayFailed, match="higher revision"):
        Replay(database, Trial(deployment.protocol, SOURCE)).replay(letter, "alice", deployment.clock.now())
    assert kinds(deployment) == ["raised"]


@pytest.mark.parametrize(("more", "expected"), [([], ["raised"]), ([SETTLING], ["raised", "withdrawn"])])
def test_a_rebuild_tells_nothing_of_it_again(database: Database, more: list[Logged], expected: list[str]) -> None:
    """Neither of what waits nor of what was settled; and what it finds that was never told, it tells."""
    deployment = lived(database, [MILD, GRAVE, *more])
    assert kinds(deployment) == expected
    rebuilt(deployment)
    assert kinds(deployment) == expected
    with database.writing() as connection:
        connection.execute(dead_letters.delete())
    rebuilt(deployment)
    assert letters(database) == [(LOWER_REVISION, "parked")] * (not more)
