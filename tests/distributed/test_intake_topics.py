"""Outside producers write to topics of their own, with clients of their own: taken with the same checks as over HTTP."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import httpx2
import pytest
from confluent_kafka import Producer
from sqlalchemy import select

from projections.protocols.isi_jx import PROTOCOL
from projections.store.engine.tables import dead_letters, taken_events
from services.gateway.intake_topics import load_intake_topics
from services.log import topics
from services.platform.settings import SettingsError
from tests.crash.deployment import eventually
from tests.distributed.fleet import Fleet
from tests.monitor.events import event, treated
from tests.properties.stories import on

FILE = """
[central-lab]
sites = ["FR01", "FR02"]
sources = ["urn:site:FR01:edc", "urn:lab:central"]

[safety-desk]
sponsor = true
sources = ["urn:sponsor:clb:safety"]
"""
Json = dict[str, Any]


def _raw(logged: Any, **changed: Any) -> bytes:
    said = json.loads(logged.event.model_dump_json(exclude_unset=True))
    return json.dumps({**said, **changed}).encode()


def _visit(number: int) -> Any:
    visit = {"visit_id": f"V{number}", "revision": 1, "name": "C1D8", "date": on(8)[:10], "status": "completed"}
    return event("visit.recorded", "FR01-001", f"v-{number}", on(9), visit)


def _kcat(fleet: Fleet, topic: str, raw: bytes, *options: str) -> None:
    """One record, as somebody at a terminal sends it."""
    headers = ("-H", "content-type=application/cloudevents+json")
    command = ["kcat", "-b", str(fleet.cluster), "-P", "-t", topic, *headers, *options]
    subprocess.run(command, input=raw, check=True, timeout=60)


@pytest.fixture
def gateway(fleet: Fleet, tmp_path: Path) -> Fleet:
    """With two intake topics, and a gateway that reads them."""
    file = tmp_path / "intake.toml"
    file.write_text(FILE)
    fleet.environment["TOXWATCH_INTAKE"] = str(file)
    fleet.make()
    fleet.start("gateway")
    return fleet


def _producer(fleet: Fleet, **more: Any) -> Producer:
    return Producer({"bootstrap.servers": str(fleet.cluster), "partitioner": "murmur2_random", **more})


def _await(fleet: Fleet, taken: set[str], parked: dict[str, str]) -> None:
    """The ids that were taken, and what was parked under which reason."""

    def found() -> tuple[set[str], dict[str, str]]:
        with fleet.database() as database, database.reading() as connection:
            ids = set(connection.scalars(select(taken_events.c.event_id)))
            letters = connection.execute(select(dead_letters.c.sender, dead_letters.c.event_id, dead_letters.c.reason))
            return ids, {row.event_id: f"{row.sender} {row.reason}" for row in letters}

    eventually(lambda: found() == (taken, parked), 60, found)


@pytest.mark.slow
@pytest.mark.xdist_group("distributed")
def test_outside_producers_are_taken_with_the_same_checks(gateway: Fleet, tmp_path: Path) -> None:
    """kcat and librdkafka, structured and binary, in transactions and not; what may not be written is parked."""
    name = topics.intake(gateway.prefix, "central-lab")
    enrolled, given = treated("FR01-001")
    _kcat(gateway, name, _raw(enrolled), "-k", "a wrong key")
    _kcat(gateway, name, _raw(enrolled, id="kcat-not-its-site", site="FR03", subject="FR03-001"), "-k", "T/FR03-001")
    _kcat(gateway, name, _raw(_visit(1)), "-X", f"transactional.id=kcat-{gateway.prefix}")
    producer = _producer(gateway)
    said = json.loads(_raw(given))
    data = said.pop("data")
    attributes = [(f"ce_{key}", str(value).encode()) for key, value in said.items()]
    producer.produce(name, json.dumps(data).encode(), None, headers=attributes)
    producer.produce(name, _raw(enrolled), b"a wrong key")
    producer.produce(name, _raw(enrolled, id="not-its-site", site="FR03", subject="FR03-001"))
    producer.produce(name, _raw(enrolled, id="not-its-source", source="urn:site:FR02:edc"))
    producer.produce(name, b"{no json")
    assert producer.flush(30) == 0
    unreadable = {None: "topic:central-lab not-json"}
    outside = "topic:central-lab outside-authority"
    parked = {"kcat-not-its-site": outside, "not-its-site": outside, "not-its-source": outside, **unreadable}
    taken = {"FR01-001-e", "FR01-001-t", "v-1"}
    _await(gateway, taken, parked)

    transactional = _producer(gateway, **{"transactional.id": f"desk-{gateway.prefix}"})
    transactional.init_transactions(60)
    for number, commit in ((4, False), (2, True), (3, True)):
        transactional.begin_transaction()
        transactional.produce(name, _raw(_visit(number)))
        transactional.commit_transaction(60) if commit else transactional.abort_transaction(60)
    _await(gateway, taken | {"v-2", "v-3"}, parked)

    desk = topics.intake(gateway.prefix, "safety-desk")
    producer.produce(desk, _raw(enrolled, id="not-the-sponsors", source="urn:sponsor:clb:safety"))
    assert producer.flush(30) == 0
    _await(gateway, taken | {"v-2", "v-3"}, {**parked, "not-the-sponsors": "topic:safety-desk outside-authority"})

    metrics = f"http://{gateway.members['gateway'].address('metrics')}/metrics"
    # Though the last that stands in one of them is the marker of a transaction.
    lags = [
        f'toxwatch_intake_lag_events{{partition="0",topic="{name}",trial="{PROTOCOL.trial}"}} 0.0'
        for name in ("central-lab", "safety-desk")
    ]
    eventually(lambda: all(lag in httpx2.get(metrics).text for lag in lags), 30, lambda: httpx2.get(metrics).text)

    letters = gateway.command("dead-letters", "list", "--format", "json").json
    (number,) = (letter["id"] for letter in letters if letter["event_id"] == "not-its-site")
    assert gateway.command("dead-letters", "replay", str(number)).code == 2
    (tmp_path / "intake.toml").write_text(FILE.replace('"FR02"', '"FR03"'))
    replayed = gateway.command("dead-letters", "replay", str(number))
    assert replayed.code == 2, "its source still belongs to another site"
    assert "source" in replayed.err


@pytest.mark.slow
@pytest.mark.xdist_group("distributed")
def test_a_gateway_that_is_killed_loses_and_doubles_nothing(gateway: Fleet) -> None:
    """It goes on where it was, with another beside it."""
    name = topics.intake(gateway.prefix, "central-lab")
    producer = _producer(gateway)
    subjects = [f"FR01-{n:03d}" for n in range(1, 100)]
    gateway.start("gateway-2")
    for number, subject in enumerate(subjects):
        for logged in treated(subject):
            producer.produce(name, _raw(logged), subject.encode())
        producer.poll(0)
        if number % 40 == 20:
            producer.flush(30)
            gateway.kill("gateway")
            gateway.begin("gateway")
    assert producer.flush(30) == 0
    _await(gateway, {f"{subject}-{kind}" for subject in subjects for kind in "et"}, {})
    lines = [json.loads(line) for line in gateway.command("export").out.splitlines()]
    assert {line["id"] for line in lines if "subject" in line} == {f"{s}-{kind}" for s in subjects for kind in "et"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[lab]\nsites = ["FR01"]\n', "sources"),
        ('[lab]\nsources = ["urn:x"]\n', "either for sites"),
        ('[lab]\nsites = ["FR01"]\nsponsor = true\nsources = ["urn:x"]\n', "either for sites"),
        ('["a b"]\nsites = ["FR01"]\nsources = ["urn:x"]\n', "name"),
        ("[lab", "end of a table"),
    ],
)
def test_a_file_that_is_wrong_is_said(tmp_path: Path, text: str, said: str) -> None:
    """Before anything is read under it."""
    file = tmp_path / "intake.toml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=said):
        load_intake_topics(file)
