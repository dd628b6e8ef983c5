"""Unpacking a batch of records, whatever its producer compresses with, and never more of it than fits into memory.

The clients' own functions unpack without a limit: a batch of one megabyte may hold gigabytes.
"""

from __future__ import annotations

import gzip
import io
import struct
import zlib
from collections.abc import Callable, Mapping
from typing import Final

import cramjam
import lz4.frame
import zstandard

#: A batch has 1 MiB at most on the brokers' defaults; JSON seldom shrinks to less than a thirtieth.
UNPACKED_BYTES_MAX: Final = 64 * 1024 * 1024

#: What the Java library writes before blocks of snappy: a magic number of eight bytes, and two versions.
_XERIAL_MAGIC: Final = b"\x82SNAPPY\0"
_XERIAL_HEADER_BYTES: Final = 16


class CannotUnpack(Exception):  # noqa: N818 - reads better where it is caught
    """Why the bytes of a batch are no records: a clause for the operator."""


def unpacked(codec: int, payload: bytes, limit: int | None = None) -> bytes:
    """The records of a batch. Raises :class:`CannotUnpack`. ``limit`` is ``UNPACKED_BYTES_MAX`` where none is given."""
    most = UNPACKED_BYTES_MAX if limit is None else limit
    if codec == 0:
        return payload
    if codec not in _CODECS:
        raise CannotUnpack(f"it is compressed with codec {codec}, which is not known")
    name, unpack = _CODECS[codec]
    try:
        found = unpack(payload, most)
    except CannotUnpack:
        raise
    except (*_BROKEN, cramjam.DecompressionError, zstandard.ZstdError) as error:
        raise CannotUnpack(f"it says that it is compressed with {name}, and cannot be unpacked") from error
    if len(found) > most:
        raise _too_much(most)
    return found


def _too_much(most: int) -> CannotUnpack:
    return CannotUnpack(f"it unpacks to more than {most // (1024 * 1024)} MiB")


def _gzip(payload: bytes, most: int) -> bytes:
    with gzip.GzipFile(fileobj=io.BytesIO(payload)) as reader:
        return reader.read(most + 1)


def _snappy(payload: bytes, most: int) -> bytes:
    if not payload.startswith(_XERIAL_MAGIC):
        return _snappy_block(payload, most)
    found = bytearray()
    at = _XERIAL_HEADER_BYTES
    while at < len(payload):
        (size,) = struct.unpack_from(">i", payload, at)
        at += 4
        if not 0 <= size <= len(payload) - at:
            raise CannotUnpack("it says that it is compressed with snappy, and a block of it is cut off")
        found += _snappy_block(payload[at : at + size], most - len(found))
        at += size
    return bytes(found)


def _snappy_block(block: bytes, most: int) -> bytes:
    """A block says first how long it will be."""
    if cramjam.snappy.decompress_raw_len(block) > most:
        raise _too_much(UNPACKED_BYTES_MAX)
    return bytes(cramjam.snappy.decompress_raw(block))


def _lz4(payload: bytes, most: int) -> bytes:
    found = bytearray()
    rest = payload
    while rest and len(found) <= most:
        frame = lz4.frame.LZ4FrameDecompressor()
        found += frame.decompress(rest, max_length=most + 1 - len(found))
        if not frame.eof and len(found) <= most:
            raise EOFError
        rest = frame.unused_data or b""
    return bytes(found)


def _zstd(payload: bytes, most: int) -> bytes:
    with zstandard.ZstdDecompressor().stream_reader(io.BytesIO(payload), read_across_frames=True) as reader:
        return bytes(reader.read(most + 1))


_BROKEN: Final = (OSError, EOFError, RuntimeError, ValueError, struct.error, zlib.error)
_CODECS: Final[Mapping[int, tuple[str, Callable[[bytes, int], bytes]]]] = {
    1: ("gzip", _gzip),
    2: ("snappy", _snappy),
    3: ("lz4", _lz4),
    4: ("zstd", _zstd),
}
