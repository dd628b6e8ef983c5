"""Times for people: the wall clock of the site, with the offset and the zone's name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.dates import MINUTE, format_instant, parse_instant, zone_named
from events.local_time import local_time

ZONES = ("Europe/Paris", "UTC", "America/St_Johns", "Asia/Kathmandu", "Pacific/Kiritimati", "Australia/Lord_Howe")
MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


@pytest.mark.parametrize(
    ("utc", "zone", "shown"),
    [
        ("2017-10-29T00:30:00Z", "Europe/Paris", "29 Oct 2017 02:30 +02:00 (Europe/Paris)"),
        ("2017-10-29T01:30:00Z", "Europe/Paris", "29 Oct 2017 02:30 +01:00 (Europe/Paris)"),
        ("2017-03-26T00:59:59.999999Z", "Europe/Paris", "26 Mar 2017 01:59 +01:00 (Europe/Paris)"),
        ("2017-03-26T01:00:00Z", "Europe/Paris", "26 Mar 2017 03:00 +02:00 (Europe/Paris)"),
        ("2017-04-01T14:30:00Z", "Australia/Lord_Howe", "2 Apr 2017 01:30 +11:00 (Australia/Lord_Howe)"),
        ("2017-04-01T15:00:00Z", "Australia/Lord_Howe", "2 Apr 2017 01:30 +10:30 (Australia/Lord_Howe)"),
        ("2017-01-01T02:00:00Z", "America/St_Johns", "31 Dec 2016 22:30 -03:30 (America/St_Johns)"),
        ("2017-03-05T07:30:00Z", "UTC", "5 Mar 2017 07:30 +00:00 (UTC)"),
        ("1900-06-01T12:00:00Z", "Europe/Paris", "1 Jun 1900 12:09 +00:09:21 (Europe/Paris)"),
    ],
)
def test_a_time_is_the_sites_with_its_offset(utc: str, zone: str, shown: str) -> None:
    """Both 02:30 of the night in which the clock goes back, the hour that another night leaves out, and half hours."""
    assert local_time(parse_instant(utc), zone_named(zone)) == shown


@given(
    st.integers(parse_instant("1950-01-01T00:00:00Z"), parse_instant("2199-01-01T00:00:00Z")), st.sampled_from(ZONES)
)
def test_what_is_shown_means_one_minute_and_no_other(instant: int, zone: str) -> None:
    """Read back, it is the minute of the instant: no two minutes of any zone look the same."""
    day, month, year, clock, offset, name = local_time(instant, zone_named(zone)).split()
    read = parse_instant(f"{year}-{MONTHS.index(month) + 1:02}-{int(day):02}T{clock}:00{offset}")
    assert name == f"({zone})"
    assert read == instant - instant % MINUTE, format_instant(instant)
