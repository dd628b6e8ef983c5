"""With a key: nobody is kept out by somebody else, and what its sender no longer waits for is not done."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest
from fastapi import Request

from projections.store.engine.database import Database, StoreUnavailable
from services.gateway.intake import Intake, Submission
from services.gateway.messages import ReceivedMessage
from services.gateway.writer import BEHIND_MAX, GROUP_EVENTS_MAX, EventWriter, fair_shares, room_for
from services.http.budgets import ALL_BYTES_MAX, KEY_BYTES_MAX, KEY_STREAMS_MAX, KeyBudgets, Lease, lease_of
from services.http.caller import Caller
from services.http.problems import Problem
from services.http.rate import RateLimit, cost_of
from tests.gateway.serving import LINES, STRUCTURED, Gateway, ae, gateway_on, served, statuses
from tests.gateway.test_writer import at_step, intake_of

PATIENCE = 30.0


@pytest.mark.parametrize(
    ("waiting", "room", "shares"),
    [
        ({}, 10, {}),
        ({"a": 3, "b": 4}, 10, {"a": 3, "b": 4}),
        ({"a": 100, "b": 1}, 10, {"a": 9, "b": 1}),
        ({"a": 100, "b": 100, "c": 2}, 10, {"a": 4, "b": 4, "c": 2}),
        ({"a": 5, "b": 5, "c": 5}, 2, {"a": 1, "b": 1}),
    ],
)
def test_shares(waiting: dict[str, int], room: int, shares: dict[str, int]) -> None:
    """As much as each wants, or as the others leave; nothing is left over that somebody wants."""
    assert fair_shares(waiting, room) == shares


def submission(key: str, *numbers: int) -> Submission:
    raws = [json.dumps(ae(number)).encode() for number in numbers]
    return Submission(Caller(key, "site", "FR01"), [ReceivedMessage(raw, raw) for raw in raws])


class Recording(Intake):
    """Notes what it is given to commit."""

    batches: list[list[tuple[str, int]]]

    def take(self, batch: Sequence[Submission]) -> Any:
        self.batches.append([(one.caller.key_id, len(one.messages)) for one in batch])
        return super().take(batch)


def recording(gateway: Gateway) -> Recording:
    intake = intake_of(gateway)
    intake.__class__ = Recording
    assert isinstance(intake, Recording)
    intake.batches = []
    return intake


def test_a_key_that_floods_does_not_keep_another_waiting(gateway: Gateway) -> None:
    """Two large requests are written piece by piece; the other key's small one is in the first commit."""
    intake = recording(gateway)
    answered: list[str] = []
    size = 2 * GROUP_EVENTS_MAX + 1

    async def send() -> list[Any]:
        writer = EventWriter(intake)

        async def submitted(one: Submission) -> Any:
            results = await writer.submit(one)
            answered.append(one.caller.key_id)
            return results

        sent = [submission("flood", *range(size)), submission("flood", *range(size)), submission("small", 1, 2)]
        waiting = asyncio.gather(*map(submitted, sent))
        running = asyncio.create_task(writer.run())
        answers = await waiting
        writer.stop()
        await running
        return answers

    answers = asyncio.run(send())
    assert answered == ["small", "flood", "flood"]
    assert intake.batches[0] == [("flood", GROUP_EVENTS_MAX - 2), ("small", 2)]
    assert all(sum(count for _, count in batch) <= GROUP_EVENTS_MAX for batch in intake.batches)
    assert [result.id for result in answers[0]] == [f"e-{number}" for number in range(size)]
    assert {result.status for result in answers[0]} == {"accepted"}
    assert {result.status for result in answers[1]} == {"duplicate"}
    assert len(gateway.stored()) == size


def test_where_judging_is_behind_less_is_taken_at_a_time(gateway: Gateway) -> None:
    """Down to a number that still gets a large request through; as much as ever once it has caught up."""
    assert [room_for(2_000, behind) for behind in (0, BEHIND_MAX, BEHIND_MAX + 1, 10**9)] == [2_000, 2_000, 99, 50]
    assert room_for(60, BEHIND_MAX + 1) == 60
    intake = recording(gateway)
    behind = iter([BEHIND_MAX + 1, 10**6, 0, 0])

    async def send() -> None:
        writer = EventWriter(intake, behind=lambda: next(behind))
        running = asyncio.create_task(writer.run())
        sent = [submission("flood", *range(GROUP_EVENTS_MAX + 200)), submission("small", 1)]
        await asyncio.gather(*map(writer.submit, sent))
        writer.stop()
        await running

    asyncio.run(send())
    sizes = [sum(count for _, count in batch) for batch in intake.batches]
    assert intake.batches[0] == [("flood", GROUP_EVENTS_MAX - 1), ("small", 1)]
    assert sizes == [GROUP_EVENTS_MAX, 99, 50, 52]


