"""One event that makes taking it fail is refused alone and kept; whatever came with it, in its request or group, is taken."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from services.gateway.ledger import IntakeLedger
from services.log.port import Position
from tests.gateway.serving import LINES, Gateway, ae, results, statuses

BAD = 5


@pytest.fixture
def fault(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """The database does not take what belongs to one event."""
    write = IntakeLedger.write

    def raises(self: IntakeLedger, positions: list[Position], now: int) -> None:
        if any(event.id == ae(BAD)["id"] for event in self._new):
            raise OverflowError("too large for a column")
        write(self, positions, now)

    with monkeypatch.context() as patched:
        patched.setattr(IntakeLedger, "write", raises)
        yield patched


def test_an_event_that_cannot_be_stored_is_refused_alone(any_gateway: Gateway, fault: pytest.MonkeyPatch) -> None:
    """Seven events in one request: six are taken, one is refused with a sentence and kept with its bytes; none is a 5xx."""
    lines = [json.dumps(ae(number)).encode() for number in range(1, 8)]
    answer = any_gateway.post(b"\n".join(lines), LINES)
    assert answer.status_code == 207
    assert statuses(answer) == ["refused" if number == BAD else "accepted" for number in range(1, 8)]
    assert "a fault of Toxwatch and not yours" in results(answer)[BAD - 1]["error"]
    assert "OverflowError" in results(answer)[BAD - 1]["error"]
    (letter,) = any_gateway.letters()
    assert (letter.reason, letter.raw) == ("not-taken", lines[BAD - 1])
    assert len(any_gateway.stored()) == 6
    fault.undo()
    assert statuses(any_gateway.post(b"\n".join(lines), LINES)) == ["duplicate"] * 4 + ["accepted"] + ["duplicate"] * 2


def test_a_fault_of_every_event_is_no_sender_s(any_gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where not even a refusal can be kept, nothing is answered as if it were."""

    def raises(*_: object) -> None:
        raise OverflowError

    monkeypatch.setattr("projections.store.write.dead_letter_store.insert_new", raises)
    monkeypatch.setattr(IntakeLedger, "write", raises)
    answer = any_gateway.post(ae(1))
    assert answer.status_code == 500
    assert any_gateway.stored() == []
