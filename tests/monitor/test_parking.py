"""A bug parks one subject in sequence and pages somebody; what is refused is parked with its bytes; both can be replayed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import select

from events.codec import Codec, Logged
from projections.folds import findings
from projections.folds.trial import Trial
from projections.rules.cases.assess import CaseEvaluation
from projections.rules.facts.subject_facts import SubjectFacts
from projections.store.engine.database import Database
from projections.store.engine.tables import dead_letters, parked_subjects
from projections.store.write import dead_letter_store
from projections.store.write.dead_letter_store import NOT_WATCHED
from services.log.port import NewEntry
from services.monitor.monitor import Halted, Monitor
from services.monitor.replay import Replay, ReplayFailed
from tests.monitor.deployment import SOURCE, Deployment
from tests.monitor.events import LASTING, event, sepsis, treated
from tests.monitor.test_history import published_states
from tests.monitor.test_rebuild import rebuilt, verified
from tests.properties.stories import on

BAD = "Sepsis that no rule foresaw"


@pytest.fixture
def bug(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Rules that raise for one term."""
    with monkeypatch.context() as patched:
        _raise_for_bad_terms(patched)
        yield patched


def _raise_for_bad_terms(patched: pytest.MonkeyPatch) -> None:
    evaluate = findings.evaluate_case

    def raises(facts: SubjectFacts, name: str) -> CaseEvaluation | None:
        row = facts.adverse_events.get(name.removeprefix("ae:"))
        if row is not None and row.event.data.term == BAD:
            raise ZeroDivisionError("a bug")
        return evaluate(facts, name)

    patched.setattr(findings, "evaluate_case", raises)


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
    assert published_states(deployment.told(), "unwatched:FR01-001") == ["raised 1 None"]
    assert [e.data.case for e in deployment.told() if e.subject == "FR01-002"] == ["ae:AE-1"]
    assert [e.data.case for e in deployment.told() if e.subject == "FR01-001"] == []


def test_after_the_fix_a_replay_takes_everything_up_in_its_order(database: Database, bug: pytest.MonkeyPatch) -> None:
    """Before it, the replay says that it still fails and changes nothing."""
    deployment = Deployment(database)
    deployment.receive(_story())
    deployment.run()
    replay = Replay(database, Trial(deployment.protocol, SOURCE))
    with pytest.raises(ReplayFailed, match="ZeroDivisionError"):
        replay.replay(1, "operator", deployment.clock.now())
    assert len(_parked(database)) == 2
    bug.undo()
    replay.replay(2, "operator", deployment.clock.now())
    assert _parked(database) == []
    assert published_states(deployment.told(), "unwatched:FR01-001") == ["raised 1 None", "withdrawn 2 None"]
    assert published_states([e for e in deployment.told() if e.subject == "FR01-001"], "ae:AE-1") == [
        "raised 1 met",
        "revised 2 met",
    ]
    deployment.receive([sepsis("FR01-001", on(9), revision=3, grade=2)])
    deployment.run()
    assert (
        published_states([e for e in deployment.told() if e.subject == "FR01-001"], "ae:AE-1")[-1] == "withdrawn 3 None"
    )


def test_after_the_fix_a_rebuild_watches_the_subject_again(database: Database, bug: pytest.MonkeyPatch) -> None:
    deployment = Deployment(database)
    deployment.receive(_story())
    deployment.run()
    bug.undo()
    rebuilt(deployment)
    assert published_states(deployment.told(), "unwatched:FR01-001") == ["raised 1 None", "withdrawn 2 None"]
    assert published_states([e for e in deployment.told() if e.subject == "FR01-001"], "ae:AE-1") == ["raised 1 met"]
    assert _parked(database) == []
    with database.reading() as connection:
        assert connection.execute(select(parked_subjects)).all() == []


def test_bugs_in_one_subject_after_the_other_halt_the_partition(database: Database, bug: pytest.MonkeyPatch) -> None:
    """Of several sites: it is not the subjects. Nothing of the batch is taken, and the position stays."""
    deployment = Deployment(database)
    subjects = [f"FR0{1 + number % 2}-{number:03d}" for number in range(1, 10)]
    deployment.receive([logged for subject in subjects for logged in treated(subject)])
    deployment.run()
    position = deployment.monitor.position(0)
    deployment.receive([sepsis(subject, on(6), term=BAD) for subject in subjects])
    with pytest.raises(Halted):
        deployment.run()
    assert deployment.monitor.position(0) == position
    assert _parked(database) == []
    assert published_states(deployment.told(), "unwatched:@partition-0") == ["raised 1 None"]
    bug.undo()
    deployment.monitor = Monitor(database, Trial(deployment.protocol, SOURCE))
    deployment.run()
    assert published_states(deployment.told(), "unwatched:@partition-0") == ["raised 1 None", "withdrawn 2 None"]
    assert sum(event.data.case == "ae:AE-1" for event in deployment.told()) == len(subjects)


