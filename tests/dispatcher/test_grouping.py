"""What is not urgent goes in one message a minute and recipient; what is urgent goes first, at once and singly."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, insert

from events.dates import MINUTE, SECOND
from projections.store.engine.generation import begin_first_generation
from projections.store.engine.tables import activations, subjects
from tests.dispatcher.alerts import AlertingTrial
from tests.dispatcher.desk import Desk, Killed, at_work, trial_in
from tests.dispatcher.files import hook, mail, person, recipients
from tests.dispatcher.receivers import Answer, HttpReceiver, http_receiver, mail_server
from tests.dispatcher.test_crashes import Assassin

DIGEST = "toxwatch.alert.digest.v1"


@pytest.fixture
def trial(tmp_path: Path) -> Any:
    with trial_in(tmp_path) as trial:
        yield trial


def heard(receiver: HttpReceiver) -> list[tuple[str, list[str]]]:
    """Every message: its type, and the cases (or subjects' alerts) that it lists."""
    bodies = [json.loads(post.body) for post in receiver.posts]
    return [(body["type"], [each["data"]["alert_id"] for each in listed(body)]) for body in bodies]


def listed(body: dict[str, Any]) -> list[dict[str, Any]]:
    return body["data"]["alerts"] if body["type"] == DIGEST else [body]


def test_what_is_not_urgent_and_due_together_is_one_message(trial: AlertingTrial, tmp_path: Path) -> None:
    """The urgent ones go before it, one by one; each alert in it says what it would have said alone."""

    async def story() -> None:
        async with http_receiver() as receiver:
            prompt = {trial.raises("prompt", case=f"ae:P-{number}") for number in range(12)}
            urgent = [trial.raises("urgent", case=f"ae:U-{number}") for number in range(4)]
            people = recipients(tmp_path, hook(receiver.url) + person("ann", "hook"))
            async with at_work(trial, people) as desk:
                await desk.comes_to(lambda: [row.state for row in trial.rows()] == ["delivered"] * 16)
                await desk.is_at_rest()
            messages = heard(receiver)
            assert Counter(kind for kind, _ in messages) == {"toxwatch.alert.raised.v1": 4, DIGEST: 1}
            assert {alert for kind, alerts in messages if kind != DIGEST for alert in alerts} == set(urgent)
            (body,) = [json.loads(post.body) for post in receiver.posts if DIGEST.encode() in post.body]
            assert {each["data"]["alert_id"] for each in body["data"]["alerts"]} == prompt
            assert {each["type"] for each in body["data"]["alerts"]} == {"toxwatch.alert.raised.v1"}
            assert len({row.digest for row in trial.rows() if row.urgency == "prompt"}) == 1

    asyncio.run(story())


def judged_under(trial: AlertingTrial, subject: str, rules: str) -> None:
    row = dict.fromkeys(subjects.c.keys()) | dict.fromkeys(("high_water", "latest_time", "latest_received"), 0)
    row |= {"generation": 1, "subject": subject, "version": 1, "judged_under": rules, "has_dlt": False}
    with trial.database.writing() as connection:
        connection.execute(delete(subjects).where(subjects.c.subject == subject))
        connection.execute(insert(subjects).values(row))


def activated(trial: AlertingTrial, rules: str) -> None:
    texts = dict.fromkeys(("event_id", "source", "protocol", "version", "rules_version"), "x")
    with trial.database.writing() as connection:
        begin_first_generation(connection, 0)
        row = {**texts, "sha256": rules, "time": trial.clock.now(), "sequence": 1}
        connection.execute(insert(activations).values(row))


def test_one_amendment_is_one_message(trial: AlertingTrial, tmp_path: Path) -> None:
    """While subjects are still judged under the new rules only what is urgent goes; then the rest, in one message."""

    async def story() -> None:
        async with http_receiver() as receiver:
            people = recipients(tmp_path, hook(receiver.url) + person("ann", "hook"))
            activated(trial, "new")
            judged_under(trial, "FR01-001", "new")
            judged_under(trial, "FR01-002", "old")
            async with at_work(trial, people) as desk:
                first = {trial.raises("prompt", case=f"ae:P-{number}") for number in range(3)}
                trial.raises("urgent", case="ae:U-0")
                await desk.comes_to(lambda: len(receiver.posts) == 1)
                await desk.is_at_rest()
                assert [kind for kind, _ in heard(receiver)] == ["toxwatch.alert.raised.v1"]
                second = {trial.raises("prompt", case=f"ae:P-{number}", subject="FR01-002") for number in range(3)}
                judged_under(trial, "FR01-002", "new")
                await desk.comes_to(lambda: len(receiver.posts) == 2)
                await desk.is_at_rest()
            kind, alerts = heard(receiver)[-1]
            assert (kind, set(alerts)) == (DIGEST, first | second)

    asyncio.run(story())


def test_nobody_waits_for_ever_for_subjects_that_cannot_be_judged(trial: AlertingTrial, tmp_path: Path) -> None:
    """Ten minutes after the activation, what there is to tell is told."""

    async def story() -> None:
        async with http_receiver() as receiver:
            people = recipients(tmp_path, hook(receiver.url) + person("ann", "hook"))
            activated(trial, "new")
            judged_under(trial, "FR01-002", "old")
            async with at_work(trial, people) as desk:
                trial.raises("prompt", case="ae:P-0")
                await desk.is_at_rest()
                assert receiver.posts == []
                await desk.after(11 * MINUTE, lambda: len(receiver.posts) == 1)

    asyncio.run(story())


def test_a_second_message_that_is_not_urgent_waits_for_a_minute(trial: AlertingTrial, tmp_path: Path) -> None:
    """Everything that came meanwhile is in it; what is urgent does not wait with it."""

    async def story() -> None:
        async with http_receiver() as receiver:
            people = recipients(tmp_path, hook(receiver.url) + person("ann", "hook"))
            async with at_work(trial, people) as desk:
                trial.raises("prompt", case="ae:P-0")
                await desk.comes_to(lambda: len(receiver.posts) == 1)
                for number in (1, 2, 3):
                    trial.raises("prompt", case=f"ae:P-{number}")
                    trial.clock.turn(10 * SECOND)
                trial.withdraws(case="ae:P-0", urgency="prompt")
                await desk.is_at_rest()
                assert len(receiver.posts) == 1
                trial.raises("urgent", case="ae:U-0")
                await desk.comes_to(lambda: len(receiver.posts) == 2)
                await desk.after(30 * SECOND, lambda: len(receiver.posts) == 3)
                await desk.is_at_rest()
            kinds = [(kind, len(alerts)) for kind, alerts in heard(receiver)]
            assert kinds == [("toxwatch.alert.raised.v1", 1), ("toxwatch.alert.raised.v1", 1), (DIGEST, 4)]

    asyncio.run(story())


def test_each_recipient_has_messages_of_their_own(trial: AlertingTrial, tmp_path: Path) -> None:
    """By mail: one each, addressed to one."""

    async def story() -> None:
        async with mail_server() as box:
            for number in range(5):
                trial.raises("prompt", case=f"ae:P-{number}")
            text = mail(box.port) + person("ann", "mail") + person("ben", "mail", "urgencies = ['prompt']")
            async with at_work(trial, recipients(tmp_path, text)) as desk:
                await desk.comes_to(lambda: len(box.mails) == 2)
                await desk.is_at_rest()
            assert sorted(str(got["To"]) for got in box.mails) == ["ann@example.org", "ben@example.org"]
            assert all(got.get_content().count("https://tox.example.org/alerts/") == 5 for got in box.mails)

    asyncio.run(story())


@pytest.mark.parametrize("step", ["delivery.begun", "delivery.sent", "delivery.outcome-written"])
def test_a_message_that_may_have_arrived_is_repeated_as_it_was(tmp_path: Path, step: str) -> None:
    """Killed in the attempt: under the same id, with the same alerts, though another alert came meanwhile."""

    async def story() -> None:
        with trial_in(tmp_path) as trial:
            async with http_receiver() as receiver:
                people = recipients(tmp_path, hook(receiver.url) + person("ann", "hook"))
                first = {trial.raises("prompt", case=f"ae:P-{number}") for number in range(3)}
                assassin = Assassin(step, 1)
                desk = Desk(trial, people, assassin)
                running = asyncio.create_task(desk.dispatcher.run(asyncio.Event()))
                with pytest.raises(Killed):
                    await running
                another = trial.raises("prompt", case="ae:P-9")
                async with at_work(trial, people) as later:
                    await later.comes_to(
                        lambda: len(receiver.taken) >= (1 if step == "delivery.begun" else 2), tick=SECOND
                    )
                    await later.after(MINUTE, lambda: all(row.state == "delivered" for row in trial.rows()))
                messages = [
                    (post.headers["webhook-id"], alerts)
                    for post, (_, alerts) in zip(receiver.posts, heard(receiver), strict=True)
                ]
                assert messages[-1][1] == [another]
                together = messages[:-1]
                assert {frozenset(alerts) for _, alerts in together} == {frozenset(first)}
                assert len({message_id for message_id, _ in together}) == 1

    asyncio.run(story())


def test_what_was_refused_goes_with_what_came_meanwhile(trial: AlertingTrial, tmp_path: Path) -> None:
    """A message that certainly has not arrived is made anew, with what came meanwhile; it was none that others wait behind."""

    async def story() -> None:
        async with http_receiver() as receiver:
            receiver.answers = [Answer(503)]
            people = recipients(tmp_path, hook(receiver.url) + person("ann", "hook"))
            refused = {trial.raises("prompt", case=f"ae:P-{number}") for number in range(2)}
            async with at_work(trial, people) as desk:
                await desk.comes_to(lambda: trial.outcomes().count("throttled") == 2)
                later = trial.raises("prompt", case="ae:P-2", telling="news")
                # Whether the third is looked at before the two are due again is a race: alone, it makes them wait for a minute.
                await desk.comes_to(lambda: len(trial.rows()) == 3)
                await desk.after(10 * SECOND, lambda: len(receiver.taken) == 1)
                await desk.is_at_rest()
                taken = [set(alerts) for _, alerts in heard(receiver)[1:]]
                assert taken in ([refused | {later}], [{later}])
                await desk.after(MINUTE, lambda: all(row.state == "delivered" for row in trial.rows()))
            assert {alert for alerts in taken for alert in alerts} | {*heard(receiver)[-1][1]} == refused | {later}

    asyncio.run(story())


def test_a_storm_and_an_outage(trial: AlertingTrial, tmp_path: Path) -> None:
    """Fifty DLTs, thirty possible ones and their revisions while a channel is down for six minutes.

    Afterwards each DLT arrives once and alone, in its newest revision, and the rest in two messages: what may have arrived before
    is repeated as it was, and what came during the outage is listed in another.
    """

    async def story() -> None:
        async with http_receiver() as receiver:
            receiver.always = Answer(500)
            people = recipients(tmp_path, hook(receiver.url) + person("ann", "hook"))
            async with at_work(trial, people) as desk:
                dlts = [trial.raises("urgent", case=f"ae:U-{number}") for number in range(50)]
                for number in range(30):
                    trial.raises("prompt", case=f"ae:P-{number}")
                await desk.comes_to(lambda: len(receiver.posts) > 50)
                trial.clock.turn(6 * MINUTE)
                for number in range(0, 50, 2):
                    trial.revises("urgent", case=f"ae:U-{number}", worst_grade=5, telling="news")
                for number in range(10):
                    trial.withdraws(case=f"ae:P-{number}", urgency="prompt")
                await desk.comes_to(lambda: ("undelivered:hook", "raised") in trial.told())
                before = len(receiver.posts)
                receiver.always = Answer(204)
                await desk.after(5 * MINUTE, lambda: not [row for row in trial.rows() if row.state == "waiting"])
                await desk.is_at_rest()
            taken = [
                json.loads(post.body)
                for post in receiver.posts[before:]
                if post.headers["webhook-id"] in receiver.taken
            ]
            singly = [body["data"] for body in taken if body["type"] != DIGEST]
            assert Counter(data["alert_id"] for data in singly) == Counter(dlts)
            assert {data["revision"] for data in singly} == {1, 2}
            assert len(singly) == 50
            digests = [body for body in taken if body["type"] == DIGEST]
            assert [len(listed(body)) for body in digests] == [20, 10]
            cases = Counter(case.partition(":")[0] for case, kind in trial.told() if kind == "raised")
            assert cases["undelivered"] == 1

    asyncio.run(story())


def test_nobody_is_held_up_where_the_configuration_says_so(trial: AlertingTrial, tmp_path: Path) -> None:
    """With ``seconds = 0`` what is due goes at once."""

    async def story() -> None:
        async with http_receiver() as receiver:
            text = "[grouping]\nseconds = 0\n" + hook(receiver.url) + person("ann", "hook")
            async with at_work(trial, recipients(tmp_path, text)) as desk:
                for number in range(3):
                    trial.raises("prompt", case=f"ae:P-{number}")
                    await desk.comes_to(lambda number=number: len(receiver.posts) == number + 1)  # type: ignore[misc]

    asyncio.run(story())
