"""Ten thousand requests, most of them spoilt: good events take effect, bad ones are answered and parked, memory stays flat."""

from __future__ import annotations

import asyncio
import json
import random
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import pytest

from events.codec import Codec
from events.errors import EventRefused
from events.stamp import unstamped
from projections.folds.trial import Trial
from projections.protocols.isi_jx import PROTOCOL
from services.gateway.authority import Authority
from services.http.caller import Caller
from tests.events.samples import DATA, event
from tests.gateway.serving import BATCHED, LINES, NOW, STRUCTURED, Gateway
from tests.gateway.test_modes import binary

#: With fewer, the second half still fills caches.
REQUESTS = 10_000
AT_ONCE = 8
#: Of what the process holds: tables of the allocator and caches may still grow a little.
GROWTH_BYTES_MAX = 24 * 1024 * 1024
SEEDED = 20170320
CODEC = Codec(PROTOCOL.contract)
AUTHORITY = Authority(Trial(PROTOCOL, "urn:toxwatch:local"))
KINDS = [name.removeprefix("toxwatch.").removesuffix(".v1") for name in DATA if "clock" not in name]
RECORD_FIELDS = ("administration_id", "visit_id", "lab_id", "ae_id", "adjudication_id", "assessment_id")


class Sent(NamedTuple):
    """A request, and the events of it that must be taken; ``certain`` is False where the request as a whole was spoilt."""

    body: bytes
    headers: dict[str, str]
    good: list[bytes]
    certain: bool


class Sender:
    """Makes requests from a seed."""

    def __init__(self, key: str) -> None:
        self.chance = random.Random(SEEDED)
        self.key = key
        self.made = 0

    def request(self) -> Sent:
        mode = self.chance.choice([STRUCTURED, BATCHED, LINES, "application/json"])
        events = [self.event() for _ in range(self.chance.randint(1, 5) if mode in (BATCHED, LINES) else 1)]
        headers = {"authorization": f"Bearer {self.key}", "content-type": mode}
        spoilt = self.chance.choice(["nothing", "event", "event", "event", "headers", "body"])
        if mode == "application/json":
            return self._binary(events[0], headers, spoilt)
        raws = [json.dumps(one).encode() for one in events]
        if spoilt == "event":
            which = self.chance.randrange(len(raws))
            raws[which] = self._spoil(raws[which])
        body = raws[0] if mode == STRUCTURED else b"\n".join(raws)
        body = b"[" + b",".join(raws) + b"]" if mode == BATCHED else body
        good = [raw for raw in raws if _is_good(raw) and not (mode == LINES and b"\n" in raw)]
        return self._whole(Sent(body, headers, good, True), spoilt)

    def event(self) -> dict[str, Any]:
        # Such that no event becomes another one, or writes to another's record, by a few changes.
        self.made += 1
        name = self.chance.randbytes(16).hex()
        made = event(self.chance.choice(KINDS), id=name, subject=f"FR01-{self.made:05}")
        for field in RECORD_FIELDS:
            if field in made["data"]:
                made["data"][field] = name
        made["data"]["x"] = {"note": "a, {b}, [c] \\ \u00e9", "list": [{"d": 1}, {"e": "},{"}]}
        return made

    def _binary(self, made: dict[str, Any], headers: dict[str, str], spoilt: str) -> Sent:
        body, attributes = binary(made)
        certain = True
        if spoilt == "event":
            body, certain = self._spoil(body), False
        elif spoilt == "headers":
            name = self.chance.choice(list(attributes))
            value = attributes[name].encode()
            attributes[name] = "".join(chr(33 + byte % 94) for byte in self._spoil(value))
            certain = False
        good = [json.dumps(made).encode()] if certain else []
        return self._whole(Sent(body, {**headers, **attributes}, good, certain), "body" if spoilt == "body" else "")

    def _whole(self, sent: Sent, spoilt: str) -> Sent:
        if spoilt == "body":
            return Sent(self._spoil(sent.body), sent.headers, [], False)
        if spoilt == "headers":
            name = self.chance.choice(["authorization", "content-type"])
            value = "".join(chr(32 + byte % 95) for byte in self._spoil(sent.headers[name].encode()))
            return Sent(sent.body, {**sent.headers, name: value.strip()}, [], False)
        return sent

    def _spoil(self, raw: bytes) -> bytes:
        """One to three changes inside: a byte, or a piece that is cut out or doubled."""
        changed = bytearray(raw)
        for _ in range(self.chance.randint(1, 3)):
            at = self.chance.randrange(1, max(2, len(changed) - 1))
            match self.chance.randrange(5):
                case 0:
                    changed[at : at + 1] = bytes([self.chance.randrange(256)])
                case 1:
                    changed[at:at] = self.chance.choice(
                        [b'"', b"{", b"}", b"[", b"]", b",", b"\\", b"\0", b"\xff", b"9"]
                    )
                case 2:
                    del changed[at : min(at + self.chance.randint(1, 40), len(changed) - 1)]
                case 3:
                    changed[at:at] = changed[at : min(at + self.chance.randint(1, 40), len(changed) - 1)]
                case _:
                    digits = [n for n, byte in enumerate(changed) if 48 <= byte <= 57]
                    changed[self.chance.choice(digits) if digits else at] = 48 + self.chance.randrange(10)
        return bytes(changed)


