"""What fails as it is written, and not as it is judged: the event to blame is found, and its subject parked; nobody waits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import DataError

from events.codec import Codec
from projections.folds.trial import Trial
from projections.store.engine.database import Database, StoreUnavailable
from projections.store.engine.tables import chart_events, dead_letters, subjects
from projections.store.rows import charts
from projections.store.write import batch
from projections.store.write.dead_letter_store import NOT_WATCHED
from services.monitor.monitor import Halted, Monitor
from services.monitor.replay import Replay, ReplayFailed
from tests.monitor.deployment import SOURCE, Deployment
from tests.monitor.events import event, sepsis, treated
from tests.monitor.test_history import published_states
from tests.monitor.test_rebuild import rebuilt
from tests.properties.stories import on

#: A subject whose rows the database does not take: a level that no column holds, written past the checks.
UNWRITABLE = "FR01-013"
OTHERS = ("FR01-012", "FR01-014", "FR02-001")


@pytest.fixture
def huge(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """The row of one subject has a number that neither database holds."""
    with monkeypatch.context() as patched:
        as_row = charts._as_row

        def too_large(generation: int, row: charts.SubjectRow) -> charts.Row:
            made = as_row(generation, row)
            return {**made, "version": 2**70} if row.subject == UNWRITABLE else made

        patched.setattr(charts, "_as_row", too_large)
        yield patched


def _parked(database: Database) -> list[tuple[str, str]]:
    with database.reading() as connection:
        wanted = select(dead_letters.c.subject, dead_letters.c.reason).where(dead_letters.c.state == "parked")
        return [tuple(row) for row in connection.execute(wanted.order_by(dead_letters.c.id))]


def _story() -> Iterator[object]:
    everybody = (*OTHERS, UNWRITABLE)
    for subject in sorted(everybody):
        yield from treated(subject)
    for subject in sorted(everybody):
        yield sepsis(subject, on(6))


@pytest.mark.parametrize("batch", [1, 3, 500])
def test_an_event_that_cannot_be_stored_parks_its_subject_and_nobody_else(
    database: Database, huge: pytest.MonkeyPatch, batch: int
) -> None:
    """Somewhere in a batch the database refuses a number: that subject is parked in sequence, everybody else is alerted."""
    deployment = Deployment(database)
    deployment.receive(_story())
    deployment.run(batch)
    assert _parked(database) == [(UNWRITABLE, NOT_WATCHED)] * 3
    assert published_states(deployment.told(), f"unwatched:{UNWRITABLE}") == ["raised 1 None"]
    for subject in OTHERS:
        assert [one.data.verdict for one in deployment.told() if one.subject == subject] == ["met"]
    assert published_states(deployment.told(), "unwatched:@partition-0") == []


def test_what_cannot_be_stored_is_not_replayed_either_until_it_can(
    database: Database, huge: pytest.MonkeyPatch
) -> None:
    """A replay says so in a sentence; after the fix it takes everything up. A rebuild before the fix goes through."""
    deployment = Deployment(database)
    deployment.receive(_story())
    deployment.run()
    replay = Replay(database, Trial(deployment.protocol, SOURCE))
    with pytest.raises(ReplayFailed, match=UNWRITABLE):
        replay.replay_subject(UNWRITABLE, "operator", deployment.clock.now())
    rebuilt(deployment)
    assert [one.data.verdict for one in deployment.told() if one.subject == "FR02-001"] == ["met"]
    huge.undo()
    replay.replay_subject(UNWRITABLE, "operator", deployment.clock.now())
    assert [one.data.verdict for one in deployment.told() if one.subject == UNWRITABLE] == ["met"]


def test_judging_again_under_new_rules_parks_whom_it_cannot_write(database: Database) -> None:
    """The others are judged again; nothing is tried for ever."""
    deployment = Deployment(database)
    deployment.receive(_story())
    deployment.run()
    later = Deployment(database, replace(deployment.protocol, version="2"))
    later.clock.instant = deployment.clock.now()
    with pytest.MonkeyPatch.context() as patched:
        as_row = charts._as_row
        patched.setattr(
            charts,
            "_as_row",
            lambda generation, row: as_row(generation, row) | ({"version": 2**70} if row.subject == UNWRITABLE else {}),
        )
        later.run()
    assert published_states(later.told(), f"unwatched:{UNWRITABLE}") == ["raised 1 None"]
    with database.reading() as connection:
        judged = dict(connection.execute(select(subjects.c.subject, subjects.c.judged_under)).all())
    assert len({judged[subject] for subject in OTHERS}) == 1
    assert judged[UNWRITABLE] not in {judged[subject] for subject in OTHERS}


def test_a_stored_chart_that_cannot_be_read_parks_its_subject(database: Database) -> None:
    """A body of another version, or damaged: the subject's next event parks it."""
    deployment = Deployment(database)
    deployment.receive([*treated("FR01-001"), *treated("FR01-002")])
    deployment.run()
    with database.writing() as connection:
        connection.execute(update(chart_events).where(chart_events.c.subject == "FR01-001").values(body=b"{}"))
    deployment.monitor = Monitor(database, Trial(deployment.protocol, SOURCE))
    deployment.receive([sepsis("FR01-001", on(6)), sepsis("FR01-002", on(6))])
    deployment.run()
    assert published_states(deployment.told(), "unwatched:FR01-001") == ["raised 1 None"]
    assert [one.data.verdict for one in deployment.told() if one.subject == "FR01-002"] == ["met"]


