"""Days, hours, lists and yes-or-no, as a scenario writes them.

``D8`` is the eighth day of treatment, ``D-2`` the second day before it; there is no day 0. ``D8 08:00`` is a date-time at the
trial's own clock, ``D8 07:00Z`` and ``D8 08:00-04:00`` one at another. A date may also be written out, at the precision that
is known: ``2017``, ``2017-02``, ``2017-02-20``, ``2017-02-20 08:00``. ``?`` is a field that was sent empty.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from projections.protocols.isi_jx import PROTOCOL

Json = dict[str, Any]

UNKNOWN: Final = "?"
DAY_1: Final = date(2017, 2, 13)

_ZONE: Final = ZoneInfo(PROTOCOL.time_zone)
_DATE: Final = r"D-?[1-9][0-9]*|[0-9]{4}(?:-[0-9]{2}(?:-[0-9]{2})?)?"
_CLOCK: Final = r"[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?(?:Z|[+-][0-9]{2}:[0-9]{2})?"
#: A date with an hour, and a date with or without one.
MOMENT: Final = rf"(?:{_DATE}) (?:{_CLOCK})"
WHEN: Final = rf"(?:{_DATE})(?: (?:{_CLOCK}))?"
_WHEN: Final = re.compile(rf"(?P<day>{_DATE})(?: (?P<clock>[0-9:.]+)(?P<offset>Z|[+-][0-9:]+)?)?")
_QUOTED: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
_PIECES: Final = re.compile(rf'{_QUOTED.pattern}|[\[\]{{}},]|[^"\[\]{{}},]+|"')


class NotationError(ValueError):
    """A word, a date or a line that is no part of the notation; says which, and where it was read."""


class Days(NamedTuple):
    """What the days of a scenario are counted from."""

    day_1: date = DAY_1

    def when(self, words: str) -> str:
        """A date or date-time as events write it."""
        return _when(words, self.day_1)


@lru_cache(maxsize=4096)
def _when(words: str, day_1: date) -> str:
    found = _WHEN.fullmatch(words)
    if found is None or re.fullmatch(WHEN, words) is None:
        raise NotationError(f"{words!r} is no date: write D8, D8 08:00, D8 07:00Z, 2017-02 or 2017-02-20")
    day, clock, offset = found.group("day", "clock", "offset")
    if day.startswith("D"):
        number = int(day[1:])
        day = (day_1 + timedelta(days=number - 1 if number > 0 else number)).isoformat()
    if clock is None:
        return day
    if len(day) < len("2017-02-20"):
        raise NotationError(f"{words!r}: an hour needs a whole date before it")
    clock = clock if clock.count(":") > 1 else f"{clock}:00"
    return f"{day}T{clock}{offset or _offset(f'{day}T{clock}')}"


def _offset(local: str) -> str:
    written = datetime.fromisoformat(local).replace(tzinfo=_ZONE).strftime("%z")
    return f"{written[:3]}:{written[3:]}"


def phrases(text: str) -> list[str]:
    """The parts between the commas that lie in no quotation marks and no brackets."""
    parts, depth = [""], 0
    for piece in _PIECES.findall(text):
        depth += (piece in "[{") - (piece in "]}")
        if piece == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += piece
    said = [part.strip() for part in parts]
    if depth != 0 or '"' in _QUOTED.sub("", text):
        raise NotationError(f"a bracket or a quotation mark is not closed: {text!r}")
    if "" in said:
        raise NotationError(f"nothing is said before or after a comma: {text!r}")
    return said


def items(words: str) -> list[str]:
    """The parts of a list: ``skin + liver``; ``none`` is an empty one."""
    return [] if words == "none" else words.split(" + ")


class Vocabulary:
    """The phrases of one kind of line, known by the words they begin with; each may be said once."""

    def __init__(self, table: Mapping[str, Callable[[str, Days], Json]]) -> None:
        self._table = table
        self._words_max = max((words.count(" ") + 1 for words in table), default=0)

    def read(self, said: list[str], days: Days, into: Json) -> None:
        """Adds to the fields what the phrases say."""
        for phrase in said:
            found = self._fields(phrase, days)
            for name in found.keys() & into.keys():
                raise NotationError(f"{phrase!r}: {name} is said twice")
            into.update(found)

    def _fields(self, phrase: str, days: Days) -> Json:
        words = phrase.split(" ")
        if words[1:2] == ["="]:
            return {words[0]: _value(" ".join(words[2:]))}
        for count in range(self._words_max, 0, -1):
            reader = self._table.get(" ".join(words[:count]))
            if reader is not None:
                return reader(" ".join(words[count:]), days)
        raise NotationError(f"{phrase!r} is not known here; known are: {', '.join(self._table)}")


def _value(text: str) -> object:
    """A field that has no words of its own: ``weight_kg = 71.5``. The event contract says whether there is such a field."""
    try:
        read: object = json.loads(text)
    except ValueError:
        raise NotationError(f"{text!r} is no value as JSON writes it") from None
    return read
