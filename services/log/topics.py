"""The topics there are, as data; made and checked by ``toxwatch topics`` alone, never by side effect.

What is in the logs is the record of a trial: kept for ever, never compacted. The number of partitions never changes, since it
decides where a key belongs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from kafka.admin import ConfigResource, ConfigResourceType, NewTopic

from services.log.kafka_admin import administered
from services.log.kafka_client import Cluster

DAY_MS: Final = 24 * 3600 * 1000
REPLICAS_MAX: Final = 3
#: Letters hold bytes that may have to be erased (``dead-letters delete``): their copies in the topic must end by themselves.
DEAD_LETTERS_MS: Final = 30 * DAY_MS
FOR_EVER: Final[Mapping[str, str]] = {"retention.ms": "-1", "retention.bytes": "-1", "cleanup.policy": "delete"}
#: An event of 256 KiB with its stamp and its headers fits.
_ALL: Final[Mapping[str, str]] = {"max.message.bytes": "1048588"}
#: What was refused may be as large as a request, just because it is too large.
LETTER_BYTES_MAX: Final = 11 * 1024 * 1024
_LETTERS: Final[Mapping[str, str]] = {"max.message.bytes": str(LETTER_BYTES_MAX)}


def clinical(prefix: str) -> str:
    """The name of the clinical log's topic."""
    return f"{prefix}.clinical.v1"


def alerts(prefix: str) -> str:
    """The name of the alert log's topic."""
    return f"{prefix}.alerts.v1"


def dead_letters(prefix: str) -> str:
    """The name of the topic of parked input."""
    return f"{prefix}.dead-letters.v1"


def intake(prefix: str, name: str) -> str:
    """The name of the topic that an outside producer writes to."""
    return f"{prefix}.intake.{name}"


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as it has to be."""

    name: str
    partitions: int
    config: Mapping[str, str] = field(default_factory=dict)


def declared(prefix: str, partitions: int, intakes: Iterable[str] = ()) -> list[Topic]:
    """Every topic of a deployment. The alert log has one partition: it is small, and is read in the order of what happened."""
    letters = {"retention.ms": str(DEAD_LETTERS_MS), "cleanup.policy": "delete", **_LETTERS}
    return [
        Topic(clinical(prefix), partitions, {**_ALL, **FOR_EVER}),
        Topic(alerts(prefix), 1, {**_ALL, **FOR_EVER}),
        Topic(dead_letters(prefix), 1, letters),
        *(Topic(intake(prefix, name), 1, {**_ALL, **FOR_EVER}) for name in sorted(intakes)),
    ]


class TopicAdmin:
    """Makes and checks topics. Raises ``LogUnavailable``."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def create(self, topics: Iterable[Topic]) -> list[str]:
        """Make those that are missing; give their names. What is there is left as it is."""
        with administered(self._cluster) as client:
            there = {found["name"] for found in client.describe_topics() if not found["error_code"]}
            replicas = min(REPLICAS_MAX, len(client.describe_cluster()["brokers"]))
            missing = [topic for topic in topics if topic.name not in there]
            new = [
                NewTopic(one.name, one.partitions, replicas, topic_configs={**one.config, **_safety(replicas)})
                for one in missing
            ]
            if new:
                client.create_topics(new, wait_for_metadata=True)
        return [topic.name for topic in missing]

    def differences(self, topics: Iterable[Topic]) -> Iterator[str]:
        """What is not as declared, a sentence each."""
        wanted = list(topics)
        with administered(self._cluster) as client:
            names = [topic.name for topic in wanted]
            found = {one["name"]: one for one in client.describe_topics(names) if not one["error_code"]}
            asked = [ConfigResource(ConfigResourceType.TOPIC, name) for name in found]
            configs = client.describe_configs(asked, config_filter="all")["topic"] if asked else {}
            brokers = len(client.describe_cluster()["brokers"])
        for topic in wanted:
            if topic.name not in found:
                yield f"{topic.name}: is missing; `toxwatch topics create` makes it"
            else:
                yield from _differing(topic, found[topic.name]["partitions"], configs[topic.name], brokers)


def _differing(topic: Topic, partitions: list[Any], config: Mapping[str, Any], brokers: int) -> Iterator[str]:
    if len(partitions) != topic.partitions:
        yield (
            f"{topic.name}: has {len(partitions)} partitions, not {topic.partitions}; the number decides where a subject's"
            " events are, and must never change"
        )
    replicas = min(len(partition["replica_nodes"]) for partition in partitions)
    if replicas < min(REPLICAS_MAX, brokers):
        yield f"{topic.name}: is on {replicas} of {brokers} brokers; it was made while the others were away"
    for name, value in {**topic.config, **_safety(replicas)}.items():
        there = config[name]["value"] if name in config else None
        if there != value:
            yield f"{topic.name}: {name} is {there}, not {value}"


def _safety(replicas: int) -> dict[str, str]:
    """With three replicas a write is acknowledged once two have it, so that one may fail."""
    return {"min.insync.replicas": "2" if replicas >= REPLICAS_MAX else "1"}
