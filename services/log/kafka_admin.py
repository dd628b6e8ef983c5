"""The brokers' administration, for those who make topics and give rights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from services.log.kafka_client import Cluster, LogUnavailable
from services.log.kafka_connecting import connected

ANSWER_SECONDS: Final = 5.0


@contextmanager
def administered(cluster: Cluster) -> Iterator[Any]:
    """An admin of kafka-python. Whatever it cannot do, or may not, is raised as :class:`LogUnavailable`."""
    try:
        with connected(KafkaAdminClient, cluster, ANSWER_SECONDS) as client:
            yield client
    except KafkaError as error:
        raise LogUnavailable(f"the brokers at {cluster} do not do it: {type(error).__name__}") from error
