"""Killed while it makes its tables for the first time: either there are none, or all, and the next start comes to its end."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from services.platform.settings import DATABASE_FILE
from tests.crash.deployment import Deployment, eventually
from tests.crash.receivers import Receivers

pytestmark = pytest.mark.slow

#: After the file of the database appears; the tables are there some 25 ms later.
DELAYS_SECONDS: Final = (0.0, 0.01, 0.02, 0.04)


@pytest.mark.parametrize("delay_seconds", DELAYS_SECONDS)
def test_a_first_start_that_is_killed(delay_seconds: float, tmp_path: Path) -> None:
    with Receivers() as receivers, Deployment(tmp_path, receivers) as deployment:
        deployment.begin()
        file = deployment.data / DATABASE_FILE
        eventually(lambda: file.exists() or deployment.has_ended)
        deployment.pause(delay_seconds)
        deployment.kill()
        deployment.start()
        deployment.stop()
        assert deployment.unforeseen() == []
