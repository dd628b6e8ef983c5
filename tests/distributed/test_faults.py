"""Kills, stops, freezes, and crashes of broker and database, under load: nothing is lost, nothing is told twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.distributed.ordeal import KINDS, ordeal

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("distributed")]

#: As many as strike each kind; `make soak-distributed` strikes hundreds.
FAULTS = 18


def test_faults_of_every_kind_under_load(tmp_path: Path) -> None:
    """Of monitors, gateways, clocks, dispatcher, broker and database: see ``evidence``."""
    came_to = ordeal(tmp_path, 1, FAULTS)
    assert came_to.faults == [], str(came_to)
    assert len(came_to.evidence.book.answers) > 10 * FAULTS, str(came_to)
    assert set(came_to.struck) == set(KINDS)
