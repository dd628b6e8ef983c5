"""A refused event that looks severe pages somebody, until a valid event for its record arrives or somebody deals with it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.interfaces.live import Live, until
from tests.interfaces.messages import LINES, STRUCTURED, Event, ae, ago, body_of, enrolled, lab, new_subject, text

pytestmark = pytest.mark.xdist_group("interfaces")


def refused(live: Live, sent: Event | bytes, who: str = "FR01", kind: str = STRUCTURED) -> dict[str, Any]:
    """Send what must be refused; the letter that it became."""
    before = {letter["id"] for letter in letters(live)}
    answer = live.send(sent, who, kind)
    assert answer.status_code in (403, 422), answer.text
    (letter,) = [found for found in letters(live) if found["id"] not in before]
    return letter


def letters(live: Live) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    after = 0
    while True:
        page = live.get("/v1/dead-letters", "data-manager", after=after, limit=500).json()
        found += page["dead_letters"]
        if page["next"] is None:
            return found
        after = page["next"]


def intake_alert(live: Live, letter: dict[str, Any]) -> dict[str, Any]:
    return live.alert(f"intake:{letter['id']}")


def standing(live: Live, alert: dict[str, Any]) -> str:
    state: str = live.whole(alert["alert_id"])["state"]
    return state


@pytest.mark.parametrize(
    "broken",
    [
        {"grade": 3, "ongoing": "yes"},
        {"grade": 4, "unheard": 1},
        {"grade": 5, "term": None},
        {"grade": None, "seriousness": ["death"], "onset": "soon"},
        {"grade": None, "outcome": "fatal", "unheard": 1},
        {"grade": None, "serious": True, "unheard": 1},
        {"grade": 1, "grades": [{"grade": 1, "from": "2026-01-01"}, {"grade": 4, "from": "2025-01-01"}]},
        {"grade": "4"},
        {"grade": 9},
    ],
    ids=json.dumps,
)
def test_a_refused_severe_event_is_an_urgent_alert(live: Live, broken: dict[str, Any]) -> None:
    """Grade 3 or worse, serious or fatal, as far as it can be read."""
    letter = refused(live, ae(new_subject(), broken))
    alert = intake_alert(live, letter)
    assert (alert["verdict"], alert["urgency"], alert["state"]) == (None, "urgent", "open")


@pytest.mark.parametrize("broken", [{"grade": 2, "unheard": 1}, {"grade": 1, "ongoing": "yes"}], ids=json.dumps)
def test_a_refused_mild_event_is_none(live: Live, broken: dict[str, Any]) -> None:
    """Parked, listed, answered; nobody is woken."""
    letter = refused(live, ae(new_subject(), broken))
    live.settle()
    assert f"intake:{letter['id']}" not in {alert["case"] for alert in live.alerts()}


@pytest.mark.parametrize("size", [300_000, 3_000_000])
def test_a_severe_event_that_is_too_large_is_an_alert(live: Live, size: int) -> None:
    """What is refused for its size may be severe all the same."""
    letter = refused(live, ae(new_subject(), {"grade": 4, "x": {"scan": "a" * size}}))
    assert intake_alert(live, letter)["state"] == "open"


def test_a_severe_event_with_a_broken_envelope_is_an_alert(live: Live) -> None:
    """Without a time, of another trial, for a subject id that is none: whatever is wrong, grade 4 can be read."""
    for change in ({"time": None}, {"trial": "NCT00000001"}, {"subject": "Jane Doe"}, {"specversion": "0.3"}):
        event = {name: value for name, value in {**ae(new_subject()), **change}.items() if value is not None}
        assert intake_alert(live, refused(live, event))["urgency"] == "urgent", change


def test_a_severe_line_cut_off_is_an_alert(live: Live) -> None:
    """JSON that breaks off after the grade: its readable part says grade 4."""
    event = ae(new_subject())
    data = event.pop("data")
    body = body_of({**event, "data": {"grade": 4, **data}}, LINES)
    assert intake_alert(live, refused(live, body[:-60] + b"\n", kind=LINES))["state"] == "open"


def test_a_valid_event_for_the_record_withdraws_it(live: Live) -> None:
    """Corrected and sent again; another record of the subject, or another subject's, does not settle it."""
    subject, other = new_subject(), new_subject()
    alert = intake_alert(live, refused(live, ae(subject, {"grade": 4, "unheard": 1})))
    live.accept(ae(subject, {"ae_id": "AE-2", "grade": 1}), ae(other, {"grade": 1}), lab(subject))
    live.settle()
    assert standing(live, alert) == "open"
    live.accept(ae(subject))
    until(lambda: standing(live, alert) == "withdrawn", why="withdrawn")
    history = live.whole(alert["alert_id"])["history"]
    assert [entry["kind"] for entry in history] == ["raised", "withdrawn"]
    assert history[1]["event"]["data"]["reasons"]


