"""What stands still is an alert over every channel, even where the database is what stands still; withdrawn when it goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from projections.folds.trial import Trial
from projections.protocols.isi_jx import PROTOCOL
from projections.store.engine.database import Database, StoreUnavailable
from services.dispatcher.notice import Notice
from services.platform.settings import DATABASE_FILE
from services.runtime.stalls import Lasting, StallWatch
from tests.crash.deployment import Deployment, eventually
from tests.crash.disks import locked
from tests.crash.receivers import Receivers
from tests.crash.stories import Author
from tests.monitor.deployment import SOURCE, SetClock
from tests.monitor.test_history import published_states
from tests.neighbours.neighbour import System

CASE = "stalled:store"
NOTICED_SECONDS_MAX = 60.0


def test_a_database_that_takes_no_writes_is_told_past_it_over_every_channel(tmp_path: Path) -> None:
    """Another program holds SQLite: nothing can be stored, so neither can an alert; webhook and mail hear of it all the same.

    ``/readyz`` says so meanwhile; once it goes on, both hear that too, and what was sent in between is judged.
    """
    with Receivers() as receivers, Deployment(tmp_path, receivers) as deployment:
        deployment.program = ["tests.neighbours.impatient_run"]
        deployment.start()
        system = System(tmp_path, deployment, receivers)
        key = system.make_keys(["FR02"])["FR02"]
        with locked(deployment.data / DATABASE_FILE):
            eventually(lambda: system.arrived(case=CASE), NOTICED_SECONDS_MAX, deployment.health)
            eventually(lambda: receivers.of("mail"), NOTICED_SECONDS_MAX)
            eventually(lambda: deployment.health().ready == 503, NOTICED_SECONDS_MAX, deployment.health)
        eventually(lambda: system.arrived("withdrawn", case=CASE), NOTICED_SECONDS_MAX, deployment.health)
        author = Author("FR02-001")
        with system.sender(key) as sender:
            sender.send([*author.treated(), author.toxicity()])
        eventually(lambda: system.arrived(subject="FR02-001", verdict="met"), NOTICED_SECONDS_MAX)
        eventually(lambda: deployment.health().ready == 200, NOTICED_SECONDS_MAX, deployment.health)


def _watched(database: Database, check: Callable[[], str | None], direct: list[Notice] | None = None) -> StallWatch:
    async def note(notice: Notice) -> int:
        assert direct is not None
        direct.append(notice)
        return 1

    return StallWatch(
        database, Trial(PROTOCOL, SOURCE), SetClock(), {"monitor": check}, note if direct is not None else None
    )


def _look_until(watch: StallWatch, seconds: float = 0.05) -> None:
    async def scene() -> None:
        stopping = asyncio.Event()
        running = asyncio.create_task(watch.run(stopping, 0.01))
        await asyncio.sleep(seconds)
        stopping.set()
        await running

    asyncio.run(scene())


def _told(database: Database) -> list[str]:
    from tests.monitor.deployment import Deployment as Small

    return published_states(Small(database).told(), "stalled:monitor")


def test_a_part_that_stands_still_is_told_once_and_withdrawn_when_it_goes_on(database: Database) -> None:
    """Through the outbox, whoever looks, and however often; another life withdraws what this one has left behind."""
    trouble: list[str | None] = ["monitor: halted"]
    _look_until(_watched(database, lambda: trouble[0]), 0.3)
    _look_until(_watched(database, lambda: trouble[0]), 0.3)
    assert _told(database) == ["raised 1 None"]
    trouble[0] = None
    _look_until(_watched(database, lambda: trouble[0]), 0.3)
    assert _told(database) == ["raised 1 None", "withdrawn 2 None"]


def test_where_nothing_can_be_written_it_is_told_directly(database: Database) -> None:
    """And so is that it goes on."""

    class Away(Database):
        def reading(self) -> object:  # type: ignore[override]
            raise StoreUnavailable("away")

    away, direct, trouble = Away(database.url), [], ["monitor: stands still"]
    watch = _watched(away, lambda: trouble[0], direct)
    _look_until(watch, 0.3)
    assert [(notice.case, notice.kind) for notice in direct] == [("stalled:monitor", "raised")]
    trouble[0] = None
    _look_until(watch, 0.3)
    assert [notice.kind for notice in direct] == ["raised", "withdrawn"]
    away.close()


def test_what_passes_is_no_stall() -> None:
    """Only what lasts."""
    trouble: list[str | None] = ["wrong"]
    lasting = Lasting(lambda: trouble[0], 3600.0)
    assert lasting() is None
    at_once = Lasting(lambda: trouble[0], 0.0)
    assert at_once() == "wrong"
    trouble[0] = None
    assert at_once() is None
