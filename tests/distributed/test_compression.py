"""Whatever a producer compresses with is read, and what cannot be read at all keeps nothing behind it from being read."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from confluent_kafka import Producer
from kafka import KafkaProducer
from sqlalchemy import Connection, select

from projections.store.engine.tables import alert_events, dead_letters
from services.gateway.intake import Intake
from services.log import compression, topics
from services.log.kafka_client import Cluster
from services.log.port import NewEntry
from tests.brokers import LIBRARIES, Broker
from tests.crash.deployment import eventually
from tests.distributed import damage
from tests.distributed.outside import LAB, Topics, written
from tests.distributed.test_clinical_reader import Log, Worker, _until
from tests.monitor.events import treated

FOREIGN = Path(__file__).resolve().parent.parent / "foreign"
COMPRESSIONS = ("none", "gzip", "snappy", "lz4", "zstd")
NO_TRANSACTION: Connection = None  # type: ignore[assignment]
Sent = Sequence[tuple[str, bytes]]

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("distributed")]


def _librdkafka(servers: str, topic: str, sent: Sent, _: Path) -> None:
    for codec, value in sent:
        producer = Producer({"bootstrap.servers": servers, "compression.type": codec})
        producer.produce(topic, value)
        assert producer.flush(30) == 0


def _kafka_python(servers: str, topic: str, sent: Sent, _: Path) -> None:
    for codec, value in sent:
        producer: Any = KafkaProducer(bootstrap_servers=servers, compression_type=None if codec == "none" else codec)
        producer.send(topic, value).get(30)
        producer.close()


def _aiokafka(servers: str, topic: str, sent: Sent, _: Path) -> None:
    async def send() -> None:
        for codec, value in sent:
            producer = AIOKafkaProducer(bootstrap_servers=servers, compression_type=None if codec == "none" else codec)
            async with producer:
                await producer.send_and_wait(topic, value)

    asyncio.run(send())


def _java(servers: str, topic: str, sent: Sent, tmp: Path) -> None:
    lines = tmp / "lines"
    lines.write_bytes(b"".join(b"%s\t%s\n" % (codec.encode(), value) for codec, value in sent))
    program = [str(FOREIGN / "Compressing.java"), servers, topic, str(lines)]
    command = ["java", "-XX:TieredStopAtLevel=1", "-cp", f"{LIBRARIES}/*", *program]
    subprocess.run(command, check=True, timeout=300, capture_output=True)


PRODUCERS = (_librdkafka, _kafka_python, _aiokafka, _java)


def test_every_client_with_every_compression(there: Topics, tmp_path: Path) -> None:
    """librdkafka, kafka-python, aiokafka and the Java client, each with none, gzip, snappy, lz4 and zstd, into one topic."""
    assert shutil.which("javac"), "a JDK, for the Java client"
    subjects = [f"FR01-{number:03d}" for number in range(1, 1 + len(PRODUCERS) * len(COMPRESSIONS))]
    enrolments = iter(written(treated(subject)[0]) for subject in subjects)
    for send in PRODUCERS:
        sent = [(codec, next(enrolments)) for codec in COMPRESSIONS]
        send(str(there.cluster), topics.intake(there.prefix, LAB), sent, tmp_path)
    reader = there.reader(LAB)
    eventually(lambda: not reader.work() and there.lags[LAB] == {0: 0}, 60, lambda: there.lags)
    assert there.taken == {f"{subject}-e" for subject in subjects}
    assert _letters(there) == []
    reader.close()


def test_the_clinical_log_with_every_compression(broker: Broker, tmp_path: Path) -> None:
    """Read by position, as a rebuild does, and by the monitor's reader."""
    log = Log(Cluster((broker.address,)))
    bodies = [
        b'{"%s": "%s"}' % (send.__name__.encode(), codec.encode()) for send in PRODUCERS for codec in COMPRESSIONS
    ]
    rest = iter(bodies)
    for send in PRODUCERS:
        send(broker.address, log.topic, [(codec, next(rest)) for codec in COMPRESSIONS], tmp_path)
    log.ends = log.log.ends()
    handed: list[bytes] = []

    async def scene() -> None:
        async def hand_on(batch: Any) -> None:
            handed.extend(entry.body for entry in batch.entries)
            await worker.take(batch)

        worker = Worker(log, hand_on)
        await _until(lambda: log.is_taken)
        await worker.stop()

    asyncio.run(scene())
    found = [entry.body for partition, end in log.ends.items() for entry in log.log.read(partition, 0, end)]
    assert sorted(found) == sorted(handed) == sorted(bodies)
    log.close()


WHY: dict[Callable[[bytearray], None], str] = {
    damage.wrong_sum: "its checksum is wrong",
    damage.unknown_codec: "it is compressed with codec 7, which is not known",
    damage.garbage_in_zstd: "it says that it is compressed with zstd, and cannot be unpacked",
    damage.records_cut_short: "it is damaged (CorruptRecordError)",
    damage.offsets_beyond_the_end: "its checksum is wrong",
}


