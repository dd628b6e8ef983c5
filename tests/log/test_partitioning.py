"""One key, one partition: whatever client writes."""

from __future__ import annotations

import pytest
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.partitioner import murmur2 as aiokafka_murmur2
from hypothesis import given
from hypothesis import strategies as st
from kafka.partitioner.default import murmur2

from services.log.partitioning import partition_of

#: From the tests of the Java client (Apache Kafka, UtilsTest).
JAVA = {
    "21": -973932308,
    "foobar": -790332482,
    "a-little-bit-long-string": -985981536,
    "a-little-bit-longer-string": -1486304829,
    "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    "abc": 479470107,
}


@pytest.mark.parametrize(("key", "hashed"), JAVA.items())
def test_the_hash_is_the_java_clients(key: str, hashed: int) -> None:
    """Byte for byte, the sign aside, which is dropped."""
    assert murmur2(key.encode()) == hashed % 2**32
    assert partition_of(key, 2**31) == hashed & 0x7FFFFFFF


@given(st.text(), st.integers(1, 100))
def test_the_partition_is_aiokafkas(key: str, partitions: int) -> None:
    """Of its own hash, which is another function with the same results."""
    numbered = list(range(partitions))
    assert partition_of(key, partitions) == DefaultPartitioner()(key.encode(), numbered, numbered)
    assert murmur2(key.encode()) == aiokafka_murmur2(key.encode())
