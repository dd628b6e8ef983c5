"""Batches in the file of a topic, damaged where they lie: what a bad disk does, and what a client of tomorrow may write."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

import crc32c

_HEAD: Final = struct.Struct(">qi")
_SUM_AT: Final = 17
_ATTRIBUTES_AT: Final = 21
_LAST_DELTA_AT: Final = 23
_RECORDS_AT: Final = 61
_CODECS: Final = 0b111


class Batch(NamedTuple):
    """Where a batch lies in its file."""

    at: int
    raw: bytearray

    @property
    def offsets(self) -> range:
        """Those of its records."""
        first, _ = _HEAD.unpack_from(self.raw)
        (delta,) = struct.unpack_from(">i", self.raw, _LAST_DELTA_AT)
        return range(first, first + delta + 1)


def batches(segment: Path) -> list[Batch]:
    """The batches of a segment."""
    whole, at, found = segment.read_bytes(), 0, []
    while at + _HEAD.size <= len(whole):
        _, length = _HEAD.unpack_from(whole, at)
        if length == 0:
            break
        found.append(Batch(at, bytearray(whole[at : at + _HEAD.size + length])))
        at += _HEAD.size + length
    return found


def wrong_sum(raw: bytearray) -> None:
    """One bit of the last record is another."""
    raw[-1] ^= 1


def unknown_codec(raw: bytearray) -> None:
    """Compressed with something that does not exist yet; its sum is right."""
    raw[_ATTRIBUTES_AT + 1] |= _CODECS
    _sum_up(raw)


def garbage_in_zstd(raw: bytearray) -> None:
    """It says zstd, and is not; its sum is right."""
    raw[_ATTRIBUTES_AT + 1] = raw[_ATTRIBUTES_AT + 1] & ~_CODECS | 4
    raw[_RECORDS_AT:] = b"\xff" * (len(raw) - _RECORDS_AT)
    _sum_up(raw)


def records_cut_short(raw: bytearray) -> None:
    """More records than there are; the sum is right."""
    struct.pack_into(">i", raw, _RECORDS_AT - 4, 1_000_000)
    _sum_up(raw)


def offsets_beyond_the_end(raw: bytearray) -> None:
    """Its head claims a million offsets; its sum is wrong."""
    struct.pack_into(">i", raw, _LAST_DELTA_AT, 1_000_000)


def damage(segment: Path, number: int, how: Callable[[bytearray], None]) -> bytes:
    """Damage a batch in place, and give the bytes that lie there now."""
    batch = batches(segment)[number]
    how(batch.raw)
    with segment.open("r+b") as file:
        file.seek(batch.at)
        file.write(batch.raw)
    return bytes(batch.raw)


def _sum_up(raw: bytearray) -> None:
    struct.pack_into(">I", raw, _SUM_AT, crc32c.crc32c(bytes(raw[_ATTRIBUTES_AT:])))
