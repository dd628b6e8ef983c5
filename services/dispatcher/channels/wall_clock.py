"""The machine's time in the forms that other systems read. Receivers do not live in a demonstration's story."""

from __future__ import annotations

from datetime import UTC, datetime

from events.dates import SECOND, Instant


def to_datetime(instant: Instant) -> datetime:
    """The instant as an aware datetime."""
    return datetime.fromtimestamp(instant / SECOND, UTC)
