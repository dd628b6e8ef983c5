"""Random timelines in the form that the second reader reads, and what the product says of them, in the same form."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from events.codec import Logged
from tests.rules.scenario import assess
from tests.second_reader.laboratory import is_read
from tests.second_reader.record import Json
from tests.second_reader.verdicts import Reader, is_contradictory

Pair = tuple[Logged, Json]
Cases = dict[tuple[str, str], dict[str, Any]]

SAID = ("verdict", "clauses", "overruled", "counts_as_dlt", "population")
COUNTED = ("treated", "evaluable", "pending", "replaceable", "dlts", "hold", "decision", "best_case", "worst_case")


def readable(timeline: Sequence[Logged]) -> list[Pair]:
    """The events that the second reader knows how to read: no clocks, and of the results those that it can grade."""
    pairs = [(logged, json.loads(logged.event.model_dump_json(exclude_none=True))) for logged in timeline]
    pairs = [pair for pair in pairs if pair[1]["type"] != "toxwatch.clock.reached.v1"]
    unread = {
        (event["subject"], event["data"]["lab_id"])
        for _, event in pairs
        if event["type"] == "toxwatch.lab.resulted.v1" and not is_read(event["data"])
    }
    return [pair for pair in pairs if (pair[1]["subject"], pair[1]["data"].get("lab_id")) not in unread]


def instants(pairs: Sequence[Pair]) -> list[datetime]:
    """When they are asked: in the middle of the story, at its end, and half a month later."""
    times = sorted(datetime.fromisoformat(event["time"]).astimezone(UTC) for _, event in pairs)
    return sorted({times[len(times) // 2], times[-1], times[-1] + timedelta(days=15)})


def is_clear(pairs: Sequence[Pair], at: datetime) -> bool:
    """Whether no row of the record contradicts another: the specification does not say who is right then."""
    for subject in {event["subject"] for _, event in pairs}:
        reader = Reader([event for _, event in pairs if event["subject"] == subject], at)
        if any(is_contradictory(toxicity.rows, reader.record) for toxicity in reader.toxicities.values()):
            return False
    return True


def of_the_product(pairs: Sequence[Pair], at: datetime) -> tuple[Cases, dict[int | None, dict[str, Any]]]:
    """The product's cases and board."""
    found = assess([logged for logged, _ in pairs], at.isoformat().replace("+00:00", "Z"))
    cases = {
        (case["subject"], case["case"]): {
            **{name: case[name] for name in SAID},
            "due": to_the_second(datetime.fromisoformat(case["due"]) if case["due"] else None),
        }
        for case in found["cases"]
    }
    return cases, {row["dose_level"]: {name: row[name] for name in COUNTED} for row in found["cohorts"]}


def to_the_second(instant: datetime | None) -> datetime | None:
    """The second reader finds turns by halving, and ends of ranges to the microsecond after."""
    return instant and (instant + timedelta(milliseconds=500)).replace(microsecond=0)
