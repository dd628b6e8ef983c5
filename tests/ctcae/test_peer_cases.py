"""Agreement with another implementation, case by case, or a named reason why not."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.ctcae.peer_cases import DIFFERENCES, peer_cases


@pytest.mark.reference_data
def test_every_peer_case_agrees_or_has_a_named_difference(reference_data: Path) -> None:
    """2,439 cases of CTCAE 4.03 and 5.0; of those that differ each falls under a difference, and each as often as said."""
    cases = list(peer_cases(reference_data / "ctcae"))
    found: Counter[str] = Counter()
    unnamed: list[str] = []
    for case in cases:
        if case.agrees:
            continue
        name = next((difference.name for difference in DIFFERENCES if difference.applies(case)), None)
        if name is None:
            unnamed.append(f"{case.version} {case.id} {case.assay} {case.value}: {case.expected}, ours {case.grade()}")
        else:
            found[name] += 1
    assert unnamed == []
    assert found == {difference.name: difference.cases for difference in DIFFERENCES}
    assert len(cases) == 2439


@pytest.mark.reference_data
def test_where_the_peer_is_certain_our_bounds_hold_its_grade_unless_the_reading_differs(reference_data: Path) -> None:
    """Bounds for want of a baseline contain the grade that the peer gives without it."""
    doubtful = [
        (case, grade)
        for case in peer_cases(reference_data / "ctcae")
        if (grade := case.grade()) is not None and grade.grade is None and case.expected is not None
    ]
    assert doubtful
    for case, grade in doubtful:
        assert grade.grade_min is not None
        assert grade.grade_max is not None
        assert grade.grade_min <= (case.expected or 0) <= grade.grade_max
