"""SV: the visits that took place, and those that did not."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal

from services.files.rows import Row, RowRefusedError
from services.importers.drafts import REVISION, EventDraft
from services.importers.reading import RowReading
from services.importers.study import Study


def visit_recorded(row: Row, study: Study) -> list[EventDraft]:
    """A row of SV as ``visit.recorded``."""
    reading = RowReading(row, study)
    columns = study.mapping.sv
    visit = reading.record_id(columns.id, "visit")
    name = reading.required(columns.name, "name of the visit")
    date = reading.required_date(columns.date, "date of the visit")
    end = reading.date(columns.end)
    if end is not None and end.last < date.first:
        column, value = row.pick(columns.end)
        raise RowRefusedError(column, value, f"before the start of the visit, {date.text}")
    data = {
        "visit_id": visit,
        REVISION: 1,
        "name": name,
        "date": date.text,
        "status": _status(reading, name),
        "ecog": reading.whole(columns.ecog),
        "weight_kg": reading.number(columns.weight_kg),
    }
    return [reading.draft("SV", "visit.recorded", visit, data, [date, end], columns.update)]


def _status(reading: RowReading, name: str) -> Literal["completed", "missed", "unscheduled"]:
    columns = reading.study.mapping.sv
    if reading.flag(columns.occurred) is False:
        return "missed"
    unplanned = reading.text(columns.unplanned) is not None or _named_so(columns.unscheduled, name)
    return "unscheduled" if unplanned else "completed"


@lru_cache(maxsize=4096)
def _named_so(pattern: str, name: str) -> bool:
    return bool(pattern) and re.search(pattern, name, re.IGNORECASE) is not None
