"""A bug parks one subject in sequence and pages somebody; what is refused is parked with its bytes; both can be replayed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import select

from events.codec import Codec, Logged
from projections.folds import findings
from projections.rules.assess import CaseEvaluation
from projections.rules.subject_facts import SubjectFacts
from projections.store.database import Database
from projections.store.parking import NOT_WATCHED
from projections.store.rebuild import Rebuild
from projections.store.tables import dead_letters, parked_subjects
from services.log.port import NewEntry
from services.monitor.monitor import CONSUMER, Halted
from services.monitor.replay import Replay, ReplayFailed
from services.operations import reading_of
from tests.monitor.deployment import SOURCE, Deployment
from tests.monitor.events import event, sepsis, treated
from tests.monitor.test_history import told_of
from tests.properties.stories import on

BAD = "Sepsis that no rule foresaw"


@pytest.fixture
def bug(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Rules that raise for one term."""
    evaluate = findings.evaluate_case

    def raises(facts: SubjectFacts, name: str) -> CaseEvaluation | None:
        row = facts.adverse_events.get(name.removeprefix("ae:"))
        if row is not None and row.event.data.term == BAD:
            raise ZeroDivisionError("a bug")
        return evaluate(facts, name)

    with monkeypatch.context() as patched:
        patched.setattr(findings, "evaluate_case", raises)
        yield patched


def _parked(database: Database) -> list[tuple[str, str, int]]:
    columns = (dead_letters.c.subject, dead_letters.c.reason, dead_letters.c.offset)
    with database.reading() as connection:
        rows = connection.execute(select(*columns).where(dead_letters.c.state == "parked").order_by(dead_letters.c.id))
        return [tuple(row) for row in rows]


def _story() -> list[Logged]:
    """One subject meets the bug between two events of its own; another is well."""
    return [
        *treated("FR01-001"),
        *treated("FR01-002"),
        sepsis("FR01-001", on(6), term=BAD),
        sepsis("FR01-002", on(7)),
        sepsis("FR01-001", on(8), revision=2),
    ]


@pytest.mark.parametrize("batch", [1, 3, 500])
def test_a_bug_parks_its_subject_in_sequence_and_nobody_else(
    database: Database, bug: pytest.MonkeyPatch, batch: int
) -> None:
    """The event, the later ones of the subject, an alert that it is not watched; the other subject's alert is raised."""
    deployment = Deployment(database)
    deployment.receive(_story())
    deployment.run(batch)
    assert _parked(database) == [("FR01-001", NOT_WATCHED, 5), ("FR01-001", NOT_WATCHED, 7)]
    assert told_of(deployment.told(), "unwatched:FR01-001") == ["raised 1 None"]
    assert [e.data.case for e in deployment.told() if e.subject == "FR01-002"] == ["ae:AE-1"]
    assert [e.data.case for e in deployment.told() if e.subject == "FR01-001"] == []


def test_after_the_fix_a_replay_takes_everything_up_in_its_order(database: Database, bug: pytest.MonkeyPatch) -> None:
    """Before it, the replay says that it still fails and changes nothing."""
    deployment = Deployment(database)
    deployment.receive(_story())
    deployment.run()
    replay = Replay(database, deployment.protocol, SOURCE)
    with pytest.raises(ReplayFailed, match="ZeroDivisionError"):
        replay.replay(1, "operator", deployment.clock.now())
    assert len(_parked(database)) == 2
    bug.undo()
    replay.replay(2, "operator", deployment.clock.now())
    assert _parked(database) == []
    assert told_of(deployment.told(), "unwatched:FR01-001") == ["raised 1 None", "withdrawn 2 None"]
    assert told_of([e for e in deployment.told() if e.subject == "FR01-001"], "ae:AE-1") == ["raised 1 met"]
    deployment.receive([sepsis("FR01-001", on(9), revision=3, grade=2)])
    deployment.run()
    assert told_of([e for e in deployment.told() if e.subject == "FR01-001"], "ae:AE-1")[-1] == "withdrawn 2 None"


