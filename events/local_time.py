"""An instant as people at a site read it: what the wall clock shows, how far that is from UTC, and where."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from events.dates import HOUR, MINUTE, SECOND, Instant, Zone

# Not strftime's, which follow the language of the machine.
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def local_time(instant: Instant, zone: Zone) -> str:
    """The minute in a zone: ``29 Oct 2017 02:30 +01:00 (Europe/Paris)``.

    The offset tells the two 02:30 of the night in which the clock goes back from each other.
    """
    wall = zone.to_wall(instant)
    shown = _EPOCH + timedelta(microseconds=wall)
    day = f"{shown.day} {_MONTHS[shown.month - 1]} {shown.year}"
    return f"{day} {shown.hour:02}:{shown.minute:02} {_offset(wall - instant)} ({zone.name})"


def _offset(microseconds: int) -> str:
    """``+01:00``; with seconds in the zones of long ago that had some."""
    sign, size = "-" if microseconds < 0 else "+", abs(microseconds)
    hours, minutes, seconds = size // HOUR, size % HOUR // MINUTE, size % MINUTE // SECOND
    return f"{sign}{hours:02}:{minutes:02}" + (f":{seconds:02}" if seconds else "")
