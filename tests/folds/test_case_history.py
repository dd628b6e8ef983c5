"""How a verdict came about: turns by events, and turns by nothing but time."""

from __future__ import annotations

from itertools import permutations

import pytest

from events.dates import format_instant, parse_instant
from projections.folds.case_history import VerdictChange, case_history
from projections.protocols.isi_jx import PROTOCOL
from tests.files.writing import FR01, UNRELATED, Json
from tests.folds.charts import decoded

OPEN_3 = {"grade": 3, "onset": "2017-02-20T10:00:00Z", "end": ..., "ongoing": True}
WATCHED = "2017-02-21T00:00:00Z"
DUE = "2017-02-27T10:00:00Z"


def turns(events: list[Json], until: str = "2017-04-01T00:00:00Z", case: str = "ae:AE-1") -> list[VerdictChange]:
    known = [(logged.time, logged) for logged in map(decoded, [*FR01.treated(), *events])]
    return case_history(PROTOCOL, "FR01-001", known, case, parse_instant(until))


def told(found: list[VerdictChange]) -> list[tuple[str, str | None, str | None]]:
    return [
        (format_instant(turn.at), turn.finding.verdict if turn.finding else None, turn.cause.id if turn.cause else None)
        for turn in found
    ]


def test_a_case_that_never_was_has_no_history() -> None:
    assert turns([]) == []
    assert turns([FR01.ae(data={"grade": 1})]) == []


def test_what_time_alone_did_has_no_cause() -> None:
    events = [FR01.ae(data=OPEN_3, time=WATCHED)]
    assert told(turns(events)) == [(WATCHED, "watch", "FR01-001.ae.reported.AE-1.r1"), (DUE, "met", None)]
    (watched, met) = turns(events)
    assert watched.finding is not None
    assert watched.finding.due == parse_instant(DUE)
    assert met.finding is not None
    assert met.finding.due is None


@pytest.mark.parametrize(
    ("until", "count"), [("2017-02-20T23:59:59Z", 0), (WATCHED, 1), ("2017-02-27T09:59:59Z", 1), (DUE, 2)]
)
def test_it_ends_at_the_instant_asked_about(until: str, count: int) -> None:
    """At ``due`` itself the new verdict holds."""
    assert len(turns([FR01.ae(data=OPEN_3, time=WATCHED)], until)) == count


def test_an_event_at_the_very_instant_comes_before_what_time_would_have_done() -> None:
    """Its grade was corrected at the instant at which it would have lasted long enough: it never did."""
    corrected = FR01.ae(data={**OPEN_3, "revision": 2, "grade": 2}, time=DUE)
    assert told(turns([FR01.ae(data=OPEN_3, time=WATCHED), corrected]))[1:] == [
        (DUE, None, "FR01-001.ae.reported.AE-1.r2")
    ]


def test_what_time_alone_did_is_told_once_whatever_comes_after() -> None:
    """The countdown ended; a report that says the same follows, and then one that corrects the grade."""
    same = FR01.ae(data={**OPEN_3, "revision": 2}, time="2017-03-01T00:00:00Z")
    corrected = FR01.ae(data={**OPEN_3, "revision": 3, "grade": 2}, time="2017-03-02T00:00:00Z")
    assert told(turns([FR01.ae(data=OPEN_3, time=WATCHED), same, corrected])) == [
        (WATCHED, "watch", "FR01-001.ae.reported.AE-1.r1"),
        (DUE, "met", None),
        ("2017-03-02T00:00:00Z", None, "FR01-001.ae.reported.AE-1.r3"),
    ]


def test_a_bare_onset_turns_twice_by_time_alone() -> None:
    """Seven days may be over from the seventh midnight on, and certainly are from the eighth."""
    found = told(turns([FR01.ae(data={**OPEN_3, "onset": "2017-02-20"}, time=WATCHED)]))
    assert [(verdict, cause) for _, verdict, cause in found][1:] == [("possible", None), ("met", None)]
    assert [at for at, _, _ in found][1:] == ["2017-02-26T23:00:00Z", "2017-02-27T23:00:00Z"]


def test_an_event_that_changes_nothing_is_no_turn() -> None:
    """A visit, another toxicity, the same record in other words."""
    events = [
        FR01.ae(),
        FR01.visit("2017-03-20", time="2017-03-21T00:00:00Z"),
        FR01.ae("AE-2", time="2017-03-22T00:00:00Z"),
        FR01.ae(data={"revision": 2, "term_language": "en"}, time="2017-03-23T00:00:00Z"),
    ]
    assert len(turns(events)) == 1


def test_a_verdict_that_went_and_came_back_turned_three_times() -> None:
    events = [
        FR01.ae(),
        FR01.ae(data={"revision": 2, "causality": UNRELATED}, time="2017-03-21T00:00:00Z"),
        FR01.ae(data={"revision": 3}, time="2017-03-22T00:00:00Z"),
        FR01.event("ae.retracted", {"ae_id": "AE-1", "revision": 4, "reason": "error"}, time="2017-03-23T00:00:00Z"),
    ]
    assert [verdict for _, verdict, _ in told(turns(events))] == ["met", None, "met", None]


def test_what_changed_another_record_can_change_the_case() -> None:
    """The first dose is corrected to a later day: the toxicity was before it."""
    moved = FR01.dosed("2017-02-21", data={"revision": 2}, time="2017-03-22T00:00:00Z")
    found = told(turns([FR01.ae(), moved]))
    assert found[-1] == ("2017-03-22T00:00:00Z", None, "FR01-001.treatment.administered.A-1.r2")


def test_an_overrule_is_a_turn() -> None:
    overrule = FR01.adjudicated("not-dlt", time="2017-03-25T00:00:00Z", data={"decided": "2017-03-24T00:00:00Z"})
    first, last = turns([FR01.ae(), overrule])
    assert first.finding is not None
    assert last.finding is not None
    assert (first.finding.overruled, last.finding.overruled) == (False, True)
    assert (first.finding.counts_as_dlt, last.finding.counts_as_dlt) == (True, False)


def test_the_order_in_which_events_are_given_is_immaterial() -> None:
    events = [
        FR01.ae(data=OPEN_3, time=WATCHED),
        FR01.ae(data={**OPEN_3, "revision": 2, "grade": 4}, time="2017-02-28T00:00:00Z"),
        FR01.adjudicated("dlt"),
    ]
    expected = told(turns(events))
    assert len(expected) > 2
    for order in permutations(events):
        assert told(turns(list(order))) == expected


def test_a_late_event_turns_the_case_when_it_became_known() -> None:
    """The instants are the caller's: here, when Toxwatch received it."""
    late = decoded(FR01.ae())
    received = parse_instant("2017-03-30T00:00:00Z")
    known = [(logged.time, logged) for logged in map(decoded, FR01.treated())] + [(received, late)]
    (turn,) = case_history(PROTOCOL, "FR01-001", known, "ae:AE-1", parse_instant("2017-04-01T00:00:00Z"))
    assert turn.at == received