def test_after_the_fix_a_rebuild_watches_the_subject_again(database: Database, bug: pytest.MonkeyPatch) -> None:
    deployment = Deployment(database)
    deployment.receive(_story())
    deployment.run()
    bug.undo()
    rebuild = Rebuild(
        database, deployment.protocol, SOURCE, reading_of(deployment.log, deployment.protocol), 1, CONSUMER
    )
    rebuild.begin(0)
    rebuild.change_over(deployment.clock.now)
    assert told_of(deployment.told(), "unwatched:FR01-001") == ["raised 1 None", "withdrawn 2 None"]
    assert told_of([e for e in deployment.told() if e.subject == "FR01-001"], "ae:AE-1") == ["raised 1 met"]
    assert _parked(database) == []
    with database.reading() as connection:
        assert connection.execute(select(parked_subjects)).all() == []


def test_bugs_in_one_subject_after_the_other_halt_the_partition(database: Database, bug: pytest.MonkeyPatch) -> None:
    """It is not the subjects: nothing of the batch is taken, and the position stays."""
    deployment = Deployment(database)
    subjects = [f"FR01-{number:03d}" for number in range(1, 10)]
    deployment.receive([logged for subject in subjects for logged in treated(subject)])
    deployment.run()
    position = deployment.monitor.position(0)
    deployment.receive([sepsis(subject, on(6), term=BAD) for subject in subjects])
    with pytest.raises(Halted):
        deployment.run()
    assert deployment.monitor.position(0) == position
    assert _parked(database) == []


def test_what_is_refused_in_the_log_is_parked_with_its_bytes_and_nothing_behind_it_waits(database: Database) -> None:
    """Garbage, a wrong key, and a second source that writes to a record; the severe ones are alerts."""
    deployment = Deployment(database)
    deployment.receive(treated("FR01-001"))
    good = sepsis("FR01-001", on(6))
    foreign = event(
        "ae.reported",
        "FR01-001",
        "other",
        on(7),
        {"ae_id": "AE-1", "revision": 2, "term": "Sepsis", "grade": 5},
        source="urn:site:FR01:other",
    )
    codec_bytes = Codec(deployment.protocol.contract).encode
    with database.writing() as connection:
        deployment.log.append(
            [
                NewEntry("k", "", "a", "1", b'not json, grade": 4'),
                NewEntry("NCT02977156/FR01-999", "FR01-001", good.event.source, "wrong", codec_bytes(good.event)),
                deployment.entry(good, codec_bytes(good.event)),
                deployment.entry(foreign, codec_bytes(foreign.event)),
            ],
            connection,
        )
    deployment.clock.instant = foreign.time
    deployment.run()
    assert [reason for _, reason, _ in _parked(database)] == ["not-json", "bad-field", "record-owner-conflict"]
    with database.reading() as connection:
        raws = connection.scalars(select(dead_letters.c.raw).order_by(dead_letters.c.id)).all()
    assert raws[-1] == codec_bytes(foreign.event)
    assert told_of(deployment.told(), "ae:AE-1") == ["raised 1 met"]
    cases = [alert.data.case for alert in deployment.told()]
    assert [case for case in cases if case.startswith("intake:")] == ["intake:1", "intake:2", "intake:3"]


def test_a_valid_event_for_the_record_settles_what_was_refused(database: Database) -> None:
    """And withdraws the alert that a severe event was refused."""
    deployment = Deployment(database)
    deployment.receive(treated("FR01-001"))
    bad = sepsis("FR01-001", on(6))
    with database.writing() as connection:
        body = Codec(deployment.protocol.contract).encode(bad.event)
        deployment.log.append([NewEntry("wrong", "FR01-001", "somebody", "1", body)], connection)
    deployment.clock.instant = bad.time
    deployment.run()
    assert told_of(deployment.told(), "intake:1") == ["raised 1 None"]
    deployment.receive([sepsis("FR01-001", on(7), revision=2)])
    deployment.run()
    assert told_of(deployment.told(), "intake:1") == ["raised 1 None", "withdrawn 2 None"]
    assert _parked(database) == []
