"""Making a client of kafka-python so that one that cannot be made leaves nothing behind.

Where no broker answers, the library's constructors raise and forget what they have started: a thread and its sockets, once for
each attempt of an outage that may last for hours.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kafka.net.compat import KafkaNetClient

from services.log.kafka_client import Cluster


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
