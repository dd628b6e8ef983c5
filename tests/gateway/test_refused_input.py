"""What was refused is kept, is an alert where it is severe, and is settled by a valid event for its record (rules.md §6)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import select

from events.alert import AlertRevised
from events.catalog import EVENT_ADAPTER
from projections.folds.trial import Trial
from projections.store.engine.tables import alert_events
from projections.store.write import dead_letter_store
from projections.store.write.dead_letter_store import ArrivedEvent, DeadLetterError, NewDeadLetter, delete, park, settle
from tests.gateway.serving import BATCHED, LINES, NOW, STRUCTURED, Gateway, ae, later, results


def severe(number: int, **changes: Any) -> dict[str, Any]:
    """Says grade 4, and is not valid."""
    return ae(number, data={"grade": 4, "term": 7}, **changes)


def test_a_refused_event_is_kept_with_its_bytes_and_where_it_came_from(any_gateway: Gateway) -> None:
    """Everything that somebody needs who mends it."""
    raw = json.dumps(severe(1)).encode() + b"\n \n"
    answer = any_gateway.post(raw)
    (letter,) = any_gateway.letters()
    assert (letter.raw, letter.headers) == (raw, None)
    assert letter.error == results(answer)[0]["error"]
    assert (letter.reason, letter.field) == ("bad-field", "data.term")
    assert (letter.origin, letter.sender, letter.site) == ("gateway", any_gateway.key("FR01").id, "FR01")
    assert (letter.subject, letter.source, letter.event_id) == ("FR01-001", "urn:site:FR01:edc", "e-1")
    assert (letter.record_kind, letter.record_id, letter.is_severe) == ("ae", "AE-1", 1)
    assert (letter.times, letter.received_at, letter.last_seen_at) == (1, NOW, NOW)


def test_the_same_message_again_is_counted_and_told_of_once(any_gateway: Gateway) -> None:
    """In one request and in later ones. Another sender's is another letter."""
    for who in ("FR01", "FR01", "FR02"):
        assert any_gateway.post([severe(1), severe(1)], LINES, who).status_code in (403, 422)
        later(any_gateway.clock)
    first, second = any_gateway.letters()
    assert (first.times, second.times) == (4, 2)
    assert first.last_seen_at > first.received_at
    assert any_gateway.intake_alerts() == {"intake:FR01/bad-field": "open", f"intake:FR02/{second.reason}": "open"}
    with any_gateway.database.reading() as connection:
        assert len(connection.execute(select(alert_events.c.event_id)).all()) == 2


def test_what_is_not_severe_is_no_alert(gateway: Gateway) -> None:
    """Only parked."""
    assert gateway.post(ae(1, data={"grade": 2, "term": 7})).status_code == 422
    assert gateway.intake_alerts() == {}
    assert gateway.woken == []


def test_severe_bytes_that_cannot_be_read_are_an_alert(gateway: Gateway) -> None:
    """Cut, in another encoding: it errs towards severe. What comes with a key that may not write leaves nothing behind."""
    raw = json.dumps(ae(1, data={"grade": 5})).encode()
    for body in (raw[:-2], raw.decode().encode("utf-16"), b"\xef\xbb\xbf" + raw):
        assert gateway.post(body).status_code == 422
    assert gateway.post(raw, STRUCTURED, "inspector").status_code == 403
    assert gateway.intake_alerts() == {"intake:FR01/not-json": "open"}
    assert gateway.woken == ["outbox"] * 3


@pytest.mark.parametrize("mending", ["record", "id"])
def test_a_valid_event_settles_what_was_refused_before_it(any_gateway: Gateway, mending: str) -> None:
    """For the same record, or of the same id. The alert counts one less, and says by which event."""
    any_gateway.post(severe(1))
    any_gateway.post(severe(2))
    later(any_gateway.clock)
    mended = ae(1, id="e-9") if mending == "record" else ae(1, data={"ae_id": "AE-9"})
    assert any_gateway.post(mended).status_code == 202
    first, second = any_gateway.letters(None)
    assert (first.state, first.closed_at, second.state) == ("settled", any_gateway.clock.now(), "parked")
    assert any_gateway.intake_alerts() == {"intake:FR01/bad-field": "open"}
    with any_gateway.database.reading() as connection:
        bodies = connection.scalars(select(alert_events.c.body).order_by(alert_events.c.seq)).all()
    revised = EVENT_ADAPTER.validate_json(bodies[-1])
    assert isinstance(revised, AlertRevised)
    assert (revised.data.caused_by.id, revised.data.count, revised.data.telling) == (mended["id"], 1, "silent")
    assert [(change.before, change.after) for change in revised.data.changes] == [("2", "1")]
    assert any_gateway.post(ae(2, id="e-10")).status_code == 202
    assert any_gateway.intake_alerts() == {"intake:FR01/bad-field": "withdrawn"}


def test_the_order_within_one_request_counts(gateway: Gateway) -> None:
    """What was refused behind a valid event of its record is not settled by it: it may say worse."""
    assert gateway.post([ae(1), severe(1, id="e-1b"), severe(2), ae(2, id="e-2b")], LINES).status_code == 207
    by_id = {letter.event_id: letter.state for letter in gateway.letters(None)}
    assert by_id == {"e-1b": "parked", "e-2": "settled"}
    assert gateway.intake_alerts() == {"intake:FR01/bad-field": "open"}


