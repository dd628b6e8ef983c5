"""One record and its versions: which is in effect, whatever the order in which they come."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

import pytest

from projections.folds.record_history import (
    RecordHistory,
    RecordVersion,
    conflicting_revisions,
    effective,
    ignored_retractions,
    with_version,
)
from projections.rules.logic.truth import EventKey


def v(revision: int, time: int = 0, name: str = "a", source: str = "s", *, back: bool = False) -> RecordVersion:
    """A version, ``back`` where it takes the record back. Its event is its name and cannot be compared."""
    return RecordVersion(revision, time, name, source, back, {"name": name}, time)


def history(versions: Sequence[RecordVersion]) -> RecordHistory:
    known: RecordHistory = (versions[0],)
    for version in versions[1:]:
        known = with_version(known, version)
    return known


REPORTED, CORRECTED, BACK = v(1), v(2), v(3, back=True)

EFFECTIVE = [
    ("one version", [REPORTED], REPORTED),
    ("the highest revision", [REPORTED, CORRECTED], CORRECTED),
    ("gaps are allowed", [v(1), v(1_500_000_000_000)], v(1_500_000_000_000)),
    ("retracted", [REPORTED, BACK], None),
    ("only a retraction", [BACK], None),
    ("revived after a retraction", [REPORTED, v(2, back=True), v(3)], v(3)),
    ("a retraction older than the record", [v(3), v(2, back=True)], v(3)),
    ("one revision twice: the later time", [v(1, 5, "a"), v(1, 9, "b")], v(1, 9, "b")),
    ("an earlier time with a greater id", [v(1, 9, "a"), v(1, 5, "z")], v(1, 9, "a")),
    ("one revision and time: the greater id", [v(1, 5, "a"), v(1, 5, "b")], v(1, 5, "b")),
    ("one id from two sources: the greater source", [v(1, 5, "a", "s"), v(1, 5, "a", "t")], v(1, 5, "a", "t")),
    ("a later retraction of the same revision", [v(1, 5), v(1, 9, "b", back=True)], None),
    ("an earlier retraction of the same revision", [v(1, 9), v(1, 5, "b", back=True)], v(1, 9)),
    ("ids as text, not as numbers", [v(1, 0, "9"), v(1, 0, "10")], v(1, 0, "9")),
]


@pytest.mark.parametrize(("name", "versions", "expected"), EFFECTIVE, ids=[name for name, _, _ in EFFECTIVE])
def test_which_version_is_in_effect_does_not_depend_on_the_order(
    name: str, versions: list[RecordVersion], expected: RecordVersion | None
) -> None:
    for order in permutations(versions):
        assert effective(history(order)) == expected


def test_a_version_that_is_known_changes_nothing() -> None:
    """The very same history comes back, so that the caller sees that nothing is new."""
    known = history([v(1), v(2), v(3)])
    for version in (v(1), v(2), v(3)):
        assert with_version(known, version) is known


def test_the_event_itself_never_decides() -> None:
    """Two contents that cannot be ordered stand in one history."""
    assert len(history([v(1, 0, "a"), v(1, 0, "b"), v(2, 0, "a")])) == 3


def test_a_history_is_kept_whole_and_ascending() -> None:
    versions = [v(3), v(1, 7), v(2, back=True), v(1, 2)]
    assert [(version.revision, version.time) for version in history(versions)] == [(1, 2), (1, 7), (2, 0), (3, 0)]


@pytest.mark.parametrize(
    ("versions", "expected"),
    [
        ([v(1), v(2)], []),
        ([v(1, 1), v(1, 2)], [1]),
        ([v(1, 1), v(1, 2), v(1, 3), v(2), v(5, 1), v(5, 2, back=True)], [1, 5]),
    ],
)
def test_two_contents_under_one_revision_are_asked_about(versions: list[RecordVersion], expected: list[int]) -> None:
    assert conflicting_revisions(history(versions)) == expected


@pytest.mark.parametrize(
    ("versions", "expected"),
    [
        ([v(2), v(1, back=True)], [1]),
        ([v(5), v(6), v(1, back=True), v(2, name="b", back=True)], [1, 2]),
        ([v(1), v(2, back=True)], []),
        ([v(1), v(2, back=True), v(3)], []),
        ([v(3, back=True)], []),
        ([v(2), v(3, back=True), v(1, back=True)], []),
        ([v(1, 9), v(1, 5, "b", back=True)], []),
    ],
    ids=[
        "older",
        "two older",
        "in effect",
        "revived after it",
        "nothing else",
        "another is in effect",
        "of the same revision",
    ],
)
def test_a_retraction_older_than_the_record_is_ignored_and_asked_about(
    versions: list[RecordVersion], expected: list[int]
) -> None:
    assert [version.revision for version in ignored_retractions(history(versions))] == expected


def test_a_version_can_be_cited() -> None:
    assert v(1, 0, "e-1", "urn:site").reference == EventKey("urn:site", "e-1")
