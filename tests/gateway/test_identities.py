"""The same event again, the same id with other content, a second source: over requests, modes and within one."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from string import ascii_letters, digits
from typing import Any

import pytest

from events.bounds import IDENTIFIER_BYTES_MAX
from events.codec import LINE_BYTES_MAX
from projections.protocols.isi_jx import PROTOCOL
from projections.store.engine.database import Database
from tests.gateway.serving import BATCHED, LINES, Gateway, ae, gateway_on, results, statuses
from tests.gateway.test_modes import binary


def test_the_same_event_again_is_a_duplicate_at_its_first_place(any_gateway: Gateway) -> None:
    """In every mode, with members in another order and numbers and letters written otherwise."""
    event = ae(1, data={"grade": 2})
    assert any_gateway.post(ae(0)).status_code == 202
    assert any_gateway.post(event).status_code == 202
    turned = json.dumps(dict(reversed(event.items()))).replace("Colitis", "\\u0043olitis").replace('": 2', '": 2.0')
    traced = {**event, "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
    body, headers = binary(event)
    for answer in (
        any_gateway.post(event),
        any_gateway.post(turned.encode()),
        any_gateway.post(traced),
        any_gateway.post([event, event], BATCHED),
        any_gateway.post([event], LINES),
        any_gateway.post(body, "application/json", **headers),
    ):
        assert answer.status_code == 202
        assert {(result["status"], result["position"]) for result in results(answer)} == {("duplicate", "0/1")}
    assert len(any_gateway.stored()) == 2
    assert any_gateway.letters() == []


@pytest.mark.parametrize("together", [False, True])
def test_the_same_id_with_other_content_is_refused(any_gateway: Gateway, together: bool) -> None:
    """The first stands; whether both come in one request or in two."""
    sent = [ae(1), ae(1, data={"term": "Ileitis"}), ae(1)]
    answers = [any_gateway.post(sent, LINES)] if together else [any_gateway.post(one) for one in sent]
    assert [status for answer in answers for status in statuses(answer)] == ["accepted", "refused", "duplicate"]
    error = [result for answer in answers for result in results(answer)][1]["error"]
    assert error == "id: 'e-1' of source 'urn:site:FR01:edc' came before with other content; the first one stands"
    (letter,) = any_gateway.letters()
    assert (letter.reason, letter.event_id, letter.subject) == ("id-conflict", "e-1", "FR01-001")


@pytest.mark.parametrize("together", [False, True])
def test_an_id_that_the_source_used_for_another_subject_is_refused(any_gateway: Gateway, together: bool) -> None:
    """The other subject is not named."""
    sent = [ae(1), ae(1, subject="FR01-002")]
    answers = [any_gateway.post(sent, LINES)] if together else [any_gateway.post(one) for one in sent]
    last = [result for answer in answers for result in results(answer)][-1]
    assert last["error"] == "id: 'e-1' of source 'urn:site:FR01:edc' was used for another subject"


@pytest.mark.parametrize("together", [False, True])
def test_a_second_source_of_a_record_is_refused(any_gateway: Gateway, together: bool) -> None:
    """The first that wrote the record owns it."""
    sent = [ae(1), ae(1, id="e-2", source="urn:site:FR01:lis")]
    answers = [any_gateway.post(sent, LINES)] if together else [any_gateway.post(one) for one in sent]
    last = [result for answer in answers for result in results(answer)][-1]
    assert last["error"].endswith("belongs to 'urn:site:FR01:edc' (record-owner-conflict)")
    assert any_gateway.post(ae(2, source="urn:site:FR01:lis")).status_code == 202


def test_two_sources_that_are_one_system_may_write_one_record(sqlite: Database) -> None:
    """As the configuration says."""
    protocol = replace(PROTOCOL, one_system=(("urn:site:FR01:*",),))
    with gateway_on(sqlite, protocol=protocol) as gateway:
        assert gateway.post([ae(1), ae(1, id="e-2", source="urn:site:FR01:lis")], LINES).status_code == 202


def test_duplicates_all_over_the_log_are_told_from_conflicts(any_gateway: Gateway) -> None:
    """The first of each is read from wherever it stands, many at a time."""
    assert any_gateway.post([ae(n) for n in range(1200)], LINES).status_code == 202
    again: list[dict[str, Any]] = [ae(n) for n in range(0, 1200, 7)]
    again += [ae(n, data={"grade": 2}) for n in range(1, 1200, 97)]
    answer = any_gateway.post(again, LINES)
    expected = ["duplicate"] * len(range(0, 1200, 7)) + ["refused"] * len(range(1, 1200, 97))
    assert statuses(answer) == expected
    positions = [result["position"] for result in results(answer) if "position" in result]
    assert positions == [f"0/{n}" for n in range(0, 1200, 7)]


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"receivedtime": "2017-05-01T00:00:00Z"}, "receivedtime: is stamped by Toxwatch"),
        ({"receivedtime": None}, "receivedtime: is stamped by Toxwatch"),
        ({"time": "2017-06-01T00:15:00.000001Z"}, "time: '2017-06-01T00:15:00.000001Z' is more than 15 min ahead"),
    ],
)
def test_what_the_gateway_alone_refuses(gateway: Gateway, changes: dict[str, Any], error: str) -> None:
    """Beside what the contract refuses anywhere."""
    answer = gateway.post(ae(1, **changes))
    assert answer.status_code == 422
    assert results(answer)[0]["error"].startswith(error)


def test_the_longest_ids_that_are_taken(any_gateway: Gateway) -> None:
    """The source, the id and the id of the record at their bound in bytes, of letters that no index of a database can pack."""
    letters = "é" + "".join(random.Random(5).choices(ascii_letters + digits, k=IDENTIFIER_BYTES_MAX - 2))
    source = f"urn:site:FR01:{letters[1:]}"[:IDENTIFIER_BYTES_MAX]
    assert {len(text.encode()) for text in (letters, source)} == {IDENTIFIER_BYTES_MAX}
    longest = ae(1, id=letters, source=source, data={"ae_id": letters})
    assert any_gateway.post(longest).status_code == 202
    assert statuses(any_gateway.post(longest)) == ["duplicate"]


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("id", {"id": f"{'é' * 500}x"}),
        ("source", {"source": "urn:site:FR01:".ljust(1001, "s")}),
        ("data.ae_id", {"data": {"ae_id": f"{'é' * 500}x"}}),
    ],
)
def test_an_id_of_one_byte_more_is_refused(gateway: Gateway, field: str, changes: dict[str, Any]) -> None:
    """The field is named; bytes count, not letters; nothing is stored but the dead letter."""
    answer = gateway.post(ae(1, **changes))
    assert answer.status_code == 422
    assert results(answer)[0]["error"] == f"{field}: 1001 bytes in UTF-8; at most 1000 are taken for an identifier"
    assert [letter.reason for letter in gateway.letters()] == ["bad-field"]
    assert gateway.stored() == []


def test_a_time_a_little_ahead_is_taken(gateway: Gateway) -> None:
    """15 minutes, to the microsecond."""
    assert gateway.post(ae(1, time="2017-06-01T00:15:00Z")).status_code == 202


def test_the_largest_event_is_taken_and_can_be_read_back(gateway: Gateway) -> None:
    """256 KiB of the sender's; the stamp does not count. One byte more is too much."""
    raw = json.dumps(ae(1, data={"x": {"a": ["y" * 2000] * 129}})).encode()
    largest = raw[:-1] + b" " * (LINE_BYTES_MAX - len(raw)) + b"}"
    assert len(largest) == LINE_BYTES_MAX
    answer = gateway.post([], LINES)
    assert (answer.status_code, results(answer)) == (202, [])
    assert statuses(gateway.post(largest[:-1] + b" }")) == ["refused"]
    assert gateway.letters()[0].reason == "too-large"
    assert gateway.post(largest).status_code == 202
    assert gateway.decoded()[0].event.id == "e-1"
