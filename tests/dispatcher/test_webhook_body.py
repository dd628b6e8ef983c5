"""What a webhook posts: as its published schema says for every kind of alert, and no clinical word unless that is asked for."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from projections.folds.trial import Trial
from projections.protocols.isi_jx import PROTOCOL
from projections.store.engine.tables import subject_sites
from services.dispatcher.alert_entries import AlertEntries
from services.dispatcher.channels.port import ChannelTest, GroupedAlert, Message
from services.dispatcher.channels.webhook import body_of
from services.dispatcher.channels.webhook_body import FILE, NAME, schema_text
from services.dispatcher.notice import Notice
from services.dispatcher.recipients import Detail, Recipient
from tests.dispatcher.alerts import CLINICAL, SOURCE, AlertingTrial
from tests.dispatcher.desk import at_work, trial_in
from tests.dispatcher.files import hook, person, recipients
from tests.dispatcher.receivers import http_receiver
from tests.dispatcher.test_notice import VALUES
from tests.files.command_line import ROOT, toxwatch

SCHEMA = json.loads(FILE.read_bytes())
VALIDATOR = Draft202012Validator(SCHEMA)
BY = {"source": "urn:site:FR01:edc", "id": "E-7"}
OTHERS = {"subject": None, "verdict": None, "population": None, "clauses": {}, "dose_level": None}
ABOUT: dict[str, dict[str, Any]] = {
    "raised": {"kind": "raised", "revision": 1, "site": "FR01", "questions": [CLINICAL]},
    "revised": {
        "previous_verdict": "possible",
        "changes": [{"what": "worst grade", "before": "4", "after": "5", "by": BY}],
    },
    "withdrawn": {
        "kind": "withdrawn",
        "telling": "quiet",
        "changes": [{"what": "reason given", "after": CLINICAL, "by": BY}],
    },
    "possible": {"verdict": "possible", "clauses": {"DLT-2": "possible"}, "urgency": "prompt", "dose_level": None},
    "a level on hold": OTHERS | {"case": "cohort:A/2", "count": 2, "out_of": 6, "dose_level": 2},
    "a level no longer on hold": OTHERS | {"case": "cohort:A/2", "kind": "withdrawn"},
    "refused events": OTHERS | {"case": "intake:FR01/schema", "count": 3, "site": "FR01"},
    "a subject not watched": OTHERS | {"case": "unwatched:FR01-001"},
    "a channel that does not deliver": OTHERS | {"case": "undelivered:mail", "count": 40},
    "a part that stands still": OTHERS | {"case": "stalled:store", "kind": "raised", "revision": 1},
}


def ann(detail: Detail = "minimal") -> Recipient:
    return Recipient(name="ann", role="medical-monitor", channels=("hook",), detail=detail)


def body(notice: Notice, detail: Detail = "minimal") -> dict[str, Any]:
    said = json.loads(body_of(Message("D-1", notice, ann(detail), "https://tox.example.org/alerts/ALERT", None)))
    assert isinstance(said, dict)
    return said


@pytest.fixture
def trial(tmp_path: Path) -> Iterator[AlertingTrial]:
    with trial_in(tmp_path) as trial:
        yield trial


def test_the_published_schema_is_current() -> None:
    """``python -m services.dispatcher.channels.webhook_body`` would change nothing; it is valid, and the command prints it."""
    assert FILE.read_text(encoding="utf-8") == schema_text()
    Draft202012Validator.check_schema(SCHEMA)
    assert toxwatch("schema", NAME).json == SCHEMA


@pytest.mark.parametrize("detail", ["minimal", "clinical"])
@pytest.mark.parametrize("about", ABOUT)
def test_every_kind_of_alert_is_as_the_schema_says(about: str, detail: Detail) -> None:
    """Every declared field is there; one less, or one of another type, would be noticed."""
    said = body(Notice(**VALUES | ABOUT[about]), detail)
    VALIDATOR.validate(said)
    name = "SubjectAlert" if "subject" in said["data"] else "OtherAlert"
    assert set(said["data"]) == set(SCHEMA["$defs"][name]["properties"]) == set(SCHEMA["$defs"][name]["required"])
    for field in said["data"]:
        assert not VALIDATOR.is_valid(said | {"data": {key: one for key, one in said["data"].items() if key != field}})
    assert not VALIDATOR.is_valid(said | {"data": said["data"] | {"revision": "1"}})


def test_a_receiver_need_not_refuse_what_a_later_version_adds() -> None:
    """Unknown fields are valid at every level."""
    said = body(Notice(**VALUES | ABOUT["revised"]), "clinical")
    said["data"]["recipient"]["later"] = said["data"]["later"] = said["later"] = 1
    said["data"]["clinical"]["changes"][0]["later"] = 1
    VALIDATOR.validate(said)


def test_a_test_message_is_no_alert_to_a_receiver() -> None:
    """A type of its own, and nothing in it that an alert has."""
    said = json.loads(body_of(ChannelTest("D-1", ann(), "demo", "2026-11-30T20:00:00Z")))
    VALIDATOR.validate(said)
    assert said["type"] == "toxwatch.test.v1"
    assert "you have nothing to do" in said["data"]["sentence"]
    assert said["data"].keys().isdisjoint({"alert_id", "urgency", "subject", "verdict", "headline"})


@pytest.mark.parametrize("detail", ["minimal", "clinical"])
def test_a_digest_lists_each_alert_as_it_would_be_alone(detail: Detail) -> None:
    """All kinds in one, in their order; its time is the newest one's."""
    notices = [Notice(**VALUES | changes) for changes in ABOUT.values()]
    notices[3] = notices[3].model_copy(update={"detected_at": "2017-03-01T10:00:00+01:00"})
    parts = tuple(GroupedAlert(notice, "https://tox.example.org/alerts/ALERT") for notice in notices)
    said = json.loads(body_of(Message("D-1", notices[0], ann(detail), parts[0].link, None, parts)))
    VALIDATOR.validate(said)
    assert (said["type"], said["timestamp"]) == ("toxwatch.alert.digest.v1", "2017-03-01T10:00:00+01:00")
    assert said["data"]["alerts"] == [body(notice, detail) for notice in notices]
    assert (CLINICAL in json.dumps(said)) == (detail == "clinical")


