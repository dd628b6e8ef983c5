"""Killed at random points under a steady load: nothing answered is missing, nothing is told twice, nobody is left in the dark."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.ordeal import ordeal

pytestmark = pytest.mark.slow

#: In two halves, for two workers.
KILLS: int = 26


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_at_random_points_under_load(seed: int, tmp_path: Path) -> None:
    """kill -9, and a SIGTERM now and then, while three sites and the sponsor go on sending: see ``checks``."""
    came_to = ordeal(tmp_path, seed, KILLS)
    assert came_to.faults == [], f"seed {seed}: {came_to}"
    # It was a load, and it was killed while it mattered.
    assert len(came_to.evidence.book.answers) > 10 * KILLS, str(came_to)
    assert any(answer.asked > 1 and answer.status == "duplicate" for answer in came_to.evidence.book.answers)
