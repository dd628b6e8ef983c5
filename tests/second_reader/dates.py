"""Three truth values, and clinical dates as the stretch of time in which the instant lies."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

NO: Final = 0
UNKNOWN: Final = 1
YES: Final = 2

WEEK: Final = timedelta(days=7)
TICK: Final = timedelta(microseconds=1)
LONG_AGO: Final = datetime(1500, 1, 1, tzinfo=UTC)
FAR_AWAY: Final = datetime(2500, 1, 1, tzinfo=UTC)


class When(NamedTuple):
    """An instant that lies in [lo, hi), or is ``lo`` where ``exact``. ``is_date``: it was given as a date without time."""

    lo: datetime
    hi: datetime
    exact: bool = False
    is_date: bool = False


def exactly(instant: datetime) -> When:
    return When(instant, instant, exact=True)


def between(lo: datetime, hi: datetime, *, is_date: bool = False) -> When:
    """Somewhere between two instants, of which the second may be the first."""
    return When(lo, hi, is_date=is_date) if hi > lo else exactly(lo)


def any_of(answers: Iterable[int]) -> int:
    return max(answers, default=NO)


def all_of(answers: Iterable[int]) -> int:
    return min(answers, default=YES)


def negated(answer: int) -> int:
    return YES - answer


def instant_of(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def when(text: str, zone: ZoneInfo) -> When:
    """A clinical date, as a site in this zone means it."""
    if "T" in text:
        return exactly(instant_of(text))
    parts = [int(part) for part in text.split("-")]
    year, month = parts[0], parts[1] if len(parts) > 1 else 1
    if len(parts) == 3:
        first = date(*parts)
        after = first + timedelta(days=1)
    elif len(parts) == 2:
        first = date(year, month, 1)
        after = date(year + month // 12, month % 12 + 1, 1)
    else:
        first, after = date(year, 1, 1), date(year + 1, 1, 1)
    return When(midnight(first, zone), midnight(after, zone), is_date=True)


def certainly_before(one: When, other: When) -> bool:
    """Whether every instant of one lies before every instant of the other."""
    return one.lo < other.lo if one.exact else one.hi <= other.lo


def first_day(one: When, zone: ZoneInfo) -> date:
    return one.lo.astimezone(zone).date()


def last_day(one: When, zone: ZoneInfo) -> date:
    return (one.lo if one.exact else one.hi - TICK).astimezone(zone).date()


def on_the_wall(instant: datetime, zone: ZoneInfo) -> datetime:
    """What a clock on the site's wall shows, whose days are 24 hours long whatever is done to it at night."""
    return instant.astimezone(zone).replace(tzinfo=None)


def apart(start: datetime, stop: datetime, zone: ZoneInfo, *, by_dates: bool) -> timedelta:
    """The time between two instants: elapsed, or by the clock on the wall where one of the two is a date."""
    if by_dates:
        return on_the_wall(stop, zone) - on_the_wall(start, zone)
    return stop - start