@pytest.mark.parametrize("about", ABOUT)
def test_minimal_detail_has_no_clinical_word(about: str) -> None:
    """Of questions their number, of a reason nothing, of a grade nothing."""
    said = body(Notice(**VALUES | ABOUT[about]))
    text = json.dumps(said)
    assert (CLINICAL in text, "worst grade" in text, said["data"]["clinical"]) == (False, False, None)


def test_clinical_detail_adds_questions_and_what_the_site_said() -> None:
    """For who is named for it in the file of recipients."""
    raised = body(Notice(**VALUES | ABOUT["raised"]), "clinical")["data"]
    assert (raised["open_questions"], raised["clinical"]["questions"]) == (1, [CLINICAL])
    withdrawn = body(Notice(**VALUES | ABOUT["withdrawn"]), "clinical")["data"]
    assert withdrawn["clinical"]["changes"] == [{"what": "reason given", "before": None, "after": CLINICAL, "by": BY}]


def test_a_level_on_hold_says_which_and_how_many() -> None:
    """In fields, not in the sentence alone."""
    hold = body(Notice(**VALUES | ABOUT["a level on hold"]))["data"]
    assert (hold["part"], hold["dose_level"], hold["count"], hold["out_of"]) == ("A", 2, 2, 6)


def test_site_and_detail_come_the_whole_way(trial: AlertingTrial, tmp_path: Path) -> None:
    """From the alert log to two receivers: the site that the subject's id names; the words only where they are asked for."""

    async def story() -> None:
        async with http_receiver() as receiver:
            text = hook(receiver.url) + person("ann", "hook") + person("ben", "hook", 'detail = "clinical"')
            async with at_work(trial, recipients(tmp_path, text)) as desk:
                trial.raises()
                await desk.comes_to(lambda: len(receiver.posts) == 2)
            posts = [json.loads(post.body)["data"] for post in receiver.posts]
            for said in posts:
                VALIDATOR.validate(
                    {"type": "toxwatch.alert.raised.v1", "timestamp": "2017-03-01T08:00:00Z", "data": said}
                )
            told = {said["recipient"]["name"]: said for said in posts}
            assert {said["site"] for said in told.values()} == {"FR01"}
            assert CLINICAL not in json.dumps(told["ann"])
            assert told["ben"]["clinical"]["questions"] == [CLINICAL]

    asyncio.run(story())


def test_the_documented_examples_are_what_is_posted() -> None:
    """``docs/integrating.md`` shows an alert, a level on hold and a test, each as it is."""
    text = (ROOT / "docs" / "integrating.md").read_text(encoding="utf-8")
    shown = [json.loads(block) for block in re.findall(r"```json\n(\{\"type\".*?)```", text, re.DOTALL)]
    link = "https://toxwatch.example.org/alerts/"
    notice = Notice(
        **VALUES
        | {"alert_id": "b3c1", "kind": "revised", "site": "FR01", "previous_verdict": "possible", "counts_as_dlt": True}
        | {"clauses": {"DLT-1": "met", "DLT-2": "possible"}, "questions": [CLINICAL]}
        | {"changes": [{"what": "DLT-1", "before": "possible", "after": "met", "by": BY}]}
    )
    hold = Notice(**VALUES | ABOUT["a level on hold"] | {"alert_id": "9e07", "kind": "raised", "revision": 1})
    person_told = Recipient(name="on-call", role="medical-monitor", channels=("hook",))
    messages = [
        Message("D-1", notice, person_told, link + notice.alert_id, None),
        Message("D-2", hold, person_told, link + hold.alert_id, None),
        ChannelTest("D-3", person_told, "isi-jx", "2026-11-30T20:00:00Z"),
    ]
    assert shown == [json.loads(body_of(message)) for message in messages]
    for example in shown:
        VALIDATOR.validate(example)


def test_where_ids_name_no_site_the_site_is_the_one_that_enrolled(trial: AlertingTrial) -> None:
    """Or the one that the configuration gives the subject to, or null. Refused events are of the site that sent them."""
    protocol = replace(PROTOCOL, subject_pattern=r"^S-[0-9]+$", subject_sites=(("S-2*", "LYON"),))
    for subject in ("S-1", "S-2", "S-3"):
        trial.raises(subject=subject)
    for site in ("LYON", "@other"):
        trial.system(f"intake:{site}/schema")
    with trial.database.writing() as connection:
        connection.execute(subject_sites.insert().values(subject="S-1", site="PARIS", is_enrolled=True))
        news = AlertEntries(Trial(protocol, SOURCE)).read(trial.log.read(0, 0, 10), connection, trial.clock.now())
    assert [(each.notice.subject or each.notice.case, each.notice.site) for each in news] == [
        ("S-1", "PARIS"),
        ("S-2", "LYON"),
        ("S-3", None),
        ("intake:LYON/schema", "LYON"),
        ("intake:@other/schema", None),
    ]
