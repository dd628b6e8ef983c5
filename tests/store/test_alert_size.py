"""An alert event is never larger than every log and reader takes; what is left out is said."""

from __future__ import annotations

import json

from events.codec import Codec
from events.envelope import EventRef
from projections.folds.system_alerts import system_transition
from projections.folds.trial import Trial
from projections.protocols.isi_jx import PROTOCOL
from projections.rules.logic.truth import EventKey
from projections.store.rows.outbox import ALERT_BYTES_MAX, LEFT_OUT, alert_body

SOURCE = "urn:toxwatch:test"


def test_an_alert_that_rests_on_more_than_a_message_holds_is_shortened_and_says_so() -> None:
    """Five hundred events with identifiers as long as they may be, and five hundred long questions."""
    cause = EventKey(SOURCE, "e")
    step = system_transition(
        PROTOCOL, "intake:1", None, ["why " * 400] * 500, cause, 0, questions=["what " * 380] * 500
    )
    assert step is not None
    evidence = [EventRef(source="s" * 1000, id=f"{number:0>1000}") for number in range(500)]
    large = step._replace(data=step.data.model_copy(update={"evidence": evidence}))
    body = alert_body(Trial(PROTOCOL, SOURCE), large)
    assert len(body) <= ALERT_BYTES_MAX
    told = json.loads(body)["data"]
    assert told["reasons"][-1] == LEFT_OUT
    assert told["reasons"].count(LEFT_OUT) == 1
    assert told["evidence"]
    assert Codec(PROTOCOL.contract).decode(body).event.id == step.event_id


def test_any_other_alert_says_all_of_it() -> None:
    step = system_transition(PROTOCOL, "intake:1", None, ["why"], EventKey(SOURCE, "e"), 0)
    assert step is not None
    assert json.loads(alert_body(Trial(PROTOCOL, SOURCE), step))["data"]["reasons"] == ["why"]
