"""How the rest of a phrase is read, once its first words have said which field it is."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Final

from tests.rules.notation import UNKNOWN, Days, Json, NotationError, items

Reader = Callable[[str, Days], Json]

_TOKEN: Final = re.compile(r"\S+")


def number(words: str) -> float | None:
    """A number as it is written, 2 and 2.0 apart; None where it was sent empty."""
    if words == UNKNOWN:
        return None
    if re.fullmatch(r"-?[0-9]+", words):
        return int(words)
    try:
        return float(words)
    except ValueError:
        raise NotationError(f"{words!r} is no number") from None


def token(words: str) -> str | None:
    """One word; None where it was sent empty."""
    if _TOKEN.fullmatch(words) is None:
        raise NotationError(f"{words!r} is not one word")
    return None if words == UNKNOWN else words


def quoted(words: str) -> str | None:
    """A text in quotation marks; None where it was sent empty."""
    if words == UNKNOWN:
        return None
    try:
        read = json.loads(words)
    except ValueError:
        read = None
    if not isinstance(read, str):
        raise NotationError(f"{words!r} is not a text in quotation marks")
    return read


def nothing_more(words: str) -> None:
    if words:
        raise NotationError(f"{words!r} is not known here")


def a_number(field: str) -> Reader:
    return lambda words, _: {field: number(words)}


def a_word(field: str) -> Reader:
    return lambda words, _: {field: token(words)}


def a_text(field: str) -> Reader:
    return lambda words, _: {field: quoted(words)}


def a_date(field: str) -> Reader:
    return lambda words, days: {field: None if words == UNKNOWN else days.when(words)}


def a_list(field: str) -> Reader:
    return lambda words, _: {field: None if words == UNKNOWN else [token(item) for item in items(words)]}


def a_mapping(field: str) -> Reader:
    """``pexa-vec withdrawn + ipilimumab none``."""
    return lambda words, _: {field: None if words == UNKNOWN else pairs(words)}


def pairs(words: str) -> dict[str, str | None]:
    """Names, each with its answer."""
    found: dict[str, str | None] = {}
    for item in items(words):
        name, space, answer = item.partition(" ")
        if not space or name in found:
            raise NotationError(f"{item!r} is no name with its answer, or is said twice")
        found[name] = token(answer)
    return found


def a_constant(field: str, value: Any) -> Reader:
    """The phrase says it all."""

    def read(words: str, _: Days) -> Json:
        nothing_more(words)
        return {field: value}

    return read


def yes_or_no(field: str, words: str) -> dict[str, Reader]:
    """``flu-like``, ``not flu-like``, ``flu-like ?``."""

    def stated(rest: str, _: Days) -> Json:
        if rest != UNKNOWN:
            nothing_more(rest)
        return {field: None if rest == UNKNOWN else True}

    return {words: stated, f"not {words}": a_constant(field, False)}
