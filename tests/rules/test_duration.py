"""Durations and their edges: instants, bare dates, changes of the clocks, and sums."""

from __future__ import annotations

import pytest

from events.dates import DAY, HOUR, Instant, Span, format_instant, parse_date, parse_instant, zone_named
from projections.rules.logic.duration import (
    ALREADY,
    between,
    closed_longer_than,
    earlier,
    gap_at_most,
    joined_times,
    longest_sum,
    open_reaches,
    sum_reaches,
)

PARIS = zone_named("Europe/Paris")
WEEK = 7 * DAY


def at(text: str) -> Span:
    return PARIS.resolve(parse_date(text))


def times(*pairs: tuple[str, str | None]) -> list[tuple[Span, Span | None]]:
    return [(at(start), at(end) if end else None) for start, end in pairs]


def told(instant: Instant | None) -> str | None:
    return "already" if instant == ALREADY else instant and format_instant(instant)


@pytest.mark.parametrize(
    ("start", "end", "possibly", "certainly"),
    [
        ("2017-03-01", "2017-03-07", False, False),
        ("2017-03-01", "2017-03-08", True, False),
        ("2017-03-01", "2017-03-09", True, True),
        ("2017-03-01T10:00:00Z", "2017-03-08T10:00:00Z", False, False),
        ("2017-03-01T10:00:00Z", "2017-03-08T10:00:00.000001Z", True, True),
        ("2017-03-20T10:00:00+01:00", "2017-03-27T10:30:00+02:00", False, False),
        ("2017-03-20", "2017-03-27", True, False),
        ("2017-03-20", "2017-03-28", True, True),
        ("2017-03-01", "2017-03-08T00:00:00+01:00", False, False),
        ("2017-03-01", "2017-03-08T00:00:01+01:00", True, False),
        ("2017-03-01", "2017-03-09T00:00:00+01:00", True, True),
        ("2017-03-01T23:00:00+01:00", "2017-03-08", True, False),
        ("2017-03-01T00:00:00+01:00", "2017-03-07", False, False),
        ("2017-03-01T00:00:00+01:00", "2017-03-08", True, False),
        ("2017-03-01T00:00:00+01:00", "2017-03-09", True, True),
        ("2017-03", "2017-04", True, False),
        ("2017-03", "2017-05", True, True),
        ("2017", "2017", True, False),
        ("2017-03-09", "2017-03-01", False, False),
    ],
)
def test_longer_than_seven_days(start: str, end: str, possibly: bool, certainly: bool) -> None:
    """rules.md §3.5: elapsed hours between instants, days of the wall clock where an end is bare."""
    reached = closed_longer_than(at(start), at(end), at(end), WEEK)
    assert reached == (ALREADY if possibly else None, ALREADY if certainly else None)


@pytest.mark.parametrize(
    ("start", "end", "shortest", "longest"),
    [
        ("2017-03-01T10:00:00Z", "2017-03-01T12:00:00Z", 2 * HOUR, 2 * HOUR),
        ("2017-03-01", "2017-03-01", 0, DAY),
        ("2017-03-01", "2017-03-03", DAY + 1, 3 * DAY),
        ("2017-03-26T01:00:00+01:00", "2017-03-26T04:00:00+02:00", 2 * HOUR, 2 * HOUR),
        ("2017-03-25", "2017-03-27", DAY + 1, 3 * DAY),
        ("2017-03-03", "2017-03-01", 0, 0),
    ],
)
def test_the_shortest_and_the_longest(start: str, end: str, shortest: int, longest: int) -> None:
    """Never negative, whatever the clocks do."""
    assert between(at(start), at(end)) == (shortest, longest)


@pytest.mark.parametrize(
    ("start", "possibly", "certainly"),
    [
        ("2017-03-01T10:00:00Z", "2017-03-08T10:00:00Z", "2017-03-08T10:00:00Z"),
        ("2017-03-20T10:00:00+01:00", "2017-03-27T09:00:00Z", "2017-03-27T09:00:00Z"),
        ("2017-03-01", "2017-03-07T23:00:00Z", "2017-03-08T23:00:00Z"),
        ("2017-03-20", "2017-03-26T22:00:00Z", "2017-03-27T22:00:00Z"),
        ("2017-10-25", "2017-10-31T23:00:00Z", "2017-11-01T23:00:00Z"),
        ("2017-02", "2017-02-07T23:00:00Z", "2017-03-07T23:00:00Z"),
    ],
)
def test_while_it_goes_on_reaching_seven_days_is_enough(start: str, possibly: str, certainly: str) -> None:
    """An instant reaches them after 168 hours, a bare date at local midnights, also when the clocks change."""
    reached = open_reaches(at(start), WEEK, PARIS, None)
    assert (told(reached.possibly), told(reached.certainly)) == (possibly, certainly)


