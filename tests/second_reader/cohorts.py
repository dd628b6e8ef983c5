"""The board of Part A: who was treated at each dose level, who is evaluable, and what 3+3 decides (rules.md §5)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from tests.second_reader.dates import certainly_before, exactly, midnight
from tests.second_reader.record import WINDOW_DAYS, Json, Record
from tests.second_reader.verdicts import Reader

Row = dict[str, Any]


def board(events: Sequence[Json], as_of: datetime) -> dict[int | None, Row]:
    """Each dose level's counts and decision."""
    rows: dict[int | None, Row] = {}
    for subject in sorted({event["subject"] for event in events}):
        reader = Reader([event for event in events if event["subject"] == subject], as_of)
        record = reader.record
        if record.population == "part-b" or not record.doses:
            continue
        empty = dict.fromkeys(("treated", "evaluable", "pending", "replaceable", "dlts"), 0)
        row = rows.setdefault(record.enrolment.get("dose_level"), empty)
        row["treated"] += 1
        standing = _standing(reader)
        row["dlts"] += standing == "dlt"
        row["evaluable" if standing == "dlt" else standing] += 1
    for level, row in rows.items():
        dlts, evaluable, pending = row["dlts"], row["evaluable"], row["pending"]
        row["hold"] = dlts >= 2
        row["decision"] = None if level is None else _decide(dlts, evaluable, pending)
        row["best_case"] = None if level is None else _decide(dlts, evaluable + pending, 0)
        row["worst_case"] = None if level is None else _decide(dlts + pending, evaluable + pending, 0)
    return rows


def _decide(dlts: int, evaluable: int, pending: int) -> str:
    if dlts >= 2:
        return "stop"
    if pending or evaluable < 3:
        return "pending"
    return "expand" if dlts == 1 and evaluable < 6 else "escalate"


def _standing(reader: Reader) -> str:
    cases = reader.cases().values()
    if any(case.counts for case in cases):
        return "dlt"
    is_open = any(
        word in ("possible", "watch") and clause != "HY"
        for case in cases
        if not case.overruled
        for clause, word in case.clauses.items()
    )
    if is_open:
        return "pending"
    record = reader.record
    if _seen_after(record):
        return "evaluable"
    return "replaceable" if _left_before(record) else "pending"


def _last_midnights(record: Record) -> list[datetime]:
    """When day 35 ends, for each day that day 1 may be."""
    return [midnight(day + timedelta(days=WINDOW_DAYS), record.zone) for day in record.first_days()]


def _seen_after(record: Record) -> bool:
    seen = [visit["date"] for visit in record.visits if visit["status"] != "missed"]
    seen += [lab["collected"] for lab in record.labs if lab.get("status") != "not-done"]
    seen += [dose["given"] for dose in record.doses]
    return any(all(record.certain(text).lo >= end for end in _last_midnights(record)) for text in seen)


def _left_before(record: Record) -> bool:
    left = record.left_study()
    if left is None:
        return False
    date = record.certain(left["date"])
    return all(certainly_before(date, exactly(end)) for end in _last_midnights(record))
