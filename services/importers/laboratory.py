"""LB: results as they were reported. A million rows go through here, so that what repeats is worked out once."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final

from projections.ctcae.analytes import analyte, analytes
from projections.ctcae.specimens import specimen_named
from projections.ctcae.spellings import read_unit
from projections.ctcae.table import FILES, criteria
from services.files.rows import Row
from services.importers.code_lists import normal
from services.importers.columns import LabTest
from services.importers.drafts import REVISION, EventDraft
from services.importers.losses import matters
from services.importers.reading import RowReading
from services.importers.results import read_result
from services.importers.study import Study

_TESTCD: Final = re.compile(r"[A-Z_][A-Z0-9_]{0,7}", re.ASCII)

_PLAIN: Final = LabTest()


def lab_resulted(row: Row, study: Study) -> list[EventDraft]:
    """A row of LB as ``lab.resulted``."""
    reading = RowReading(row, study)
    columns, codes = study.mapping.lb, study.mapping.codes
    record = study.part + reading.record_id(columns.id, "result")
    name = reading.required(columns.test, "test")
    test = columns.tests.get(name, _PLAIN)
    collected = reading.required_date(columns.collected, "date of collection")
    data: dict[str, Any] = {
        "lab_id": record,
        REVISION: 1,
        "test": _test_code(reading, name, test),
        "loinc": reading.text(columns.loinc),
        **_value(reading, test),
        **_unit(reading, name, test),
        "lln": _limit(reading, columns.lln, test),
        "uln": _limit(reading, columns.uln, test),
        "collected": collected.text,
        "timepoint": reading.word(columns.timepoint, codes.timepoint),
        "specimen": _specimen(reading, test),
        "status": reading.word(columns.status, codes.lab_status),
        "fasting": reading.flag(columns.fasting),
        "visit_id": _visit(reading),
    }
    return [reading.draft("LB", "lab.resulted", record, data, (collected,), columns.update)]


def _test_code(reading: RowReading, name: str, test: LabTest) -> str:
    if test.test is None and _TESTCD.fullmatch(name) is None:
        column, _ = reading.row.pick(reading.study.mapping.lb.test)
        message = "not a CDISC test code, and not in the mapping's [lb.tests]: kept as it is, which is not graded"
        _tell(reading, column, name, message)
    return test.test or name


def _value(reading: RowReading, test: LabTest) -> dict[str, Any]:
    columns = reading.study.mapping.lb.value
    text = reading.text(columns)
    if text is None:
        return {}
    result = read_result(text, test.decimals)
    if result.value is None:
        return {"text": text}
    if result.odd:
        reading.note(columns, f"more decimals than the {test.decimals} of the mapping: not rounded")
    return {"value": result.value, "comparator": result.comparator}


def _unit(reading: RowReading, name: str, test: LabTest) -> dict[str, Any]:
    """The unit in UCUM. One that is not known for a test that is graded is reported.

    What is graded as a multiple of its limits can do without it: there it is left out, and kept in ``x``. Elsewhere it stays
    as it is written, so that the question about it can name it.
    """
    columns = reading.study.mapping.lb
    column, unit = reading.row.pick(columns.unit)
    if not unit:
        return {"unit": test.unit or None}
    known = test.units.get(unit)
    if known is None:
        known = columns.units.get(unit)
    if known is not None:
        return {"unit": known or None}
    code = analyte(test.test or name)
    spelled = read_unit(unit, code)
    if spelled is not None:
        return {"unit": spelled.ucum or None}
    if code not in analytes():
        return {"unit": unit}
    elsewhere = read_unit(unit)
    if elsewhere is not None:
        _tell(reading, column, unit, f"unit {unit} is not known for {code}: written as it is, and not graded")
        return {"unit": elsewhere.ucum or None}
    if graded_without_unit(code):
        _tell(reading, column, unit, f"unit {unit} is not known for {code}: left out, graded by its limits")
        return {"x": {"unit": unit}}
    reading.unmapped(
        column, unit, f"unit {unit} is not known for {code}: not graded; the mapping can say it (lb.units)"
    )
    return {"unit": unit}


@lru_cache(maxsize=256)
def graded_without_unit(code: str) -> bool:
    """Whether every version of CTCAE grades the test as a multiple of its limits or its baseline."""
    found = [criterion for version in FILES for criterion in criteria(version).get(code, ())]
    return not any(criterion.needs_unit for criterion in found)


def _limit(reading: RowReading, columns: tuple[str, ...], test: LabTest) -> float | int | None:
    column, text = reading.row.pick(columns)
    if not text:
        return None
    result = read_result(text, test.decimals)
    if result.value is None or result.comparator is not None:
        _tell(reading, column, text, "a limit that is not a number: left out")
        return None
    return result.value


def _specimen(reading: RowReading, test: LabTest) -> str | None:
    """What the row says, else what the mapping says of the test, else what the category or the test's name implies."""
    mapping = reading.study.mapping
    column, word = reading.row.pick(mapping.lb.specimen)
    if word:
        listed: str | None = mapping.codes.specimen.get(normal(word))
        said = listed if listed is not None else specimen_named(word)
        if said is None:
            # Only blood is graded: what is not known must not be taken for it.
            _tell(reading, column, word, "not in the code list: other, which is not graded")
            said = "other"
        return said or None
    if test.specimen is not None:
        return test.specimen
    for name in mapping.lb.specimen_implied:
        implied = reading.row.values.get(name, "")
        found = (mapping.codes.specimen.get(normal(implied)) or specimen_named(implied)) if implied.strip() else None
        if found:
            return found
    return None


def _tell(reading: RowReading, column: str, value: str, message: str) -> None:
    """A line about something that keeps a result from being graded: urgent where the result may be severe."""
    reading.unmapped(column, value, message, urgent=matters("LB", reading.row, reading.study))


def _visit(reading: RowReading) -> str | None:
    columns = reading.study.id_columns(reading.study.mapping.lb.visit)
    return ".".join(reading.row.values[column].strip() for column in columns) or None