@pytest.mark.parametrize(
    ("start", "contact", "certain"),
    [
        ("2017-03-01T10:00:00Z", "2017-03-08T10:00:00Z", True),
        ("2017-03-01T10:00:00Z", "2017-03-08T09:59:59Z", False),
        ("2017-03-01", "2017-03-08", False),
        ("2017-03-01", "2017-03-09", True),
        ("2017-03-01T10:00:00Z", "2017-03-08", False),
        ("2017-03-01T10:00:00Z", "2017-03-09", True),
    ],
)
def test_after_the_last_contact_nothing_is_certain(start: str, contact: str, certain: bool) -> None:
    reached = open_reaches(at(start), WEEK, PARIS, at(contact))
    assert (reached.certainly is not None) is certain
    assert reached.possibly is not None


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], []),
        ([("2017-03-01", "2017-03-03")], [("2017-03-01", "2017-03-03")]),
        (
            [("2017-03-05", "2017-03-06"), ("2017-03-01", "2017-03-03")],
            [("2017-03-01", "2017-03-03"), ("2017-03-05", "2017-03-06")],
        ),
        ([("2017-03-01", "2017-03-05"), ("2017-03-03", "2017-03-08")], [("2017-03-01", "2017-03-08")]),
        ([("2017-03-01", "2017-03-09"), ("2017-03-03", "2017-03-05")], [("2017-03-01", "2017-03-09")]),
        ([("2017-03-01", None), ("2017-03-03", "2017-03-05")], [("2017-03-01", None)]),
        ([("2017-03-01", "2017-03-05"), ("2017-03-03", None)], [("2017-03-01", None)]),
        ([("2017-03-01", "2017-03-02"), ("2017-03-02", "2017-03-03")], [("2017-03-01", "2017-03-03")]),
    ],
    ids=["none", "one", "apart, out of order", "overlapping", "within", "open first", "open later", "touching"],
)
def test_times_that_overlap_count_once(
    given: list[tuple[str, str | None]], expected: list[tuple[str, str | None]]
) -> None:
    assert joined_times(times(*given)) == times(*expected)


@pytest.mark.parametrize(
    ("given", "since", "days", "open_from"),
    [
        ([("2017-03-01", "2017-03-03"), ("2017-03-06", "2017-03-07")], None, 5, []),
        ([("2017-03-01", "2017-03-03"), ("2017-03-06", None)], None, 3, ["2017-03-06"]),
        ([("2017-03-01", "2017-03-03")], "2017-03-02", 2, []),
        ([("2017-03-01", "2017-03-03")], "2017-03-05", 0, []),
    ],
)
def test_sums_are_of_the_longest_and_from_day_1_on(
    given: list[tuple[str, str | None]], since: str | None, days: int, open_from: list[str]
) -> None:
    total, open_starts = longest_sum(times(*given), at(since) if since else None)
    assert total == days * DAY
    assert open_starts == [at(start) for start in open_from]


@pytest.mark.parametrize(
    ("days", "open_from", "expected"),
    [
        (7, [], None),
        (8, [], "already"),
        (5, ["2017-03-01T10:00:00Z"], "2017-03-03T10:00:00Z"),
        (5, ["2017-03-01"], "2017-03-02T23:00:00Z"),
        (0, ["2017-03-01T10:00:00Z"], "2017-03-08T10:00:00Z"),
        (5, ["2017-03-01T10:00:00Z", "2017-03-01T10:00:00Z"], "2017-03-02T10:00:00Z"),
        (5, ["2017-03-01T10:00:00Z", "2017-03-02T10:00:00Z"], "2017-03-02T22:00:00Z"),
        (5, ["2017-03-01T10:00:00Z", "2017-03-10T10:00:00Z"], "2017-03-03T10:00:00Z"),
    ],
)
def test_a_sum_that_grows_passes_the_limit_at_a_known_instant(
    days: int, open_from: list[str], expected: str | None
) -> None:
    """Two that go on at once grow twice as fast."""
    assert told(sum_reaches(days * DAY, [at(start) for start in open_from], WEEK, PARIS)) == expected


@pytest.mark.parametrize(
    ("end", "start", "near"),
    [
        ("2017-03-01", "2017-03-02", True),
        ("2017-03-01", "2017-03-03", False),
        ("2017-03-01T10:00:00Z", "2017-03-02T10:00:00Z", True),
        ("2017-03-01T10:00:00Z", "2017-03-02T10:00:01Z", False),
        ("2017-03-05", "2017-03-01", True),
        (None, "2017-03-09", True),
    ],
)
def test_a_gap_of_a_day(end: str | None, start: str, near: bool) -> None:
    assert gap_at_most(at(end) if end else None, at(start), DAY) is near


def test_the_earlier_of_two_ends_is_taken_end_by_end() -> None:
    march, fifth = at("2017-03"), at("2017-03-05")
    both = earlier(march, fifth)
    assert both == Span(march.lo, fifth.hi, march.wall_lo, fifth.wall_hi, bare=True)
    assert earlier(fifth, march) == both
    exact = at("2017-03-02T10:00:00Z")
    assert earlier(exact, at("2017-03-09")) == exact
    assert parse_instant("2017-03-02T10:00:00Z") == earlier(fifth, exact).hi


@pytest.mark.parametrize(
    ("a", "b", "bare"),
    [
        ("2017-03-05", "2017-03-05T22:59:59.999999Z", True),
        ("2017-03-01T10:00:00Z", "2017-03-02", False),
        ("2017-03-01", "2017-03-02T10:00:00Z", True),
    ],
)
def test_the_earlier_of_two_ends_is_timed_where_the_one_that_ends_first_is(a: str, b: str, bare: bool) -> None:
    assert earlier(at(a), at(b)).bare is bare
    assert earlier(at(b), at(a)).bare is bare


def test_of_a_bare_date_and_an_instant_that_are_one_the_bare_one_counts() -> None:
    """Nothing is taken to be more exact than the record says."""
    day = at("2017-03-05")
    timed = day._replace(bare=False)
    assert earlier(day, timed).bare
    assert earlier(timed, day).bare
