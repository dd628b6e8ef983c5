"""LB: results as they were reported. A million rows go through here, so that what repeats is worked out once."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final, NamedTuple

from projections.ctcae.analytes import analyte, analytes
from projections.ctcae.spellings import read_unit
from projections.ctcae.table import FILES, criteria
from services.importers.code_lists import normal
from services.importers.columns import LabTest
from services.importers.drafts import REVISION, Draft
from services.importers.reading import NUMBER, Reading, plain_number
from services.importers.rows import Row
from services.importers.study import Study

COMPARATORS: Final = {"≤": "<=", "≥": ">=", "=<": "<=", "=>": ">="}
_RESULT: Final = re.compile(rf"(<=|>=|=<|=>|<|>|≤|≥)?\s*({NUMBER.pattern})", re.ASCII)
_TESTCD: Final = re.compile(r"[A-Z_][A-Z0-9_]{0,7}", re.ASCII)
# Binary noise of a single-precision number is below one part in eight million of it.
NOISE: Final = Decimal("3e-7")

_PLAIN: Final = LabTest()


class Result(NamedTuple):
    """A reported value: a number with its comparator, or neither. ``odd``: it has more decimals than were declared."""

    comparator: str | None
    value: float | int | None
    odd: bool


def lab_resulted(row: Row, study: Study) -> list[Draft]:
    """A row of LB as ``lab.resulted``."""
    reading = Reading(row, study)
    columns, codes = study.mapping.lb, study.mapping.codes
    record = reading.record_id(columns.id, "result")
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


@lru_cache(maxsize=65536)
def read_result(text: str, decimals: int | None) -> Result:
    """A value as a number, with its binary noise taken off where the number of decimals is known."""
    found = _RESULT.fullmatch(text)
    if found is None or not math.isfinite(float(found[2])):
        return Result(None, None, False)
    comparator = COMPARATORS.get(found[1], found[1]) if found[1] else None
    if decimals is None:
        return Result(comparator, plain_number(found[2]), False)
    exact = Decimal(found[2])
    clean = round(exact, decimals)
    if abs(clean - exact) > NOISE * max(abs(exact), Decimal(1)):
        return Result(comparator, plain_number(found[2]), True)
    return Result(comparator, plain_number(format(clean, "f")), False)


def _test_code(reading: Reading, name: str, test: LabTest) -> str:
    if test.test is None and _TESTCD.fullmatch(name) is None:
        column, _ = reading.row.pick(reading.study.mapping.lb.test)
        message = "not a CDISC test code, and not in the mapping's [lb.tests]: kept as it is, which is not graded"
        reading.unmapped(column, name, message)
    return test.test or name


def _value(reading: Reading, test: LabTest) -> dict[str, Any]:
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


def _unit(reading: Reading, name: str, test: LabTest) -> dict[str, Any]:
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
        reading.unmapped(column, unit, f"unit {unit} is not known for {code}: written as it is, and not graded")
        return {"unit": elsewhere.ucum or None}
    if graded_without_unit(code):
        reading.unmapped(column, unit, f"unit {unit} is not known for {code}: left out, graded by its limits")
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


def _limit(reading: Reading, columns: tuple[str, ...], test: LabTest) -> float | int | None:
    column, text = reading.row.pick(columns)
    if not text:
        return None
    result = read_result(text, test.decimals)
    if result.value is None or result.comparator is not None:
        reading.unmapped(column, text, "a limit that is not a number: left out")
        return None
    return result.value


def _specimen(reading: Reading, test: LabTest) -> str | None:
    columns, codes = reading.study.mapping.lb, reading.study.mapping.codes
    column, word = reading.row.pick(columns.specimen)
    said: str | None = codes.specimen.get(normal(word)) if word else None
    if word and said is None:
        # Only blood is graded: what is not known must not be taken for it.
        reading.unmapped(column, word, "not in the code list: other, which is not graded")
        said = "other"
    said = said or test.specimen
    if said is None:
        implied = reading.text(columns.specimen_implied)
        said = codes.specimen.get(implied.upper()) if implied else None
    return said or None


def _visit(reading: Reading) -> str | None:
    columns = reading.study.id_columns(reading.study.mapping.lb.visit)
    return ".".join(reading.row.values[column].strip() for column in columns) or None
