"""When two deliveries are one event."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.identity import derived_id, same_content
from tests.events.samples import ae, event, lab, line

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def test_the_same_content_may_be_written_otherwise() -> None:
    """Order, white space, escapes, and how a number is written."""
    whole = event("lab.resulted", {"value": 120, "text": "é"})
    turned = dict(reversed(whole.items())) | {"data": dict(reversed(whole["data"].items()))}
    raw = json.dumps(whole).encode()
    assert same_content(raw, json.dumps(turned, indent=2, ensure_ascii=False).encode())
    assert same_content(raw, raw.replace(b"120", b"1.2e2"))


def test_what_is_added_on_the_way_is_no_content() -> None:
    """The trace and the stamp."""
    stamped = line("lab.resulted", receivedtime="2017-03-20T09:00:01Z", traceparent="00-a-b-01")
    assert same_content(stamped, lab())
    assert not same_content(line("lab.resulted", actor="u-1"), lab())
    assert not same_content(ae(x={"receivedtime": "a"}), ae(x={"receivedtime": "b"}))


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ({"a": 1}, {"a": True}, False),
        ({"a": 0}, {"a": False}, False),
        ({"a": None}, {}, False),
        ({"a": [1, 2]}, {"a": [2, 1]}, False),
        ({"a": 2**60}, {"a": 2**60}, True),
        ({"a": 2**60}, {"a": 2**60 + 1}, False),
        ({"a": 2**60, "b": 1}, {"a": 2**60, "b": True}, False),
        ({"a": "\ud800"}, {"a": "\ud800"}, True),
        ({"a": "\ud800"}, {"a": "\udbff"}, False),
        ({"a": float("nan")}, {"a": float("nan")}, True),
    ],
)
def test_values_are_compared_as_json(a: dict[str, Any], b: dict[str, Any], same: bool) -> None:
    """Those that have no canonical form too."""
    assert same_content(json.dumps(a).encode(), json.dumps(b, indent=1).encode()) is same


@given(JSON)
def test_any_value_is_itself(value: Any) -> None:
    """In whatever form it is written."""
    assert same_content(json.dumps({"a": value}).encode(), json.dumps({"a": value}, indent=1).encode())


def test_what_is_no_json_is_itself_only() -> None:
    """And nothing is raised."""
    assert same_content(b"{", b"{")
    assert not same_content(b"{", b"{ ")
    assert not same_content(b"[" * 100_000, b"[" * 100_001)
    assert not same_content(b"\xff", b"{}")
    assert same_content(b"[1]", b"[ 1 ]")


def test_a_derived_id_is_derived_for_ever() -> None:
    """From its parts and their bounds."""
    assert derived_id("NCT02977156", "FR01-001", "ae:AE-1") == "eb84f270-5438-56bf-8f85-91b8d997925e"
    assert len({derived_id("a", "bc"), derived_id("ab", "c"), derived_id("abc"), derived_id("a", "b", "c")}) == 4
    assert derived_id() == derived_id()


def test_json_is_json_whether_it_is_said_or_not() -> None:
    """CloudEvents: without a content type the data are JSON. Another content type is another content."""
    said = b'{"id": "1", "datacontenttype": "application/json", "data": {}}'
    assert same_content(said, b'{"id": "1", "data": {}}')
    assert same_content(said, b'{"id": "1", "datacontenttype": "application/json; charset=UTF-8", "data": {}}')
    assert not same_content(said, b'{"id": "1", "datacontenttype": "application/json; profile=x", "data": {}}')
