"""What was taken into the log: each event once, and each record from one source only (rules.md §6).

An event's identity is its subject, source and id. The ledger knows where the first of each stands; whether a second one has
the same content is for the caller to find out, who alone can read the first again.
"""

from __future__ import annotations

from events.catalog import AnyEvent, subject_of
from events.clock import ClockReached, ProtocolActivated
from events.errors import IdConflict, RecordOwnerConflict
from events.identity import same_content
from projections.rules.logic.trial_protocol import TrialProtocol

Position = int


class EventLedger:
    """Identities and record owners of every event taken so far."""

    def __init__(self, protocol: TrialProtocol) -> None:
        self._protocol = protocol
        self._taken: dict[tuple[str | None, str, str], Position] = {}
        self._owners: dict[tuple[str, str, str], str] = {}

    def first_position(self, subject: str | None, event: AnyEvent) -> Position | None:
        """Where the event of this identity stands that was taken already; None if there is none."""
        return self._taken.get((subject, event.source, event.id))

    def foreign_owner(self, subject: str | None, event: AnyEvent) -> str | None:
        """The source that owns the event's record, where it may not be written by the event's own."""
        if subject is None or isinstance(event, ClockReached):
            # That time has passed is nobody's record, whichever deployment said so.
            return None
        owner = self._owners.get((subject, event.record_kind, event.record_id), event.source)
        return None if owner == event.source or self._protocol.same_system(owner, event.source) else owner

    def take(self, subject: str | None, event: AnyEvent, position: Position) -> None:
        """Remember an event as taken, and its source as the owner of its record."""
        self._taken[(subject, event.source, event.id)] = position
        if subject is not None:
            self._owners.setdefault((subject, event.record_kind, event.record_id), event.source)


def repeats(event: AnyEvent, raw: bytes, first: bytes) -> bool:
    """Whether an event, which came as ``raw``, only says again what the first of its identity said."""
    # What Toxwatch writes says what its id is derived from: a second one is the same whenever it was made (events.md).
    return isinstance(event, ClockReached | ProtocolActivated) or same_content(first, raw)


def id_conflict(event: AnyEvent) -> IdConflict:
    """The refusal of an event whose identity was taken with other content."""
    return IdConflict(
        f"id: {event.id!r} of source {event.source!r} came before with other content; the first one stands",
        field="id",
        event_id=event.id,
        subject=subject_of(event),
    )


def owner_conflict(event: AnyEvent, owner: str) -> RecordOwnerConflict:
    """The refusal of an event that writes to a record of another source."""
    named = f"{event.record_kind} {event.record_id!r}".removesuffix(" ''")
    return RecordOwnerConflict(
        f"source: {event.source!r} writes to {named}, which belongs to {owner!r} (record-owner-conflict)",
        field="source",
        event_id=event.id,
        subject=subject_of(event),
    )
