"""A subject pattern that may keep us waiting for ever is refused at the start, and one that people use is not."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.subject_pattern import SlowPattern, check_pattern
from projections.protocols.isi_jx import PROTOCOL

TAKEN = [
    PROTOCOL.subject_pattern,
    r"^(?P<site>[A-Z]{2}[0-9]{2})-[0-9]{3,5}$",
    r"^[A-Z0-9]+(-[A-Z0-9]+)*$",
    r"^(?P<site>\d{3})-\d{3,}$",
    r"^[A-Za-z0-9._-]{1,64}$",
    r"^(FR|DE|GB)[0-9]{2}-[0-9]{4}(-R)?$",
    r"^[A-Z]+[A-Z0-9]*$",
    r"^(\d{3}){2}$",
    r"^.+$",
    r"^(?P<site>.+)-[0-9]+$",
    r"(?i)^s-(?!0000)[0-9]{4}$",
    r"^(?P<site>\w+?)-(\w+)$",
    r"^([0-9]{3}-?){2,4}[a-z]$",
    r"^(\w|\d)+$",
]
REFUSED = [
    r"^([0-9]+)*$",
    r"^(a+)+$",
    r"^(a|a)*$",
    r"^(a|aa)+$",
    r"^(a|ab|b)*c$",
    r"^([A-Z0-9]+-?)*$",
    r"^(?P<site>[A-Z]+)*-[0-9]+$",
    r"^(a*b*)*$",
    r"^((a?|b?)c)*$",
    r"^(\w|\d\d)+$",
    r"(?i)^(k|Kx?)*$",
    r"^(.*)(.*)(.*)(.*)(.*)(.*)x$",
    r"^a*a*a*a*a*a*a*a*b$",
    r"^(a|a){64}$",
    r"^(a{1,30}){1,30}$",
    r"^(?=(a+)+$)a*$",
    r"^(a+)\1$",
    r"^(?:(?:x{0,9}){0,9}){0,9}$",
]


@pytest.mark.parametrize("pattern", TAKEN)
def test_patterns_of_real_studies_are_taken(pattern: str) -> None:
    """Fixed lengths, hyphens, optional ends, look-ahead."""
    check_pattern(pattern)


@pytest.mark.parametrize("pattern", REFUSED)
def test_patterns_that_may_take_for_ever_are_refused(pattern: str) -> None:
    """With a sentence, and in no time."""
    began = time.monotonic()
    with pytest.raises(SlowPattern):
        check_pattern(pattern)
    assert time.monotonic() - began < 10


PIECES = st.recursive(
    st.sampled_from(["a", "b", "[ab]", ".", "-", r"\d", "[0-9]"]),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{1,3}", "{2,}"])).map(
            lambda said: f"(?:{said[0]}){said[1]}"
        ),
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda said: f"(?:{said[0]}|{said[1]})"),
    ),
    max_leaves=8,
)


@given(pattern=PIECES, ids=st.lists(st.text("ab-1", min_size=30, max_size=40), max_size=3))
def test_what_is_taken_is_matched_in_no_time(pattern: str, ids: list[str]) -> None:
    """Whatever the pattern is made of: ids that fit nearly, and then in none of its ways."""
    try:
        check_pattern(pattern)
    except SlowPattern:
        return
    compiled = re.compile(pattern)
    for subject in (*ids, "a" * 39 + "!", "ab" * 19 + "!", "1" * 39 + "!", "a-" * 19 + "!"):
        began = time.thread_time()
        compiled.fullmatch(subject)
        assert time.thread_time() - began < 0.5, subject
