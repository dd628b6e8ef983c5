"""Two intake topics, a database, and what the readers have said of how far behind they are."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from functools import partial
from itertools import count

from confluent_kafka import Producer
from sqlalchemy import select

from events.codec import Logged
from projections.folds.trial import Trial
from projections.protocols.isi_jx import PROTOCOL
from projections.store.engine.database import Database
from projections.store.engine.generation import next_offset
from projections.store.engine.tables import taken_events
from services.gateway.intake import Intake
from services.gateway.intake_topics import IntakeTopic
from services.gateway.topic_reader import TopicReader
from services.log import topics
from services.log.kafka import KafkaLog
from services.log.kafka_client import Cluster
from services.log.topics import TopicAdmin, declared
from services.platform.time_source import SystemClock
from tests.monitor.deployment import SOURCE
from tests.monitor.events import treated

LAB, DESK = "lab", "desk"
Lags = dict[str, Mapping[int, int]]
_numbers = count(1)


def written(logged: Logged) -> bytes:
    """An event as its sender writes it."""
    return json.dumps(json.loads(logged.event.model_dump_json(exclude_unset=True))).encode()


class Topics:
    """Nothing was sent yet."""

    def __init__(self, database: Database, cluster: Cluster) -> None:
        self.database = database
        self.cluster = cluster
        self.lags: Lags = {}
        self.prefix = f"reader{os.getpid()}-{next(_numbers)}"
        TopicAdmin(cluster).create(declared(self.prefix, 1, [LAB, DESK]))
        self.log = KafkaLog(cluster, topics.clinical(self.prefix), "clinical")

    def reader(self, name: str, cluster: Cluster | None = None) -> TopicReader:
        """A reader of one of the topics."""
        topic = IntakeTopic(name=name, sites=["FR01"], sources=["urn:site:FR01:edc"])
        intake = Intake(self.database, self.log, Trial(PROTOCOL, SOURCE), SystemClock())
        on_lag = partial(self.lags.__setitem__, name)
        return TopicReader(cluster or self.cluster, self.prefix, topic, self.database, intake, on_lag)

    def send(self, name: str, subject: str = "FR01-001", **more: object) -> Producer:
        """Enrol and treat a subject, in a transaction where ``more`` names one."""
        producer = Producer({"bootstrap.servers": str(self.cluster), "linger.ms": 200, **more})
        if "transactional.id" in more:
            producer.init_transactions(60)
            producer.begin_transaction()
        for logged in treated(subject):
            producer.produce(topics.intake(self.prefix, name), written(logged))
        assert producer.flush(30) == 0
        return producer

    def reached(self, reader: TopicReader) -> int:
        """How far a reader has come."""
        with self.database.reading() as connection:
            return next_offset(connection, reader.consumer_name, 0)

    @property
    def taken(self) -> set[str]:
        """The ids of the events that were taken."""
        with self.database.reading() as connection:
            return set(connection.scalars(select(taken_events.c.event_id)))