def test_a_large_request_of_which_a_part_fails_is_sent_again_as_a_whole(any_gateway: Gateway) -> None:
    """Its first part is in the log then, and a duplicate; nothing stands there twice."""
    size = GROUP_EVENTS_MAX + 5
    passed: list[str] = []

    def failing_once(step: str) -> None:
        passed.append(step)
        if passed.count("intake.begun") == 2 and step == "intake.begun":
            raise StoreUnavailable("the disk is full")

    any_gateway.fail_point = failing_once
    events = [ae(number) for number in range(size)]
    assert any_gateway.post(events, LINES).status_code == 503
    assert len(any_gateway.stored()) == GROUP_EVENTS_MAX
    again = any_gateway.post(events, LINES)
    assert again.status_code == 202
    assert statuses(again) == ["duplicate"] * GROUP_EVENTS_MAX + ["accepted"] * 5
    assert len(any_gateway.stored()) == size


def test_a_failed_write_makes_the_service_not_ready_until_one_succeeds(any_gateway: Gateway) -> None:
    """And what is answered 503 is counted. A small write that goes through, of another part, says nothing of it."""
    writer = any_gateway.client.app.state.writer  # type: ignore[attr-defined]
    assert writer.trouble() is None
    any_gateway.fail_point = at_step("intake.appended", StoreUnavailable("the disk is nearly full"))
    assert [any_gateway.post(ae(1)).status_code for _ in range(3)] == [503] * 3
    assert "3 requests were answered 503" in writer.trouble()
    assert any_gateway.counts.turned_away == {"unavailable": 3}
    any_gateway.fail_point = lambda _: None
    assert "3 requests were answered 503" in writer.trouble()
    assert any_gateway.post(ae(1)).status_code == 202
    assert writer.trouble() is None


def test_what_its_sender_no_longer_waits_for_is_left_out(sqlite: Database) -> None:
    """Unless it is being written already: then it stands in the log, and sent again it is a duplicate."""
    begun, go_on = threading.Event(), threading.Event()

    def holding(step: str) -> None:
        if step == "intake.begun":
            begun.set()
            assert go_on.wait(PATIENCE)

    gateway = Gateway(sqlite)
    gateway.fail_point = holding
    with served(gateway) as address, httpx2.Client(base_url=address, timeout=PATIENCE) as client:
        headers = gateway.headers("FR01", STRUCTURED)
        with sent(address, headers, ae(1)):
            assert begun.wait(PATIENCE)
            with sent(address, headers, ae(2)):
                # Its body has come once the next request, which is behind it in the same event loop, is answered.
                for _ in range(20):
                    client.get("/openapi.json")
        until_counted(gateway, 2, client)
        go_on.set()
        answers = [client.post("/v1/events", content=json.dumps(ae(n)).encode(), headers=headers) for n in (1, 2)]
    assert [statuses(answer) for answer in answers] == [["duplicate"], ["accepted"]]
    assert gateway.counts.turned_away == {"abandoned": 2}


@contextmanager
def sent(address: str, headers: dict[str, str], event: dict[str, Any]) -> Iterator[None]:
    """A request is sent; the connection is closed at the end of the context, whether it is answered or not."""
    host, port = address.removeprefix("http://").split(":")
    body = json.dumps(event).encode()
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(
            f"POST /v1/events HTTP/1.1\r\nHost: x\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
        )
        yield


def until_counted(gateway: Gateway, count: int, client: httpx2.Client) -> None:
    """Until so many requests were found to be abandoned."""
    for _ in range(2_000):
        if gateway.counts.turned_away["abandoned"] == count:
            return
        client.get("/openapi.json")
    raise AssertionError(gateway.counts.turned_away)


def too_many(lease: Lease, *take: int) -> int:
    """The status with which a lease is refused; 0 where it is not."""
    try:
        if take:
            lease.hold(*take)
        else:
            lease.follow()
    except Problem as problem:
        return problem.status if problem.headers["Retry-After"] else -1
    return 0


