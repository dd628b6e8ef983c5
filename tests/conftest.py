"""What every test shares: where the reference data is, and that CI lets no test be skipped unnoticed."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from projections.store.engine.database import Database
from projections.store.engine.schema import migrate
from tests.brokers import Broker, broker_is_installed, kafka_broker
from tests.databases import new_postgresql_database, postgresql_directory, postgresql_server
from tests.reaper import watch_over_this_run

ROOT = Path(__file__).resolve().parent.parent

# CI=false is what some systems set to say that they are not CI.
NO_SKIPS = os.environ.get("CI", "").lower() == "true" or os.environ.get("TOXWATCH_NO_SKIPS", "") == "1"

settings.register_profile("dev", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, database=None, print_blob=True)
settings.load_profile("ci" if NO_SKIPS else "dev")


def _reference_data() -> Path | None:
    """The directory of the public data sets, or None; a wrong TOXWATCH_REFERENCE_DATA is an error."""
    named = os.environ.get("TOXWATCH_REFERENCE_DATA")
    directory = Path(named) if named else ROOT.parent / "shared" / "data"
    if directory.is_dir():
        return directory
    if named:
        raise pytest.UsageError(f"TOXWATCH_REFERENCE_DATA names no directory: {named}")
    return None


def pytest_configure() -> None:
    """A wrong TOXWATCH_REFERENCE_DATA stops the run, rather than every test that needs it.

    What a test starts ends with the run, however the run ends.

    A run in the background ignores Ctrl-C, and so would every process that a test starts and interrupts.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    _reference_data()
    if sys.platform == "linux":
        watch_over_this_run()
    # Where a deployment's key for backups is made: not in the account of whoever runs the tests.
    os.environ["XDG_CONFIG_HOME"] = tempfile.mkdtemp(prefix="toxwatch-config-")


@pytest.fixture(scope="session")
def reference_data() -> Path:
    """The directory of the public data sets, for tests marked ``reference_data``."""
    directory = _reference_data()
    assert directory is not None, "a test that uses reference_data must carry the marker of that name"
    return directory


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a PostgreSQL server, started once for the session and worker."""
    if postgresql_directory() is None:
        pytest.skip("PostgreSQL is not installed here (Debian: postgresql; elsewhere set PGBIN)")
    with postgresql_server() as url:
        yield url


@pytest.fixture(scope="session")
def broker() -> Iterator[Broker]:
    """An Apache Kafka broker, started once for the session and worker. A test that stops it must take one of its own."""
    if not broker_is_installed():
        pytest.skip("no Apache Kafka broker is installed here (make broker; needs a JDK and Maven)")
    with kafka_broker() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database, of either kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'toxwatch.db'}"
    else:
        with new_postgresql_database(request.getfixturevalue("postgresql")) as url:
            yield url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A database of either kind, with the tables."""
    with _opened(database_url) as opened:
        yield opened


@pytest.fixture
def on_postgresql(postgresql: str) -> Iterator[Database]:
    """A database on PostgreSQL, with the tables: on SQLite one writes at a time anyhow."""
    with new_postgresql_database(postgresql) as url, _opened(url) as opened:
        yield opened


@contextmanager
def _opened(url: str) -> Iterator[Database]:
    opened = Database(url)
    migrate(opened)
    yield opened
    opened.close()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs the reference data where they are not."""
    if item.get_closest_marker("reference_data") and _reference_data() is None:
        pytest.skip("the reference data are not here (TOXWATCH_REFERENCE_DATA)")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Fail where the tests of a group would not stay on one worker: two clusters at once are too much for two cores."""
    if session.config.getoption("loadgroup", default=False):
        loose = [
            item.nodeid for item in session.items if item.get_closest_marker("xdist_group") and "@" not in item.nodeid
        ]
        if loose:
            raise pytest.UsageError(f"pytest-xdist does not keep groups together: {loose[0]} has none")


def _may_skip(item: pytest.Item) -> bool:
    return item.get_closest_marker("reference_data") is not None and _reference_data() is None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, pytest.TestReport]:
    """In CI a test that was skipped has failed, unless it needs reference data that are not there."""
    report: pytest.TestReport = yield
    if NO_SKIPS and report.skipped and not hasattr(report, "wasxfail") and not _may_skip(item):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, which CI does not allow: {_reason(report.longrepr)}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Generator[None, Any, pytest.CollectReport]:
    """The same for a module that skips itself as a whole."""
    report: pytest.CollectReport = yield
    if NO_SKIPS and report.outcome == "skipped":
        report.outcome = "failed"
        report.longrepr = f"{collector.nodeid} was skipped, which CI does not allow: {_reason(report.longrepr)}"
    return report


def _reason(longrepr: object) -> object:
    return longrepr[2] if isinstance(longrepr, tuple) else longrepr
