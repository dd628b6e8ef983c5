"""Who may write what: every role, a site's own subjects and sources, the sponsor's types."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import insert

from projections.protocols.isi_jx import PROTOCOL
from projections.store.engine.database import Database
from projections.store.engine.tables import subject_sites
from services.gateway.bodies import BODY_BYTES_MAX
from tests.events.samples import event
from tests.gateway.serving import LINES, STRUCTURED, Gateway, ae, gateway_on, results, statuses

SPONSOR_SOURCE = "urn:sponsor:clb:safety"


def adjudication(number: int = 1, **changes: Any) -> dict[str, Any]:
    named = {"id": f"d-{number}", "source": SPONSOR_SOURCE}
    return event("dlt.adjudicated", {"adjudication_id": f"ADJ-{number}"}, **{**named, **changes})


@pytest.mark.parametrize("mode", ["structured", "lines"])
@pytest.mark.parametrize(
    ("who", "status"),
    [
        (None, 401),
        ("FR01", 202),
        ("FR02", 403),
        ("sponsor", 403),
        ("medical-monitor", 403),
        ("data-manager", 403),
        ("inspector", 403),
        ("operator", 403),
    ],
)
def test_who_may_write_a_sites_event(gateway: Gateway, who: str | None, status: int, mode: str) -> None:
    """The site, and nobody else. What a key that writes may not write is parked; of all others nothing is read."""
    answer = gateway.post(ae(1), STRUCTURED if mode == "structured" else LINES, who)
    assert answer.status_code == status
    assert len(gateway.stored()) == (status == 202)
    assert len(gateway.letters()) == (status == 403 and who in ("FR02", "sponsor"))
    if gateway.letters():
        assert answer.headers["content-type"] == "application/problem+json"
        assert statuses(answer) == ["refused"]
        assert gateway.letters()[0].reason == "outside-authority"
        assert gateway.letters()[0].sender == gateway.key(str(who)).id


@pytest.mark.parametrize("who", ["medical-monitor", "data-manager", "inspector", "operator"])
def test_a_key_that_only_reads_leaves_nothing_behind_whatever_it_sends(any_gateway: Gateway, who: str) -> None:
    """403 before anything is read: no letter and no alert, of a severe event, of what is none, of what is too large."""
    bodies: list[Any] = [ae(1, data={"grade": 5}), ae(2, data={"grade": 9}), b"{", b"", b" " * (BODY_BYTES_MAX + 1)]
    for body in bodies:
        for content_type in (STRUCTURED, LINES, "application/json", "text/plain"):
            answer = any_gateway.post(body, content_type, who)
            assert (answer.status_code, answer.headers["content-type"]) == (403, "application/problem+json")
            assert "results" not in answer.json()
    assert any_gateway.stored() == []
    assert any_gateway.letters(None) == []
    assert any_gateway.intake_alerts() == {}
    assert any_gateway.woken == []


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"site": "FR02"}, "site: "),
        ({"subject": "FR02-001", "site": "FR02"}, "site: 'FR02' is not the site of this key (FR01)"),
        ({"source": SPONSOR_SOURCE}, "source: this key may not write it"),
        ({"source": "urn:site:FR02:edc"}, "source: this key may not write it"),
        ({"source": "urn:toxwatch:test"}, "source: 'urn:toxwatch:test' is Toxwatch's own"),
    ],
)
def test_a_site_writes_its_own_subjects_from_its_own_sources(
    gateway: Gateway, changes: dict[str, Any], error: str
) -> None:
    """Whatever the event claims; and nothing of the other site's is said."""
    assert gateway.post(ae(1, "FR02"), who="FR02").status_code == 202
    answer = gateway.post(ae(2, **changes))
    assert results(answer)[0]["error"].startswith(error)
    assert answer.status_code in (403, 422)
    assert len(gateway.stored()) == 1


def test_another_sites_event_sent_again_is_outside_authority(gateway: Gateway) -> None:
    """A replay tells a stranger neither that the id is known nor what it stands for."""
    assert gateway.post(ae(1)).status_code == 202
    for replayed in (ae(1), ae(1, data={"grade": 5})):
        answer = gateway.post(replayed, who="FR02")
        assert answer.status_code == 403
        assert "before" not in results(answer)[0]["error"]


def test_the_sponsor_writes_adjudications_of_any_site_from_its_own_sources(any_gateway: Gateway) -> None:
    """And nothing else."""
    sent = [
        adjudication(1),
        adjudication(2, subject="FR02-001", site="FR02"),
        adjudication(3, source="urn:site:FR01:edc"),
        ae(1, source=SPONSOR_SOURCE),
        adjudication(4),
    ]
    answer = any_gateway.post(sent, LINES, "sponsor")
    assert answer.status_code == 207
    assert statuses(answer) == ["accepted", "accepted", "refused", "refused", "accepted"]


