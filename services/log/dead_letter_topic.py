"""The topic of dead letters on Kafka: what was parked, for those who watch topics. The table of letters is the record."""

from __future__ import annotations

from typing import Final

from services.log.kafka_client import Cluster
from services.log.topic_writer import TopicWriter
from services.log.topics import LETTER_BYTES_MAX

#: It has one, so that an offset alone says where a letter is.
PARTITION: Final = 0


class DeadLetterTopic(TopicWriter):
    """Appends letters, which may be large."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        super().__init__(cluster, name, max_request_size=LETTER_BYTES_MAX)
