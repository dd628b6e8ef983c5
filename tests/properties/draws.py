"""Seeded choices, and clinical dates drawn where rules meet: at the edges of the window, a week apart, at midnight."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Final, TypeVar
from zoneinfo import ZoneInfo

from events.dates import DAY, FAR_PAST, HOUR, Instant, Span, parse_date, zone_named

T = TypeVar("T")

PARIS: Final = "Europe/Paris"
TIMES_OF_DAY: Final = [(0, 0), (8, 0), (10, 0), (10, 0), (10, 0), (10, 1), (9, 59), (23, 30)]

#: How many hours after the latest date that it speaks of an event is recorded.
DELAYS_HOURS: Final = [0, 0, 0.5, 2, 2, 9, 24, 50, 120, 168, 240]


class Draw:
    """Random choices that are the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def chance(self, share: float) -> bool:
        """True in ``share`` of all cases."""
        return self._random.random() < share

    def one_of(self, options: Sequence[T]) -> T:
        return self._random.choice(options)

    def number(self, first: int, last: int) -> int:
        return self._random.randint(first, last)

    def some(self, options: Sequence[T], count: int) -> list[T]:
        """So many of the options, each at most once, in any order."""
        return self._random.sample(options, min(count, len(options)))

    def shuffled(self, items: Sequence[T]) -> list[T]:
        return self.some(items, len(items))

    def date(self, day: date, coarse: float = 0.06, timed: float = 0.45) -> str:
        """The day as a clinical date: its month or year, a date-time, or the bare day."""
        if self.chance(coarse):
            return day.isoformat()[: 7 if self.chance(0.85) else 4]
        if self.chance(timed):
            hour, minute = self.one_of(TIMES_OF_DAY)
            return datetime(day.year, day.month, day.day, hour, minute, tzinfo=ZoneInfo(PARIS)).isoformat()
        return day.isoformat()

    def recorded(self, dates: Sequence[str | None], floor: Instant = FAR_PAST) -> Instant:
        """When an event was recorded that speaks of these dates: not before any of them, nor before ``floor``."""
        latest = max([floor, *(span(text).lo for text in dates if text)])
        return latest + int(self.one_of(DELAYS_HOURS) * HOUR)


def span(text: str) -> Span:
    """A clinical date as a site in Paris means it."""
    return zone_named(PARIS).resolve(parse_date(text))


def days_after(base: date, days: int) -> date:
    return base + timedelta(days=days)


def start_of(day: date) -> Instant:
    """Midnight in UTC."""
    return (day - date(1970, 1, 1)).days * DAY


def in_offset(instant: Instant, minutes: int) -> str:
    """An instant as it is written so many minutes east of Greenwich."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=instant)
    return moment.astimezone(timezone(timedelta(minutes=minutes))).isoformat()
