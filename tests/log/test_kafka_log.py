"""The log on a real broker: durable, in order, read by position, and never with a gap that nobody notices."""

from __future__ import annotations

import json
import os
import threading
import time
from typing import Any

import pytest
from confluent_kafka import Producer
from kafka import KafkaAdminClient, KafkaProducer, TopicPartition
from sqlalchemy import Connection

from services.log import topics
from services.log.kafka import KafkaLog, LogBroken
from services.log.kafka_client import Cluster, LogUnavailable
from services.log.partitioning import partition_of
from services.log.port import NewEntry, Position
from services.log.topics import TopicAdmin, declared
from tests.brokers import free_port, kafka_broker
from tests.log.conftest import PARTITIONS

NO_TRANSACTION: Connection = None  # type: ignore[assignment]


def _entry(number: int, key: str = "T/S-1") -> NewEntry:
    return NewEntry(key, "S-1", "urn:s", f"e-{number}", json.dumps({"n": number}).encode())


def _numbers(log: KafkaLog, partition: int, offset: int = 0, limit: int = 10_000) -> list[int]:
    return [json.loads(entry.body)["n"] for entry in log.read(partition, offset, limit)]


def test_what_was_appended_is_read_by_position_in_the_order_of_its_key(log: KafkaLog, cluster: Cluster) -> None:
    """By another client too; each append says where each entry stands."""
    keys = [f"T/S-{n}" for n in range(10)]
    written = [_entry(n, keys[n % len(keys)]) for n in range(3_000)]
    positions = log.append(written, NO_TRANSACTION)
    other = KafkaLog(cluster, log.topic, "clinical")
    try:
        found = {p: other.read(p, 0, 10_000) for p in range(PARTITIONS)}
    finally:
        other.close()
    assert {entry.position: (entry.key, entry.body) for entries in found.values() for entry in entries} == {
        position: (entry.key, entry.body) for position, entry in zip(positions, written, strict=True)
    }
    assert all(entry.position.partition == partition_of(entry.key, PARTITIONS) for e in found.values() for entry in e)
    for entries in found.values():
        of_key = [json.loads(entry.body)["n"] for entry in entries if entry.key == keys[0]]
        assert of_key == sorted(of_key)
    assert log.ends() == {partition: len(entries) for partition, entries in found.items()}


def test_a_page_begins_and_ends_where_it_should(log: KafkaLog) -> None:
    """In the middle, at the end, and beyond, from one page to the next and back."""
    where = partition_of("T/S-1", PARTITIONS)
    log.append([_entry(n) for n in range(100)], NO_TRANSACTION)
    assert _numbers(log, where, 0, 10) == list(range(10))
    assert _numbers(log, where, 10, 10) == list(range(10, 20))
    assert _numbers(log, where, 5, 3) == [5, 6, 7]
    assert _numbers(log, where, 95) == [95, 96, 97, 98, 99]
    assert _numbers(log, where, 100) == []
    assert _numbers(log, where, 1_000) == []
    assert log.end(where) == 100
    log.append([_entry(100)], NO_TRANSACTION)
    assert _numbers(log, where, 100) == [100]


def test_an_entry_about_no_subject_stands_in_every_partition(log: KafkaLog) -> None:
    """Under one id."""
    log.append_everywhere(_entry(7, "T/@protocol"), NO_TRANSACTION)
    assert [_numbers(log, partition) for partition in range(PARTITIONS)] == [[7]] * PARTITIONS


