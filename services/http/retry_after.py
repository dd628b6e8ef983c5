"""How long another server asks us to wait."""

from __future__ import annotations

from email.utils import parsedate_to_datetime

from events.dates import SECOND, Instant, from_datetime


def retry_after_seconds(text: str | None, now: Instant) -> float | None:
    """What a Retry-After header asks for, in seconds or as an HTTP date; None where it cannot be read."""
    if text is None:
        return None
    if text.isascii() and text.isdecimal():
        return float(text)
    try:
        return max(0.0, (from_datetime(parsedate_to_datetime(text)) - now) / SECOND)
    except (ValueError, TypeError):  # TypeError: a date without an offset
        return None
