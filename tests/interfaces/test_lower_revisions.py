"""Seen from outside: a report whose counter was started again is taken, asked about, and an alert where it is graver."""

from __future__ import annotations

import pytest

from tests.interfaces.live import Live, until
from tests.interfaces.messages import Event, ae, enrolled, new_subject, treated

pytestmark = pytest.mark.xdist_group("interfaces")


def version(subject: str, revision: int, grade: int) -> Event:
    return ae(subject, {"revision": revision, "grade": grade, "onset": "2026-01-05", "ongoing": True})


def parked(live: Live, subject: str) -> list[tuple[str, str]]:
    after, found = 0, []
    while after is not None:
        page = live.get("/v1/dead-letters", "data-manager", after=after, limit=500).json()
        found += [(one["reason"], one["state"]) for one in page["dead_letters"] if one.get("subject") == subject]
        after = page["next"]
    return found


def test_a_graver_report_of_a_lower_revision_is_not_passed_over(live: Live) -> None:
    """Grade 4 under revision 2, after grade 2 under revision 5; a higher revision settles it."""
    subject = new_subject()
    live.accept(enrolled(subject), treated(subject), version(subject, 5, 2))
    (result,) = live.accept(version(subject, 2, 4))
    assert result == {**result, "status": "accepted", "superseded_by": 5}
    until(lambda: parked(live, subject) == [("lower-revision", "parked")], why="kept for a person")
    asked = live.get("/v1/queries", "data-manager", subject=subject).json()["queries"]
    assert any("is not used" in one["question"] and one["record"] == "ae:AE-1" for one in asked)
    assert any(alert["case"].startswith("intake:") and alert["state"] == "open" for alert in live.alerts())
    live.accept(version(subject, 3, 2))
    live.settle()
    assert parked(live, subject) == [("lower-revision", "parked")]
    live.accept(version(subject, 6, 2))
    until(lambda: parked(live, subject) == [("lower-revision", "settled")], why="settled")
