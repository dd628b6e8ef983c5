"""The two logs of a deployment, wherever they are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from projections.store.engine.database import Database
from services.log.embedded import EmbeddedLog
from services.log.port import EventLog
from services.platform.settings import Settings


class Logs(NamedTuple):
    """The clinical log and the alert log."""

    clinical: EventLog
    alerts: EventLog


@contextmanager
def open_logs(settings: Settings, database: Database) -> Iterator[Logs]:
    """The logs that the settings name. Nothing is connected before it is needed."""
    if not settings.is_distributed:
        yield Logs(EmbeddedLog(database, "clinical"), EmbeddedLog(database, "alerts"))
        return
    # Takes a third of a second, which only those have to spend who are on Kafka.
    from services.log import topics
    from services.log.kafka import KafkaLog
    from services.log.kafka_client import cluster_of

    cluster, prefix = cluster_of(settings), settings.topic_prefix
    clinical = KafkaLog(cluster, topics.clinical(prefix), "clinical")
    alerts = KafkaLog(cluster, topics.alerts(prefix), "alerts")
    try:
        yield Logs(clinical, alerts)
    finally:
        clinical.close()
        alerts.close()
