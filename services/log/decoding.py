"""Entries of the clinical log, read as far as they can be; one that stands in the wrong partition is refused, whatever it says.

In the wrong partition it would be judged out of its subject's order, and by another monitor at the same time.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from events.codec import Codec, Logged
from events.errors import BadField, EventRefused
from events.triage import readable_id
from projections.rules.protocol import Protocol
from projections.store.apply import LogEntry
from services.log.port import Entry

#: About no subject: stands in every partition.
_EVERYWHERE: Final = "/@"


class Decoder:
    """Decodes entries of a log of so many partitions."""

    def __init__(self, protocol: Protocol, partitions: int) -> None:
        self._codec = Codec(protocol.contract)
        self._partitions = partitions

    def decode(self, entries: Iterable[Entry]) -> list[LogEntry]:
        """Each entry with its event, or why it is refused."""
        return [LogEntry(*entry.position, entry.key, entry.body, self._read(entry)) for entry in entries]

    def _read(self, entry: Entry) -> Logged | EventRefused:
        if self._partitions > 1 and _EVERYWHERE not in entry.key:
            from services.log.partitioning import partition_of

            belongs = partition_of(entry.key, self._partitions)
            if belongs != entry.position.partition:
                error = f"key: it belongs to partition {belongs}; whoever wrote it has another partitioner"
                return BadField(error, field="key", event_id=readable_id(entry.body))
        return self._codec.read(entry.body)
