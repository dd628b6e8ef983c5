"""What batches unpack to, by each codec, and what is no such thing."""

from __future__ import annotations

import gzip

import cramjam
import lz4.frame
import pytest
import snappy
import zstandard

from services.log.compression import CannotUnpack, unpacked

RECORDS = b"grade 4 " * 10_000
XERIAL = b"\x82SNAPPY\0" + b"\0\0\0\1" * 2


def _xerial(*blocks: bytes) -> bytes:
    packed = [bytes(cramjam.snappy.compress_raw(block)) for block in blocks]
    return XERIAL + b"".join(len(block).to_bytes(4, "big") + block for block in packed)


PACKED = [
    (0, RECORDS),
    (1, gzip.compress(RECORDS, mtime=0)),
    (2, snappy.compress(RECORDS)),
    (2, _xerial(RECORDS[:30_000], RECORDS[30_000:])),
    (3, lz4.frame.compress(RECORDS)),
    (3, lz4.frame.compress(RECORDS[:9]) + lz4.frame.compress(RECORDS[9:], content_checksum=True)),
    (4, zstandard.compress(RECORDS)),
    (4, zstandard.ZstdCompressor(write_content_size=False).compress(RECORDS)),
]


@pytest.mark.parametrize(("codec", "packed"), PACKED)
def test_what_was_packed_is_unpacked(codec: int, packed: bytes) -> None:
    """In every form in which the clients write it."""
    assert unpacked(codec, packed) == RECORDS


@pytest.mark.parametrize(("codec", "packed"), PACKED[1:])
def test_more_than_the_limit_is_not_unpacked(codec: int, packed: bytes) -> None:
    """Though there is one byte too many only."""
    assert unpacked(codec, packed, len(RECORDS)) == RECORDS
    with pytest.raises(CannotUnpack, match="more than"):
        unpacked(codec, packed, len(RECORDS) - 1)


@pytest.mark.parametrize("codec", [1, 2, 3, 4, 5, 7])
@pytest.mark.parametrize("packed", [b"\xff" * 40, XERIAL + b"\xff" * 40, XERIAL + b"\0\0\0\x09ab", b"\x01"])
def test_what_is_none_of_it(codec: int, packed: bytes) -> None:
    """A sentence, whatever the library raises."""
    with pytest.raises(CannotUnpack):
        unpacked(codec, packed)