def test_a_site_may_adjudicate_from_its_own_source(gateway: Gateway) -> None:
    """Whether a signature counts is the protocol's matter, not the gateway's."""
    assert gateway.post(adjudication(1, source="urn:site:FR01:edc")).status_code == 202


@pytest.mark.parametrize("who", ["FR01", "sponsor"])
@pytest.mark.parametrize("source", ["urn:toxwatch:test", "urn:site:FR01:edc", SPONSOR_SOURCE])
@pytest.mark.parametrize("kind", ["clock.reached", "protocol.activated"])
def test_what_toxwatch_publishes_is_taken_from_nobody(gateway: Gateway, who: str, source: str, kind: str) -> None:
    """Or anybody could turn on a clock."""
    if kind == "clock.reached":
        sent = event(kind, source=source)
    else:
        data = {"protocol": "isi-jx", "version": "1", "rules_version": "1", "sha256": "0" * 64}
        sent = {**event("ae.reported", source=source), "type": f"toxwatch.{kind}.v1", "data": data}
        sent = {name: value for name, value in sent.items() if name not in ("subject", "site")}
    answer = gateway.post(sent, STRUCTURED, who)
    assert answer.status_code == 422
    assert gateway.letters()[0].reason == "foreign-source"
    assert gateway.stored() == []


def enrolled(site: str, subject: str) -> dict[str, Any]:
    source = f"urn:site:{site}:edc"
    return event("subject.enrolled", id=f"en-{site}-{subject}", subject=subject, site=site, source=source)


def test_where_subject_ids_do_not_name_the_site_a_subject_is_of_the_site_that_enrolled_it(database: Database) -> None:
    """Not of the one that was first to write: it takes nobody's subject, and what comes before the enrolment is not lost."""
    protocol = replace(PROTOCOL, subject_pattern="^S-[0-9]{3}$")
    with gateway_on(database, protocol=protocol) as gateway:
        assert gateway.post(ae(1, "FR02", subject="S-001"), who="FR02").status_code == 202
        assert gateway.post(ae(2, subject="S-001")).status_code == 202
        assert gateway.post(enrolled("FR01", "S-001")).status_code == 202
        for sent in (ae(3, "FR02", subject="S-001"), enrolled("FR02", "S-001")):
            answer = gateway.post(sent, who="FR02")
            assert (answer.status_code, results(answer)[0]["error"]) == (403, "subject: this key may not write it")
        assert gateway.post(ae(4, subject="S-001")).status_code == 202
        assert gateway.post(adjudication(1, subject="S-001"), who="sponsor").status_code == 202


def test_a_subject_that_an_earlier_version_gave_to_the_first_site_moves_with_its_enrolment(sqlite: Database) -> None:
    protocol = replace(PROTOCOL, subject_pattern="^S-[0-9]{3}$")
    with sqlite.writing() as connection:
        connection.execute(insert(subject_sites).values(subject="S-001", site="FR02", is_enrolled=False))
    with gateway_on(sqlite, protocol=protocol) as gateway:
        assert gateway.post(ae(1, subject="S-001")).status_code == 403
        assert gateway.post(enrolled("FR01", "S-001")).status_code == 202
        assert gateway.post(ae(2, subject="S-001")).status_code == 202
        assert gateway.post(ae(3, "FR02", subject="S-001"), who="FR02").status_code == 403


def test_the_configuration_says_whose_a_subject_is(sqlite: Database) -> None:
    """Before anybody has enrolled it, and whoever does."""
    protocol = replace(PROTOCOL, subject_pattern="^S-[0-9]{3}$", subject_sites=(("S-0*", "FR01"),))
    with gateway_on(sqlite, protocol=protocol) as gateway:
        assert gateway.post(ae(1, "FR02", subject="S-001"), who="FR02").status_code == 403
        assert gateway.post(enrolled("FR02", "S-001"), who="FR02").status_code == 403
        assert gateway.post(ae(2, subject="S-001")).status_code == 202
        assert gateway.post(ae(3, "FR02", subject="S-101"), who="FR02").status_code == 202


def test_events_within_the_authority_go_through_beside_those_outside(gateway: Gateway) -> None:
    """One refused singly."""
    answer = gateway.post([ae(1), ae(2, "FR02"), ae(3)], LINES)
    assert (answer.status_code, statuses(answer)) == (207, ["accepted", "refused", "accepted"])


def test_a_bad_event_within_the_authority_is_no_matter_of_it(gateway: Gateway) -> None:
    """403 only where the key may write none."""
    assert gateway.post([ae(1, data={"grade": 9}), ae(2, "FR02")], LINES).status_code == 422