def _is_good(raw: bytes) -> bool:
    """By itself: the gateway's own rules and the contract's. Ids and records are all different."""
    try:
        AUTHORITY.check(Caller("k", "site", "FR01"), CODEC.decode(raw), NOW)
    except EventRefused:
        return False
    return True


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


async def _send_all(gateway: Gateway) -> tuple[list[tuple[Sent, httpx2.Response]], int]:
    """Every request with its answer, and by how much the process grew over the second half of them."""
    sender = Sender(gateway.key("FR01").text)
    app = gateway.app()
    answered: list[tuple[Sent, httpx2.Response]] = []
    transport = httpx2.ASGITransport(app)
    async with app.router.lifespan_context(app), httpx2.AsyncClient(transport=transport, base_url="http://t") as client:

        async def send(sent: Sent) -> None:
            answered.append((sent, await client.post("/v1/events", content=sent.body, headers=sent.headers)))

        halfway = 0
        for done in range(0, REQUESTS, AT_ONCE):
            await asyncio.gather(*(send(sender.request()) for _ in range(AT_ONCE)))
            if done == REQUESTS // 2:
                halfway = _resident() - _held(answered)
        return answered, _resident() - _held(answered) - halfway


def _held(answered: list[tuple[Sent, httpx2.Response]]) -> int:
    """What this test itself keeps, roughly."""
    return sum(len(sent.body) + len(answer.content) + 9_000 for sent, answer in answered)


@pytest.mark.slow
def test_spoilt_requests_harm_nobody(gateway: Gateway) -> None:
    """Sent several at a time, so that good and bad ones share their commits."""
    answered, growth = asyncio.run(_send_all(gateway))
    stored = {unstamped(body) for body in gateway.stored()}
    refused = 0
    for sent, answer in answered:
        assert answer.status_code in (202, 207, 401, 403, 413, 415, 422), (answer.status_code, sent)
        listed = answer.json().get("results", [])
        refused += sum(result["status"] == "refused" for result in listed)
        if sent.certain and sent.headers["content-type"] != "application/json":
            for raw in sent.good:
                assert raw.replace(b"\n", b" ").replace(b"\r", b" ") in stored, sent
            accepted = sum(result["status"] == "accepted" for result in listed)
            # In a batch, the beginning of a spoilt element may be a whole event, with a comma and rubbish behind it.
            assert accepted >= len(sent.good), (sent, answer.text)
            assert accepted == len(sent.good) or sent.headers["content-type"] == BATCHED, (sent, answer.text)
        elif sent.certain:
            assert answer.status_code == 202
        assert all(result["status"] == "accepted" or result["error"] for result in listed)
    assert refused > REQUESTS // 4
    assert sum(letter.times for letter in gateway.letters(None)) == refused
    assert len(stored) > REQUESTS // 2
    assert all(logged.event.trial == PROTOCOL.trial for logged in gateway.decoded())
    assert growth < GROWTH_BYTES_MAX
