"""Clinical dates as intervals, and instants as integers.

An *instant* is an ``int``: microseconds since 1970-01-01T00:00:00Z. A clinical date is written at the precision that is
known (``2017``, ``2017-03``, ``2017-03-05`` or a full date-time with offset) and stands for every instant it may mean:
a date-time is one instant, a bare date the whole site-local day [00:00, 24:00), and so on (events.md).

Three stages, because the time zone of a subject may be corrected long after a date was written:

``parse_date(text)``  -> :class:`PartialDate`, which knows no time zone
``Zone.resolve(date)`` -> :class:`Span`, the closed interval of instants, with its wall-clock ends beside it
``certainly_before(a, b)`` compares two partial dates for every time zone there is

Both ends of a :class:`Span` are inclusive: a day ends one microsecond before midnight. Nothing is imputed.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final, Literal, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

Instant = int

SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

YEAR_FIRST: Final = 1900
YEAR_LAST: Final = 2200

# The civil time zones in use run from UTC-12 to UTC+14.
EASTMOST: Final = 14 * HOUR
WESTMOST: Final = -12 * HOUR

DATE_PATTERN: Final = (
    r"^[0-9]{4}(-[0-9]{2}(-[0-9]{2}(T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2}))?)?)?$"
)
INSTANT_PATTERN: Final = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})$"
)
_INSTANT: Final = re.compile(INSTANT_PATTERN)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()

Precision = Literal["instant", "day", "month", "year"]


class PartialDate(NamedTuple):
    """A clinical date without a time zone.

    ``first`` and ``last`` are instants when ``precision`` is ``"instant"``; otherwise they are wall-clock microseconds
    (as if the wall clock were UTC) of the first and last microsecond that the date may mean.
    """

    precision: Precision
    first: int
    last: int

    @property
    def timed(self) -> bool:
        """Whether the date is an exact instant."""
        return self.precision == "instant"


class Span(NamedTuple):
    """Every instant that a clinical date, or something reckoned from clinical dates, may mean.

    ``lo`` and ``hi`` are instants, both inclusive; ``wall_lo`` and ``wall_hi`` the same ends on the site's wall clock.
    ``bare`` says that an end is known to the day at best, so that durations are reckoned in wall-clock days (rules.md §3.5).
    """

    lo: Instant
    hi: Instant
    wall_lo: int
    wall_hi: int
    bare: bool

    @property
    def exact(self) -> bool:
        """Whether the span is one known instant."""
        return self.lo == self.hi and not self.bare


def parse_instant(text: str) -> Instant:
    """Read an RFC 3339 date-time with offset.

    Fractions finer than a microsecond are cut. Raises :class:`ValueError` with a sentence for the sender.
    """
    if not _INSTANT.match(text):
        raise ValueError("not an RFC 3339 date-time with offset, such as 2017-03-05T08:30:00+01:00")
    return _exact(text)


@lru_cache(maxsize=65536)
def parse_date(text: str) -> PartialDate:
    """Read a clinical date at the precision it is written in. Raises :class:`ValueError` with a sentence."""
    length = len(text)
    try:
        if length > 10:
            if not _INSTANT.match(text):
                raise ValueError("a date-time needs seconds and an offset, such as 2017-03-05T08:30:00+01:00")
            instant = _exact(text)
            return PartialDate("instant", instant, instant)
        if length == 10 and text[4] == text[7] == "-":
            day = _wall_midnight(date(int(text[:4]), int(text[5:7]), int(text[8:])))
            return PartialDate("day", day, day + DAY - 1)
        if length == 7 and text[4] == "-":
            year, month = int(text[:4]), int(text[5:])
            following = date(year + month // 12, month % 12 + 1, 1)
            return PartialDate("month", _wall_midnight(date(year, month, 1)), _wall_midnight(following) - 1)
        if length == 4:
            year = int(text)
            return PartialDate("year", _wall_midnight(date(year, 1, 1)), _wall_midnight(date(year + 1, 1, 1)) - 1)
    except ValueError as error:
        reason = str(error) if "needs seconds" in str(error) else "there is no such date"
        raise ValueError(f"not a clinical date: {reason}") from None
    raise ValueError("not a clinical date (2017, 2017-03, 2017-03-05 or 2017-03-05T08:30:00+01:00)")


def year_of(text: str) -> int:
    """The year that a well-formed date or date-time is written in."""
    return int(text[:4])


def earliest(moment: PartialDate) -> Instant:
    """The first instant that the date may mean in any time zone."""
    return moment.first if moment.precision == "instant" else moment.first - EASTMOST


def latest(moment: PartialDate) -> Instant:
    """The last instant that the date may mean in any time zone."""
    return moment.last if moment.precision == "instant" else moment.last - WESTMOST


def certainly_before(a: PartialDate, b: PartialDate) -> bool:
    """Whether every instant of ``a`` lies before every instant of ``b``, whatever the site's time zone turns out to be."""
    if (a.precision == "instant") == (b.precision == "instant"):
        return a.last < b.first
    return latest(a) < earliest(b)


