"""Clinical dates: intervals, time zones, and what is certain without one."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events import dates
from events.dates import DAY, HOUR, PartialDate, Zone, parse_date, parse_instant, zone_named

PARIS = zone_named("Europe/Paris")
ZONES = ["Europe/Paris", "UTC", "Pacific/Kiritimati", "Etc/GMT+12", "America/St_Johns", "Asia/Kathmandu"]


def at(text: str) -> int:
    """The instant."""
    return parse_instant(text)


@pytest.mark.parametrize(
    ("text", "precision", "days"),
    [
        ("2017", "year", 365),
        ("2016", "year", 366),
        ("2017-02", "month", 28),
        ("2017-12", "month", 31),
        ("2017-03-05", "day", 1),
    ],
)
def test_a_partial_date_is_all_it_may_mean(text: str, precision: str, days: int) -> None:
    """Both ends included."""
    date = parse_date(text)
    assert date.precision == precision
    assert date.last - date.first + 1 == days * DAY
    assert not date.timed


@pytest.mark.parametrize(
    "text",
    [
        "",
        "17",
        "2017-3",
        "2017-00",
        "2017-13",
        "2017-02-29",
        "2017/03/05",
        "0000",
        "2017-03-05T08:30",
        "201703",
    ],
)
def test_what_is_no_date_is_refused(text: str) -> None:
    """With a sentence."""
    with pytest.raises(ValueError, match="not a clinical date"):
        parse_date(text)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("2017-03-05T08:30:00+01:00", "2017-03-05T07:30:00Z"),
        ("2017-03-05t07:30:00z", "2017-03-05T07:30:00Z"),
        ("2017-03-05T07:30:00.5Z", "2017-03-05T07:30:00.500000Z"),
        ("2017-03-05T07:30:00.1234569Z", "2017-03-05T07:30:00.123456Z"),
        ("2017-03-04T19:30:00-12:00", "2017-03-05T07:30:00+00:00"),
    ],
)
def test_an_instant_is_the_same_however_it_is_written(text: str, same: str) -> None:
    """Offset, letters, fraction."""
    assert at(text) == at(same)
    assert parse_date(text.upper()) == PartialDate("instant", at(same), at(same))


@pytest.mark.parametrize(
    "text",
    ["2017-03-05", "2017-03-05T08:30:00", "2017-02-30T08:30:00Z", "2017-03-05T25:00:00Z", "2017-03-05T08:30:60Z", "x"],
)
def test_what_is_no_instant_is_refused(text: str) -> None:
    """No offset, no such day, no such hour, a leap second."""
    with pytest.raises(ValueError, match=r"RFC 3339|there is no such"):
        at(text)


@pytest.mark.parametrize(
    ("text", "hours"),
    [("2017-03-25", 24), ("2017-03-26", 23), ("2017-10-29", 25)],
)
def test_a_day_in_paris_has_the_hours_it_has(text: str, hours: int) -> None:
    """On the wall clock it has 24 all the same."""
    span = PARIS.resolve(parse_date(text))
    assert span.hi - span.lo + 1 == hours * HOUR
    assert span.wall_hi - span.wall_lo + 1 == DAY
    assert span.bare
    assert not span.exact


def test_a_timed_date_is_one_instant_in_any_zone() -> None:
    """And knows its wall clock."""
    span = PARIS.resolve(parse_date("2017-07-01T10:00:00Z"))
    assert span.exact
    assert span.lo == span.hi == at("2017-07-01T10:00:00Z")
    assert span.wall_lo == span.wall_hi == at("2017-07-01T12:00:00Z")


def test_midnights_that_do_not_exist_or_exist_twice() -> None:
    """Santiago springs forward at midnight; Havana falls back to it: the day begins once, and none overlaps."""
    for name, around in (
        ("America/Santiago", ("2017-08-12", "2017-08-13", "2017-08-14")),
        ("America/Havana", ("2017-11-04", "2017-11-05", "2017-11-06")),
        ("Pacific/Apia", ("2011-12-29", "2011-12-30", "2011-12-31")),
    ):
        spans = [zone_named(name).resolve(parse_date(text)) for text in around]
        for earlier, later in itertools.pairwise(spans):
            assert earlier.hi + 1 == later.lo


def test_the_day_of_an_instant_is_the_sites() -> None:
    """An hour before midnight in UTC is the next day in Paris."""
    assert PARIS.day_of(at("2017-03-05T23:30:00Z")) == parse_date("2017-03-06").first
    assert zone_named("UTC").day_of(at("2017-03-05T23:30:00Z")) == parse_date("2017-03-05").first


@pytest.mark.parametrize("name", ["Europe/Lyon", "", "../../etc/passwd", "Europe", "\0"])
def test_there_is_no_such_zone(name: str) -> None:
    """And no file is read for it."""
    with pytest.raises(ValueError, match="not an IANA time zone"):
        Zone(name)


MOMENTS = st.one_of(
    st.dates(min_value=date(2016, 1, 1), max_value=date(2017, 12, 31)).map(lambda day: day.isoformat()),
    st.integers(0, 700 * 24).map(lambda hour: dates.format_instant(at("2016-01-01T00:00:00Z") + hour * HOUR)),
    st.sampled_from(["2016", "2017", "2016-02", "2016-12", "2017-03", "2017-10"]),
)


@given(MOMENTS, MOMENTS)
def test_what_is_certain_holds_in_every_zone(a: str, b: str) -> None:
    """For every pair of dates, wherever the site lies."""
    first, second = parse_date(a), parse_date(b)
    for name in ZONES:
        one, two = zone_named(name).resolve(first), zone_named(name).resolve(second)
        if dates.certainly_before(first, second):
            assert one.hi < two.lo
        if dates.starts_certainly_after(first, second):
            assert one.lo > two.lo
        assert dates.earliest(first) <= one.lo
        assert one.hi <= dates.latest(first)


@given(MOMENTS, MOMENTS)
def test_what_is_not_certain_fails_in_some_zone(a: str, b: str) -> None:
    """For date-times beside dates: at one end of the world or the other, daylight saving aside."""
    first, second = parse_date(a), parse_date(b)
    spans = [
        (zone_named(z).resolve(first), zone_named(z).resolve(second)) for z in ("Pacific/Kiritimati", "Etc/GMT+12")
    ]
    assert dates.certainly_before(first, second) == all(one.hi < two.lo for one, two in spans)
    assert dates.starts_certainly_after(first, second) == all(one.lo > two.lo for one, two in spans)


@given(st.datetimes(timezones=st.just(UTC)))
def test_instants_are_written_as_they_are_read(moment: datetime) -> None:
    """To the microsecond."""
    instant = dates.from_datetime(moment)
    assert at(dates.format_instant(instant)) == instant
