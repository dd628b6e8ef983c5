"""What nobody has read of a resource or row is told: the same code for every format."""

from __future__ import annotations

import csv
import io
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.importers.consumed import Element, Left, UnreadColumns, may_be_severe, tell_left
from services.importers.report import ImportReport

NAMES = st.text("abcxyz.[0]", min_size=1, max_size=5)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5))
TREES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=12,
)


def lines(out: io.StringIO) -> list[dict[str, str]]:
    return list(csv.DictReader(out.getvalue().splitlines()))


def read_all(element: Element) -> None:
    """Read every leaf, as a reader that knows the whole shape would."""
    if isinstance(element.raw, dict):
        for name in element.names():
            read_all(element[name])
        if not element.raw:
            element.ignore(reason="an empty object says nothing")
    elif isinstance(element.raw, list):
        for each in element:
            read_all(each)
    else:
        element.text()


def places(node: Any) -> list[Any]:
    """Every object of a tree."""
    if isinstance(node, dict):
        return [node, *(found for child in node.values() for found in places(child))]
    return [found for child in node for found in places(child)] if isinstance(node, list) else []


def test_what_is_read_is_not_told_and_what_is_not_read_is_told_once_as_far_up_as_nothing_in_it_was_read() -> None:
    tree = Element(
        "Observation", {"id": "o1", "value": {"unit": "U/L", "amount": 4}, "note": [{"text": "a", "by": {"x": 1}}]}
    )
    assert tree["id"].text() == "o1"
    assert tree["value"]["unit"].text() == "U/L"
    assert list(tree.left()) == [
        Left("Observation.value.amount", "4"),
        Left("Observation.note", '[{"text": "a", "by": {"x": 1}}]'),
    ]


def test_a_value_of_another_type_than_expected_stays_unread() -> None:
    """So that it is told without code of its own: an object where a text is meant, a word where a flag is."""
    tree = Element("X", {"a": {"deep": 1}, "b": ["c"], "d": "perhaps", "e": "true"})
    assert tree["a"].text() == tree["b"].text() == ""
    assert (tree["d"].flag(), tree["e"].flag()) == (None, True)
    assert [part.path for part in tree.left()] == ["X.a", "X.b", "X.d"]


def test_what_is_absent_reads_as_empty_and_a_single_value_as_a_list_of_one() -> None:
    tree = Element("X", {"one": {"code": "a"}})
    assert tree["no"]["such"]["path"].text() == ""
    assert [each["code"].text() for each in tree["one"]] == ["a"]
    assert not list(tree["none"])


def test_what_is_ignored_on_purpose_is_not_told_and_what_is_unknown_beside_it_is() -> None:
    coding = {"system": "s", "code": "c", "odd": 1}
    tree = Element("X", {"meta": {"tag": [{"any": 1}]}, "coding": [coding]})
    tree.ignore("meta", reason="of the server")
    tree["coding"].ignore_within(frozenset({"system", "code"}), reason="read elsewhere")
    assert list(tree.left()) == [Left("X.coding[0].odd", "1")]


def test_what_was_read_and_could_not_be_used_is_told_again() -> None:
    tree = Element("X", {"id": "1", "date": {"start": "yesterday"}})
    assert tree["id"].text() == "1"
    assert tree["date"]["start"].text() == "yesterday"
    tree["date"].unread()
    assert list(tree.left()) == [Left("X.date", '{"start": "yesterday"}')]


@given(TREES, NAMES, SCALARS, st.integers(min_value=0))
def test_an_unknown_member_anywhere_appears_in_the_report(tree: Any, name: str, value: Any, place: int) -> None:
    """Whatever the shape of the resource, and although all else in it is read."""
    document = {"known": tree}
    known = Element("X", document)
    read_all(known)
    assert not list(known.left())
    objects = places(document)
    chosen = objects[place % len(objects)]
    unknown = f"{name}?"
    chosen[unknown] = value
    again = Element("X", document)
    again._read = known._read
    told = list(again.left())
    assert len(told) == 1
    assert unknown in f"{told[0].path} {told[0].value}"


def test_a_line_is_urgent_where_what_is_lost_may_be_severe() -> None:
    out = io.StringIO()
    report = ImportReport(out)
    assert tell_left(report, "f", 3, Element("X", {"toxicityGrade": 4, "colour": "red"})) == 1
    other = Element("Y", {"TOXGRADE": "4", "COLOUR": "red", "read": "x"})
    assert other["read"].text() == "x"
    assert tell_left(report, "f", 4, other) == 2
    assert [(line["field"], line["urgent"]) for line in lines(out)] == [
        ("X", "yes"),
        ("Y.TOXGRADE", "yes"),
        ("Y.COLOUR", ""),
    ]
    assert report.urgent == 2


def test_columns_that_many_rows_leave_unread_are_counted_and_those_of_urgent_rows_told_singly() -> None:
    out = io.StringIO()
    report, columns = ImportReport(out), UnreadColumns("ae.csv")
    for number in range(1, 4):
        row = Element("row", {"ID": str(number), "COLOUR": "red"})
        assert row["ID"].text() == str(number)
        columns.add(report, number, row, urgent=number == 2)
    columns.tell(report)
    assert [(line["row"], line["field"], line["urgent"]) for line in lines(out)] == [
        ("2", "row.COLOUR", "yes"),
        ("", "row.COLOUR", ""),
    ]
    assert "rows with a value here: 2" in lines(out)[1]["message"]


def test_words_that_may_say_something_severe() -> None:
    for text in ("CTCAE_GRADE", "sévère", "décès", "DTHFL", "life-threatening", "C41340", "suspectEntity", "AEREL2"):
        assert may_be_severe(text), text
    for text in ("performer", "colour: red", "address"):
        assert not may_be_severe(text), text
