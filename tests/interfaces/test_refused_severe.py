"""A refused event that looks severe pages somebody, until a valid event for its record arrives or somebody deals with it."""

from __future__ import annotations

import json
from itertools import count
from typing import Any

import pytest

from tests.interfaces.live import Live, until
from tests.interfaces.messages import (
    LINES,
    STRUCTURED,
    Event,
    ae,
    ago,
    body_of,
    enrolled,
    lab,
    new_subject,
    text,
    treated,
)

pytestmark = pytest.mark.xdist_group("interfaces")

_numbers = count(10)


@pytest.fixture
def site() -> str:
    """A site of the test's own: all that is refused of one is counted in one alert."""
    return f"FR{next(_numbers)}"


def refused(live: Live, sent: Event | bytes, who: str, kind: str = STRUCTURED) -> dict[str, Any]:
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
    """The one in which the letter is counted."""
    return live.alert(f"intake:{letter['site']}/{letter['reason']}")


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
def test_a_refused_severe_event_is_an_urgent_alert(live: Live, site: str, broken: dict[str, Any]) -> None:
    """Grade 3 or worse, serious or fatal, as far as it can be read."""
    letter = refused(live, ae(new_subject(site), broken), site)
    alert = intake_alert(live, letter)
    assert (alert["verdict"], alert["urgency"], alert["state"]) == (None, "urgent", "open")


@pytest.mark.parametrize("broken", [{"grade": 2, "unheard": 1}, {"grade": 1, "ongoing": "yes"}], ids=json.dumps)
def test_a_refused_mild_event_is_none(live: Live, site: str, broken: dict[str, Any]) -> None:
    """Parked, listed, answered; nobody is woken."""
    letter = refused(live, ae(new_subject(site), broken), site)
    live.settle()
    assert f"intake:{site}/{letter['reason']}" not in {alert["case"] for alert in live.alerts()}


@pytest.mark.parametrize("size", [300_000, 3_000_000])
def test_a_severe_event_that_is_too_large_is_an_alert(live: Live, site: str, size: int) -> None:
    """What is refused for its size may be severe all the same."""
    letter = refused(live, ae(new_subject(site), {"grade": 4, "x": {"scan": "a" * size}}), site)
    assert intake_alert(live, letter)["state"] == "open"


def test_a_severe_event_with_a_broken_envelope_is_an_alert(live: Live, site: str) -> None:
    """Without a time, of another trial, for a subject id that is none: whatever is wrong, grade 4 can be read."""
    for change in ({"time": None}, {"trial": "NCT00000001"}, {"subject": "Jane Doe"}, {"specversion": "0.3"}):
        event = {name: value for name, value in {**ae(new_subject(site)), **change}.items() if value is not None}
        assert intake_alert(live, refused(live, event, site))["urgency"] == "urgent", change


def test_a_severe_line_cut_off_is_an_alert(live: Live, site: str) -> None:
    """JSON that breaks off after the grade: its readable part says grade 4."""
    event = ae(new_subject(site))
    data = event.pop("data")
    body = body_of({**event, "data": {"grade": 4, **data}}, LINES)
    assert intake_alert(live, refused(live, body[:-60] + b"\n", site, kind=LINES))["state"] == "open"


def test_a_valid_event_for_the_record_withdraws_it(live: Live, site: str) -> None:
    """Corrected and sent again; another record of the subject, or another subject's, does not settle it."""
    subject, other = new_subject(site), new_subject(site)
    alert = intake_alert(live, refused(live, ae(subject, {"grade": 4, "unheard": 1}), site))
    live.accept(ae(subject, {"ae_id": "AE-2", "grade": 1}), ae(other, {"grade": 1}), lab(subject), who=site)
    live.settle()
    assert standing(live, alert) == "open"
    live.accept(ae(subject), who=site)
    until(lambda: standing(live, alert) == "withdrawn", why="withdrawn")
    history = live.whole(alert["alert_id"])["history"]
    assert [entry["kind"] for entry in history] == ["raised", "withdrawn"]
    assert history[1]["event"]["data"]["reasons"]


def test_a_duplicate_of_what_was_known_does_not_withdraw_it(live: Live, site: str) -> None:
    """A severe revision is refused, and the site's system sends the mild one before it again: nothing is settled."""
    subject = new_subject(site)
    mild = ae(subject, {"grade": 1})
    live.accept(mild, who=site)
    alert = intake_alert(live, refused(live, ae(subject, {"revision": 2, "unheard": 1}), site))
    assert live.send(mild, site).json()["results"][0]["status"] == "duplicate"
    live.settle()
    assert standing(live, alert) == "open"
    live.accept(ae(subject, {"revision": 2}), who=site)
    until(lambda: standing(live, alert) == "withdrawn", why="withdrawn")