@pytest.mark.parametrize("batch", [1, 500])
def test_bugs_of_one_site_halt_nobody(database: Database, bug: pytest.MonkeyPatch, batch: int) -> None:
    """However many they are: each subject is parked with its alert, and the other site's are judged, wherever batches are cut."""
    deployment = Deployment(database)
    broken = [f"FR01-{number:03d}" for number in range(1, 31)]
    deployment.receive([logged for subject in [*broken, "FR02-001"] for logged in treated(subject)])
    deployment.receive([sepsis(subject, on(6), term=BAD) for subject in broken])
    deployment.receive([sepsis("FR02-001", on(6))])
    deployment.run(batch)
    assert [(subject, reason) for subject, reason, _ in _parked(database)] == [(one, NOT_WATCHED) for one in broken]
    for subject in broken:
        assert published_states(deployment.told(), f"unwatched:{subject}") == ["raised 1 None"]
    assert published_states(deployment.told(), "unwatched:@partition-0") == []
    assert [event.data.verdict for event in deployment.told() if event.subject == "FR02-001"] == ["met"]


@pytest.mark.parametrize("batch", [1, 500])
def test_bugs_in_some_of_many_subjects_do_not_halt_it(database: Database, bug: pytest.MonkeyPatch, batch: int) -> None:
    """Wherever the batches are cut."""
    deployment = Deployment(database)
    subjects = [f"FR01-{number:03d}" for number in range(1, 61)]
    deployment.receive([logged for subject in subjects for logged in treated(subject)])
    deployment.receive([sepsis(s, on(6), **({"term": BAD} if n % 12 == 0 else {})) for n, s in enumerate(subjects)])
    deployment.run(batch)
    assert len(_parked(database)) == 5
    assert sum(event.data.case == "ae:AE-1" for event in deployment.told()) == 55


def test_a_bug_that_a_stored_chart_meets_parks_that_subject_and_nobody_else(database: Database) -> None:
    """New software, old charts: the others of the batch are judged, and those whom nobody writes about are judged again."""
    deployment = Deployment(database)
    for subject in ("FR01-001", "FR01-002", "FR01-003"):
        deployment.receive(
            [*treated(subject), sepsis(subject, on(6), grade=2, term=BAD if subject[-1] != "2" else "Sepsis")]
        )
    deployment.run()
    later = Deployment(database, replace(deployment.protocol, version="2"))
    later.clock.instant = deployment.clock.now()
    later.receive([sepsis("FR01-001", on(7), revision=2), sepsis("FR01-002", on(7), revision=2)])
    with pytest.MonkeyPatch.context() as patched:
        _raise_for_bad_terms(patched)
        later.run()
    assert published_states(later.told(), "unwatched:FR01-001") == ["raised 1 None"]
    assert published_states(later.told(), "unwatched:FR01-003") == ["raised 1 None"]
    assert [event.data.verdict for event in later.told() if event.subject == "FR01-002"] == ["met"]
    assert later.assessed_document()["unwatched"] == ["FR01-001", "FR01-003"]
    later.monitor = Monitor(database, Trial(later.protocol, SOURCE))
    Replay(database, Trial(later.protocol, SOURCE)).replay_subject("FR01-003", "operator", later.clock.now())
    assert published_states(later.told(), "unwatched:FR01-003") == ["raised 1 None", "withdrawn 2 None"]


def test_a_rebuild_parks_what_it_cannot_judge_and_tells_of_it(database: Database) -> None:
    deployment = Deployment(database)
    deployment.receive([*treated("FR01-001"), sepsis("FR01-001", on(6), term=BAD), *treated("FR01-002")])
    deployment.run()
    assert published_states(deployment.told(), "ae:AE-1") == ["raised 1 met"]
    with pytest.MonkeyPatch.context() as patched:
        _raise_for_bad_terms(patched)
        rebuilt(deployment)
        assert published_states(deployment.told(), "unwatched:FR01-001") == ["raised 1 None"]
        assert [(subject, reason) for subject, reason, _ in _parked(database)] == [("FR01-001", NOT_WATCHED)]
    rebuilt(deployment)
    assert published_states(deployment.told(), "unwatched:FR01-001") == ["raised 1 None", "withdrawn 2 None"]
    assert _parked(database) == []
    assert verified(deployment) == []


def test_what_an_operator_has_erased_is_not_judged_by_a_rebuild_either(
    database: Database, bug: pytest.MonkeyPatch
) -> None:
    deployment = Deployment(database)
    deployment.receive(_story())
    deployment.run()
    with database.writing() as connection:
        dead_letter_store.delete(connection, Trial(deployment.protocol, SOURCE), 1, "operator", "a test", 0)
    Replay(database, Trial(deployment.protocol, SOURCE)).replay(2, "operator", deployment.clock.now())
    rebuilt(deployment)
    assert published_states(deployment.told(), "unwatched:FR01-001") == ["raised 1 None", "withdrawn 2 None"]
    assert published_states([e for e in deployment.told() if e.subject == "FR01-001"], "ae:AE-1") == ["raised 1 met"]


