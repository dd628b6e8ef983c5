"""``data_base64``: JSON that a sender's library was given as bytes is read as if it stood there as ``data``."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from events.base64_data import with_plain_data
from events.codec import looks_severe
from events.triage import readable_record
from tests.events.samples import CODEC, accepted, error_of, event, refused


def in_base64(data: bytes | None = None, **attributes: Any) -> bytes:
    """An adverse event whose data is base64: of its own, or of other bytes."""
    whole = event("ae.reported", {"grade": 4}, **attributes)
    own = json.dumps(whole.pop("data")).encode()
    return json.dumps({**whole, "data_base64": base64.b64encode(own if data is None else data).decode()}).encode()


@pytest.mark.parametrize("content_type", [..., "application/json", "application/json; charset=utf-8"])
def test_json_in_base64_is_read(content_type: Any) -> None:
    """With and without a content type, which is JSON where none is given; the JSON stays as its sender wrote it."""
    raw = in_base64(
        b' {"ae_id": "AE-1",  "revision": 1, "term": "Col\\u0069tis", "grade": 4}\n', datacontenttype=content_type
    )
    assert accepted(raw).event.data.grade == 4  # type: ignore[union-attr]
    assert b'"data": {"ae_id": "AE-1",  "revision": 1, "term": "Col\\u0069tis", "grade": 4}}' in with_plain_data(raw)
    assert CODEC.decode(with_plain_data(raw)) == CODEC.decode(raw)


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b'{"ae_id": "AE-1", "revision": 1, "term": "x", "grade": 7}', "data.grade: 7 is not a CTCAE grade 1-5"),
        (b'{"ae_id": "AE-1"', "data_base64: what it encodes is not JSON: the JSON breaks off"),
        (b'{"a": 1, "a": 2}', "data_base64: what it encodes is not JSON: 'a' is given twice"),
        (b'{"ae_id": "\xff"}', "data_base64: what it encodes is not JSON: byte 12 is not UTF-8"),
        (b'{}, "site": "FR02"', "data_base64: what it encodes is not JSON: something follows"),
        (b"", "data_base64: what it encodes is not JSON: the line is empty"),
        (b"[1]", "data: a list is not an object"),
    ],
)
def test_what_is_wrong_in_it_is_said(data: bytes, error: str) -> None:
    """Of the field within, or of the base64; and it adds no attribute to the event."""
    assert str(error_of(in_base64(data))).startswith(error)


@pytest.mark.parametrize("value", ["n\u00e9", "abc", "?!", 1, None, {}, "eyJ h"])
def test_what_is_no_base64_is_refused(value: Any) -> None:
    """Each with a sentence."""
    raw = json.dumps({**json.loads(in_base64()), "data_base64": value}).encode()
    assert str(error_of(raw)).startswith("data_base64: not ")


@pytest.mark.parametrize("name", [b"data_base64", b"data\\u005fbase64"])
@pytest.mark.parametrize("value", [b'"e30="', b"null"])
def test_data_in_both_forms_is_refused(name: bytes, value: bytes) -> None:
    """Or a sender means the one, and the other is judged. Also under an escaped name."""
    raw = json.dumps(event("ae.reported")).encode()[:-1] + b', "' + name + b'": ' + value + b"}"
    assert error_of(raw) == "data_base64: data is given too; send one of the two"


def test_a_refused_event_is_read_for_severity_all_the_same() -> None:
    """Grade 4 of a record, in base64: as it is, with data that is broken, and on a line that was cut."""
    severe = in_base64(site="FR02")
    assert refused(severe).field == "site"
    assert looks_severe(severe)
    assert readable_record(severe) == ("FR01-001", "ae", "AE-1")
    cut_within = in_base64(b'{"ae_id": "AE-1", "term": "x", "grade": 4, "onset": "20')
    mild = in_base64(b'{"ae_id": "AE-1", "term": "x", "grade": 2, "onset": "20')
    assert looks_severe(cut_within)
    assert looks_severe(severe[:-3])
    assert not looks_severe(mild)
    assert not looks_severe(mild[:-3])
