"""How moments and lengths are written: as a person at the site would read them."""

from __future__ import annotations

import pytest

from events.dates import DAY, FAR_PAST, HOUR, MINUTE, SECOND, Span, parse_date, parse_instant, zone_named
from projections.rules.logic.wording import day_number, length, written

PARIS = zone_named("Europe/Paris")
KOLKATA = zone_named("Asia/Kolkata")


def at(text: str) -> Span:
    return PARIS.resolve(parse_date(text))


@pytest.mark.parametrize(
    ("date", "text"),
    [
        ("2017-03-05", "2017-03-05"),
        ("2017-03-05T08:30:00+01:00", "2017-03-05 08:30"),
        ("2017-03-05T23:30:00Z", "2017-03-06 00:30"),
        ("2017-07-05T08:30:00Z", "2017-07-05 10:30"),
        ("2017-03-05T08:30:15+01:00", "2017-03-05 08:30:15"),
        ("2017-03-05T08:30:00.250+01:00", "2017-03-05 08:30"),
        ("2017-03-05T00:00:00+01:00", "2017-03-05 00:00"),
        ("2017-03", "between 2017-03-01 and 2017-03-31"),
        ("2016-02", "between 2016-02-01 and 2016-02-29"),
        ("2017", "between 2017-01-01 and 2017-12-31"),
        ("1900", "between 1900-01-01 and 1900-12-31"),
    ],
)
def test_a_moment_is_written_on_the_sites_clock(date: str, text: str) -> None:
    assert written(at(date)) == text


def test_the_clock_is_the_sites_own() -> None:
    assert written(KOLKATA.resolve(parse_date("2017-03-05T20:00:00Z"))) == "2017-03-06 01:30"


def test_what_lies_between_two_moments_says_so() -> None:
    first, last = parse_instant("2017-03-05T08:00:00Z"), parse_instant("2017-03-06T09:15:00Z")
    assert written(PARIS.span_between(first, last)) == "between 2017-03-05 09:00 and 2017-03-06 10:15"
    assert written(PARIS.span_between(first, last, bare=True)) == "between 2017-03-05 and 2017-03-06"


def test_what_has_no_beginning_is_written_by_its_end() -> None:
    day = at("2017-03-05")
    assert written(Span(FAR_PAST, day.hi, FAR_PAST, day.wall_hi, True)) == "not after 2017-03-05"
    moment = at("2017-03-05T08:30:00+01:00")
    assert written(Span(FAR_PAST, moment.hi, FAR_PAST, moment.wall_hi, False)) == "not after 2017-03-05 08:30"


@pytest.mark.parametrize(
    ("microseconds", "text"),
    [
        (0, "0 d"),
        (30 * SECOND, "0 d"),
        (MINUTE, "1 min"),
        (45 * MINUTE, "45 min"),
        (HOUR, "1 h"),
        (HOUR + 30 * MINUTE, "1 h 30 min"),
        (23 * HOUR, "23 h"),
        (DAY, "1 d"),
        (DAY + HOUR, "1 d 1 h"),
        (7 * DAY + 2 * HOUR, "7 d 2 h"),
        (9 * DAY, "9 d"),
        (9 * DAY + 30 * MINUTE, "9 d"),
        (400 * DAY, "400 d"),
    ],
)
def test_a_length_is_written_in_days_and_hours(microseconds: int, text: str) -> None:
    assert length(microseconds) == text


@pytest.mark.parametrize(
    ("date", "text"),
    [
        ("2017-02-13", "day 1"),
        ("2017-02-14", "day 2"),
        ("2017-03-19", "day 35"),
        ("2017-03-20T00:00:00+01:00", "day 36"),
        ("2017-03-19T23:59:59+01:00", "day 35"),
        ("2017-03", "day 17 to 47"),
    ],
)
def test_days_are_counted_from_day_1(date: str, text: str) -> None:
    day_1 = at("2017-02-13").wall_lo
    assert day_number(at(date), day_1, day_1) == text


def test_where_day_1_is_uncertain_so_is_every_day() -> None:
    first = at("2017-02-13").wall_lo
    assert day_number(at("2017-02-20"), first, first + 2 * DAY) == "day 6 to 8"
