"""The one place that reads the clock. Everywhere else the instant is a parameter."""

from __future__ import annotations

from datetime import UTC, datetime

from events.dates import Instant, from_datetime


def now() -> Instant:
    """The present instant."""
    return from_datetime(datetime.now(UTC))
