"""The stamp of the gateway: put in and taken out again, and no part of an event's size."""

from __future__ import annotations

import json

import pytest

from events.codec import LINE_BYTES_MAX
from events.dates import parse_instant
from events.errors import TooLarge
from events.identity import same_content
from events.stamp import STAMP_BYTES_MAX, stamp_size, stamped, unstamped
from tests.events.samples import CODEC, TIME, ae, refused

INSTANT = parse_instant(TIME)


@pytest.mark.parametrize("received", [INSTANT, INSTANT + 1])
@pytest.mark.parametrize("end", [b"", b" ", b" \t"])
def test_an_event_is_stamped_and_is_the_same_event(received: int, end: bytes) -> None:
    """Every byte of the sender's stays, in its place."""
    raw = ae() + end
    body = stamped(raw, received)
    assert CODEC.decode(body).received == received
    assert unstamped(body) == raw
    assert same_content(raw, body)
    assert 0 < stamp_size(body) == len(body) - len(raw) <= STAMP_BYTES_MAX


def test_an_event_over_several_lines_becomes_one_line() -> None:
    """In JSON a line break only parts tokens."""
    raw = json.dumps(json.loads(ae()), indent=1).encode().replace(b"\n", b"\r\n")
    body = stamped(raw, INSTANT)
    assert b"\n" not in body
    assert b"\r" not in body
    assert same_content(raw, body)


def test_what_bears_no_stamp_is_left_as_it_is() -> None:
    """Also where a text looks like one."""
    for raw in (ae(), ae(term=',"receivedtime":"x"}'), b"", b"}"):
        assert unstamped(raw) == raw


def test_the_stamp_does_not_make_an_event_too_large() -> None:
    """Or the largest that a gateway takes could not be read from the log."""
    raw = ae()
    largest = raw[:-1] + b" " * (LINE_BYTES_MAX - len(raw)) + b"}"
    assert CODEC.decode(stamped(largest, INSTANT)).received == INSTANT
    assert isinstance(refused(stamped(largest[:-1] + b" }", INSTANT)), TooLarge)
