"""A gap in the clinical log, made as a person might make one: with a transaction, whose marker takes an offset."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from confluent_kafka import Producer

from projections.store.engine.generation import next_offset
from services.log import topics
from services.monitor.monitor import CONSUMER
from tests.crash.deployment import eventually
from tests.distributed.fleet import Fleet

PARTITION: Final = 0
NOTICED_SECONDS_MAX: Final = 90.0


def gap_is_noticed(fleet: Fleet, monitors: Sequence[str], begin: Callable[[str], None]) -> Iterator[str]:
    """Monitors that find a gap in what they read take nothing behind it, and say so. A sentence where they go on."""
    for name in monitors:
        fleet.stop(name)
    before_gap = write_gap(str(fleet.cluster), topics.clinical(fleet.prefix))
    for name in monitors:
        begin(name)

    def went_on() -> bool:
        return _reached(fleet) > before_gap + 1

    eventually(lambda: went_on() or _is_halted(fleet, monitors), NOTICED_SECONDS_MAX)
    if went_on():
        yield f"there is a gap in partition {PARTITION} behind {before_gap}, and the monitors went on to {_reached(fleet)}"


def write_gap(brokers: str, topic: str) -> int:
    """Two entries, with a marker between them and one behind them; gives the offset of the first."""
    producer = Producer({"bootstrap.servers": brokers, "transactional.id": f"gap in {topic}"})
    producer.init_transactions(60)
    written: list[int] = []
    for _ in range(2):
        producer.begin_transaction()
        producer.produce(
            topic, b"{}", b"T/S-1", PARTITION, on_delivery=lambda _error, message: written.append(message.offset())
        )
        producer.commit_transaction(60)
    return written[0]


def _is_halted(fleet: Fleet, monitors: Sequence[str]) -> bool:
    said = [health.reasons for name in monitors if (health := fleet.health(name)) is not None]
    return any(f"partition {PARTITION} is halted" in reason for reasons in said for reason in reasons)


def _reached(fleet: Fleet) -> int:
    with fleet.database() as database, database.reading() as connection:
        return next_offset(connection, CONSUMER, PARTITION)
