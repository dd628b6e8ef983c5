"""Where events of a batch begin and end, however the batch is broken; and that nobody can make this take long."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.bodies import BODY_BYTES_MAX
from services.gateway.splitting import TooManyError, elements, lines
from services.platform.time_source import elapsed_seconds

#: Far more than it takes, and far less than what grows with the square of the size.
SECONDS_MAX = 20

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(VALUES, max_size=6), st.sampled_from([None, 1]), st.booleans())
def test_the_elements_of_a_whole_array_are_its_bytes(values: list[object], indent: int | None, escaped: bool) -> None:
    """Whatever they are, and however they are written; put together again they are the array."""
    written = [json.dumps(value, indent=indent, ensure_ascii=escaped) for value in values]
    body = (" [" + " ,\n".join(written) + "\t] ").encode("utf-8", "surrogatepass")
    expected = [text.encode("utf-8", "surrogatepass") for text in written]
    assert elements(body, 100) == (expected, None)


@given(st.binary(max_size=60) | st.text('[]{},:"\\ 1x', max_size=60).map(str.encode))
def test_no_byte_that_matters_is_lost(junk: bytes) -> None:
    """Of a body that is anything at all: every byte but those between elements is in one of the pieces."""
    pieces, complaint = elements(b"[" + junk, 1000)
    kept = b"".join(pieces) + (complaint.rest if complaint is not None else b"")
    assert [byte for byte in kept if byte not in b" \t\r\n,]"] == [byte for byte in junk if byte not in b" \t\r\n,]"]


def test_too_many() -> None:
    """Neither more lines nor more elements than are allowed."""
    assert len(lines(b"1\n\n2\r\n \n3", 3)) == 3
    assert len(elements(b"[1,2,3]", 3)[0]) == 3
    with pytest.raises(TooManyError):
        lines(b"1\n2\n3", 2)
    with pytest.raises(TooManyError):
        elements(b"[1,2,3]", 2)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("start", "repeated"),
    [
        (b'["', b'\\"'),
        (b"", b"["),
        (b"[x", b",{"),
        (b"[x", b',{"specversion":1,"a":[1'),
        (b"[", b'{"a":x,'),
        (b"[", b'"a" '),
        (b"[", b"x,"),
        (b"[", b"{" + b" " * 1000 + b"x,"),
        (b"[", b"{" + b" " * 1000 + b"x},"),
        (b'[x,{"specversion":1,"a":[' + b'0,{"specversion":1,"a":[' * 900, b"0,"),
    ],
)
def test_a_hostile_batch_does_not_take_long(start: bytes, repeated: bytes) -> None:
    """10 MiB of what is hard to take apart."""
    body = start + repeated * (BODY_BYTES_MAX // len(repeated))
    began = elapsed_seconds()
    with contextlib.suppress(TooManyError):
        elements(body, 10_000)
    assert elapsed_seconds() - began < SECONDS_MAX