def test_reading_an_entry_that_raises_parks_its_subject(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The subject is known by the entry's key."""
    deployment = Deployment(database)
    deployment.receive([*treated("FR01-001"), *treated("FR01-002")])
    deployment.run()
    deployment.receive([sepsis("FR01-001", on(6)), sepsis("FR01-002", on(6))])
    decode = Codec.decode

    def raises(self: Codec, raw: bytes, size: int | None = None) -> object:
        if b"FR01-001" in raw:
            raise RecursionError
        return decode(self, raw, size)

    monkeypatch.setattr(Codec, "decode", raises)
    deployment.run()
    assert _parked(database) == [("FR01-001", NOT_WATCHED)]
    assert published_states(deployment.told(), "unwatched:FR01-001") == ["raised 1 None"]
    assert [one.data.verdict for one in deployment.told() if one.subject == "FR01-002"] == ["met"]


def _raising(error: Callable[[], Exception]) -> Callable[..., None]:
    def raises(*_: object, **__: object) -> None:
        raise error()

    return raises


def test_a_database_that_is_away_parks_nobody(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours, and passing: nothing is taken, the position stays, and the same batch is taken once it is back."""
    deployment = Deployment(database)
    deployment.receive(_story())
    position = deployment.monitor.position(0)
    with monkeypatch.context() as patched:
        patched.setattr(charts, "write_subjects", _raising(lambda: StoreUnavailable("away")))
        with pytest.raises(StoreUnavailable):
            deployment.run()
    assert deployment.monitor.position(0) == position
    deployment.run()
    assert _parked(database) == []
    assert len([one for one in deployment.told() if one.data.verdict == "met"]) == 4


def test_what_fails_for_everybody_halts_the_partition_and_is_told(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Writing fails whatever is written, and not because the database is away: several sites meet it, so nobody is to blame."""
    deployment = Deployment(database)
    sites = [f"FR0{1 + number % 3}-{number:03d}" for number in range(9)]
    deployment.receive([logged for subject in sites for logged in treated(subject)])

    def refuses(_connection: object, rows: Sequence[object]) -> None:
        if rows:
            raise DataError("INSERT", {}, Exception("no"))

    with monkeypatch.context() as patched:
        patched.setattr(charts, "write_chart_events", refuses)
        with pytest.raises(Halted):
            deployment.run()
    assert published_states(deployment.told(), "unwatched:@partition-0") == ["raised 1 None"]


def test_an_entry_about_no_subject_that_cannot_be_taken_halts_and_is_told(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is nobody to park."""
    deployment = Deployment(database)
    monkeypatch.setattr(batch, "put_in_force", _raising(lambda: OverflowError("no")))
    activated = event(
        "protocol.activated",
        "FR01-001",
        "again",
        on(5),
        {"protocol": "isi-jx", "version": "1", "rules_version": "x", "sha256": "0" * 64},
        source=SOURCE,
    )
    deployment.receive([activated])
    with pytest.raises(Halted):
        deployment.run()
    assert published_states(deployment.told(), "unwatched:@partition-0") == ["raised 1 None"]
