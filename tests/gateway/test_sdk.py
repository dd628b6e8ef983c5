"""The CloudEvents SDK of Python, in each of its modes, against a real server."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import httpx2
import pytest
from cloudevents.core.bindings.http import HTTPMessage, to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent

from projections.store.engine.database import Database
from tests.gateway.serving import BATCHED, Gateway, ae, gateway_on, results, served


@pytest.fixture
def sender(sqlite: Database) -> Iterator[tuple[Gateway, httpx2.Client]]:
    """A gateway, and a client that has its address and a key."""
    with gateway_on(sqlite) as gateway, served(gateway) as address:
        headers = {"authorization": f"Bearer {gateway.key('FR01').text}"}
        with httpx2.Client(base_url=address, headers=headers) as client:
            yield gateway, client


def sdk_event(number: int) -> CloudEvent:
    sent: dict[str, Any] = ae(number, data={"grade": 2, "term": "Éruption « maculo-papuleuse »"}, actor="Zoë 100%")
    data = sent.pop("data")
    return CloudEvent({**sent, "time": datetime.fromisoformat(sent["time"])}, data)


def send(client: httpx2.Client, message: HTTPMessage) -> httpx2.Response:
    return client.post("/v1/events", content=message.body, headers=message.headers)


def test_each_mode_is_taken_and_means_the_same(sender: tuple[Gateway, httpx2.Client]) -> None:
    """One event, first in one mode and then in the others: accepted once, a duplicate afterwards."""
    gateway, client = sender
    modes = [to_structured_event, to_binary_event]
    for number, order in enumerate((modes, modes[::-1])):
        statuses = [results(send(client, mode(sdk_event(number))))[0]["status"] for mode in order]
        body = b"[" + b",".join(to_structured_event(sdk_event(number)).body for _ in range(2)) + b"]"
        batch = client.post("/v1/events", content=body, headers={"content-type": BATCHED})
        assert statuses == ["accepted", "duplicate"]
        assert [result["status"] for result in results(batch)] == ["duplicate"] * 2
    kept = [logged.event for logged in gateway.decoded()]
    assert [event.actor for event in kept] == ["Zoë 100%"] * 2
    assert {event.data.term for event in kept} == {"Éruption « maculo-papuleuse »"}  # type: ignore[union-attr]
