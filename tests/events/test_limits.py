"""Where a rule begins: one step before it the event is taken."""

from __future__ import annotations

import json
from typing import Any

import pytest

from events.acceptance import TrialContract
from events.codec import LINE_BYTES_MAX, Codec
from events.errors import ForeignSubject
from tests.events.samples import CODEC, TIME, accepted, ae, error_of, event, lab, line, refused


@pytest.mark.parametrize(
    ("date", "taken"),
    [
        ("2017-03-20T09:15:00Z", True),
        ("2017-03-20T09:15:00.000001Z", False),
        ("2017-03-20T10:15:00+01:00", True),
        ("2017-03-20T09:15:01Z", False),
        # At 09:00 UTC the 20th has begun everywhere west of UTC-9, and the 21st nowhere: at UTC+14 it is 23:00.
        ("2017-03-20", True),
        ("2017-03-21", False),
        ("2017-03", True),
        ("2017-04", False),
        ("2017", True),
        ("2018", False),
    ],
)
def test_nothing_is_later_than_the_event_itself(date: str, taken: bool) -> None:
    """Fifteen minutes are tolerated for a date-time; a bare date may have begun at UTC+14."""
    assert (error_of(lab(collected=date)) is None) is taken
    assert (error_of(line("visit.recorded", {"date": date})) is None) is taken
    assert error_of(line("visit.recorded", {"date": date, "status": "missed"})) is None


@pytest.mark.parametrize(("time", "taken"), [("2017-03-20T10:00:00Z", True), ("2017-03-20T09:59:59.999999Z", False)])
def test_a_day_begins_first_at_utc_plus_14(time: str, taken: bool) -> None:
    """Midnight of the 21st at UTC+14 is 10:00 of the 20th in UTC; the tolerance is for date-times only."""
    assert (error_of(line("lab.resulted", {"collected": "2017-03-21"}, time=time)) is None) is taken


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("subject.enrolled", {"enrolled": "2200-12-31"}),
        ("subject.enrolled", {"enrolled": "1900"}),
        ("subject.enrolled", {"enrolled": "1900-01-01T00:00:00+14:00"}),
        ("subject.enrolled", {"birth_year": 1900}),
        ("ae.reported", {"onset": "1900-01"}),
    ],
)
def test_years_1900_to_2200_are_taken(kind: str, data: dict[str, Any]) -> None:
    """The year is that which is written, whatever it is in UTC."""
    accepted(line(kind, data, time="2200-12-31T23:59:59-12:00"))


@pytest.mark.parametrize("time", ["2201-01-01T00:00:00+14:00", "1899-12-31T23:59:59-12:00"])
def test_other_years_are_not(time: str) -> None:
    """Even where UTC would be inside."""
    assert "the year must lie within 1900-2200" in refused(line("lab.resulted", time=time)).error


def test_texts_lists_and_lines_have_a_longest() -> None:
    """2,000 characters (not bytes), 500 items, 256 KiB."""
    accepted(ae(term="é" * 2000))
    assert refused(ae(term="é" * 2001)).field == "data.term"
    accepted(ae(identifiers=[{"system": "s", "value": "v"}] * 500))
    assert refused(ae(identifiers=[{"system": "s", "value": "v"}] * 501)).field == "data.identifiers"
    accepted(ae(x={"a": ["x" * 2000] * 100, "b": [0] * 500}))
    accepted(ae(x={str(i): i for i in range(500)}))
    assert refused(ae(x={str(i): i for i in range(501)})).field == "data.x"
    assert refused(ae(x={"k" * 2001: 1})).field == "data.x"
    raw = ae()
    accepted(raw + b" " * (LINE_BYTES_MAX - len(raw)))
    assert "bytes; at most" in refused(raw + b" " * (LINE_BYTES_MAX - len(raw) + 1)).error


def test_nesting_has_a_deepest() -> None:
    """32 levels inside ``x``."""

    def nested(levels: int) -> dict[str, Any]:
        return {"a": nested(levels - 1)} if levels > 1 else {"a": 1}

    accepted(ae(x=nested(32)))
    assert refused(ae(x=nested(33))).error == "data.x: nested too deeply; at most 32 levels are taken"


@pytest.mark.parametrize("grade", ["3.0", "3e0", "30E-1"])
def test_a_whole_number_may_be_written_with_a_fraction_of_nothing(grade: str) -> None:
    """JSON has one type of number."""
    raw = ae(grade=3, grades=[{"grade": 1, "from": "2017-03"}]).replace(b'"grade": 3', f'"grade": {grade}'.encode())
    data: Any = accepted(raw.replace(b'"revision": 1', b'"revision": 1.0')).event.data
    assert (data.grade, data.revision) == (3, 1)
    assert isinstance(data.grade, int)


def test_a_repaired_number_hides_no_other_fault() -> None:
    """Neither beside it nor in itself."""
    assert refused(ae(grade=3.0, term=1)).field == "data.term"
    assert refused(ae(grade=7.0)).error == "data.grade: 7 is not a CTCAE grade 1-5"


def test_numbers_may_be_whole_or_not() -> None:
    """And zero is no negative concentration."""
    for value in (0, -0.0, 5, 5.5, 1e-30, 1e300):
        data: Any = accepted(lab(value=value)).event.data
        assert data.value == value


