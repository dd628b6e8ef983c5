"""SDTM dates as the contract writes them; times as the end of dates."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.importers.moments import Moment, Recorded, read_moment, recorded

PARIS = "Europe/Paris"


@pytest.mark.parametrize(
    ("sdtm", "written", "remarks"),
    [
        ("2014", "2014", ()),
        ("2014-01", "2014-01", ()),
        ("2014-01-05", "2014-01-05", ()),
        ("2014-01-05T08:30", "2014-01-05T08:30:00+01:00", ("seconds", "offset")),
        ("2014-07-05T08:30", "2014-07-05T08:30:00+02:00", ("seconds", "offset")),
        ("2014-07-05 08:30:15", "2014-07-05T08:30:15+02:00", ("offset",)),
        ("2014-07-05T08:30:15.25", "2014-07-05T08:30:15.25+02:00", ("offset",)),
        ("2014-07-05T08:30:15Z", "2014-07-05T08:30:15Z", ()),
        ("2014-07-05T08:30-0500", "2014-07-05T08:30:00-05:00", ("seconds",)),
        ("2014-07-05T08", "2014-07-05", ("reduced",)),
        ("2014-07-05T-:30", "2014-07-05", ("reduced",)),
        ("2014-07-05T08:-:15", "2014-07-05", ("reduced",)),
        ("2014---15", "2014", ("reduced",)),
        ("2014-07--", "2014-07", ()),
        ("2014-07--T08:30", "2014-07", ("reduced",)),
        ("2014-10-26T02:30:00", "2014-10-26T02:30:00+02:00", ("offset", "fold")),
        ("2014-03-30T02:30:00", "2014-03-30T02:30:00+01:00", ("offset", "gap")),
    ],
)
def test_a_date_keeps_what_is_known_and_nothing_else(sdtm: str, written: str, remarks: tuple[str, ...]) -> None:
    """Local times get the zone's offset; what lies behind an unknown part is left out, and said."""
    moment = read_moment(sdtm, PARIS)
    assert (moment.text, moment.remarks) == (written, remarks)


@pytest.mark.parametrize(
    "text",
    ["", "--07-05", "-----T07:15", "-----", "--", "unknown", "ABC2014X", "~2014", "/2014-07-05"],
)
def test_what_is_no_date_is_refused(text: str) -> None:
    """Whatever a human could make of it."""
    with pytest.raises(ValueError, match="date"):
        read_moment(text, PARIS)


@pytest.mark.parametrize("text", ["1899-12-31", "2201-01-01", "0201-01-01"])
def test_a_year_beyond_the_contract_is_refused(text: str) -> None:
    """1900 to 2200."""
    with pytest.raises(ValueError, match="1900-2200"):
        read_moment(text, PARIS)


def _moments(*texts: str) -> list[Moment]:
    return [read_moment(text, PARIS) for text in texts]


@pytest.mark.parametrize(
    ("update", "dates", "time", "estimate"),
    [
        ("2014-01-16T10:00:00", ["2014-01-05"], "2014-01-16T10:00:00+01:00", ""),
        ("2014-01-16", ["2014-01-05", "2014-01-16"], "2014-01-16T23:59:59+01:00", "day"),
        ("2014-01-16", ["2014-01-05", "2014-07-01"], "2014-07-01T23:59:59+02:00", "later"),
        ("2014-06-22", ["2014-07"], "2014-07-31T23:59:59+02:00", "later"),
        # The month has begun by then: nothing in the row is later than its update.
        ("2014-06-22", ["2014-06"], "2014-06-22T23:59:59+02:00", "day"),
        (None, ["2014-01-05", "2014-01-04"], "2014-01-05T23:59:59+01:00", "none"),
        (None, ["2014", "2014-03-05"], "2014-03-05T23:59:59+01:00", "none"),
        (None, ["2014"], "2014-12-31T23:59:59+01:00", "none"),
        (None, ["2014-01-05T08:30"], "2014-01-05T08:30:00+01:00", "none"),
    ],
)
def test_the_time_is_the_last_update_or_the_end_of_the_latest_date(
    update: str | None, dates: list[str], time: str, estimate: str
) -> None:
    """And which of the two is said."""
    found = recorded(None if update is None else read_moment(update, PARIS), _moments(*dates), PARIS)
    assert found is not None
    assert (found.text, found.estimate) == (time, estimate)


