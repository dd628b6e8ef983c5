"""A lower revision is taken, and its sender learns that it changes nothing; nor does it settle what was refused."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import update

from projections.store.engine.tables import record_owners
from tests.gateway.serving import LINES, Gateway, ae, later, results

Json = dict[str, Any]


def revised(number: int, revision: int, **data: Any) -> Json:
    """A version of one record."""
    return ae(number, id=f"e-{number}-{revision}", data={"revision": revision, **data})


def superseded(answer: Any) -> list[int | None]:
    return [result.get("superseded_by") for result in results(answer)]


def test_a_lower_revision_is_accepted_and_says_what_is_in_effect(any_gateway: Gateway) -> None:
    """Also of a duplicate, so that a sender who lost the answer learns it too; also within one request."""
    assert superseded(any_gateway.post([revised(1, 5), revised(2, 1)], LINES)) == [None, None]
    answer = any_gateway.post([revised(1, 2), revised(1, 6), revised(1, 5), revised(2, 2), revised(1, 3)], LINES)
    assert answer.status_code == 202
    assert [result["status"] for result in results(answer)] == [
        "accepted",
        "accepted",
        "duplicate",
        "accepted",
        "accepted",
    ]
    assert superseded(answer) == [5, None, 6, None, 6]
    assert len(any_gateway.stored()) == 6


def test_a_retraction_counts_like_a_report(gateway: Gateway) -> None:
    gone = {**revised(1, 4), "type": "toxwatch.ae.retracted.v1", "id": "gone"}
    gone["data"] = {"ae_id": "AE-1", "revision": 4, "reason": "entered twice"}
    assert superseded(gateway.post([gone, revised(1, 3)], LINES)) == [None, 4]


def test_a_record_from_before_revisions_were_kept(gateway: Gateway) -> None:
    """What is not known is not said, and known from the next event on."""
    gateway.post(revised(1, 5))
    with gateway.database.writing() as connection:
        connection.execute(update(record_owners).values(revision=None))
    assert superseded(gateway.post([revised(1, 4), revised(1, 3)], LINES)) == [None, 4]


@pytest.mark.parametrize("refused_first", [True, False])
def test_a_lower_revision_settles_no_refused_report(any_gateway: Gateway, refused_first: bool) -> None:
    """Neither one that is lower than a revision that is known, nor one that is lower than the refused one itself."""
    broken = revised(1, 5, grade=4, onset="soon")
    known = [revised(1, 3, grade=2)]
    sent = [broken, *known] if refused_first else [*known, broken]
    any_gateway.post(sent, LINES)
    later(any_gateway.clock)
    for lower in (2, 4):
        any_gateway.post(revised(1, lower, grade=2))
        assert set(any_gateway.intake_alerts().values()) == {"open"}
    later(any_gateway.clock)
    any_gateway.post(revised(1, 5, grade=4))
    assert set(any_gateway.intake_alerts().values()) == {"withdrawn"}


def test_the_refused_event_itself_mended_settles_it_under_any_revision(gateway: Gateway) -> None:
    """Its sender says what it was meant to say."""
    gateway.post(revised(1, 5, grade=4, onset="soon"))
    later(gateway.clock)
    gateway.post({**revised(1, 2, grade=4), "id": "e-1-5"})
    assert set(gateway.intake_alerts().values()) == {"withdrawn"}
