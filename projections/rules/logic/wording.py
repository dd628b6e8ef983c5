"""How dates and lengths are written in reasons: on the site's wall clock, as a person at the site would read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from events.dates import DAY, FAR_PAST, HOUR, MINUTE, Span

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def written(span: Span) -> str:
    """A moment: a day, a time of day, or "between … and …"."""
    if span.bare and span.wall_hi - span.wall_lo == DAY - 1:
        return _day(span.wall_lo)
    if span.lo == span.hi:
        return _minute(span.wall_lo)
    write = _day if span.bare else _minute
    if span.lo <= FAR_PAST:
        return f"not after {write(span.wall_hi)}"
    return f"between {write(span.wall_lo)} and {write(span.wall_hi)}"


def length(microseconds: int) -> str:
    """A length of time: "9 d", "7 d 2 h", "45 min"."""
    days, rest = divmod(microseconds, DAY)
    hours, rest = divmod(rest, HOUR)
    parts = [f"{days} d"] if days else []
    if hours:
        parts.append(f"{hours} h")
    if not days and rest >= MINUTE:
        parts.append(f"{rest // MINUTE} min")
    return " ".join(parts) or "0 d"


def day_number(moment: Span, day1_lo: int, day1_hi: int) -> str:
    """The study day of a moment, counted from day 1: "day 10", "day 9 to 11"."""
    first = (moment.wall_lo - day1_hi) // DAY + 1
    last = (moment.wall_hi - day1_lo) // DAY + 1
    return f"day {first}" if first == last else f"day {first} to {last}"


def _day(wall: int) -> str:
    return (_EPOCH + timedelta(microseconds=wall)).date().isoformat()


def _minute(wall: int) -> str:
    moment = _EPOCH + timedelta(microseconds=wall)
    return moment.isoformat(sep=" ", timespec="seconds" if moment.second else "minutes").removesuffix("+00:00")