def test_threads_may_share_a_log(log: KafkaLog) -> None:
    """A gateway appends while its pages are read."""

    def write(first: int) -> None:
        for n in range(first, first + 20):
            log.append([_entry(n)], NO_TRANSACTION)

    writers = [threading.Thread(target=write, args=(100 * n,)) for n in range(4)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        log.read(partition_of("T/S-1", PARTITIONS), 0, 1_000)
    found = _numbers(log, partition_of("T/S-1", PARTITIONS))
    assert sorted(found) == sorted(100 * n + m for n in range(4) for m in range(20))


def test_librdkafka_with_our_partitioner_writes_where_we_do(log: KafkaLog, cluster: Cluster) -> None:
    """Its own default would not: the setting has a name, and is in the documentation."""
    producer = Producer({"bootstrap.servers": str(cluster), "partitioner": "murmur2_random"})
    keys = [f"T/S-{n}" for n in range(50)]
    for number, key in enumerate(keys):
        producer.produce(log.topic, json.dumps({"n": number}).encode(), key.encode())
    assert producer.flush(30) == 0
    for partition in range(PARTITIONS):
        ours = [number for number, key in enumerate(keys) if partition_of(key, PARTITIONS) == partition]
        assert sorted(_numbers(log, partition)) == ours


def test_binary_mode_is_read_as_the_event_that_it_is(log: KafkaLog, cluster: Cluster) -> None:
    """The attributes are headers of the record, its value is the data."""
    producer: Any = KafkaProducer(bootstrap_servers=str(cluster))
    headers = [("ce_id", "é-1".encode()), ("ce_type", b"t"), ("content-type", b"application/json")]
    producer.send(log.topic, b'{"grade": 3}', b"T/S-1", headers, 0).get(30)
    producer.close()
    assert json.loads(log.read(0, 0, 1)[0].body) == {"id": "é-1", "type": "t", "data": {"grade": 3}}


@pytest.mark.parametrize("more", [0, 1])
def test_a_gap_is_noticed(log: KafkaLog, cluster: Cluster, more: int) -> None:
    """The marker of somebody's transaction takes an offset, so nobody can tell that nothing else is missing."""
    log.append([_entry(1)], NO_TRANSACTION)
    where = partition_of("T/S-1", PARTITIONS)
    producer = Producer({"bootstrap.servers": str(cluster), "transactional.id": f"x-{log.topic}"})
    producer.init_transactions(60)
    producer.begin_transaction()
    producer.produce(log.topic, b'{"n": 2}', b"T/S-1", partition=where)
    producer.commit_transaction(60)
    # The marker is written after the commit is answered.
    deadline = time.monotonic() + 30
    while log.end(where) < 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    log.append([_entry(n) for n in range(more)], NO_TRANSACTION)
    assert _numbers(log, where, 0, 2) == [1, 2]
    with pytest.raises(LogBroken):
        log.read(where, 0, 1_000)


def test_a_log_that_begins_later_is_noticed(log: KafkaLog, cluster: Cluster) -> None:
    """Somebody has deleted from it, or its retention was set wrong: never is the first of what is left taken instead."""
    log.append([_entry(n) for n in range(10)], NO_TRANSACTION)
    where = partition_of("T/S-1", PARTITIONS)
    admin: Any = KafkaAdminClient(bootstrap_servers=str(cluster))
    admin.delete_records({TopicPartition(log.topic, where): 4})
    admin.close()
    with pytest.raises(LogBroken):
        log.read(where, 0, 10)
    assert _numbers(log, where, 4) == [4, 5, 6, 7, 8, 9]


@pytest.mark.slow
def test_brokers_that_are_down_are_waited_for() -> None:
    """Whoever appends is told to try again, within the time that a transaction may be held open; and then it works."""
    with kafka_broker() as broker:
        cluster, name = Cluster((broker.address,)), f"down-{os.getpid()}"
        TopicAdmin(cluster).create(declared(name, PARTITIONS))
        log = KafkaLog(cluster, topics.clinical(name), "clinical")
        try:
            log.append([_entry(1)], NO_TRANSACTION)
            where = partition_of("T/S-1", PARTITIONS)
            broker.kill()
            for _ in range(2):
                with pytest.raises(LogUnavailable):
                    log.append([_entry(2)], NO_TRANSACTION)
                with pytest.raises(LogUnavailable):
                    log.read(where, 0, 10)
            broker.start()
            assert log.append([_entry(3)], NO_TRANSACTION)[0].partition == where
            found = _numbers(log, where)
            assert (found[0], found[-1]) == (1, 3)
        finally:
            log.close()


def test_an_outage_leaves_nothing_behind() -> None:
    """However long it lasts, and however often it was tried meanwhile: each try would leave a thread with its sockets."""
    log = KafkaLog(Cluster((f"127.0.0.1:{free_port()}",)), "any", "clinical")
    before = threading.active_count()
    for _ in range(2):
        with pytest.raises(LogUnavailable):
            log.end(0)
    log.close()
    assert threading.active_count() <= before


def test_a_topic_that_nobody_made_is_said(cluster: Cluster) -> None:
    """It is not made by the way, with who knows how many partitions."""
    log = KafkaLog(cluster, "no-such-topic", "clinical")
    try:
        with pytest.raises(LogUnavailable, match="topics create"):
            log.append([_entry(1)], NO_TRANSACTION)
    finally:
        log.close()


def test_positions_are_written_as_people_write_them() -> None:
    """PARTITION/OFFSET."""
    assert str(Position(3, 12)) == "3/12"
