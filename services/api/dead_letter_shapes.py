"""The documents in which parked input is read: whole, or without what a sender may have written."""

from __future__ import annotations

import base64
from typing import Any

from events.dates import Instant, format_instant
from events.envelope import InstantText
from projections.store.read.dead_letters import DeadLetterRow
from services.api.alert_shapes import Shape


class DeadLetterSummary(Shape):
    """Parked input for those who run the system: reason, position and counts; nothing that the sender wrote."""

    id: int
    origin: str
    reason: str
    state: str
    is_severe: bool
    position: str | None
    received_at: InstantText
    last_seen_at: InstantText
    times: int


class DeadLetter(DeadLetterSummary):
    """Parked input with what is wrong with it, and whose it is."""

    error: str
    field: str
    sender: str | None
    site: str | None
    subject: str | None
    source: str | None
    event_id: str | None
    closed_at: InstantText | None
    closed_by: str | None
    closed_why: str | None


class WholeDeadLetter(DeadLetter):
    """Parked input with its bytes: as text, escaped where they are none, and exactly. Null once they were erased."""

    headers: str | None
    raw: str | None
    raw_base64: str | None


class DeadLetterPage(Shape):
    """Parked input in the order in which it came. ``next`` is the ``after`` of the page that follows; null: there is none."""

    dead_letters: list[DeadLetter] | list[DeadLetterSummary]
    next: int | None


def letter_summary(letter: DeadLetterRow) -> DeadLetterSummary:
    """The letter for those who run the system."""
    return DeadLetterSummary.model_validate(_summary(letter))


def dead_letter(letter: DeadLetterRow) -> DeadLetter:
    """The letter without its bytes."""
    return DeadLetter.model_validate(_fields(letter))


def whole_dead_letter(letter: DeadLetterRow) -> WholeDeadLetter:
    """The letter with its bytes."""
    return WholeDeadLetter.model_validate(
        {
            **_fields(letter),
            "headers": letter.headers,
            "raw": None if letter.raw is None else letter.raw.decode(errors="backslashreplace"),
            "raw_base64": None if letter.raw is None else base64.b64encode(letter.raw).decode(),
        }
    )


def _summary(letter: DeadLetterRow) -> dict[str, Any]:
    given = letter._asdict()
    return {
        **{name: given[name] for name in ("id", "origin", "reason", "state", "is_severe", "times")},
        "position": None if letter.partition is None else f"{letter.partition}/{letter.offset}",
        "received_at": format_instant(letter.received_at),
        "last_seen_at": format_instant(letter.last_seen_at),
    }


def _fields(letter: DeadLetterRow) -> dict[str, Any]:
    given = letter._asdict()
    told = ("error", "field", "sender", "site", "subject", "source", "event_id", "closed_by", "closed_why")
    return {**_summary(letter), **{name: given[name] for name in told}, "closed_at": _or_none(letter.closed_at)}


def _or_none(instant: Instant | None) -> str | None:
    return None if instant is None else format_instant(instant)