def test_a_letter_of_toxwatch_itself_is_not_erased(database: Database, bug: pytest.MonkeyPatch) -> None:
    """A clock event that is gone would never come again."""
    deployment = Deployment(database)
    deployment.receive([*treated("FR01-001"), sepsis("FR01-001", on(4), **LASTING)])
    deployment.run()
    deployment.receive([sepsis("FR01-001", on(5), revision=2, term=BAD, **LASTING)])
    deployment.run()
    deployment.pass_time(sepsis("FR01-001", on(30)).time)
    assert len(_parked(database)) == 2
    with database.writing() as connection, pytest.raises(dead_letter_store.DeadLetterError, match="replay it"):
        dead_letter_store.delete(connection, Trial(deployment.protocol, SOURCE), 2, "operator", "a test", 0)


def test_what_is_refused_again_after_its_letter_was_closed_is_told_again(database: Database) -> None:
    """With its bytes: that it was dealt with once says nothing of now."""
    deployment = Deployment(database)
    letter = dead_letter_store.NewDeadLetter(
        dead_letter_store.GATEWAY, "bad-field", "e", "f", b"raw", is_severe=True, sender="key"
    )
    trial = Trial(deployment.protocol, SOURCE)
    with database.writing() as connection:
        dead_letter_store.park(connection, trial, [letter], 1)
        dead_letter_store.park(connection, trial, [letter], 2)
        dead_letter_store.delete(connection, trial, 1, "operator", "why", 3)
    case = "intake:@other/bad-field"
    assert published_states(deployment.told(), case) == ["raised 1 None", "withdrawn 2 None"]
    with database.writing() as connection:
        dead_letter_store.park(connection, trial, [letter], 4)
    assert published_states(deployment.told(), case)[-1] == "raised 3 None"
    with database.reading() as connection:
        row = connection.execute(select(dead_letters)).one()
    assert (row.state, row.raw, row.times, row.closed_why) == ("parked", b"raw", 3, None)


@pytest.mark.parametrize("batch", [1, 2, 500])
def test_what_is_refused_in_the_log_is_parked_with_its_bytes_and_nothing_behind_it_waits(
    database: Database, batch: int
) -> None:
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
    deployment.run(batch)
    # The good one came behind the one with the wrong key, and before the foreign one.
    assert [reason for _, reason, _ in _parked(database)] == ["not-json", "record-owner-conflict"]
    with database.reading() as connection:
        raws = connection.scalars(select(dead_letters.c.raw).order_by(dead_letters.c.id)).all()
    assert raws[-1] == codec_bytes(foreign.event)
    assert published_states(deployment.told(), "ae:AE-1") == ["raised 1 met"]
    cases = ("intake:@other/not-json", "intake:FR01/bad-field", "intake:FR01/record-owner-conflict")
    told = {case: published_states(deployment.told(), case) for case in cases}
    # The identity of the garbage cannot be read, the second is settled, and the third contradicts what stands.
    assert told == {
        cases[0]: ["raised 1 None"],
        # In one batch it is settled before anybody was told.
        cases[1]: ["raised 1 None", "withdrawn 2 None"],
        cases[2]: ["raised 1 None"],
    }


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
    assert published_states(deployment.told(), "intake:FR01/bad-field") == ["raised 1 None"]
    deployment.receive([sepsis("FR01-001", on(7), revision=2)])
    deployment.run()
    assert published_states(deployment.told(), "intake:FR01/bad-field") == ["raised 1 None", "withdrawn 2 None"]
    assert _parked(database) == []


def test_what_settles_a_letter_and_tells_nothing_else_wakes_whoever_carries_the_outbox(database: Database) -> None:
    """The alert that a severe event was refused is withdrawn then; of a batch that tells nobody anything nothing waits."""
    deployment = Deployment(database)
    deployment.receive(treated("FR01-001"))
    assert [outcome.may_have_published for outcome in deployment.run()] == [False]
    bad = sepsis("FR01-001", on(6))
    with database.writing() as connection:
        body = Codec(deployment.protocol.contract).encode(bad.event)
        deployment.log.append([NewEntry("wrong", "FR01-001", "somebody", "1", body)], connection)
    deployment.clock.instant = bad.time
    assert [outcome.may_have_published for outcome in deployment.run()] == [True]
    deployment.receive([sepsis("FR01-001", on(7), revision=2, grade=1)])
    (outcome,) = deployment.run()
    assert (outcome.transitions, outcome.settled, outcome.may_have_published) == ([], 1, True)
    assert published_states(deployment.told(), "intake:FR01/bad-field") == ["raised 1 None", "withdrawn 2 None"]