def leased(budgets: KeyBudgets, key: str) -> Lease:
    lease = Lease(budgets)
    lease.take(key)
    return lease


def test_a_key_has_so_many_requests_under_way_and_others_have_theirs() -> None:
    """One that has ended makes room; asked who it is again, a request counts once."""
    budgets = KeyBudgets(2)
    first, second = leased(budgets, "a"), leased(budgets, "a")
    first.take("a")
    with pytest.raises(Problem) as caught:
        leased(budgets, "a")
    assert caught.value.status == 429
    leased(budgets, "b")
    second.give_back()
    second.give_back()
    leased(budgets, "a")


def test_a_key_has_so_many_bytes_under_way_and_others_have_theirs() -> None:
    """Where all together hold too many, who holds little is let in all the same."""
    budgets = KeyBudgets(100)
    greedy = leased(budgets, "a")
    assert too_many(greedy, KEY_BYTES_MAX) == 0
    assert too_many(greedy, 1) == 429
    other = leased(budgets, "b")
    assert too_many(other, 1_000_000) == 0
    for lease in (greedy, other):
        lease.give_back()
    for number in range(ALL_BYTES_MAX // KEY_BYTES_MAX):
        assert too_many(leased(budgets, f"k{number}"), KEY_BYTES_MAX) == 0
    assert too_many(leased(budgets, "c"), 1_000_000) == 503
    assert too_many(leased(budgets, "c"), 2_000) == 0


def test_one_key_cannot_take_all_streams() -> None:
    """Of those that a process has room for."""
    budgets = KeyBudgets(1_000)
    streams = [leased(budgets, "a") for _ in range(KEY_STREAMS_MAX + 1)]
    assert [too_many(lease) for lease in streams] == [0] * KEY_STREAMS_MAX + [429]
    assert too_many(leased(budgets, "b")) == 0
    streams[0].give_back()
    assert too_many(streams[-1]) == 0


def test_a_request_over_its_keys_number_is_429_and_another_key_is_not_concerned(sqlite: Database) -> None:
    """Over a real server; afterwards everything has been given back."""
    begun, go_on = threading.Event(), threading.Event()

    def holding(step: str) -> None:
        begun.set()
        assert go_on.wait(PATIENCE)

    gateway = Gateway(sqlite, requests_per_key=1)
    requests = [_request(gateway, who, number) for number, who in enumerate(["FR01", "FR01", "FR02"])]
    gateway.fail_point = holding
    with served(gateway) as address, httpx2.Client(base_url=address, timeout=PATIENCE) as client:
        first = threading.Thread(target=client.post, args=("/v1/events",), kwargs=requests[0])
        first.start()
        assert begun.wait(PATIENCE)
        over = client.post("/v1/events", **requests[1])
        assert (over.status_code, over.headers["retry-after"]) == (429, "1")
        assert over.headers["content-type"] == "application/problem+json"
        other = threading.Thread(target=client.post, args=("/v1/events",), kwargs=requests[2])
        other.start()
        go_on.set()
        first.join()
        other.join()
        assert client.post("/v1/events", **requests[1]).status_code == 202
    assert len(gateway.stored()) == 3
    assert gateway.counts.turned_away == {"limited": 1}


def _request(gateway: Gateway, who: str, number: int) -> dict[str, Any]:
    return {"content": json.dumps(ae(number, who)).encode(), "headers": gateway.headers(who, STRUCTURED)}


def test_without_anybody_who_limits_there_is_no_limit() -> None:
    """A part of the application may be served by itself."""
    lease = lease_of(Request({"type": "http"}))
    lease.hold(KEY_BYTES_MAX + 1)
    lease.follow()
    lease.give_back()


def test_a_large_event_costs_more_than_a_small_one_and_a_refused_one_more_than_either(sqlite: Database) -> None:
    """What a key may send in a minute is work, not a number of events."""
    assert cost_of([0, 700, 4095]) == 3
    assert cost_of([256 * 1024]) == 65
    limit = RateLimit(100, lambda: 0.0)
    limit.charge("a", 10)
    limit.take("a", 10)
    with pytest.raises(Problem):
        limit.take("a", 1)
    with gateway_on(sqlite, events_per_minute=25) as gateway:
        bad = [ae(number, data={"grade": 9}) for number in range(3)]
        assert gateway.post(bad, LINES).status_code == 422
        assert gateway.post(ae(9)).status_code == 429
        assert gateway.post(ae(9, "FR02"), who="FR02").status_code == 202