def test_every_change_of_such_an_alert_wakes_those_who_deliver(gateway: Gateway) -> None:
    """When it is raised, counts one less or is settled; by an event behind it in one request as well. Nothing else does."""
    sent: list[tuple[Any, list[str]]] = [
        ([severe(1), severe(2)], ["outbox"]),
        (ae(1, id="e-1b"), ["log", "outbox"]),
        (ae(2, id="e-2b"), ["log", "outbox"]),
        (ae(2, id="e-2b"), []),
        (ae(3), ["log"]),
        ([severe(4), ae(4, id="e-4b")], ["log", "outbox"]),
        (ae(5, data={"grade": 2, "term": 7}), []),
        (ae(5, id="e-5b"), ["log"]),
    ]
    for body, woken in sent:
        gateway.woken.clear()
        gateway.post(body, *([LINES] if isinstance(body, list) else []))
        assert gateway.woken == woken


def test_a_settled_message_that_comes_again_is_told_of_again(gateway: Gateway) -> None:
    """It was refused after the valid event for its record had arrived, and may say worse."""
    gateway.post(severe(1))
    gateway.post(ae(1, id="e-9"))
    assert gateway.post(severe(1)).status_code == 422
    (letter,) = gateway.letters(None)
    assert (letter.state, letter.times) == ("parked", 2)
    assert list(gateway.intake_alerts().values()) == ["open"]


def test_an_alert_says_nothing_that_the_sender_wrote_save_ids_of_the_trial(gateway: Gateway) -> None:
    """A subject that is none of ours may be a name; it is neither in the alert nor beside the letter."""
    name = "Jeanne-Dupont"
    gateway.post(ae(1, subject=name, source=f"urn:{name}", id=f"{name}-1", data={"grade": 4, "term": "secret word"}))
    (letter,) = gateway.letters()
    kept = [letter.subject, letter.source, letter.event_id, letter.error, letter.record_id]
    assert letter.is_severe
    assert all(name not in str(text) for text in kept)
    with gateway.database.reading() as connection:
        (body,) = connection.scalars(select(alert_events.c.body))
    assert name.encode() not in body
    assert b"secret word" not in body


def test_a_letter_is_deleted_with_who_and_why(any_gateway: Gateway) -> None:
    """The bytes, and what was quoted of them, are gone; the row stays, and its alert is withdrawn."""
    any_gateway.post(severe(1))
    (letter,) = any_gateway.letters()
    at = (Trial(any_gateway.protocol, "urn:toxwatch:test"), letter.id)
    with any_gateway.database.writing() as connection:
        delete(connection, *at, "dm-1", "a name in the term", NOW)
    (kept,) = any_gateway.letters(None)
    assert (kept.state, kept.raw, kept.error, kept.event_id) == ("deleted", None, "(deleted)", None)
    assert (kept.closed_by, kept.closed_why, kept.closed_at) == ("dm-1", "a name in the term", NOW)
    assert list(any_gateway.intake_alerts().values()) == ["withdrawn"]
    for number, error in ((letter.id, "was deleted before"), (99, "there is no dead letter")):
        with pytest.raises(DeadLetterError, match=error), any_gateway.database.writing() as connection:
            delete(connection, at[0], number, "dm-1", "again", NOW)


def test_hostile_texts_are_kept_as_escapes(any_gateway: Gateway) -> None:
    """Half characters and U+0000, which no database takes: in ids, headers and errors."""
    for number, text in enumerate(("\\ud800", "\\u0000", "x" * 5000)):
        raw = json.dumps(severe(number)).replace(f"e-{number}", text).replace(f"AE-{number}", text).encode()
        assert any_gateway.post(raw).status_code == 422
        assert any_gateway.post(b"[" + raw + b"]", BATCHED).status_code == 422
        headers = {"ce-id": "%ED%A0%80%00", "ce-source": "%00", "ce-" + "n" * 3000: "v" * 3000}
        assert any_gateway.post(raw, "application/json", **headers).status_code == 422
    assert len(any_gateway.letters()) == 6
    assert all(json.loads(letter.headers or "[]") is not None for letter in any_gateway.letters())


def test_settling_compares_with_when_an_arrival_was_received(gateway: Gateway) -> None:
    """As the monitor asks, some time later: an event that came before the letter does not settle it."""
    source = "urn:toxwatch:test"
    letter = NewDeadLetter(
        "monitor", "bad-field", "x", "", b"{}", True, subject="FR01-001", record_kind="ae", record_id="A"
    )
    arrival = ArrivedEvent("FR01-001", "ae", "A", "urn:site:FR01:edc", "e-1", NOW)
    with gateway.database.writing() as connection:
        assert settle(connection, Trial(gateway.protocol, source), [arrival], NOW) == 0
        assert park(connection, Trial(gateway.protocol, source), [letter], NOW) == 1
        assert settle(connection, Trial(gateway.protocol, source), [arrival], NOW) == 0
        assert settle(connection, Trial(gateway.protocol, source), [arrival._replace(received=NOW + 1)], NOW) == 1
        assert settle(connection, Trial(gateway.protocol, source), [arrival._replace(received=NOW + 1)], NOW) == 0
    assert gateway.letters(None)[0].state == dead_letter_store.SETTLED


def test_a_great_many_letters_are_settled_at_once(any_gateway: Gateway) -> None:
    """Beyond what one statement may ask for."""
    assert any_gateway.post([severe(n) for n in range(1100)], LINES).status_code == 422
    assert any_gateway.post([ae(n, id=f"m-{n}") for n in range(1100)], LINES).status_code == 202
    assert set(any_gateway.intake_alerts().values()) == {"withdrawn"}
