"""A disk that is full, files that cannot be written, a database that somebody else has: a clear state, and recovery by itself.

Senders go on all the while. The process is the same before, during and after; see ``checks`` for what must hold in the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from services.platform.settings import DATABASE_FILE
from tests.crash.checks import faults
from tests.crash.deployment import Deployment, Ending, eventually
from tests.crash.disks import full, is_root, locked, may_become_read_only, read_only, small_disk
from tests.crash.evidence import evidence_of
from tests.crash.load import Load
from tests.crash.receivers import Receivers
from tests.crash.settling import await_settled
from tests.crash.stories import everything

pytestmark = pytest.mark.slow

SITES: Final = ["FR01", "FR02"]
ROOT_ONLY: Final = pytest.mark.skipif(not is_root(), reason="needs root")
#: A writer waits 5 s for its turn in the process, and 5 s for the other process; and this machine is busy.
PUT_OFF_SECONDS_MAX: Final = 20.0
NOTICED_SECONDS_MAX: Final = 20.0
RECOVERY_SECONDS_MAX: Final = 20.0


class Running(NamedTuple):
    """A deployment under load."""

    deployment: Deployment
    load: Load


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Where the data are; a test may put a small disk there."""
    return tmp_path / "data"


@pytest.fixture
def running(tmp_path: Path, data: Path) -> Iterator[Running]:
    """It runs, and has taken something."""
    with Receivers() as receivers, Deployment(tmp_path, receivers, data) as deployment:
        deployment.start()
        with Load(deployment, deployment.make_keys(SITES), life=everything) as load:
            _takes_more(load)
            yield Running(deployment, load)


def _takes_more(load: Load, events: int = 20) -> None:
    before = len(load.book.answers)
    eventually(lambda: len(load.book.answers) >= before + events, RECOVERY_SECONDS_MAX, lambda: load.book.surprises)


def _goes_through(running: Running, trouble: AbstractContextManager[None], says: str) -> None:
    """While the trouble lasts it lives, says why it is not ready, and puts senders off; afterwards all is as it was."""
    deployment, load = running
    with trouble:
        eventually(lambda: load.book.put_off >= 2, PUT_OFF_SECONDS_MAX, lambda: load.book.surprises)
        _says(deployment, says)
    _is_ready_again(deployment)
    _takes_more(load)
    load.stop()
    await_settled(deployment)
    deployment.stop()
    assert deployment.endings == [Ending.STOPPED], "nobody had to start it again"
    assert faults(evidence_of(deployment, load.book)) == []


def _says(deployment: Deployment, reason: str) -> None:
    """It lives, and says that it is not ready, and why."""
    eventually(
        lambda: any(reason in said for said in deployment.health().reasons), NOTICED_SECONDS_MAX, deployment.health
    )
    state = deployment.health()
    assert (state.alive, state.ready) == (200, 503)


def _is_ready_again(deployment: Deployment) -> None:
    eventually(lambda: deployment.health().ready == 200, RECOVERY_SECONDS_MAX, deployment.health)


@ROOT_ONLY
class TestFullDisk:
    @pytest.fixture
    def data(self, tmp_path: Path) -> Iterator[Path]:
        with small_disk(tmp_path / "disk") as disk:
            yield disk / "data"

    def test_a_full_disk(self, running: Running) -> None:
        """Something else has filled it; it is given room again."""
        _goes_through(running, full(running.deployment.data.parent), "disk is full")

    def test_it_is_noticed_before_anybody_sends(self, tmp_path: Path, data: Path) -> None:
        """By an operator, while there is time."""
        with Receivers() as receivers, Deployment(tmp_path, receivers, data) as deployment:
            deployment.start()
            with full(data.parent):
                _says(deployment, "disk is full")
            _is_ready_again(deployment)
            deployment.stop()


@ROOT_ONLY
def test_files_that_cannot_be_written(running: Running) -> None:
    """Neither by those who have them open, nor by those who open them."""
    data = running.deployment.data
    if not may_become_read_only(data):
        pytest.skip("this file system knows no immutable files")
    _goes_through(running, read_only(data), "the database cannot be used now")


def test_a_database_that_somebody_else_has(running: Running) -> None:
    """For longer than a writer waits for it."""
    _goes_through(running, locked(running.deployment.data / DATABASE_FILE), "the database cannot be used now")
