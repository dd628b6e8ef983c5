"""Every open question about a subject: asked once, at its site, and closed by the event that answers it."""

from __future__ import annotations

from collections.abc import Iterable

from projections.folds.open_queries import OpenQuery, asked_by, changes, open_queries
from projections.folds.trial_projection import TrialProjection, findings_of
from projections.protocols.isi_jx import PROTOCOL
from tests.files.writing import FR01, Json
from tests.folds.charts import AS_OF, chart_of, decoded

SEVERE = {"test": "NEUT", "unit": "10*9/L", "lln": 1.8, "uln": 7.5, "value": 0.4}
LATER = "2017-03-21T00:00:00Z"


def asked(events: Iterable[Json]) -> list[OpenQuery]:
    chart = chart_of(events)
    return open_queries(chart, asked_by(findings_of(chart, AS_OF)))


def test_what_records_ask_and_what_cases_ask_stands_together() -> None:
    """A result without a unit, and a severe one that no adverse event accounts for."""
    events = [*FR01.treated(), FR01.lab("L-7", data={"unit": "furlong"}), FR01.lab("L-8", data=SEVERE)]
    found = asked(events)
    assert {(query.subject, query.site) for query in found} == {("FR01-001", "FR01")}
    assert {query.record for query in found} == {"lab:L-7", "lab:NEUT"}
    assert any("Is it related?" in query.question for query in found)


def test_the_site_is_named_by_the_id_where_there_is_no_enrolment() -> None:
    assert {query.site for query in asked([FR01.lab(data={"unit": "furlong"})])} == {"FR01"}


def test_the_event_that_answers_closes_the_question_and_opens_no_other() -> None:
    """An adverse event that accounts for the draw; a revision of the result that names its unit."""
    events = [*FR01.treated(), FR01.lab("L-7", data={"unit": "furlong"}), FR01.lab("L-8", data=SEVERE)]
    before = asked(events)
    course = {"term": "Neutropenia", "grade": 4, "onset": "2017-02-20", "end": "2017-02-28"}
    unrelated = {"investigator": {"pexa-vec": "unrelated", "ipilimumab": "unrelated"}}
    reported = FR01.ae(data={**course, "causality": unrelated}, time=LATER)
    after = changes(before, asked([*events, reported]))
    assert after.opened == []
    assert {query.record for query in after.closed} == {"lab:NEUT"}
    corrected = FR01.lab("L-7", data={"revision": 2}, time=LATER)
    last = changes(before, asked([*events, corrected]))
    assert (last.opened, {query.record for query in last.closed}) == ([], {"lab:L-7"})


def test_the_order_of_arrival_changes_no_question() -> None:
    events = [*FR01.treated(), FR01.lab("L-7", data={"unit": "furlong"}), FR01.lab("L-8", data=SEVERE), FR01.ae()]
    assert asked(events) == asked(reversed(events))


def test_assess_lists_them() -> None:
    trial = TrialProjection(PROTOCOL)
    for event in [*FR01.treated(), FR01.lab("L-8", data=SEVERE)]:
        logged = decoded(event)
        trial.fold(logged.event, logged.time)
    questions = (
        "Is it related? No adverse event accounts for it: report one, or say why not.",
        "When was it below grade 3 again?",
    )
    assert trial.as_json(AS_OF)["queries"] == [
        {"subject": "FR01-001", "record": "lab:NEUT", "question": question} for question in questions
    ]