def test_a_duplicate_of_what_was_known_does_not_withdraw_it(live: Live) -> None:
    """A severe revision is refused, and the site's system sends the mild one before it again: nothing is settled."""
    subject = new_subject()
    mild = ae(subject, {"grade": 1})
    live.accept(mild)
    alert = intake_alert(live, refused(live, ae(subject, {"revision": 2, "unheard": 1})))
    assert live.send(mild).json()["results"][0]["status"] == "duplicate"
    live.settle()
    assert standing(live, alert) == "open"
    live.accept(ae(subject, {"revision": 2}))
    until(lambda: standing(live, alert) == "withdrawn", why="withdrawn")


def test_refused_again_after_it_was_settled_it_is_an_alert_again(live: Live) -> None:
    """A mild revision settles the refused severe one; then that one is refused again, and must not go unseen."""
    subject = new_subject()
    sent = ae(subject, {"revision": 2, "unheard": 1})
    letter = refused(live, sent)
    alert = intake_alert(live, letter)
    live.accept(ae(subject, {"grade": 1}))
    live.settle()
    assert standing(live, alert) == "open"
    live.accept(ae(subject, {"revision": 3, "grade": 1}))
    until(lambda: standing(live, alert) == "withdrawn", why="withdrawn")
    assert live.send(sent).status_code == 422
    until(lambda: intakes_open_for(live, sent["id"]), 5, "open again")


def intakes_open_for(live: Live, event_id: str) -> list[str]:
    """The open alerts of the letters that an event became, one or several, all of them parked."""
    parked = {
        f"intake:{found['id']}"
        for found in letters(live)
        if (found["event_id"], found["state"]) == (event_id, "parked")
    }
    return [alert["case"] for alert in live.alerts(state="open") if alert["case"] in parked]


def test_the_same_refused_event_again_pages_once(live: Live) -> None:
    """A system that repeats a refused event for ever: one letter that counts, one alert."""
    sent = ae(new_subject(), {"grade": 4, "unheard": 1})
    letter = refused(live, sent)
    for _ in range(3):
        assert live.send(sent).status_code == 422
    live.settle()
    same = [found for found in letters(live) if found["event_id"] == sent["id"]]
    assert [(found["id"], found["times"]) for found in same] == [(letter["id"], 4)]
    whole = live.whole(intake_alert(live, letter)["alert_id"])
    assert [entry["kind"] for entry in whole["history"]] == ["raised"]


def test_a_severe_result_that_is_refused_is_an_alert(live: Live) -> None:
    """ "A refused AE or result": a result states no grade, but one that says serious does look severe."""
    letter = refused(live, lab(new_subject(), {"grade": 4}))
    assert intake_alert(live, letter)["urgency"] == "urgent"


def test_a_conflicting_second_severe_event_is_an_alert(live: Live) -> None:
    """The same id with other content is refused; where the refused one is the severe one, somebody must see it."""
    subject = new_subject()
    mild = ae(subject, {"grade": 1})
    live.accept(enrolled(subject), mild)
    letter = refused(live, {**mild, "data": {**mild["data"], "grade": 4}})
    assert intake_alert(live, letter)["state"] == "open"


def test_a_second_source_s_severe_event_is_an_alert(live: Live) -> None:
    """A record has one owner; what another source says about it is refused, and is not lost."""
    subject = new_subject()
    live.accept(ae(subject, {"grade": 1}))
    letter = refused(live, ae(subject, {"revision": 2}, source="urn:site:FR01:other"))
    assert letter["reason"] == "record-owner-conflict"
    assert intake_alert(live, letter)["state"] == "open"


def test_a_severe_event_recorded_in_the_future_is_an_alert(live: Live) -> None:
    """A site's clock that is an hour ahead keeps nobody from seeing it."""
    letter = refused(live, ae(new_subject(), time=text(ago(hours=-1))))
    assert intake_alert(live, letter)["state"] == "open"


def test_deleting_the_letter_of_a_severe_event_withdraws_its_alert(live: Live) -> None:
    """Somebody dealt with it, and gave the reason."""
    letter = refused(live, {**ae(new_subject()), "subject": "Jane Doe"})
    alert = intake_alert(live, letter)
    ran = live.toxwatch("dead-letters", "delete", str(letter["id"]), "--reason", "called the site", "--data", live.data)
    assert ran.code == 0, ran.stderr
    until(lambda: standing(live, alert) == "withdrawn", why="withdrawn")
