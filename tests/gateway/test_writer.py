"""Requests are committed together, are answered after the commit and never before, and nothing is lost where it fails."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from projections.folds.trial import Trial
from projections.store.engine.database import Database, StoreUnavailable
from services.gateway.intake import Intake, Submission
from services.gateway.messages import ReceivedMessage
from services.gateway.writer import GROUP_EVENTS_MAX, WAITING_REQUESTS_MAX, EventWriter
from services.http.caller import Caller
from services.http.problems import Overloaded
from tests.gateway.serving import LINES, STRUCTURED, Gateway, ae, gateway_on, served, statuses

STEPS = ("intake.begun", "intake.appended", "intake.parked")


class Crash(BaseException):
    """What no code of ours catches."""


def submission(*numbers: int, key: str = "k") -> Submission:
    raws = [json.dumps(ae(number)).encode() for number in numbers]
    return Submission(Caller(key, "site", "FR01"), [ReceivedMessage(raw, raw) for raw in raws])


def intake_of(gateway: Gateway) -> Intake:
    at = (gateway.database, gateway.log, Trial(gateway.protocol, "urn:toxwatch:test"), gateway.clock)
    return Intake(*at, fail_point=lambda step: gateway.fail_point(step))


def at_step(wanted: str, error: BaseException) -> Callable[[str], None]:
    def fail_point(step: str) -> None:
        if step == wanted:
            raise error

    return fail_point


@pytest.mark.parametrize("step", STEPS)
def test_what_breaks_off_before_the_commit_has_not_happened(any_gateway: Gateway, step: str) -> None:
    """Neither an entry, nor an identity, a claim, a letter or an alert: sent again, all is as at first."""
    intake = intake_of(any_gateway)
    bad = json.dumps(ae(9, data={"grade": 9})).encode()
    sent = Submission(Caller("k", "site", "FR01"), [*submission(1, 2).messages, ReceivedMessage(bad, bad)])
    any_gateway.fail_point = at_step(step, Crash())
    with pytest.raises(Crash):
        intake.take([sent])
    assert any_gateway.stored() == []
    assert any_gateway.letters(None) == []
    assert any_gateway.intake_alerts() == {}
    any_gateway.fail_point = lambda _: None
    taking = intake.take([sent])
    assert [result.status for result in taking.results[0]] == ["accepted", "accepted", "refused"]
    assert [entry.position.offset for entry in any_gateway.log.read(0, 0, 10)] == [0, 1]


def test_what_breaks_off_after_the_commit_has_happened(any_gateway: Gateway) -> None:
    """The sender was not answered, sends again, and has sent nothing twice."""
    intake = intake_of(any_gateway)
    any_gateway.fail_point = at_step("intake.committed", Crash())
    with pytest.raises(Crash):
        intake.take([submission(1)])
    any_gateway.fail_point = lambda _: None
    assert [result.status for result in intake.take([submission(1)]).results[0]] == ["duplicate"]
    assert len(any_gateway.stored()) == 1


def test_requests_at_the_same_time_are_committed_together(gateway: Gateway) -> None:
    """Each is answered with its own results, in order."""
    commits: list[int] = []
    gateway.fail_point = lambda step: commits.append(1) if step == "intake.committed" else None

    async def send() -> list[Any]:
        writer = EventWriter(intake_of(gateway))
        running = asyncio.create_task(writer.run())
        sent = [writer.submit(submission(n, n, key=f"k{n}")) for n in range(200)]
        answers = await asyncio.gather(*sent)
        writer.stop()
        await running
        return answers

    answers = asyncio.run(send())
    assert [[result.id for result in answer] for answer in answers] == [[f"e-{n}"] * 2 for n in range(200)]
    assert {tuple(result.status for result in answer) for answer in answers} == {("accepted", "duplicate")}
    assert len(commits) == 1


def test_a_group_is_bounded_but_for_one_request(gateway: Gateway) -> None:
    """Or the first of many would wait for all of them."""
    commits: list[int] = []
    gateway.fail_point = lambda step: commits.append(1) if step == "intake.committed" else None

    async def send() -> None:
        writer = EventWriter(intake_of(gateway))
        half = GROUP_EVENTS_MAX // 2 + 1
        large = [writer.submit(submission(*range(n * half, (n + 1) * half))) for n in range(2)]
        waiting = asyncio.gather(*large, writer.submit(submission(1, 2, 3)))
        running = asyncio.create_task(writer.run())
        await waiting
        writer.stop()
        await running

    asyncio.run(send())
    assert len(commits) == 2


def test_what_waits_is_bounded_and_what_waits_at_the_stop_is_still_written(gateway: Gateway) -> None:
    """More is turned away, to be sent again."""

    async def send() -> list[int]:
        writer = EventWriter(intake_of(gateway))
        waiting = [asyncio.create_task(writer.submit(submission(n))) for n in range(WAITING_REQUESTS_MAX)]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await writer.submit(submission(0))
        writer.stop()
        with pytest.raises(Overloaded):
            await writer.submit(submission(0))
        await writer.run()
        return [len(await one) for one in waiting]

    assert asyncio.run(send()) == [1] * WAITING_REQUESTS_MAX
    assert len(gateway.stored()) == WAITING_REQUESTS_MAX


def test_one_request_that_meets_a_bug_does_not_fail_the_others(gateway: Gateway) -> None:
    """They were to be committed together; each is then taken by itself."""
    intake = intake_of(gateway)
    take = intake.take

    class Buggy(Intake):
        def take(self, batch: Any) -> Any:
            if any(one.caller.key_id == "bug" for one in batch):
                raise ZeroDivisionError
            return take(batch)

    intake.__class__ = Buggy

    async def send() -> list[Any]:
        writer = EventWriter(intake)
        sent = [writer.submit(submission(n, key="bug" if n == 3 else "k")) for n in range(6)]
        waiting = asyncio.gather(*sent, return_exceptions=True)
        running = asyncio.create_task(writer.run())
        answers = await waiting
        writer.stop()
        await running
        return answers

    answers = asyncio.run(send())
    assert [n for n, answer in enumerate(answers) if isinstance(answer, ZeroDivisionError)] == [3]
    assert len(gateway.stored()) == 5


def test_a_bug_is_answered_with_500_and_no_words_of_its_own(gateway: Gateway) -> None:
    """And the gateway goes on."""
    gateway.fail_point = at_step("intake.begun", ZeroDivisionError("secret"))
    answer = gateway.post(ae(1))
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "secret" not in answer.text
    gateway.fail_point = lambda _: None
    assert gateway.post(ae(1)).status_code == 202


def test_a_store_that_is_unavailable_is_503_and_recovers_by_itself(gateway: Gateway) -> None:
    """With the time after which to try again."""
    gateway.fail_point = at_step("intake.appended", StoreUnavailable("the disk is full"))
    answer = gateway.post([ae(1), ae(2, data={"grade": 9})], LINES)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert answer.headers["content-type"] == "application/problem+json"
    gateway.fail_point = lambda _: None
    assert statuses(gateway.post([ae(1), ae(2, data={"grade": 9})], LINES)) == ["accepted", "refused"]


def test_a_database_that_another_process_has_locked(tmp_path: Path, gateway: Gateway) -> None:
    """503 while it is locked for longer than one waits; afterwards the same is taken."""
    gateway.key("FR01")
    other = sqlite3.connect(tmp_path / "toxwatch.db", isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        answer = gateway.post(ae(1))
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
        other.execute("ROLLBACK")
        assert gateway.post(ae(1)).status_code == 202
    finally:
        other.close()


def test_a_database_that_is_read_only(gateway: Gateway) -> None:
    """The same; who may read it is not asked to write."""
    gateway.key("FR01")
    engine = gateway.database.engine
    engine.dispose()
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA query_only = ON")
    assert gateway.post(ae(1)).status_code == 503
    engine.dispose()
    assert gateway.post(ae(1)).status_code == 202


def test_many_senders_at_once_over_a_real_server(sqlite: Database) -> None:
    """Every 202 is in the log, once, and requests share their commits."""
    with gateway_on(sqlite) as gateway:
        commits: list[int] = []
        gateway.fail_point = lambda step: commits.append(1) if step == "intake.committed" else None
        with served(gateway) as address:
            answers = asyncio.run(_send_all(address, gateway.headers("FR01", STRUCTURED), 300))
        assert {answer.status_code for answer in answers} == {202}
        assert sorted(one.event.id for one in gateway.decoded()) == sorted(f"e-{n}" for n in range(300))
        assert len(commits) < 300


async def _send_all(address: str, headers: dict[str, str], count: int) -> list[httpx2.Response]:
    async with httpx2.AsyncClient(base_url=address, headers=headers, timeout=60) as client:
        turns = asyncio.Semaphore(30)

        async def send(number: int) -> httpx2.Response:
            async with turns:
                return await client.post("/v1/events", content=json.dumps(ae(number)).encode())

        return await asyncio.gather(*map(send, range(count)))
