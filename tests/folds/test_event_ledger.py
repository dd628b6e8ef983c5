"""The ledger: who was first with an id, and who owns a record."""

from __future__ import annotations

from dataclasses import replace

import pytest

from events.catalog import AnyEvent
from projections.folds.event_ledger import EventLedger
from projections.protocols.isi_jx import PROTOCOL
from tests.files.writing import FR01, Json, Site
from tests.folds.charts import decoded

SECOND = Site(source="urn:cro:edc")


def event(of: Json) -> AnyEvent:
    return decoded(of).event


def ledger(*taken: Json, one_system: tuple[tuple[str, ...], ...] = ()) -> EventLedger:
    """Positions are counted from 100."""
    made = EventLedger(replace(PROTOCOL, one_system=one_system))
    for position, one in enumerate(taken, start=100):
        made.take(one.get("subject"), event(one), position)
    return made


def test_the_first_of_an_identity_is_found_by_its_position() -> None:
    made = ledger(FR01.enrolled(), FR01.ae())
    assert made.first_position("FR01-001", event(FR01.ae())) == 101
    assert made.first_position("FR01-001", event(FR01.ae(data={"grade": 1}))) == 101


@pytest.mark.parametrize(
    "other",
    [FR01.ae(id="another"), SECOND.ae(), Site(subject="FR01-002").ae()],
    ids=["another id", "another source", "another subject"],
)
def test_identity_is_subject_source_and_id(other: Json) -> None:
    assert ledger(FR01.ae()).first_position(other["subject"], event(other)) is None


def test_the_first_source_owns_the_record_at_every_revision() -> None:
    made = ledger(FR01.ae())
    assert made.foreign_owner("FR01-001", event(SECOND.ae())) == FR01.source
    assert made.foreign_owner("FR01-001", event(SECOND.retracted("ae", {"ae_id": "AE-1"}))) == FR01.source
    assert made.foreign_owner("FR01-001", event(FR01.retracted("ae", {"ae_id": "AE-1"}))) is None


@pytest.mark.parametrize(
    "other",
    [
        SECOND.ae("AE-2"),
        SECOND.lab("AE-1"),
        SECOND.visit("2017-03-01", "AE-1"),
        Site(subject="FR01-002", source="urn:cro:edc").ae(),
    ],
    ids=["another record", "another kind, same id", "a visit of that id", "another subject"],
)
def test_another_record_has_another_owner(other: Json) -> None:
    """Identity of a record is subject, kind and id."""
    assert ledger(FR01.ae()).foreign_owner(other["subject"], event(other)) is None


def test_an_owner_stays_the_owner() -> None:
    """Even where two systems are one, the record is that of the first."""
    made = ledger(FR01.ae(), SECOND.ae(data={"revision": 2}), one_system=(("urn:site:FR01:edc", "urn:cro:*"),))
    third = Site(source="urn:third").ae()
    assert made.foreign_owner("FR01-001", event(third)) == FR01.source
    assert made.foreign_owner("FR01-001", event(SECOND.ae())) is None


def test_an_event_about_no_subject_has_an_identity_and_no_owner() -> None:
    data = {"protocol": "isi-jx", "version": "1", "rules_version": "1", "sha256": "0" * 64}
    about_nobody = {"subject": ..., "site": ..., "id": "p", "source": "urn:toxwatch:demo"}
    activated = FR01.event("protocol.activated", data, **about_nobody)
    elsewhere = FR01.event("protocol.activated", data, **{**about_nobody, "source": "urn:toxwatch:other"})
    made = ledger(activated)
    assert made.first_position(None, event(activated)) == 100
    assert made.first_position(None, event(elsewhere)) is None
    assert made.foreign_owner(None, event(elsewhere)) is None
