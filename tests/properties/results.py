"""Random laboratory results that crowd around grade 3, day 1, day 35, a week, and the multiples of Hy's law."""

from __future__ import annotations

from datetime import date
from typing import Any, Final, NamedTuple

from tests.properties.draws import Draw, days_after

Json = dict[str, Any]


class Kind(NamedTuple):
    """One test with its unit and limits, and values from normal to grade 4."""

    tests: list[str]
    unit: str
    lln: float
    uln: float
    values: list[float]


KINDS: Final = {
    "ALT": Kind(["ALT"], "U/L", 7, 40, [20, 119, 120, 130, 200, 201, 240, 801]),
    "AST": Kind(["AST"], "U/L", 8, 35, [20, 105, 106, 176, 200, 900]),
    "BILI": Kind(["BILI"], "umol/L", 3, 20, [9, 39, 40, 43, 50, 61, 210]),
    "ALP": Kind(["ALP"], "U/L", 40, 120, [90, 100, 132, 239, 240, 700]),
    "NEUT": Kind(["NEUT", "ANC"], "10*9/L", 1.8, 7.5, [0.3, 0.5, 0.7, 0.7, 1.2, 3.0]),
    "CREAT": Kind(["CREAT"], "umol/L", 50, 100, [40, 60, 95, 130, 190, 310, 610]),
    "CA": Kind(["CA"], "mmol/L", 2.1, 2.6, [1.45, 1.6, 1.7, 1.9, 2.3, 3.2]),
    "ALB": Kind(["ALB"], "g/L", 35, 50, [18, 25, 30, 40, 44]),
    "K": Kind(["K"], "mmol/L", 3.5, 5.1, [2.4, 2.8, 4.0, 6.2, 7.1]),
    "FOO": Kind(["FOO"], "g/L", 1, 2, [1]),
}
#: What a subject's results are about: analytes that are judged together, or one whose course matters.
PANELS: Final = [
    ["ALT"],
    *[["ALT", "BILI", "ALP"]] * 4,
    ["AST", "ALT", "BILI"],
    ["NEUT"],
    ["CREAT"],
    ["CA", "ALB"],
    ["K"],
    ["FOO", "ALT"],
]
#: Days since day 1.
DAYS: Final = [-6, -1, 0, 0, 1, 3, 5, 7, 8, 9, 12, 14, 21, 30, 33, 34, 35, 36, 45]


def results(draw: Draw, base: date, count: int) -> list[list[Json]]:
    """Records of results, each with its revisions; values of one analyte mostly stay where they are."""
    panel = draw.one_of(PANELS)
    usual = {name: draw.one_of(KINDS[name].values) for name in panel}
    records: list[list[Json]] = []
    for number in range(count):
        # Now and then two samples of one time, which count as one.
        when = records[-1][0]["collected"] if records and draw.chance(0.35) else _when(draw, base)
        name = draw.one_of(panel)
        first = _result(draw, f"L-{number}", KINDS[name], usual[name], when)
        revisions = [first]
        if draw.chance(0.2):
            other = draw.one_of(panel)
            later = _result(draw, f"L-{number}", KINDS[other], draw.one_of(KINDS[other].values), _when(draw, base))
            changed = later if draw.chance(0.3) else {**first, "value": later["value"], "status": "corrected"}
            revisions.append({**changed, "revision": draw.one_of([2, 2, 1, 3])})
        records.append(revisions)
    return records


def _when(draw: Draw, base: date) -> str:
    return draw.date(days_after(base, draw.one_of(DAYS)), 0.04, 0.6)


def _result(draw: Draw, name: str, kind: Kind, usual: float, when: str) -> Json:
    data: Json = {
        "lab_id": name,
        "revision": 1,
        "test": draw.one_of(kind.tests),
        "value": usual if draw.chance(0.6) else draw.one_of(kind.values),
        "unit": kind.unit if draw.chance(0.95) else draw.one_of([None, "furlong"]),
        "lln": kind.lln if draw.chance(0.93) else None,
        "uln": kind.uln if draw.chance(0.93) else None,
        "collected": when,
    }
    if draw.chance(0.06):
        data["comparator"] = draw.one_of(["<", ">", "<=", ">="])
    if draw.chance(0.25):
        data["timepoint"] = draw.one_of(["pre-dose", "post-dose"])
    if draw.chance(0.1):
        data["status"] = draw.one_of(["final", "preliminary", "not-done", "unreliable"])
    if draw.chance(0.04):
        data["specimen"] = draw.one_of(["urine", "serum", "plasma"])
    return data
