"""SDTM dates and times as the event contract writes them, and the instants that they span.

SDTM knows date-times without seconds, without an offset, and with parts left out by a hyphen (``2003---15``). A local
time gets the offset of the site's time zone; what lies behind the first unknown part is left out, never filled in.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, Literal, NamedTuple
from zoneinfo import ZoneInfo

from events.dates import SECOND, YEAR_FIRST, YEAR_LAST, Instant, parse_date, parse_instant, zone_named
from services.importers.notations import plain_date

#: What was done to write a date: the first two hold for whole files, the others are worth a line each.
Remark = Literal["offset", "seconds", "reduced", "gap", "fold"]

_SDTM: Final = re.compile(
    r"(?P<year>\d{4})(?:-(?P<month>\d{2}|-)(?:-(?P<day>\d{2}|-))?)?"
    r"(?:[T ](?P<hour>\d{2}|-)(?::(?P<minute>\d{2}|-)(?::(?P<second>\d{2}(?:\.\d{1,9})?|-))?)?"
    r"(?P<offset>Z|[+-]\d{2}:?\d{2})?)?",
    re.ASCII,
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Moment(NamedTuple):
    """A date of a row: its text in the contract's words, and its first and last second as instants.

    ``said``: what had to be done to a date in another notation, or to one of which only the head can be read.
    """

    text: str
    first: Instant
    last: Instant
    timed: bool
    remarks: tuple[Remark, ...]
    said: str = ""


#: Why an event's time is not an instant that the row gives: the update is a bare date, there is none, or a date of the
#: row is later.
Estimate = Literal["", "day", "none", "later"]


class Recorded(NamedTuple):
    """When a row was recorded, as the event's ``time``. ``order`` sorts the rows of one record."""

    text: str
    order: Instant
    estimate: Estimate


@lru_cache(maxsize=65536)
def read_moment(text: str, zone: str) -> Moment:
    """Read a date or date-time of a site in ``zone``, or its head. Raises :class:`ValueError` with a sentence."""
    found = _SDTM.fullmatch(text)
    try:
        moment = _read(found, zone) if found is not None else None
    except ValueError:
        moment = None
    if moment is not None:
        return moment
    plain = plain_date(text)
    return _read(_SDTM.fullmatch(plain.text), zone)._replace(said=plain.said)


def _read(found: re.Match[str] | None, zone: str) -> Moment:
    if found is None:
        raise ValueError("not a date in ISO 8601, such as 2017, 2017-03, 2017-03-05 or 2017-03-05T08:30")
    if not YEAR_FIRST <= int(found["year"]) <= YEAR_LAST:
        raise ValueError(f"the year must lie within {YEAR_FIRST}-{YEAR_LAST}")
    known, reduced = _known(found)
    if len(known) < 5:
        date = parse_date("-".join(known[:3]))
        span = zone_named(zone).resolve(date)
        return Moment("-".join(known[:3]), span.lo, span.hi + 1 - SECOND, False, ("reduced",) if reduced else ())
    return _timed(known, found["offset"], zone)


def recorded(update: Moment | None, dates: Iterable[Moment], zone: str) -> Recorded | None:
    """The last update; without one, or where a date is later, the end of the latest date. None without any date."""
    latest = max(dates, key=lambda date: (date.first, date.last), default=None)
    if update is not None and (latest is None or latest.first <= update.last):
        return Recorded(_written(update.last, zone), update.last, "" if update.timed else "day")
    if latest is None:
        return None
    text = _written(latest.last, zone)
    return Recorded(text, latest.last, "none") if update is None else Recorded(text, update.last, "later")


def _known(found: re.Match[str]) -> tuple[list[str], bool]:
    """Year, month, day, hour, minute and second up to the first that is unknown, and whether more was written.

    An hour without its minute is less than the contract can say, so that the day is what is left of it.
    """
    parts = [found[name] for name in ("year", "month", "day", "hour", "minute", "second")]
    unknown = next((i for i, part in enumerate(parts) if part in (None, "-")), len(parts))
    kept = 3 if unknown == 4 else unknown
    lost = any(part not in (None, "-") for part in parts[kept:])
    return parts[:kept], lost


def _timed(known: list[str], offset: str | None, zone: str) -> Moment:
    remarks: list[Remark] = []
    if len(known) == 5:
        known = [*known, "00"]
        remarks.append("seconds")
    year, month, day, hour, minute, second = known
    wall = f"{year}-{month}-{day}T{hour}:{minute}:{second}"
    if offset is None:
        offset, odd = _offset(wall, zone)
        remarks.append("offset")
        if odd:
            remarks.append(odd)
    elif len(offset) == 5:
        offset = f"{offset[:3]}:{offset[3:]}"
    instant = parse_instant(wall + offset)
    return Moment(wall + offset, instant, instant, True, tuple(remarks))


def _offset(wall: str, zone: str) -> tuple[str, Literal["gap", "fold"] | None]:
    """The offset of the zone at a wall time; the earlier of two where the clocks went back."""
    try:
        naive = datetime.fromisoformat(wall.partition(".")[0]).replace(tzinfo=ZoneInfo(zone))
    except ValueError:
        raise ValueError("there is no such date and time") from None
    before, after = naive.replace(fold=0).utcoffset(), naive.replace(fold=1).utcoffset()
    assert before is not None
    assert after is not None
    odd: Literal["gap", "fold"] | None = None
    if before != after:
        odd = "fold" if before > after else "gap"
    minutes = before // timedelta(minutes=1)
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}", odd


@lru_cache(maxsize=65536)
def _written(instant: Instant, zone: str) -> str:
    """An instant as the site's clock shows it, with its offset."""
    utc = _EPOCH + timedelta(microseconds=instant)
    local = utc.astimezone(ZoneInfo(zone))
    # A century ago zones had offsets with seconds, which RFC 3339 cannot write.
    return (utc if local.strftime("%z")[5:] else local).isoformat()
