"""Which partition a key belongs to: one function for every client, or the order of a subject's events would depend on the client.

It is what the Java client, kafka-python and aiokafka do by default; librdkafka does so with ``partitioner=murmur2_random``.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from kafka.partitioner.default import murmur2

#: Java's hash is signed, and its sign is dropped.
_WITHOUT_SIGN: Final = 0x7FFF_FFFF
#: Subjects of whom something is heard again and again.
_REMEMBERED_MAX: Final = 65_536


@lru_cache(_REMEMBERED_MAX)
def partition_of(key: str, partitions: int) -> int:
    """The number of the partition, from 0."""
    hashed: int = murmur2(key.encode())
    return (hashed & _WITHOUT_SIGN) % partitions
