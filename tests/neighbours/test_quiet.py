"""The neighbour harness itself: where nothing happens, site B is served; where nobody is alerted, it says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.platform.settings import DATABASE_FILE
from tests.neighbours import neighbour as neighbours
from tests.neighbours.neighbour import DELAY_SECONDS_MAX, embedded, neighbour

pytestmark = pytest.mark.slow


def test_where_nothing_happens_the_neighbour_is_served(tmp_path: Path, database_url: str) -> None:
    """An alert from request to webhook, several times, on either database."""
    with embedded(tmp_path, database_url) as system:
        with neighbour(system) as site_b:
            site_b.is_served()
        assert system.unready() == []
    assert len(site_b.delays) >= 3
    assert 0 < site_b.worst <= DELAY_SECONDS_MAX


def test_an_alert_that_does_not_arrive_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The receiver takes nothing any more: the harness fails, so that it is known to be able to."""
    monkeypatch.setattr(neighbours, "DELAY_SECONDS_MAX", 1.0)
    with (
        embedded(tmp_path, f"sqlite:///{tmp_path / 'data' / DATABASE_FILE}") as system,
        pytest.raises(AssertionError, match="no alert of the neighbour's"),
        neighbour(system),
    ):
        system.receivers.refusing = 1.0
