"""The port that the clinical and the alert log stand behind: append, and read from a position."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from sqlalchemy import Connection

from events.dates import Instant


class Position(NamedTuple):
    """Where an entry stands. Offsets of a partition are continuous."""

    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.partition}/{self.offset}"


class NewEntry(NamedTuple):
    """An entry to be appended. ``body`` is the event; the other fields are those of the event, ``subject`` empty for nobody's."""

    key: str
    subject: str
    source: str
    event_id: str
    body: bytes


class Entry(NamedTuple):
    """An entry as it stands in the log. ``fault`` says why it is none: nothing can be read of the batch that it is in."""

    position: Position
    key: str
    body: bytes
    fault: str | None = None


class EventLog(Protocol):
    """A log of events. Entries of one key stand in the order in which they were appended."""

    @property
    def partitions(self) -> int:
        """How many partitions there are, numbered from 0."""
        ...

    def append(self, entries: Sequence[NewEntry], transaction: Connection) -> list[Position]:
        """Append entries, and give the position of each. Raises ``StoreUnavailable``.

        Embedded: durable when ``transaction`` is committed, and one that is there already keeps its position. Kafka: durable on
        return, whatever becomes of the transaction; appended again it is there twice, and readers go by its id.
        """
        ...

    def append_everywhere(self, entry: NewEntry, transaction: Connection) -> None:
        """Append an entry about no subject to every partition, under its one id."""
        ...

    def read(self, partition: int, offset: int, limit: int) -> list[Entry]:
        """Up to ``limit`` entries of a partition from ``offset`` on, in order and without a gap. Raises ``StoreUnavailable``."""
        ...

    def end(self, partition: int) -> int:
        """The offset that the next entry of a partition will have."""
        ...

    def ends(self) -> dict[int, int]:
        """The same for every partition."""
        ...

    def stamp(self, now: Instant, transaction: Connection) -> Instant:
        """The ``receivedtime`` of what is appended now: the present, but never before that of an earlier entry."""
        ...
