"""Results: grades by CTCAE v4.03 for the analytes that the timelines use, courses, and Hy's law (rules.md §4)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final, NamedTuple

from tests.second_reader.dates import NO, UNKNOWN, YES, When, apart, certainly_before, first_day, last_day
from tests.second_reader.record import Json, Record
from tests.second_reader.terms import explains
from tests.second_reader.toxicity import Toxicity

WEEK: Final = timedelta(hours=168)
EIGHT_DAYS: Final = timedelta(hours=192)
FORTNIGHT: Final = 14
SYNONYMS: Final = {"ANC": "NEUT"}

#: Upper ends of grades 1 to 3, in multiples of the upper limit.
TIMES_ULN: Final = {
    "ALT": ("1", "3", "5", "20"),
    "AST": ("1", "3", "5", "20"),
    "ALP": ("1", "2.5", "5", "20"),
    "BILI": ("1", "1.5", "3", "10"),
}
#: Lower ends of grades 1 to 3, below which the next begins.
LOW: Final = {"NEUT": ("1.5", "1.0", "0.5")}
UNITS: Final = {"ALT": "U/L", "AST": "U/L", "ALP": "U/L", "BILI": "umol/L", "NEUT": "10*9/L"}
DIRECTION: Final = {"ALT": "high", "AST": "high", "ALP": "high", "BILI": "high", "NEUT": "low"}


class Drawn(NamedTuple):
    """One sample: when it was taken, and the grades it may have. ``times_uln`` is None without a limit."""

    at: When
    low: int
    high: int
    times_uln: Decimal | None
    value: Decimal
    timepoint: str | None


def analyte(data: Json) -> str:
    return SYNONYMS.get(data["test"], data["test"])


def is_read(data: Json) -> bool:
    """Whether this reader knows how to grade the result; the timelines that it judges hold no others."""
    return (
        analyte(data) in UNITS
        and data.get("comparator") is None
        and data.get("value") is not None
        and data.get("unit") == UNITS[analyte(data)]
        and data.get("specimen") in (None, "blood", "serum", "plasma")
    )


def drawn(record: Record, name: str) -> list[Drawn]:
    """The gradable samples of one analyte, in order of time."""
    found = [
        _drawn(record, data)
        for data in record.labs
        if analyte(data) == name and data.get("status") not in ("not-done", "unreliable")
    ]
    return sorted(found, key=lambda one: (one.at.lo, one.at.hi))


def _drawn(record: Record, data: Json) -> Drawn:
    name, value = analyte(data), Decimal(str(data["value"]))
    at, timepoint = record.certain(data["collected"]), data.get("timepoint")
    uln = Decimal(str(data["uln"])) if data.get("uln") is not None else None
    if name in TIMES_ULN:
        if uln is None:
            return Drawn(at, 0, 4, None, value, timepoint)
        grade = sum(value > Decimal(cut) * uln for cut in TIMES_ULN[name])
        return Drawn(at, grade, grade, value / uln, value, timepoint)
    below = sum(value < Decimal(cut) for cut in LOW[name])
    lln = Decimal(str(data["lln"])) if data.get("lln") is not None else None
    if below:
        return Drawn(at, below + 1, below + 1, None, value, timepoint)
    if lln is None:
        return Drawn(at, 0, 1, None, value, timepoint)
    grade = 1 if value < lln else 0
    return Drawn(at, grade, grade, None, value, timepoint)


def draw_in_window(record: Record, one: Drawn) -> int:
    days = record.first_days()
    if not days:
        return record.in_window(one.at, one.at)
    answers = {_draw_in_window_of(record, day, one) for day in days}
    return answers.pop() if len(answers) == 1 else UNKNOWN


def _draw_in_window_of(record: Record, day: date, one: Drawn) -> int:
    place = record.place(day, one.at)
    if place in ("before", "after"):
        return NO
    if order_on_day_one(record, day, one) == "unknown":
        return NO if one.timepoint == "pre-dose" else YES if one.timepoint == "post-dose" else UNKNOWN
    return YES if place == "in" else UNKNOWN


def order_on_day_one(record: Record, day: date, one: Drawn) -> str:
    """Whether a sample may have been taken on day 1, before or after the dose."""
    if first_day(one.at, record.zone) != day or last_day(one.at, record.zone) != day:
        return "other"
    return "known" if one.at.exact and record.first_dose_on(day) is not None else "unknown"


def laboratory_clauses(record: Record, name: str, toxicities: Sequence[Toxicity], at: datetime) -> dict[str, int]:
    """DLT-1 and DLT-2 of results that nobody reported as a toxicity: never more than possible."""
    draws = drawn(record, name)
    fours = [one for one in draws if one.low >= 4 and draw_in_window(record, one) != NO]
    found = {"DLT-1": NO, "DLT-2": NO}
    if any(not accounted(record, name, one, 4, toxicities) for one in fours):
        found["DLT-1"] = UNKNOWN
    for run, after in courses(draws):
        if draw_in_window(record, run[0]) == NO:
            continue
        if all(accounted(record, name, one, 3, toxicities) for one in run):
            continue
        found["DLT-2"] = max(found["DLT-2"], _long_enough(record, run, after, at))
    return found


def courses(draws: Sequence[Drawn]) -> list[tuple[list[Drawn], Drawn | None]]:
    """Consecutive samples at grade 3 or more, each with the sample below that ended it."""
    found: list[tuple[list[Drawn], Drawn | None]] = []
    run: list[Drawn] = []
    for one in _worst_of_each_instant(draws):
        if one.low >= 3:
            run.append(one)
        elif one.high < 3 and run:
            found.append((run, one))
            run = []
    return [*found, (run, None)] if run else found


def _worst_of_each_instant(draws: Sequence[Drawn]) -> list[Drawn]:
    found: list[Drawn] = []
    for one in draws:
        if found and found[-1].at == one.at:
            worse = max(found[-1], one, key=lambda draw: (draw.low, draw.timepoint != "pre-dose"))
            found[-1] = worse._replace(high=max(found[-1].high, one.high))
        else:
            found.append(one)
    return found


def _long_enough(record: Record, run: Sequence[Drawn], after: Drawn | None, at: datetime) -> int:
    first, last = run[0].at, run[-1].at
    zone = record.zone
    if apart(first.lo, last.hi, zone, by_dates=first.is_date or last.is_date) > WEEK:
        return UNKNOWN
    if after is None:
        return UNKNOWN if apart(first.lo, at, zone, by_dates=first.is_date) >= EIGHT_DAYS else NO
    by_dates = first.is_date or after.at.is_date
    return UNKNOWN if apart(first.lo, after.at.hi, zone, by_dates=by_dates) > EIGHT_DAYS else NO


def accounted(record: Record, name: str, one: Drawn, grade: int, toxicities: Sequence[Toxicity]) -> bool:
    """Whether an adverse event that explains the analyte certainly covers the day of the sample, or starts the day after."""
    zone = record.zone
    first, last = first_day(one.at, zone), last_day(one.at, zone)
    for toxicity in toxicities:
        if not any(explains(row.data, f"{name}:{DIRECTION[name]}") for row in toxicity.rows):
            continue
        for start, stop in toxicity.covers(grade):
            begins = last_day(start, zone) - timedelta(days=1)
            until = stop.at if stop.at is not None else stop.certain
            ends = first_day(until, zone) if until is not None else last
            if begins <= first and last <= ends:
                return True
    return False


def hys_law(record: Record) -> int:
    """``HY``: yes, or unknown where something that could explain it otherwise is not excluded."""
    liver = [(name, one) for name in ("ALT", "AST") for one in _after_dose(record, name) if _times(one) >= 3]
    bili = [one for one in _after_dose(record, "BILI") if _times(one) >= 2]
    return max((_pair(record, name, one, other) for name, one in liver for other in bili), default=NO)


def _times(one: Drawn) -> Decimal:
    return one.times_uln if one.times_uln is not None else Decimal(-1)


def _after_dose(record: Record, name: str) -> list[Drawn]:
    return [one for one in drawn(record, name) if _before_dose(record, one) != YES]


def _before_dose(record: Record, one: Drawn) -> int:
    days = record.first_days()
    if not days:
        return UNKNOWN
    answers = {_before_dose_of(record, day, one) for day in days}
    return answers.pop() if len(answers) == 1 else UNKNOWN


def _before_dose_of(record: Record, day: date, one: Drawn) -> int:
    place = record.place(day, one.at)
    if place == "before":
        return YES
    if order_on_day_one(record, day, one) == "unknown":
        return NO if one.timepoint == "post-dose" else YES if one.timepoint == "pre-dose" else UNKNOWN
    return UNKNOWN if place == "unclear" else NO


def _pair(record: Record, name: str, one: Drawn, other: Drawn) -> int:
    zone = record.zone
    nearest, furthest = _days_apart(record, one.at, other.at)
    later_low = (first_day(other.at, zone) - last_day(one.at, zone)).days
    later_high = (last_day(other.at, zone) - first_day(one.at, zone)).days
    if nearest > FORTNIGHT:
        return UNKNOWN if later_high > FORTNIGHT and later_low <= 30 else NO
    if furthest > FORTNIGHT:
        return UNKNOWN
    sure = _before_dose(record, one) == NO and _before_dose(record, other) == NO
    return YES if sure and _no_other_cause(record, name, one, other) else UNKNOWN


def _days_apart(record: Record, one: When, other: When) -> tuple[int, int]:
    zone = record.zone
    gaps = [
        (first_day(other, zone) - last_day(one, zone)).days,
        (last_day(other, zone) - first_day(one, zone)).days,
    ]
    nearest = 0 if gaps[0] <= 0 <= gaps[1] else min(abs(gap) for gap in gaps)
    return nearest, max(abs(gap) for gap in gaps)


def _no_other_cause(record: Record, name: str, one: Drawn, other: Drawn) -> bool:
    alps = [
        (alp, _days_apart(record, alp.at, side.at))
        for alp in _after_dose(record, "ALP")
        if alp.times_uln is not None
        for side in (one, other)
    ]
    near = [alp for alp, (nearest, _) in alps if nearest <= FORTNIGHT]
    certain = [alp for alp, (_, furthest) in alps if furthest <= FORTNIGHT and _before_dose(record, alp) == NO]
    if not certain or any(_times(alp) >= 2 for alp in near):
        return False
    return not (_raised_before(record, name, one) or _raised_before(record, "BILI", other))


def _raised_before(record: Record, name: str, one: Drawn) -> bool:
    """Whether the baseline was above the limit, and this value is not twice that."""
    before = [draw for draw in drawn(record, name) if _is_baseline(record, draw)]
    if not before:
        return False
    last = [draw for draw in before if not any(certainly_before(draw.at, later.at) for later in before)]
    # Without a limit nobody knows whether it was raised.
    return any((draw.times_uln is None or draw.times_uln > 1) and one.value < 2 * draw.value for draw in last)


def _is_baseline(record: Record, draw: Drawn) -> bool:
    """Certainly before the first dose; on day 1 itself, where that is certain and the order is not known, too."""
    days = record.first_days()
    on_day_one = len(days) == 1 and order_on_day_one(record, days[0], draw) == "unknown"
    answer = _before_dose(record, draw)
    return answer == YES or (answer == UNKNOWN and on_day_one)
