"""Records as a consumer of kafka-python hands them out, and in the place of a batch that cannot be read, its bytes and why.

The library raises at such a batch, and raises again wherever the reader goes on: one producer with a codec that is not installed,
or one damaged sector, would keep everything behind it from being read for ever. Here the reader comes past it, and its caller
parks what it was.

It fits one version of the library, whose innermost iterator it wraps: pyproject.toml pins it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Any, Final

from kafka.consumer.fetcher import Fetcher
from kafka.record.default_records import DefaultRecordBatch

from services.log.compression import CannotUnpack, unpacked

#: Where a batch begins, how many bytes follow the length, the version of its form.
_HEAD: Final = struct.Struct(">qiib")
_LAST_DELTA_AT: Final = 23
_VERSION: Final = 2


class UnreadableBatch(bytes):
    """The value of a record that stands for a whole batch: its bytes. It stands at ``last``, the last of its offsets."""

    first: int
    last: int
    why: str

    @classmethod
    def of(cls, raw: bytes, first: int, last: int, why: str) -> UnreadableBatch:
        """The batch, with the offsets that it takes and a clause for the operator."""
        made = cls(raw)
        made.first, made.last, made.why = first, last, why
        return made

    def before(self, end: int) -> UnreadableBatch:
        """The same, ending before ``end``: where the head is damaged, it may claim offsets that nobody has written."""
        return UnreadableBatch.of(bytes(self), self.first, max(self.first, min(self.last, end - 1)), self.why)

    def sentence(self, topic: str, partition: int) -> str:
        """What happened, what it means, and what to do."""
        which = f"offset {self.first}" if self.first == self.last else f"offsets {self.first} to {self.last}"
        return (
            f"{which} of {topic}, partition {partition}, cannot be read: {self.why}; what was reported there is not "
            "being watched: have its sender send it again"
        )


class PassingRecords(Fetcher.PartitionRecords):  # type: ignore[misc]  # ships no types
    """What a partition brought: the library's own iterator, before which unreadable batches are exchanged."""

    def _unpack_records(self, tp: Any, records: Any, key_deserializer: Any, value_deserializer: Any) -> Iterator[Any]:
        batches = _Batches(records, self.fetch_offset)
        return super()._unpack_records(tp, batches, key_deserializer, value_deserializer)  # type: ignore[no-any-return]


class _Batches:
    """Hands out batches in order. ``fetch_offset`` is where the reader was to go on."""

    def __init__(self, records: Any, fetch_offset: int) -> None:
        self._records = records
        self._next = fetch_offset

    def next_batch(self) -> Any:
        """The next batch, or a stand-in for it; None at the end."""
        raw = self._records._next_slice
        if raw is None:
            return None
        try:
            batch = _readable(self._records.next_batch())
        except Exception as error:  # noqa: BLE001 - whatever it is that cannot be read, what is behind it can
            why = str(error) if isinstance(error, CannotUnpack) else f"it is damaged ({type(error).__name__})"
            batch = _Unreadable(self._stand_in(bytes(raw), why))
        self._next = batch.last_offset + 1
        return batch

    def _stand_in(self, raw: bytes, why: str) -> UnreadableBatch:
        first, last = _extent(raw, self._following())
        first = max(first, self._next)
        return UnreadableBatch.of(raw, first, max(first, last), why)

    def _following(self) -> int | None:
        """Where the batch behind it begins, which is read already; None where it is not there."""
        behind = self._records._next_slice
        return None if behind is None else int(_HEAD.unpack_from(behind)[0])


def _extent(raw: bytes, following: int | None) -> tuple[int, int]:
    """The first and the last offset of a batch, as far as it can be believed: its head may be damaged, too."""
    first = int(_HEAD.unpack_from(raw)[0])
    (delta,) = struct.unpack_from(">i", raw, _LAST_DELTA_AT) if len(raw) >= _LAST_DELTA_AT + 4 else (0,)
    last = first + delta
    if following is not None and not first <= last < following:
        last = following - 1
    return first, max(first, last)


class _Readable:
    """A batch whose records are all there; the rest of what it says is as it was."""

    def __init__(self, batch: DefaultRecordBatch, records: Sequence[Any]) -> None:
        self._batch = batch
        self._records = iter(records)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def validate_crc(self) -> bool:
        """It was checked."""
        return True

    def __iter__(self) -> Iterator[Any]:
        return self._records

    def __next__(self) -> Any:
        return next(self._records)


class _Unreadable:
    """In the place of a batch: one record, of which nothing is known but the bytes of all."""

    magic: Final = _VERSION
    leader_epoch: Final = -1
    is_control_batch: Final = False

    def __init__(self, stand_in: UnreadableBatch) -> None:
        self.base_offset, self.last_offset = stand_in.first, stand_in.last
        self.next_offset = stand_in.last + 1
        self._record = _StandIn(stand_in)

    def validate_crc(self) -> bool:
        """Whatever its sum is, it is handed out."""
        return True

    def has_producer_id(self) -> bool:
        """Whose transaction it was in cannot be believed."""
        return False

    def __iter__(self) -> Iterator[Any]:
        yield self._record


class _StandIn:
    """The record."""

    key: Final = None
    headers: Final[Sequence[tuple[str, bytes | None]]] = ()
    timestamp: Final = -1
    timestamp_type: Final = 0
    checksum: Final = None

    def __init__(self, value: UnreadableBatch) -> None:
        self.value = value
        self.offset = value.last
        self.size_in_bytes = len(value)

    def validate_crc(self) -> bool:
        """There is none."""
        return True


def _readable(batch: Any) -> Any:
    """The batch with its records. Raises whatever it is that keeps it from being read."""
    if batch.magic != _VERSION:
        raise CannotUnpack(f"it has the form of version {batch.magic}, which brokers do not keep any more")
    if not batch.validate_crc():
        raise CannotUnpack("its checksum is wrong")
    if batch.compression_type:
        # The library's own way to unpack it has no limit.
        payload = bytes(memoryview(batch._buffer)[batch._pos :])
        batch._buffer = bytearray(unpacked(batch.compression_type, payload))
        batch._pos, batch._decompressed = 0, True
    return _Readable(batch, list(batch))
