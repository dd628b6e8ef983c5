"""Killed at random points under a steady load: nothing answered is missing, nothing is told twice, nobody is left in the dark."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.ordeal import ordeal

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("seed", "kills", "hostile"), [(1, 14, False), (2, 8, True)])
def test_killed_at_random_points_under_load(seed: int, kills: int, hostile: bool, tmp_path: Path) -> None:
    """kill -9, and a SIGTERM now and then, while three sites, a hostile one and the sponsor go on sending: see ``checks``."""
    came_to = ordeal(tmp_path, seed, kills, hostile=hostile)
    assert came_to.faults == [], f"seed {seed}: {came_to}"
    # It was a load, and it was killed while it mattered.
    assert len(came_to.evidence.book.answers) > 10 * kills, str(came_to)
    assert any(answer.asked > 1 and answer.status == "duplicate" for answer in came_to.evidence.book.answers)
