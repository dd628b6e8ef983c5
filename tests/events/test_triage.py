"""What is read of a line that was refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from events.codec import LINE_BYTES_MAX, looks_severe, readable_id
from events.triage import readable_record, readable_source
from services.platform.time_source import elapsed_seconds
from tests.events.samples import ae, lab, line

SEVERE: list[dict[str, Any]] = [
    {"grade": 3},
    {"grade": 4.0},
    {"grade": 7},
    {"grade": "3"},
    {"grade": " 4 "},
    {"Grade": 5},
    {"ctcae_grade": 3},
    {"grades": [{"grade": 1, "from": "2017"}, {"grade": "3", "from": "2017"}]},
    {"serious": True},
    {"serious": "yes"},
    {"serious": 1},
    {"seriousness": ["hospitalisation"]},
    {"seriousness": "death"},
    {"outcome": "fatal"},
    {"outcome": "Fatal"},
]
MILD: list[dict[str, Any]] = [
    {},
    {"grade": 2},
    {"grade": "2"},
    {"grade": None},
    {"grade": "severe"},
    {"grade": True},
    {"serious": False},
    {"serious": "no"},
    {"seriousness": []},
    {"outcome": "recovered"},
    {"term": 'text with "grade": 4 in it'},
    {"x": {"grade": 5, "serious": True}},
]


@pytest.mark.parametrize("data", SEVERE)
@pytest.mark.parametrize("make", [ae, lab])
def test_a_severe_line_is_known_however_it_is_broken(data: dict[str, Any], make: Any) -> None:
    """Whole, cut off after its data, in another encoding, without a type that is known."""
    raw = make(**data)
    assert looks_severe(raw)
    assert looks_severe(raw[:-2])
    assert looks_severe(raw + b"garbage")
    assert looks_severe(raw.decode().encode("utf-16"))
    assert looks_severe(b"\xef\xbb\xbf" + raw)
    assert looks_severe(raw.replace(b'"type"', b'"typo"'))
    assert looks_severe(raw.replace(b".reported.v1", b".reported.v9").replace(b".resulted.v1", b".result"))
    assert looks_severe(json.dumps(json.loads(raw), separators=(",", ":")).encode()[:-2])


@pytest.mark.parametrize("data", MILD)
def test_a_mild_line_is_not_severe(data: dict[str, Any]) -> None:
    """Nor what only quotes one."""
    assert not looks_severe(ae(**data))
    if not {"term", "x"} & set(data):
        assert not looks_severe(ae(**data)[:-2])


def test_of_two_grades_the_higher_counts() -> None:
    """A key given twice is why the line was refused."""
    assert looks_severe(ae(grade=4).replace(b'"grade": 4', b'"grade": 4, "grade": 1'))


@pytest.mark.parametrize("kind", ["visit.recorded", "ae.retracted", "dlt.adjudicated", "clock.reached"])
def test_another_known_type_is_not_severe(kind: str) -> None:
    """Whatever it says, cut or whole, in any version."""
    raw = line(kind, {"grade": 4, "serious": True})
    assert not looks_severe(raw)
    assert not looks_severe(raw[:-2])
    assert not looks_severe(raw.replace(b".v1", b".v2"))


def test_no_line_is_too_strange() -> None:
    """Nothing but an answer comes back."""
    for raw in (b"", b"[" * 100_000, b'"grade"', b"null", b"\xff" * 10, b'{"grade": 1e999}', b"1" * 5000):
        assert looks_severe(raw) in (True, False)
        assert readable_id(raw) is None
    assert looks_severe(b'{"grade": 1e999}')
    assert looks_severe(b'{"grade": 9' + b"9" * 400 + b"}")


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        (ae(), "e-1"),
        (ae()[:-5], "e-1"),
        (b'{"ae_id": "AE-1", "id" : "e\\u00e9"', "eé"),
        (b'{"id": "e-2", "data": {"evidence": [{"id": "no"}]}}', "e-2"),
        (b'{"id": 5}', None),
        (b'{"data": {"id": "inner"}}', None),
        (b'{"id": "cut', None),
        (line("ae.reported", id="x" * 300), "x" * 200),
    ],
)
def test_the_id_is_read_where_it_can_be(raw: bytes, found: str | None) -> None:
    """For the sender to find the line again."""
    assert readable_id(raw) == found


def test_the_record_is_read_however_the_line_is_broken() -> None:
    """Whole, cut, in another encoding, under an unknown type; not out of a sender's own `x`."""
    raw = ae(grade=4)
    for line_ in (raw, raw[:-2], raw.decode().encode("utf-16"), raw.replace(b".reported.v1", b".told")):
        assert readable_record(line_) == ("FR01-001", "ae", "AE-1")
        assert readable_source(line_) == "urn:site:FR01:edc"
    assert readable_record(lab(grade=3)) == ("FR01-001", "lab", "L-1")
    assert readable_record(line("ae.reported", {"ae_id": 7, "x": {"ae_id": "AE-2"}})) == ("FR01-001", None, None)
    assert readable_record(b"[1]") == (None, None, None)
    assert readable_source(b"\xff") is None


@pytest.mark.parametrize("key", [b'{"grade":', b'{"serious":', b'{"seriousness":[', b'{"outcome":"', b'{"type":'])
def test_blanks_behind_a_key_are_passed_once(key: bytes) -> None:
    """A line of them, as long as a line may be, must not keep the gateway busy for minutes."""
    began = elapsed_seconds()
    assert not looks_severe(key + b" " * LINE_BYTES_MAX + b"]")
    assert elapsed_seconds() - began < 5