def test_without_any_date_there_is_no_time() -> None:
    """So that the caller must refuse the row."""
    assert recorded(None, [], PARIS) is None


def test_rows_are_ordered_by_their_update_even_where_a_date_is_later() -> None:
    """The end of an adverse event, copied into all its rows, must not change their order."""
    earlier = recorded(read_moment("2014-01-16", PARIS), _moments("2014-02-10"), PARIS)
    later = recorded(read_moment("2014-01-20", PARIS), _moments("2014-02-10"), PARIS)
    assert isinstance(earlier, Recorded)
    assert isinstance(later, Recorded)
    assert earlier.text == later.text
    assert earlier.order < later.order


def test_a_zone_that_once_had_seconds_is_written_in_utc() -> None:
    """RFC 3339 cannot write Paris's +00:09:21."""
    found = recorded(None, _moments("1905-06-01"), PARIS)
    assert found is not None
    assert found.text == "1905-06-01T23:50:38+00:00"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("2017-02-20T--:30", "2017-02-20"),
        ("2017-02-20T-:30", "2017-02-20"),
        ("2017---15", "2017"),
        ("2017-02-20T10", "2017-02-20"),
        ("2017-02-20T24:00", "2017-02-21T00:00:00+01:00"),
        ("2017-02-20T24:00:00", "2017-02-21T00:00:00+01:00"),
        ("2017-02-20/2017-02-25", "2017-02-20"),
        ("2017-02-20T10:00/2017-02-20T10:30", "2017-02-20T10:00:00+01:00"),
        ("2017-02-20/", "2017-02-20"),
        ("20170220", "2017-02-20"),
        ("20170230", "2017-02"),
        ("20FEB2017", "2017-02-20"),
        ("20FEB2017:10:30:00", "2017-02-20T10:30:00+01:00"),
        ("20-févr-2017", "2017-02-20"),
        ("UN-FEB-2017", "2017-02"),
        ("2017-02-UN", "2017-02"),
        ("2017-UN-UN", "2017"),
        ("2017-02-", "2017-02"),
        ("2017-2-5", "2017-02-05"),
        ("2017/02/20", "2017-02-20"),
        ("2017-02-30", "2017-02"),
        ("2017-13-05", "2017"),
        ("2017-W08-1", "2017-02-20"),
        ("2017-W09", "2017"),
        ("2017-051", "2017-02-20"),
        ("2017-366", "2017"),
        ("2017-02-20T10:00+01", "2017-02-20T10:00:00+01:00"),
        ("2017-02-20T10:00+1", "2017-02-20T10:00:00+01:00"),
        ("2017-02-20T1000", "2017-02-20T10:00:00+01:00"),
        ("2017-02-20T", "2017-02-20"),
        ("2017-02-20T25:00", "2017-02-20"),
        ("2017-02-20T10:00 CET", "2017-02-20"),
        ("20/02/2017", "2017-02-20"),
        ("02/20/2017", "2017-02-20"),
        ("05/05/2017", "2017-05-05"),
        ("05/02/2017", "2017"),
    ],
)
def test_the_readable_head_of_a_date_is_kept_and_said(text: str, written: str) -> None:
    """Whatever stands behind it, and in whatever notation; day and month that cannot be told apart are not guessed."""
    moment = read_moment(text, "Europe/Paris")
    assert moment.text == written
    assert moment.said or moment.remarks


@given(st.text("0123456789-/:.TZ+WUNK ABCDEFGJLMOPRSVY?,~", max_size=30))
def test_no_text_raises_anything_but_a_sentence(text: str) -> None:
    """And what is read is a date of the contract."""
    try:
        moment = read_moment(text, "Europe/Paris")
    except ValueError as error:
        assert str(error)  # noqa: PT017
    else:
        assert moment.first <= moment.last
        assert read_moment(moment.text, "Europe/Paris").text == moment.text
