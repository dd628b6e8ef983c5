"""How a topic of an outside producer is read: to its end whatever stands there, each topic by itself, and not in silence."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import count

import pytest
from confluent_kafka import Producer
from sqlalchemy import select

from projections.rules.isi_jx import PROTOCOL
from projections.store.database import Database, Turn, turn_is_free
from projections.store.generation import next_offset
from projections.store.tables import taken_events
from services.clock.time_source import SystemClock
from services.gateway import topic_reader
from services.gateway.intake import Intake
from services.gateway.intake_topics import IntakeTopic
from services.gateway.topic_reader import TopicReader
from services.log import topics
from services.log.kafka import KafkaLog
from services.log.kafka_client import Cluster, LogUnavailable
from services.log.topics import TopicAdmin, declared
from tests.brokers import Broker, free_port
from tests.crash.deployment import eventually
from tests.monitor.deployment import SOURCE
from tests.monitor.events import treated

LAB, DESK = "lab", "desk"
Lags = dict[str, Mapping[int, int]]
_numbers = count(1)


class Topics:
    """Two intake topics, a database, and what the readers have told of their lags."""

    def __init__(self, database: Database, cluster: Cluster) -> None:
        self.database = database
        self.cluster = cluster
        self.lags: Lags = {}
        self.prefix = f"reader{os.getpid()}-{next(_numbers)}"
        TopicAdmin(cluster).create(declared(self.prefix, 1, [LAB, DESK]))
        self.log = KafkaLog(cluster, topics.clinical(self.prefix), "clinical")

    def reader(self, name: str, cluster: Cluster | None = None) -> TopicReader:
        topic = IntakeTopic(name=name, sites=["FR01"], sources=["urn:site:FR01:edc"])
        intake = Intake(self.database, self.log, PROTOCOL, SystemClock(), SOURCE)
        on_lag = partial(self.lags.__setitem__, name)
        return TopicReader(cluster or self.cluster, self.prefix, topic, self.database, intake, on_lag)

    def send(self, name: str, subject: str = "FR01-001", **more: object) -> Producer:
        producer = Producer({"bootstrap.servers": str(self.cluster), **more})
        if more:
            producer.init_transactions(60)
            producer.begin_transaction()
        for logged in treated(subject):
            said = json.loads(logged.event.model_dump_json(exclude_unset=True))
            producer.produce(topics.intake(self.prefix, name), json.dumps(said).encode())
        assert producer.flush(30) == 0
        return producer

    def reached(self, reader: TopicReader) -> int:
        with self.database.reading() as connection:
            return next_offset(connection, reader.consumer_name, 0)

    @property
    def taken(self) -> set[str]:
        with self.database.reading() as connection:
            return set(connection.scalars(select(taken_events.c.event_id)))


@pytest.fixture
def there(on_postgresql: Database, broker: Broker, monkeypatch: pytest.MonkeyPatch) -> Iterator[Topics]:
    """Nothing was sent yet; lags are looked at each time."""
    monkeypatch.setattr(topic_reader, "LOOK_SECONDS", 0.0)
    made = Topics(on_postgresql, Cluster((broker.address,)))
    yield made
    made.log.close()


def test_a_topic_is_read_to_its_end_though_nothing_more_is_brought(there: Topics) -> None:
    """What was aborted, and the markers of transactions, take offsets: who counts what waits must not wait for them for ever."""
    producer = there.send(LAB, **{"transactional.id": there.prefix})
    producer.commit_transaction(60)
    reader = there.reader(LAB)

    def is_at_the_end() -> bool:
        return not reader.work() and there.lags[LAB] == {0: 0}

    eventually(is_at_the_end, 30, lambda: there.lags)
    assert there.taken == {"FR01-001-e", "FR01-001-t"}
    producer.begin_transaction()
    producer.produce(topics.intake(there.prefix, LAB), b"x" * 100_000)
    assert producer.flush(30) == 0
    producer.abort_transaction(60)
    # Two events, a marker, what was aborted, and a marker.
    eventually(lambda: is_at_the_end() and there.reached(reader) == 5, 30, lambda: there.lags)
    assert reader.trouble() is None
    reader.close()


def test_one_topic_does_not_wait_for_another(there: Topics, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody has the turn of one and does not go on: that is said, with how much waits, and the other is read."""
    monkeypatch.setattr(topic_reader, "STALLED_SECONDS", 1.0)
    there.send(LAB)
    there.send(DESK, "FR01-002")
    stuck, going = there.reader(LAB), there.reader(DESK)
    with there.database.writing() as connection:
        assert turn_is_free(connection, Turn.INTAKE, stuck.consumer_name)
        eventually(lambda: not stuck.work() and stuck.trouble() is not None, 30, lambda: there.lags)
        eventually(lambda: not going.work() and there.taken == {"FR01-002-e", "FR01-002-t"}, 30)
        assert there.lags == {LAB: {0: 2}, DESK: {0: 0}}
        assert going.trouble() is None
    eventually(lambda: not stuck.work() and stuck.trouble() is None, 30)
    assert there.lags[LAB] == {0: 0}
    for reader in (stuck, going):
        reader.close()


def test_a_lag_that_is_not_known_is_not_told(there: Topics) -> None:
    """An old number would look like a new one."""
    reader = there.reader(LAB, Cluster((f"127.0.0.1:{free_port()}",)))
    with pytest.raises(LogUnavailable):
        reader.work()
    assert there.lags == {LAB: {}}
