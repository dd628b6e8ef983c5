"""Topics of its own for each test, on the session's broker."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count

import pytest

from services.log import topics
from services.log.kafka import KafkaLog
from services.log.kafka_client import Cluster
from services.log.topics import TopicAdmin, declared
from tests.brokers import Broker

PARTITIONS = 4
_numbers = count(1)


@pytest.fixture
def cluster(broker: Broker) -> Cluster:
    """The session's broker, as clients know it."""
    return Cluster((broker.address,))


@pytest.fixture
def prefix(cluster: Cluster) -> str:
    """What the names of this test's topics begin with; they are made."""
    name = f"t{os.getpid()}-{next(_numbers)}"
    TopicAdmin(cluster).create(declared(name, PARTITIONS))
    return name


@pytest.fixture
def log(cluster: Cluster, prefix: str) -> Iterator[KafkaLog]:
    """This test's clinical log, empty."""
    opened = KafkaLog(cluster, topics.clinical(prefix), "clinical")
    yield opened
    opened.close()