def starts_certainly_after(a: PartialDate, b: PartialDate) -> bool:
    """Whether the first instant of ``a`` is later than that of ``b`` in every time zone."""
    if (a.precision == "instant") == (b.precision == "instant"):
        return a.first > b.first
    if a.precision == "instant":
        return a.first > b.first - WESTMOST
    return a.first - EASTMOST > b.first


def format_instant(instant: Instant) -> str:
    """Write an instant as RFC 3339 in UTC, with a fraction only where there is one."""
    moment = _EPOCH + timedelta(microseconds=instant)
    return moment.isoformat().replace("+00:00", "Z")


def from_datetime(moment: datetime) -> Instant:
    """The instant of an aware datetime."""
    return _microseconds(moment)


class Zone:
    """A site's time zone: resolves partial dates and converts between instants and the wall clock."""

    __slots__ = ("_info", "_instants", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self._info = _load_zone(name)
        self._instants: dict[int, Instant] = {}

    def resolve(self, moment: PartialDate) -> Span:
        """The interval of instants that ``moment`` means at this site."""
        if moment.precision == "instant":
            wall = self.to_wall(moment.first)
            return Span(moment.first, moment.first, wall, wall, False)
        lo = self.to_instant(moment.first)
        return Span(lo, self.to_instant(moment.last + 1) - 1, moment.first, moment.last, True)

    def to_wall(self, instant: Instant) -> int:
        """What the site's wall clock shows at ``instant``, in microseconds as if the wall clock were UTC."""
        moment = (_EPOCH + timedelta(microseconds=instant)).astimezone(self._info)
        offset = moment.utcoffset()
        assert offset is not None
        return instant + offset // timedelta(microseconds=1)

    def to_instant(self, wall: int) -> Instant:
        """The first instant at which the wall clock shows ``wall``; in a gap, as if the clock had not been changed yet."""
        known = self._instants.get(wall)
        if known is not None:
            return known
        local = (_EPOCH + timedelta(microseconds=wall)).replace(tzinfo=self._info)
        instant = _microseconds(local)
        if len(self._instants) < 100_000:
            self._instants[wall] = instant
        return instant

    def day_of(self, instant: Instant) -> int:
        """The site-local day of an instant, as the wall-clock microsecond of its midnight."""
        return self.to_wall(instant) // DAY * DAY

    def span_between(self, lo: Instant, hi: Instant, *, bare: bool = False) -> Span:
        """A span reckoned from instants, for what is known only to lie somewhere between the two."""
        return Span(lo, hi, self.to_wall(lo), self.to_wall(hi), bare)


@lru_cache(maxsize=1024)
def zone_named(name: str) -> Zone:
    """The shared :class:`Zone` of an IANA name. Raises :class:`ValueError` when there is no such zone."""
    return Zone(name)


def _load_zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is not an IANA time zone") from None


def _wall_midnight(day: date) -> int:
    return (day.toordinal() - _EPOCH_ORDINAL) * DAY


def _exact(text: str) -> Instant:
    # fromisoformat knows neither lower-case letters nor more than six digits of fraction in every release we support.
    body = text.upper()
    point = body.find(".")
    if point > 0:
        zone_at = next(i for i in range(point + 1, len(body)) if not body[i].isdigit())
        body = body[: min(zone_at, point + 7)].ljust(point + 7, "0") + body[zone_at:]
    try:
        return _microseconds(datetime.fromisoformat(body))
    except ValueError:
        raise ValueError("there is no such date and time") from None


def _microseconds(moment: datetime) -> Instant:
    elapsed = moment - _EPOCH
    return (elapsed.days * 86400 + elapsed.seconds) * SECOND + elapsed.microseconds


FAR_PAST: Final[Instant] = _microseconds(datetime(1, 1, 2, tzinfo=UTC))
FAR_FUTURE: Final[Instant] = _microseconds(datetime(9998, 12, 31, tzinfo=UTC))