def test_batches_that_cannot_be_read_are_parked_and_passed(there: Topics, broker: Broker) -> None:
    """What is before, between and behind them is taken; each is parked once, by its offsets and with its bytes, as an alert.

    The last of them is the end of the topic, too, until more is sent.
    """
    name = topics.intake(there.prefix, LAB)
    expected: list[tuple[str, bytes]] = []
    taken: set[str] = set()
    for number, (how, why) in enumerate(WHY.items()):
        there.send(LAB, f"FR01-{number:03d}", **{"linger.ms": 5000})
        there.send(LAB, f"FR01-{number:03d}", **{"linger.ms": 5000})
        taken |= {f"FR01-{number:03d}-{kind}" for kind in "et"}
        where = f"offsets {4 * number + 2} to {4 * number + 3} of {name}, partition 0, cannot be read: {why}; what"
        expected.append((where, damage.damage(broker.segment(name), 2 * number + 1, how)))
    reader = there.reader(LAB)
    eventually(lambda: not reader.work() and there.lags[LAB] == {0: 0}, 30, lambda: there.lags)
    there.send(LAB, "FR01-099")
    eventually(lambda: not reader.work() and there.lags[LAB] == {0: 0}, 30, lambda: there.lags)
    assert there.taken == taken | {"FR01-099-e", "FR01-099-t"}
    letters = _letters(there)
    assert [bytes(letter.raw) for letter in letters] == [raw for _, raw in expected]
    for letter, (where, _) in zip(letters, expected, strict=True):
        assert letter.error.startswith(where)
        assert (letter.reason, letter.sender, letter.is_severe) == ("unreadable", "topic:lab", True)
    with there.database.reading() as connection:
        alerts = list(connection.scalars(select(alert_events.c.body)))
    assert any("is known to nobody" in str(alert) for alert in alerts)
    reader.close()


def test_a_batch_that_unpacks_to_more_than_fits(there: Topics, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few kilobytes that unpack to megabytes: parked, whatever they are compressed with."""
    monkeypatch.setattr(compression, "UNPACKED_BYTES_MAX", 1024 * 1024)
    for codec in COMPRESSIONS[1:]:
        options = {"compression.type": codec, "message.max.bytes": 8_000_000, "bootstrap.servers": str(there.cluster)}
        producer = Producer(options)
        producer.produce(topics.intake(there.prefix, LAB), b" " * 2_000_000)
        assert producer.flush(30) == 0
    there.send(LAB)
    reader = there.reader(LAB)
    eventually(lambda: not reader.work() and there.lags[LAB] == {0: 0}, 30, lambda: there.lags)
    assert there.taken == {"FR01-001-e", "FR01-001-t"}
    said = [letter.error for letter in _letters(there)]
    assert len(said) == 4
    assert all("it unpacks to more than 1 MiB" in error for error in said)
    reader.close()


def test_tombstones_empty_values_and_null_headers(there: Topics) -> None:
    """Each is parked or read for what it is, and nothing behind it waits."""
    name = topics.intake(there.prefix, LAB)
    enrolled, given = treated("FR01-001")
    producer = Producer({"bootstrap.servers": str(there.cluster)})
    sent: list[tuple[bytes | None, list[tuple[str, Any]]]] = [
        (None, []),
        (b"", []),
        (None, [("ce_id", None)]),
        (b"{}", [("ce_id", b"x"), ("ce_type", None)]),
        (written(enrolled), [("content-type", None), ("ce_id", None)]),
        (written(given), [("", None), ("ce_", None)]),
    ]
    for value, headers in sent:
        producer.produce(name, value, headers=headers)
    assert producer.flush(30) == 0
    reader = there.reader(LAB)
    eventually(lambda: not reader.work() and there.lags[LAB] == {0: 0}, 30, lambda: there.lags)
    assert there.taken == {"FR01-001-e", "FR01-001-t"}
    assert {letter.reason for letter in _letters(there)} == {"not-json", "unknown-type"}
    reader.close()


def test_a_record_in_the_taking_of_which_we_fail(there: Topics, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug that one event meets: that one is parked as severe, and those before and behind it are taken."""
    take = Intake.take

    def failing(self: Intake, batch: Any) -> Any:
        if any(b"FR01-002-t" in message.event for one in batch for message in one.messages):
            raise RuntimeError("a bug")
        return take(self, batch)

    monkeypatch.setattr(Intake, "take", failing)
    for number in (1, 2, 3):
        there.send(LAB, f"FR01-00{number}")
    reader = there.reader(LAB)
    eventually(lambda: not reader.work() and there.lags[LAB] == {0: 0}, 30, lambda: there.lags)
    assert there.taken == {f"FR01-00{number}-{kind}" for number in (1, 2, 3) for kind in "et"} - {"FR01-002-t"}
    (letter,) = _letters(there)
    assert (letter.reason, letter.is_severe) == ("taking-failed", True)
    assert b"FR01-002-t" in bytes(letter.raw)
    reader.close()


def test_the_clinical_log_is_read_past_damage(broker: Broker) -> None:
    """By position and by the monitor's reader: each offset once, the damaged ones with what is known of them."""
    log = Log(Cluster((broker.address,)))
    for number in range(3):
        key = "T/S-1"
        log.log.append([NewEntry(key, "", "urn:s", f"e-{number}-{n}", b"{}") for n in range(2)], NO_TRANSACTION)
    log.ends = log.log.ends()
    (partition,) = (partition for partition, end in log.ends.items() if end)
    # However the producer has cut them.
    damaged = damage.batches(broker.segment(log.topic, partition))[1].offsets
    raw = damage.damage(broker.segment(log.topic, partition), 1, damage.wrong_sum)
    found = log.log.read(partition, 0, 6)
    assert [entry.position.offset for entry in found] == list(range(6))
    handed: list[Any] = []

    async def scene() -> None:
        async def hand_on(batch: Any) -> None:
            handed.extend(batch.entries)
            await worker.take(batch)

        worker = Worker(log, hand_on)
        await _until(lambda: log.is_taken)
        await worker.stop()

    asyncio.run(scene())
    assert handed == found
    assert [entry.body for entry in found if entry.fault is not None] == [raw, *[b""] * (len(damaged) - 1)]
    assert [entry.position.offset for entry in found if entry.fault is not None] == list(damaged)
    log.close()


def _letters(there: Topics) -> list[Any]:
    with there.database.reading() as connection:
        return list(connection.execute(select(dead_letters).order_by(dead_letters.c.id)).all())
