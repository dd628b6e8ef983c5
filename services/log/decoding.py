"""Entries of the clinical log, read as far as they can be; one that stands in the wrong partition is refused, whatever it says.

In the wrong partition it would be judged out of its subject's order, and by another monitor at the same time.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from events.codec import Codec, Logged
from events.errors import BadField, EventRefused, Unreadable
from events.triage import readable_id
from projections.rules.logic.trial_protocol import TrialProtocol
from projections.store.engine.failures import DecodingFailed
from projections.store.engine.tables import NOBODY
from projections.store.write.batch import LogEntry
from services.log.port import Entry

#: About no subject: stands in every partition.
_EVERYWHERE: Final = "/@"


class Decoder:
    """Decodes entries of a log of so many partitions."""

    def __init__(self, protocol: TrialProtocol, partitions: int) -> None:
        self._codec = Codec(protocol.contract)
        self._partitions = partitions

    def decode(self, entries: Iterable[Entry]) -> list[LogEntry]:
        """Each entry with its event, or why it is refused."""
        return [LogEntry(*entry.position, entry.key, entry.body, self._decoded(entry)) for entry in entries]

    def subject_at(self, key: str) -> str:
        """The subject that the key of an entry names; empty where it names none of this trial."""
        trial, _, subject = key.partition("/")
        is_ours = trial == self._codec.contract.trial and self._codec.is_ours(subject)
        return subject if is_ours else NOBODY

    def _decoded(self, entry: Entry) -> Logged | EventRefused:
        try:
            return self._read(entry)
        except Exception as error:  # noqa: BLE001 - a fault of ours, which costs one subject, and not the log behind it
            return DecodingFailed(error)

    def _read(self, entry: Entry) -> Logged | EventRefused:
        if entry.fault is not None:
            return Unreadable(entry.fault)
        if self._partitions > 1 and _EVERYWHERE not in entry.key:
            from services.log.partitioning import partition_of

            belongs = partition_of(entry.key, self._partitions)
            if belongs != entry.position.partition:
                error = f"key: it belongs to partition {belongs}; its producer uses another partitioner"
                return BadField(error, field="key", event_id=readable_id(entry.body))
        return self._codec.read(entry.body)
