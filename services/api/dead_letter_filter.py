"""What ``dead-letters delete --where`` means: ``reason=…``, ``site=…``, ``key=…``, ``older-than=30d``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

import typer

from events.dates import DAY, HOUR, Instant
from projections.store.write.dead_letter_upkeep import Where

_AGE: Final = re.compile(r"(\d{1,5})([dh])")
_NAMES: Final = ("reason", "site", "key", "older-than")


def where_of(given: Iterable[str], now: Instant) -> Where:
    """The letters that are meant. Wrong usage, with a sentence, where that cannot be read."""
    said: dict[str, str] = {}
    for one in (part for text in given for part in text.split(",")):
        name, equals, value = one.strip().partition("=")
        if name not in _NAMES or not equals or not value:
            raise _wrong(f"{one.strip()[:60]!r}: give reason=…, site=…, key=… or older-than=30d")
        if name in said:
            raise _wrong(f"{name} is given twice; no letter has two")
        said[name] = value
    return Where(said.get("reason"), said.get("site"), said.get("key"), _before(said.get("older-than"), now))


def _before(age: str | None, now: Instant) -> Instant | None:
    if age is None:
        return None
    found = _AGE.fullmatch(age)
    if found is None:
        raise _wrong(f"older-than={age[:20]}: give days or hours, such as 30d or 12h")
    return now - int(found[1]) * (DAY if found[2] == "d" else HOUR)


def _wrong(sentence: str) -> typer.BadParameter:
    return typer.BadParameter(sentence, param_hint="--where")
