"""What a report of a lower revision says beyond the one in effect: graver things call for a person, the rest is a query."""

from __future__ import annotations

import pytest

from projections.folds.subject_chart import SubjectChart
from projections.folds.superseded import superseded_by_known
from projections.protocols.isi_jx import PROTOCOL
from tests.files.writing import FR01, Json
from tests.folds.charts import decoded, questions

EARLIER = "2017-03-21T00:00:00Z"
KNOWN = "2017-03-22T00:00:00Z"
LATER = "2017-03-23T00:00:00Z"
ASKED = (
    "Revision 2 came after revision 5, and is not used: which one is right? Send what holds under a higher revision."
)
GONE = FR01.event("ae.retracted", {"ae_id": "AE-1", "revision": 5, "reason": "entered twice"}, time=KNOWN)


def ae(revision: int, time: str, **data: object) -> Json:
    return FR01.ae(data={"revision": revision, **data}, time=time)


def lab(revision: int, time: str, **data: object) -> Json:
    return FR01.lab(data={"revision": revision, **data}, time=time)


MILD = ae(5, KNOWN, grade=2)
DEAD = FR01.discontinued("2017-03-20", "death", time=LATER, revision=2)
LEFT = FR01.discontinued("2017-03-20", "other", time=KNOWN, revision=5)

SAYS_MORE: list[tuple[str, Json, Json, tuple[str, ...]]] = [
    ("a higher grade", MILD, ae(2, LATER, grade=3), ("grade 3",)),
    ("a higher step", MILD, ae(2, LATER, grade=2, grades=[{"grade": 4, "from": "2017-02-20"}]), ("grade 4",)),
    ("a grade where none is known", ae(5, KNOWN, grade=...), ae(2, LATER, grade=3), ("grade 3",)),
    ("serious", MILD, ae(2, LATER, grade=2, serious=True), ("serious",)),
    ("a reason to be serious", MILD, ae(2, LATER, grade=2, seriousness=["disability"]), ("serious (disability)",)),
    (
        "one more reason to be serious",
        ae(5, KNOWN, grade=2, seriousness=["hospitalisation"]),
        ae(2, LATER, grade=2, seriousness=["hospitalisation", "life-threatening"]),
        ("serious (life-threatening)",),
    ),
    ("fatal", MILD, ae(2, LATER, grade=2, outcome="fatal"), ("fatal",)),
    ("a death among what makes it serious", MILD, ae(2, LATER, grade=2, seriousness=["death"]), ("fatal", "serious")),
    ("a severe report of a record that was retracted", GONE, ae(2, LATER, grade=3), ("grade 3",)),
    ("a severe result", lab(5, KNOWN), lab(2, LATER, value=900), ("grade 4",)),
    ("a death where the subject had left otherwise", LEFT, DEAD, ("fatal",)),
]

SAYS_NO_MORE: list[tuple[str, Json, Json]] = [
    ("no higher than grade 2", ae(5, KNOWN, grade=1), ae(2, LATER, grade=2)),
    ("the same grade", ae(5, KNOWN, grade=4), ae(2, LATER, grade=4)),
    ("a lower grade", ae(5, KNOWN, grade=4), ae(2, LATER, grade=3)),
    ("serious as before", ae(5, KNOWN, serious=True), ae(2, LATER, serious=True)),
    ("a higher grade, recorded before", ae(5, KNOWN, grade=2), ae(2, EARLIER, grade=4)),
    ("a result in order", lab(5, KNOWN, value=900), lab(2, LATER)),
    ("a retraction", ae(5, KNOWN, grade=2), FR01.retracted("ae", {"ae_id": "AE-1"}, time=LATER)),
]


def judged(known: Json, sent: Json) -> tuple[int, int, tuple[str, ...]] | None:
    chart = SubjectChart(PROTOCOL, "FR01-001")
    for event in (known, sent):
        logged = decoded(event)
        chart.fold(logged.event, logged.time, logged.received)
    found = superseded_by_known(chart, decoded(sent).event)
    return tuple(found) if found is not None else None  # type: ignore[return-value]


@pytest.mark.parametrize(("name", "known", "sent", "more"), SAYS_MORE, ids=[name for name, *_ in SAYS_MORE])
def test_what_is_graver_than_what_is_in_effect_is_named(
    name: str, known: Json, sent: Json, more: tuple[str, ...]
) -> None:
    assert judged(known, sent) == (2, 5, more)


@pytest.mark.parametrize(("name", "known", "sent"), SAYS_NO_MORE, ids=[name for name, *_ in SAYS_NO_MORE])
def test_what_is_no_graver_calls_nobody(name: str, known: Json, sent: Json) -> None:
    assert judged(known, sent) == (2, 5, ())


def test_a_higher_revision_is_superseded_by_nothing() -> None:
    assert judged(ae(2, KNOWN), ae(5, LATER)) is None
    assert judged(ae(2, KNOWN), FR01.lab(time=LATER)) is None


@pytest.mark.parametrize(("name", "known", "sent", "more"), SAYS_MORE, ids=[name for name, *_ in SAYS_MORE])
def test_every_report_that_is_not_used_is_asked_about(
    name: str, known: Json, sent: Json, more: tuple[str, ...]
) -> None:
    """In whatever order the lines of a file stand; until a higher revision settles it."""
    asked = [question for _, question in questions([known, sent]) if "is not used" in question]
    assert asked == [ASKED]
    assert ASKED in [question for _, question in questions([sent, known])]


def test_a_higher_revision_settles_the_question() -> None:
    known, sent = ae(5, KNOWN, grade=2), ae(2, LATER, grade=3)
    settled = ae(6, "2017-03-24T00:00:00Z", grade=3)
    assert [text for _, text in questions([known, sent, settled]) if "is not used" in text] == []


def test_an_older_version_that_was_only_late_is_asked_about_where_it_was_received_later() -> None:
    """Its stamp says so; in a file without stamps nothing does, and the order of lines means nothing."""
    known, late = ae(5, KNOWN, grade=2), ae(2, EARLIER, grade=2)
    assert questions([known, late]) == []
    stamped = [{**known, "receivedtime": "2017-03-22T00:00:01Z"}, {**late, "receivedtime": "2017-03-22T00:00:02Z"}]
    assert [text for _, text in questions(stamped)] == [ASKED]
