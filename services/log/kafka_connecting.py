"""Making a client of kafka-python so that one that cannot be made leaves nothing behind.

Where no broker answers, the library's constructors raise and forget what they have started: a thread and its sockets, once for
each attempt of an outage that may last for hours.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from kafka import KafkaConsumer
from kafka.net.compat import KafkaNetClient

from services.log.batches import PassingRecords
from services.log.kafka_client import Cluster

#: How long an append or a read may take; its caller holds a transaction open meanwhile.
SECONDS_MAX: Final = 8.0
ANSWER_SECONDS: Final = 4.0
#: How long closing waits for requests under way.
CLOSE_SECONDS_MAX: Final = 0.5


def connected(make: Callable[..., Any], cluster: Cluster, seconds: float, **options: Any) -> Any:
    """A producer, consumer or admin that waits so long for an answer. Raises what the library raises."""
    started: list[KafkaNetClient] = []

    def start(**configuration: Any) -> KafkaNetClient:
        started.append(KafkaNetClient(**configuration))
        return started[-1]

    try:
        return make(**cluster.options(seconds), kafka_client=start, **options)
    except BaseException:
        for client in started:
            client.close()
        raise


def positioned_consumer(cluster: Cluster, **options: Any) -> Any:
    """A consumer that reads from where it is told to, and leaves it to others to remember how far it came.

    A batch that cannot be read is one record, whose value is an :class:`~services.log.batches.UnreadableBatch`.
    """
    consumer = connected(
        KafkaConsumer,
        cluster,
        ANSWER_SECONDS,
        metrics_enabled=False,
        enable_auto_commit=False,
        auto_offset_reset="none",
        allow_auto_create_topics=False,
        **options,
    )
    consumer._fetcher.PartitionRecords = PassingRecords
    return consumer
