"""Dates as files write them, brought to the notation of ISO 8601 that :mod:`services.importers.moments` reads.

Nothing is guessed: what can mean two dates keeps only what both have in common, and what is said of the rest goes into the
report. The readable head of a date is kept, whatever stands behind it.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Final, NamedTuple


class Plain(NamedTuple):
    """A date in extended ISO 8601, and what had to be done to have it so (empty: nothing)."""

    text: str
    said: str


_MONTHS: Final = {
    name: f"{month:02d}"
    for month, names in enumerate(
        (
            "jan january janv janvier",
            "feb february fev fév févr fevr février fevrier",
            "mar march mars",
            "apr april avr avril",
            "may mai",
            "jun june juin",
            "jul july juil juillet",
            "aug august aou aoû août aout",
            "sep sept september septembre",
            "oct october octobre",
            "nov november novembre",
            "dec december déc décembre decembre",
        ),
        1,
    )
    for name in names.split()
}
_UNKNOWN: Final = r"(?:UNK?|XX?|NK|ND|\?{1,2}|--?|00)"
_TIME: Final = r"(?P<time>[T :].*)?"
_NAMED: Final = re.compile(
    rf"(?:(?P<day>\d{{1,2}}|{_UNKNOWN})[ ./-]?)?(?P<month>[^\W\d_]{{3,9}}\.?)[ ./-]?(?P<year>\d{{4}}){_TIME}",
    re.IGNORECASE,
)
_BASIC: Final = re.compile(rf"(?P<year>(?:19|20|21)\d\d)(?P<month>\d\d)(?P<day>\d\d)?{_TIME}")
_WEEK: Final = re.compile(r"(?P<year>\d{4})-?W(?P<week>\d\d)(?:-?(?P<day>[1-7]))?(?:T.*)?")
_ORDINAL: Final = re.compile(r"(?P<year>\d{4})-(?P<day>\d{3})(?:T.*)?")
_SHORT: Final = re.compile(rf"(?P<year>\d{{4}})[-/.](?P<month>\d{{1,2}})[-/.](?P<day>\d{{1,2}}){_TIME}")
_TURNED: Final = re.compile(rf"(?P<a>\d{{1,2}})[-/. ](?P<b>\d{{1,2}})[-/. ](?P<year>\d{{4}}){_TIME}")
_BASIC_TIME: Final = re.compile(r"[T ](\d\d)(\d\d)(\d\d)?(?P<offset>Z|[+-]\d\d(?::?\d\d)?)?")
_HOURS_OFFSET: Final = re.compile(r"(?P<head>.*T\d\d:\d\d.*)(?P<sign>[+-])(?P<hours>\d{1,2})")
_MIDNIGHT: Final = re.compile(r"(?P<day>\d{4}-\d\d-\d\d)[T ]24(?::?00){0,2}(?:[.,]0+)?(?P<offset>Z|[+-]\d\d:?\d\d)?")
_HEAD: Final = re.compile(
    rf"(?P<year>\d{{4}})(?:-(?P<month>\d\d|{_UNKNOWN})?(?:-(?P<day>\d\d|{_UNKNOWN})?)?)?(?P<rest>.*)", re.I
)

INTERVAL: Final = "an interval: its start is written"
OTHER_NOTATION: Final = "written in another notation"
AMBIGUOUS: Final = "day and month cannot be told apart: only the year is written"
NO_SUCH_DATE: Final = "there is no such date: only what can be is written"
MIDNIGHT: Final = "24:00 is the beginning of the next day"
TAIL: Final = "what stands behind the readable part of this date was left out"


def plain_date(text: str) -> Plain:
    """A date in extended ISO 8601, as far as it can be read. Text that is none comes back as it is."""
    said: list[str] = []
    head, slash, _ = text.partition("/")
    if slash and re.match(r"\d{4}(?:-|$|\d)", head.strip()) and not re.match(r"\d{4}/\d{1,2}/", text):
        text, said = head.strip(), [INTERVAL]
    found = _read(text.strip().rstrip("?~").strip())
    if found.said:
        said.append(found.said)
    return Plain(found.text, "; ".join(said))


def _read(text: str) -> Plain:
    for notation in (_midnight, _named, _basic, _week, _ordinal, _short, _turned):
        found = notation(text)
        if found is not None:
            return found
    return _head(_with_offset(text))


def _midnight(text: str) -> Plain | None:
    found = _MIDNIGHT.fullmatch(text)
    if found is None:
        return None
    try:
        day = date.fromisoformat(found["day"]) + timedelta(days=1)
    except (ValueError, OverflowError):
        return None
    return Plain(f"{day.isoformat()}T00:00:00{found['offset'] or ''}", MIDNIGHT)


def _named(text: str) -> Plain | None:
    found = _NAMED.fullmatch(text)
    month = _MONTHS.get(found["month"].lower().rstrip(".")) if found else None
    if found is None or month is None:
        return None
    return _checked(found["year"], month, found["day"] or "", found["time"], OTHER_NOTATION)


def _basic(text: str) -> Plain | None:
    found = _BASIC.fullmatch(text)
    if found is None:
        return None
    return _checked(found["year"], found["month"], found["day"] or "", found["time"], OTHER_NOTATION)


def _week(text: str) -> Plain | None:
    found = _WEEK.fullmatch(text)
    if found is None:
        return None
    try:
        day = date.fromisocalendar(int(found["year"]), int(found["week"]), int(found["day"] or 1))
    except ValueError:
        return Plain(found["year"], NO_SUCH_DATE)
    last = day + timedelta(days=6)
    if found["day"] is None:
        # A week within one month is that month; one across two years is neither: the earlier one is written.
        return Plain(f"{day:%Y-%m}" if day.month == last.month else f"{day:%Y}", TAIL)
    return Plain(day.isoformat(), OTHER_NOTATION)


def _ordinal(text: str) -> Plain | None:
    found = _ORDINAL.fullmatch(text)
    if found is None:
        return None
    try:
        day = date(int(found["year"]), 1, 1) + timedelta(days=int(found["day"]) - 1)
    except (ValueError, OverflowError):
        return Plain(found["year"], NO_SUCH_DATE)
    if str(day.year) != found["year"]:
        return Plain(found["year"], NO_SUCH_DATE)
    return Plain(day.isoformat(), OTHER_NOTATION)


def _short(text: str) -> Plain | None:
    found = _SHORT.fullmatch(text)
    if found is None or re.match(r"\d{4}-\d\d-\d\d", text):
        return None
    return _checked(found["year"], found["month"], found["day"], found["time"], OTHER_NOTATION)


def _turned(text: str) -> Plain | None:
    """20/02/2017: which is the day, where only one of the two can be."""
    found = _TURNED.fullmatch(text)
    if found is None:
        return None
    first, second = int(found["a"]), int(found["b"])
    if first <= 12 and second <= 12 and first != second:
        return Plain(found["year"], AMBIGUOUS)
    day, month = (first, second) if second <= 12 else (second, first)
    return _checked(found["year"], str(month), str(day), found["time"], OTHER_NOTATION)


def _checked(year: str, month: str, day: str, time: str | None, said: str) -> Plain:
    """Year, month and day as far as there is such a date; a time only behind a whole date."""
    if not month.isdigit() or not 1 <= int(month) <= 12:
        return Plain(year, NO_SUCH_DATE)
    head = f"{year}-{int(month):02d}"
    if not day.isdigit() or int(day) == 0:
        return Plain(head, TAIL if day else said)
    try:
        whole = date(int(year), int(month), int(day)).isoformat()
    except ValueError:
        return Plain(head, NO_SUCH_DATE)
    if time is None:
        return Plain(whole, said)
    rest = _head(_with_offset(f"{whole}T{time[1:]}"))
    return Plain(rest.text, "; ".join(each for each in (said, rest.said) if each))


def _with_offset(text: str) -> str:
    """T1000 as T10:00, +01 as +01:00, a comma before fractions as a point."""
    day, time = text[:10], text[10:]
    basic = _BASIC_TIME.fullmatch(time)
    if basic is not None:
        time = f"T{basic[1]}:{basic[2]}" + (f":{basic[3]}" if basic[3] else "") + (basic["offset"] or "")
    text = day + re.sub(r"(\.\d{9})\d+", r"\1", time.replace(",", "."))
    hours = _HOURS_OFFSET.fullmatch(text)
    return f"{hours['head']}{hours['sign']}{int(hours['hours']):02d}:00" if hours is not None else text


_CLOCK: Final = re.compile(
    r"[T ](?P<hour>[01]\d|2[0-3])(?::(?P<minute>[0-5]\d)(?::(?P<second>[0-5]\d(?:\.\d{1,9})?)(?:\d*))?)?"
    r"(?P<offset>Z|[+-](?:0\d|1[0-4]):?[0-5]\d)?",
    re.ASCII,
)


def _head(text: str) -> Plain:
    """The longest part from the beginning that is a date."""
    found = _HEAD.fullmatch(text)
    if found is None:
        return Plain(text, "")
    year, month, day, rest = found["year"], found["month"], found["day"], found["rest"].strip()
    if month is None or not month.isdigit():
        return Plain(year, "" if text == year else TAIL)
    if not 1 <= int(month) <= 12:
        return Plain(year, NO_SUCH_DATE)
    if day is None or not day.isdigit():
        return Plain(f"{year}-{month}", "" if text == f"{year}-{month}" else TAIL)
    try:
        date(int(year), int(month), int(day))
    except ValueError:
        return Plain(f"{year}-{month}", NO_SUCH_DATE)
    whole = f"{year}-{month}-{day}"
    clock = _CLOCK.fullmatch(text[len(whole) :])
    if not rest:
        return Plain(whole, "")
    if clock is None or clock["minute"] is None:
        return Plain(whole, TAIL)
    return Plain(text, "")
