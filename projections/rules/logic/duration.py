"""How long a contiguous time at a grade lasted, or when it will have lasted long enough (rules.md §3.5).

Durations are between two ends that may each be uncertain. Between two instants they are elapsed hours; where an end is a
bare or partial date they are wall-clock days of 24 hours, whatever the clocks do. While an adverse event goes on, an answer
changes by passing time alone, at instants that are known now.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from events.dates import DAY, FAR_PAST, Instant, Span, Zone


class Lengths(NamedTuple):
    """The shortest and longest possible length in microseconds; the longest is a bound that may not be reached."""

    shortest: int
    longest: int


class Reached(NamedTuple):
    """When a limit may first have been reached, and when it certainly has; None: never, as far as is known."""

    possibly: Instant | None
    certainly: Instant | None


#: A limit that was passed long ago, whatever the instant that is asked about.
ALREADY = FAR_PAST


def between(start: Span, end: Span) -> Lengths:
    """The possible lengths of the time from ``start`` to ``end``; never negative."""
    if start.bare or end.bare:
        return Lengths(
            max(0, end.wall_lo - start.wall_hi),
            max(0, past_wall(end) - start.wall_lo),
        )
    return Lengths(max(0, end.lo - start.hi), max(0, end.hi - start.lo))


def past_wall(span: Span) -> int:
    """The wall-clock bound of what a span may mean: the midnight that ends a bare date, else its last instant."""
    return span.wall_hi + 1 if span.bare and (span.wall_hi + 1) % DAY == 0 else span.wall_hi


def closed_longer_than(start: Span, certain_end: Span, possible_end: Span, limit: int) -> Reached:
    """For a time that is over: whether it was longer than ``limit``."""
    return Reached(
        ALREADY if between(start, possible_end).longest > limit else None,
        ALREADY if between(start, certain_end).shortest > limit else None,
    )


def open_reaches(start: Span, limit: int, zone: Zone, certain_until: Span | None) -> Reached:
    """For a time that goes on: when it will have lasted ``limit``.

    Past ``certain_until``, the last contact, nothing is certain any more.
    """
    possibly = instant_after(start.lo, start.wall_lo, start.bare, limit, zone)
    wall_hi = past_wall(start)
    hi = start.hi + wall_hi - start.wall_hi
    certainly: Instant | None = instant_after(hi, wall_hi, start.bare, limit, zone)
    if certain_until is not None:
        if start.bare or certain_until.bare:
            reached = certain_until.wall_lo - wall_hi >= limit
        else:
            reached = certain_until.lo - hi >= limit
        if not reached:
            certainly = None
    return Reached(possibly, certainly)


def instant_after(instant: Instant, wall: int, bare: bool, length: int, zone: Zone) -> Instant:
    """The instant ``length`` after a moment: by the wall clock where the moment is a bare date, else elapsed."""
    if instant <= FAR_PAST:
        return FAR_PAST
    return zone.to_instant(wall + length) if bare else instant + length


def joined_times(times: Iterable[tuple[Span, Span | None]]) -> list[tuple[Span, Span | None]]:
    """Times that may overlap as times that do not: what two of them share counts once."""
    joined: list[tuple[Span, Span | None]] = []
    for start, end in sorted(times, key=lambda time: time[0].lo):
        if not joined or not _reaches(joined[-1][1], start):
            joined.append((start, end))
            continue
        begun, until = joined[-1]
        joined[-1] = (begun, None if until is None or end is None else max(until, end, key=lambda s: (s.hi, s.lo)))
    return joined


def _reaches(end: Span | None, start: Span) -> bool:
    return end is None or start.lo <= end.hi


def longest_sum(runs: Iterable[tuple[Span, Span | None]], since: Span | None) -> tuple[int, list[Span]]:
    """The longest possible total of the closed times among ``runs``, and the starts of those that go on.

    ``since``: a time begun earlier counts from there.
    """
    total = 0
    open_starts: list[Span] = []
    for start, end in runs:
        begun = _not_before(start, since) if since is not None else start
        if end is None:
            open_starts.append(begun)
        else:
            total += between(begun, end).longest
    return total, open_starts


def sum_reaches(total: int, open_starts: Sequence[Span], limit: int, zone: Zone) -> Instant | None:
    """When a total of closed times and times that go on may first pass ``limit``; None if it never will."""
    if total > limit:
        return ALREADY
    if not open_starts:
        return None
    bare = any(start.bare for start in open_starts)
    begun = sorted((start.wall_lo if bare else start.lo) for start in open_starts)
    for count in range(1, len(begun) + 1):
        # With ``count`` of them going on, each passing moment counts ``count`` times.
        missing = limit - total + sum(begun[:count])
        reached = -(-missing // count)
        if count == len(begun) or reached <= begun[count]:
            return zone.to_instant(reached) if bare else reached
    return None


def gap_at_most(first_end: Span | None, next_start: Span, limit: int) -> bool:
    """Whether ``next_start`` may lie within ``limit`` after ``first_end``, or before it; an open end is never behind."""
    if first_end is None:
        return True
    if first_end.bare or next_start.bare:
        return next_start.wall_lo - first_end.wall_hi <= limit
    return next_start.lo - first_end.hi <= limit


def earlier(a: Span, b: Span) -> Span:
    """The earlier of two ends, end by end: what ends at ``a`` but not later than ``b``."""
    return Span(min(a.lo, b.lo), min(a.hi, b.hi), min(a.wall_lo, b.wall_lo), min(a.wall_hi, b.wall_hi), _bare_of(a, b))


def _bare_of(a: Span, b: Span) -> bool:
    """Bare where the one that ends first is; of two that end together, where one of them is."""
    return any(span.bare for span in (a, b) if span.hi == min(a.hi, b.hi))


def _not_before(start: Span, since: Span) -> Span:
    if start.lo >= since.lo:
        return start
    return Span(
        since.lo, max(start.hi, since.lo), since.wall_lo, max(start.wall_hi, since.wall_lo), start.bare or since.bare
    )
