"""What was taken into the log: each event once, and each record from one source only (RULES 6).

An event's identity is its subject, source and id. The ledger knows where the first of each stands; whether a second one has the
same content is the caller's to find out, since only the caller can read the first again.
"""

from __future__ import annotations

from events.catalog import AnyEvent
from projections.rules.protocol import Protocol

Position = int


class EventLedger:
    """Identities and record owners of every event seen so far."""

    def __init__(self, protocol: Protocol) -> None:
        self._protocol = protocol
        self._seen: dict[tuple[str | None, str, str], Position] = {}
        self._owners: dict[tuple[str, str, str], str] = {}

    def first_position(self, subject: str | None, event: AnyEvent, position: Position) -> Position | None:
        """Where the first event of this identity stands; None when this is the first, which is then remembered."""
        first = self._seen.setdefault((subject, event.source, event.id), position)
        return None if first == position else first

    def forget(self, subject: str | None, event: AnyEvent) -> None:
        """Take back an identity whose event was refused after all."""
        del self._seen[(subject, event.source, event.id)]

    def foreign_owner(self, subject: str, event: AnyEvent) -> str | None:
        """The source that owns the event's record, where it is another; else the record is its source's from now on."""
        owner = self._owners.setdefault((subject, event.record_kind, event.record_id), event.source)
        if owner == event.source or self._protocol.same_system(owner, event.source):
            return None
        return owner