@pytest.mark.parametrize(
    ("earlier", "later", "certain"),
    [
        ("2017-03-01", "2017-03-02", True),
        ("2017-03-01", "2017-03-01", False),
        ("2017-03", "2017-03-02", False),
        ("2017-02", "2017-03", True),
        ("2017-03-01T10:00:00+01:00", "2017-03-01T09:00:00Z", False),
        ("2017-03-01T09:00:00Z", "2017-03-01T09:00:01Z", True),
        # The day may last until noon of the next in UTC, at UTC-12; it may begin at 10:00 the day before, at UTC+14.
        ("2017-03-01", "2017-03-02T11:59:59Z", False),
        ("2017-03-01", "2017-03-02T12:00:00Z", True),
        ("2017-03-01T09:59:59Z", "2017-03-02", True),
        ("2017-03-01T10:00:00Z", "2017-03-02", False),
    ],
)
def test_an_end_is_before_an_onset_only_for_certain(earlier: str, later: str, certain: bool) -> None:
    """In every time zone there is. The same holds for steps."""
    assert (error_of(ae(onset=later, end=earlier)) is not None) is certain
    assert (error_of(ae(onset=later, grades=[{"grade": 3, "from": earlier}])) is not None) is certain
    assert (error_of(ae(end=earlier, grades=[{"grade": 3, "from": later}])) is not None) is certain
    assert error_of(ae(onset=earlier, end=later)) is None


@pytest.mark.parametrize(
    ("dates", "taken"),
    [
        (["2017-03-01", "2017-03-01", "2017-03-02"], True),
        (["2017-03-02", "2017-03-01"], False),
        (["2017-03", "2017-03-01"], True),
        (["2017-03-05", "2017-03"], False),
        (["2017-03-02", "2017-03-02T00:00:00Z"], True),
        (["2017-03-02", "2017-03-01T09:59:59Z"], False),
        (["2017-03-02T12:00:01Z", "2017-03-02"], False),
        (["2017-03-02T12:00:00Z", "2017-03-02"], True),
        # The third is certainly before the first, though the second may lie on either side of both.
        (["2017-03-03", "2017-03-02T20:00:00Z", "2017-03-02"], False),
    ],
)
def test_steps_ascend_by_their_first_instants(dates: list[str], taken: bool) -> None:
    """Equal ones are allowed, and only what is certain is refused."""
    steps = [{"grade": 2, "from": date} for date in dates]
    assert (error_of(ae(grades=steps)) is None) is taken


@pytest.mark.parametrize("name", ["Europe/Paris", "UTC", "America/Argentina/Ushuaia"])
def test_iana_time_zones_are_taken(name: str) -> None:
    """Those that are the same everywhere."""
    accepted(line("subject.enrolled", {"time_zone": name}))


@pytest.mark.parametrize("name", ["", "Europe", "CET+1", "../Europe/Paris", "/etc/localtime", "localtime", "right/UTC"])
def test_other_names_are_not_time_zones(name: str) -> None:
    """Directories, paths, and what only this machine knows."""
    assert refused(line("subject.enrolled", {"time_zone": name})).field == "data.time_zone"


def test_received_is_the_stamp_or_else_the_time() -> None:
    """A file that never passed the gateway has no stamp."""
    plain = accepted(lab())
    assert plain.time == plain.received == 1490000400000000
    stamped = accepted(line("lab.resulted", receivedtime="2017-03-20T10:00:05.123456789+01:00"))
    assert (stamped.time, stamped.received) == (plain.time, plain.time + 5_123_456)
    assert accepted(line("lab.resulted", time="2017-03-20t09:00:00z")).time == plain.time


def test_a_pattern_may_name_no_site() -> None:
    """Then any site may own the subject."""
    codec = Codec(TrialContract("NCT02977156", r"S-[0-9]{3}", frozenset({"pexa-vec"})))
    for site in ("FR01", "FR02"):
        assert codec.decode(line("lab.resulted", subject="S-001", site=site)).event.trial == "NCT02977156"
    with pytest.raises(ForeignSubject):
        codec.decode(line("lab.resulted", subject="S-0011"))


def test_a_site_is_checked_again_after_it_was_right() -> None:
    """What is remembered of a subject is only what was in order."""
    for _ in range(2):
        accepted(lab())
        assert isinstance(refused(line("lab.resulted", site="FR02")), ForeignSubject)


def test_events_about_no_subject_may_carry_anything_as_extensions() -> None:
    """A subject of theirs is an extension attribute, which is kept and ignored."""
    raw = event("clock.reached", source="urn:toxwatch:x", type="toxwatch.protocol.activated.v1")
    raw["data"] = {"protocol": "isi-jx", "version": "1", "rules_version": "1", "sha256": "0" * 64}
    CODEC.decode(json.dumps(raw | {"subject": "anyone", "site": 1}).encode())
    del raw["subject"], raw["site"]
    CODEC.decode(json.dumps(raw).encode())


def test_toxwatch_may_leave_the_site_out() -> None:
    """Of a clock event it knows the subject."""
    assert CODEC.decode(line("clock.reached", source="urn:toxwatch:x", site=...)).event.time == TIME
