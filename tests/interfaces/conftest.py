"""One running Toxwatch for all the tests of this directory, and one process that runs commands."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.interfaces.live import Commands, Live, running


@pytest.fixture(scope="session")
def toxwatch() -> Iterator[Commands]:
    """The command line."""
    commands = Commands()
    yield commands
    commands.close()


@pytest.fixture(scope="session")
def live(toxwatch: Commands, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A running Toxwatch that every test of a worker shares: each writes about subjects of its own."""
    with running(tmp_path_factory.mktemp("live"), toxwatch) as deployment:
        yield deployment
