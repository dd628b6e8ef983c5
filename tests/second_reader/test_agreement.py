"""Two readers of one specification come to the same verdicts on random timelines.

``TOXWATCH_SECOND_READER_TIMELINES=10000`` reads as many as that; CI reads a few hundred.
"""

from __future__ import annotations

import ast
import os
from pathlib import Path

import pytest

from tests.properties.timelines import random_subject, random_timeline
from tests.second_reader.cohorts import board
from tests.second_reader.timelines import instants, is_clear, of_the_product, readable, to_the_second
from tests.second_reader.verdicts import judged

TIMELINES = int(os.environ.get("TOXWATCH_SECOND_READER_TIMELINES", "320"))
PIECES = 4


@pytest.mark.slow
@pytest.mark.parametrize("piece", range(PIECES))
def test_both_readers_come_to_the_same_verdicts(piece: int) -> None:
    """Verdict, clauses, overrule, count, population and the next instant, of every case at three instants."""
    asked = compared = found = 0
    for seed in range(piece, TIMELINES, PIECES):
        pairs = readable(random_subject(seed))
        events = [event for _, event in pairs]
        for at in instants(pairs):
            asked += 1
            if not is_clear(pairs, at):
                continue
            compared += 1
            ours, _ = of_the_product(pairs, at)
            theirs = judged(events, at)
            for case in theirs.values():
                case["due"] = to_the_second(case["due"])
            assert ours == theirs, (seed, at.isoformat())
            found += len(ours)
    # Most of what is drawn is compared, and has something to compare.
    assert compared > 0.6 * asked
    assert found > compared


@pytest.mark.slow
def test_both_readers_count_cohorts_alike() -> None:
    """Treated, evaluable, pending, replaceable, with a toxicity; the hold, the decision, and what it could become."""
    rows = 0
    for seed in range(TIMELINES // 2):
        pairs = readable(random_timeline(seed))
        at = instants(pairs)[-1]
        if is_clear(pairs, at):
            _, ours = of_the_product(pairs, at)
            assert ours == board([event for _, event in pairs], at), seed
            rows += len(ours)
    assert rows > TIMELINES // 8


def test_the_second_reader_shares_no_rule_with_the_first() -> None:
    """It reads the lexicon's table and nothing else of ``projections``; what compares may call the product."""
    for path in Path(__file__).parent.glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        imported = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        imported += [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
        assert not [name for name in imported if name.split(".")[0] in ("projections", "services")], path.name
