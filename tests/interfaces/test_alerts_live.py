"""From an event, or from nothing but time, to an alert: raised, revised, withdrawn, delivered or held."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.interfaces.live import Live, until
from tests.interfaces.messages import adjudicated, ae, ago, enrolled, event, new_subject, text, treated

pytestmark = pytest.mark.xdist_group("interfaces")


def on_level(live: Live, level: int, site: str = "FR01") -> str:
    """A subject of Part A at a level, treated."""
    subject = new_subject(site)
    live.accept(enrolled(subject, {"dose_level": level}), treated(subject), who=site)
    return subject


def kinds(live: Live, alert: dict[str, Any]) -> list[str]:
    return [entry["kind"] for entry in live.whole(alert["alert_id"])["history"]]


def becomes(live: Live, alert: dict[str, Any], state: str) -> dict[str, Any]:
    """The alert, as soon as it stands like that."""
    return until(
        lambda: whole if (whole := live.whole(alert["alert_id"]))["state"] == state else None, why=f"{alert} {state}"
    )


def retracted(subject: str, record: str, revision: int = 2) -> dict[str, Any]:
    data = {"ae_id": record, "revision": revision, "reason": "entered for the wrong subject"}
    return event("ae.retracted", subject, data)


def test_two_dlts_at_one_level_hold_the_cohort_until_one_is_retracted(live: Live) -> None:
    """Subjects of two sites; the hold is urgent, names the level, and is withdrawn with its cause."""
    first, second = on_level(live, 71), on_level(live, 71, "FR02")
    live.accept(ae(first))
    live.settle()
    assert "cohort:A/71" not in {alert["case"] for alert in live.alerts()}
    live.accept(ae(second), who="FR02")
    hold = live.alert("cohort:A/71")
    assert (hold["verdict"], hold["urgency"], hold["state"], hold["revision"]) == (None, "urgent", "open", 1)
    assert hold.get("subject") is None
    assert until(lambda: [row for row in live.whole(hold["alert_id"])["deliveries"] if row["state"] == "delivered"])
    live.accept(retracted(second, "AE-1"), who="FR02")
    withdrawn = becomes(live, hold, "withdrawn")
    assert withdrawn["revision"] == 2
    single = live.alert("ae:AE-1", subject=second)
    assert becomes(live, single, "withdrawn")["reasons"]


def test_a_hold_comes_back_under_the_same_id(live: Live) -> None:
    """Overruled by investigator and sponsor, then counted again: raised, withdrawn, raised, its revisions going on."""
    first, second = on_level(live, 72), on_level(live, 72)
    live.accept(ae(first), ae(second))
    hold = live.alert("cohort:A/72")
    live.send(adjudicated(second, {"verdict": "not-dlt"}), "sponsor")
    becomes(live, hold, "withdrawn")
    assert becomes(live, live.alert("ae:AE-1", subject=second), "withdrawn")["reasons"]
    signed = {"revision": 2, "verdict": "dlt", "decided": text(ago())}
    signed["signatures"] = [{"party": "committee", "by": "C-1", "at": signed["decided"]}]
    live.send(adjudicated(second, signed), "sponsor")
    assert becomes(live, hold, "open")["revision"] == 3
    assert kinds(live, hold) == ["raised", "withdrawn", "raised"]


def test_two_dlts_of_one_subject_are_one(live: Live) -> None:
    """Counts are of subjects."""
    subject = on_level(live, 73)
    live.accept(ae(subject), ae(subject, {"ae_id": "AE-2"}))
    live.alert("ae:AE-2", subject=subject)
    live.settle()
    assert "cohort:A/73" not in {alert["case"] for alert in live.alerts()}


def test_a_subject_moved_to_another_level_moves_the_hold(live: Live) -> None:
    """A corrected enrolment: the level that had two has one, and the other has two."""
    subjects = [on_level(live, 74), on_level(live, 74), on_level(live, 75)]
    live.accept(*[ae(subject) for subject in subjects])
    first = live.alert("cohort:A/74")
    live.accept(enrolled(subjects[0], {"dose_level": 75, "revision": 2}))
    becomes(live, first, "withdrawn")
    assert live.alert("cohort:A/75")["state"] == "open"


def test_two_dlts_without_a_level_hold_too(live: Live) -> None:
    """``cohort:A/unassigned``."""
    for _ in range(2):
        subject = new_subject()
        live.accept(enrolled(subject), treated(subject), ae(subject))
    assert live.alert("cohort:A/unassigned")["urgency"] == "urgent"


def test_a_correction_revises_and_a_mild_one_withdraws(live: Live) -> None:
    """Each change one revision of one alert, and what was recorded late changes nothing."""
    subject = on_level(live, 76)
    live.accept(ae(subject, {"grade": 4, "causality": None}))
    alert = live.alert("ae:AE-1", subject=subject)
    assert (alert["verdict"], alert["urgency"]) == ("possible", "prompt")
    assert alert["questions"]
    live.accept(ae(subject, {"grade": 4, "revision": 3}))
    until(lambda: live.whole(alert["alert_id"])["verdict"] == "met", why="met")
    live.accept(ae(subject, {"grade": 1, "revision": 2}))
    live.settle()
    assert kinds(live, alert) == ["raised", "revised"]
    live.accept(ae(subject, {"grade": 1, "revision": 4, "end": text(ago(hours=1))}))
    becomes(live, alert, "withdrawn")
    history = live.whole(alert["alert_id"])["history"]
    assert [entry["event"]["data"]["revision"] for entry in history] == [1, 2, 3]
    assert history[1]["event"]["data"]["previous_verdict"] == "possible"
    assert len({entry["event"]["id"] for entry in history}) == 3


def test_only_the_grade_missing_is_routine_and_held_for_a_day(live: Live) -> None:
    """Raised at once, delivered 24 h later; settled by then, nobody is told."""
    subject = on_level(live, 77)
    live.accept(ae(subject, {"grade": None}))
    alert = live.alert("ae:AE-1", subject=subject)
    assert (alert["verdict"], alert["urgency"]) == ("possible", "routine")
    assert any("grade" in question for question in alert["questions"])
    (delivery,) = until(lambda: live.whole(alert["alert_id"])["deliveries"], why="planned")
    waits = datetime.fromisoformat(delivery["not_before"]) - datetime.fromisoformat(alert["raised_at"])
    assert timedelta(hours=23, minutes=59) < waits < timedelta(hours=24, minutes=1)
    live.accept(ae(subject, {"grade": 1, "revision": 2}))
    becomes(live, alert, "withdrawn")
    live.settle()
    assert "delivered" not in {row["state"] for row in live.whole(alert["alert_id"])["deliveries"]}
    assert f": {subject} " not in live.stderr.read_text()


def test_a_missing_grade_of_something_serious_is_prompt(live: Live) -> None:
    """What says serious is not held."""
    subject = on_level(live, 78)
    live.accept(ae(subject, {"grade": None, "serious": True, "seriousness": ["hospitalisation"]}))
    assert live.alert("ae:AE-1", subject=subject)["urgency"] == "prompt"


def test_a_held_alert_that_becomes_urgent_is_delivered_at_once(live: Live) -> None:
    """The grade arrives, and it is 4."""
    subject = on_level(live, 79)
    live.accept(ae(subject, {"grade": None}))
    alert = live.alert("ae:AE-1", subject=subject)
    live.accept(ae(subject, {"grade": 4, "revision": 2}))
    until(lambda: live.whole(alert["alert_id"])["urgency"] == "urgent", why="urgent")

    def delivered() -> list[Any]:
        rows = live.whole(alert["alert_id"])["deliveries"]
        return [row for row in rows if row["revision"] == 2 and row["state"] == "delivered"]

    assert until(delivered, why="delivered")


def test_time_alone_raises_an_alert(live: Live) -> None:
    """Grade 3 since almost seven days, and nothing more is sent: at the due instant it is a DLT, and the log says why."""
    subject = on_level(live, 80)
    due = ago(seconds=-2)
    live.accept(ae(subject, {"grade": 3, "onset": text(due - timedelta(days=7)), "ongoing": True}))
    live.settle()
    assert live.alerts(subject=subject) == []
    (watched,) = live.get("/v1/assessment", subject=subject).json()["cases"]
    assert (watched["verdict"], datetime.fromisoformat(watched["due"])) == ("watch", due)
    alert = live.alert("ae:AE-1", subject=subject)
    assert (alert["verdict"], alert["clauses"]) == ("met", {"DLT-2": "met"})
    assert alert["basis"] == "presumed-ongoing"
    detected = datetime.fromisoformat(alert["detected_at"])
    assert due <= detected < due + timedelta(seconds=5)
    (clock,) = [
        found
        for found in live.toxwatch("export", "--data", live.data).ndjson
        if found["type"] == "toxwatch.clock.reached.v1" and found["subject"] == subject
    ]
    assert datetime.fromisoformat(clock["data"]["due"]) == due
    assert clock["data"]["case"] == "ae:AE-1"
    assert alert["caused_by"] == {"source": clock["source"], "id": clock["id"]}


def test_what_ended_before_it_was_due_is_no_alert(live: Live) -> None:
    """The end arrives in time: the clock finds nothing to say."""
    subject = on_level(live, 81)
    onset = ago(days=7, seconds=-2)
    live.accept(ae(subject, {"grade": 3, "onset": text(onset), "ongoing": True}))
    live.accept(ae(subject, {"grade": 3, "onset": text(onset), "end": text(ago(hours=1)), "revision": 2}))
    until(lambda: ago() > onset + timedelta(days=7, seconds=1), why="time passes")
    live.settle()
    assert live.alerts(subject=subject) == []


def test_a_message_says_nothing_clinical_beyond_clause_and_verdict(live: Live) -> None:
    """The console's line has the subject, clause, verdict and link; neither term, nor grade, nor free text."""
    subject = on_level(live, 82)
    live.accept(ae(subject, {"term": "Hyperbilirubinaemia-XYZ", "x": {"note": "remark-XYZ"}}))
    live.alert("ae:AE-1", subject=subject)
    until(lambda: f": {subject} " in live.stderr.read_text(), why="told on the console")
    told = live.stderr.read_text()
    for word in ("XYZ", "grade 4"):
        assert word not in told


def test_the_link_in_a_message_opens_where_the_gateway_listens(live: Live) -> None:
    """Nobody has configured an address: it is that of `--listen`, and the page there is the alert's, for a browser with a key."""
    subject = on_level(live, 83)
    live.accept(ae(subject))
    alert = live.alert("ae:AE-1", subject=subject)
    line = until(
        lambda: next((line for line in live.stderr.read_text().splitlines() if f": {subject} " in line), None),
        why="told on the console",
    )
    link = line.split()[-1]
    assert link == f"{live.url}/alerts/{alert['alert_id']}"
    page = live.client.get(link, auth=("anybody", live.key("medical-monitor")))
    assert page.status_code == 200
    assert f"<h1>{subject}: DLT-1 met</h1>" in page.text
    assert live.client.get(link).status_code == 401