def test_refused_again_after_it_was_settled_it_is_an_alert_again(live: Live, site: str) -> None:
    """A mild revision settles the refused severe one; then that one is refused again, and must not go unseen."""
    subject = new_subject(site)
    sent = ae(subject, {"revision": 2, "unheard": 1})
    letter = refused(live, sent, site)
    alert = intake_alert(live, letter)
    live.accept(ae(subject, {"grade": 1}), who=site)
    live.settle()
    assert standing(live, alert) == "open"
    live.accept(ae(subject, {"revision": 3, "grade": 1}), who=site)
    until(lambda: standing(live, alert) == "withdrawn", why="withdrawn")
    assert live.send(sent, site).status_code == 422
    until(lambda: intakes_open_for(live, sent["id"]), 5, "open again")


def intakes_open_for(live: Live, event_id: str) -> list[str]:
    """The open alerts of the letters that an event became, one or several, all of them parked."""
    parked = {
        f"intake:{found['site']}/{found['reason']}"
        for found in letters(live)
        if (found["event_id"], found["state"]) == (event_id, "parked")
    }
    return [alert["case"] for alert in live.alerts(state="open") if alert["case"] in parked]


def test_the_same_refused_event_again_pages_once(live: Live, site: str) -> None:
    """A system that repeats a refused event for ever: one letter that counts, one alert."""
    sent = ae(new_subject(site), {"grade": 4, "unheard": 1})
    letter = refused(live, sent, site)
    for _ in range(3):
        assert live.send(sent, site).status_code == 422
    live.settle()
    same = [found for found in letters(live) if found["event_id"] == sent["id"]]
    assert [(found["id"], found["times"]) for found in same] == [(letter["id"], 4)]
    whole = live.whole(intake_alert(live, letter)["alert_id"])
    assert [entry["kind"] for entry in whole["history"]] == ["raised"]


def test_a_severe_result_that_is_refused_is_an_alert(live: Live, site: str) -> None:
    """ "A refused AE or result": a result states no grade, but one that says serious does look severe."""
    letter = refused(live, lab(new_subject(site), {"grade": 4}), site)
    assert intake_alert(live, letter)["urgency"] == "urgent"


def test_a_conflicting_second_severe_event_is_an_alert(live: Live, site: str) -> None:
    """The same id with other content is refused; where the refused one is the severe one, somebody must see it."""
    subject = new_subject(site)
    mild = ae(subject, {"grade": 1})
    live.accept(enrolled(subject), mild, who=site)
    letter = refused(live, {**mild, "data": {**mild["data"], "grade": 4}}, site)
    assert intake_alert(live, letter)["state"] == "open"


def test_a_second_source_s_severe_event_is_an_alert(live: Live, site: str) -> None:
    """A record has one owner; what another source says about it is refused, and is not lost."""
    subject = new_subject(site)
    live.accept(ae(subject, {"grade": 1}), who=site)
    letter = refused(live, ae(subject, {"revision": 2}, source=f"urn:site:{site}:other"), site)
    assert letter["reason"] == "record-owner-conflict"
    assert intake_alert(live, letter)["state"] == "open"


def test_a_severe_event_recorded_in_the_future_is_an_alert(live: Live, site: str) -> None:
    """A site's clock that is an hour ahead keeps nobody from seeing it."""
    letter = refused(live, ae(new_subject(site), time=text(ago(hours=-1))), site)
    assert intake_alert(live, letter)["state"] == "open"


def test_deleting_the_letter_of_a_severe_event_withdraws_its_alert(live: Live, site: str) -> None:
    """Somebody dealt with it, and gave the reason."""
    letter = refused(live, {**ae(new_subject(site)), "subject": "Jane Doe"}, site)
    alert = intake_alert(live, letter)
    ran = live.toxwatch("dead-letters", "delete", str(letter["id"]), "--reason", "called the site", "--data", live.data)
    assert ran.code == 0, ran.stderr
    until(lambda: standing(live, alert) == "withdrawn", why="withdrawn")


def test_however_many_are_refused_it_is_one_alert_and_another_site_is_told_of_at_once(live: Live, site: str) -> None:
    """A re-export with a wrong trial id: one alert with the number, a few revisions; a grade 4 elsewhere does not wait."""
    many = [ae(f"{site}-{2000 + number}", trial="NCT00000001") for number in range(1000)]
    for start in range(0, 1000, 100):
        assert live.send(many[start : start + 100], site, LINES).status_code == 422
    other = new_subject()
    live.accept(enrolled(other), treated(other), ae(other))
    live.alert("ae:AE-1", subject=other)
    (alert,) = [one for one in live.alerts() if one["case"].startswith(f"intake:{site}/")]
    assert (alert["case"], alert["count"]) == (f"intake:{site}/wrong-trial", 1000)
    assert len(live.whole(alert["alert_id"])["history"]) <= 10
