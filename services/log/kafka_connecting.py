"""Making a client of kafka-python so that one that cannot be made leaves nothing behind.

Where no broker answers, the library's constructors raise and forget what they have started: a thread and its sockets, once for
each attempt of an outage that may last for hours.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from kafka import KafkaProducer
from kafka.net.compat import KafkaNetClient

from services.log.kafka_client import Cluster

#: How long an append or a read may take; its caller holds a transaction open meanwhile.
SECONDS_MAX: Final = 8.0
ANSWER_SECONDS: Final = 4.0
#: How long whoever closes waits for what is under way.
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


def durable_producer(cluster: Cluster, **options: Any) -> Any:
    """A producer whose write is answered once every replica that is in sync has it; never in a transaction of Kafka's."""
    return connected(
        KafkaProducer,
        cluster,
        ANSWER_SECONDS,
        metrics_enabled=False,
        acks="all",
        enable_idempotence=True,
        delivery_timeout_ms=int(SECONDS_MAX * 1000),
        max_block_ms=int(ANSWER_SECONDS * 1000),
        batch_size=256 * 1024,
        linger_ms=1,
        allow_auto_create_topics=False,
        **options,
    )
