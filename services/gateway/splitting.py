"""A body with many events, cut into the bytes of each, so that one that is broken does not take the others with it.

No library does this: a parser gives up at the first fault, and nothing valid behind a refused event may wait (rules.md §6).
"""

from __future__ import annotations

import json
import re
from typing import Any, Final, NamedTuple

from events.codec import LINE_BYTES_MAX

#: What may be spent on finding the ends of broken events: so many times the body's characters, and so much at least.
PATIENCE: Final = 4
PATIENCE_MIN: Final = 1_000_000
#: What it costs beside the characters read: looking at one bracket, and trying whether an event begins here.
BRACKET_COST: Final = 50
ATTEMPT_COST: Final = 2000
#: What is read of one event to find its end; none that is longer is taken.
WINDOW_CHARS: Final = LINE_BYTES_MAX + 1

_WHITE: Final = " \t\r\n"
_BLANKS: Final = re.compile(r"[ \t\r\n]*")
# A string that does not end goes on to the end of the text: nothing behind it is looked at twice.
_STRUCTURE: Final = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[\[\]{},]', re.DOTALL)
#: Where an event may begin behind a broken one.
_NEXT: Final = re.compile(r",[ \t\r\n]*+(?=\{)")
_CLOSES: Final = {"}": "{", "]": "["}
_ANY_EVENT_HAS: Final = "specversion"
_DECODER: Final = json.JSONDecoder()
_UNDECODED: Final = "surrogateescape"


class TooManyError(Exception):
    """There are more events than one request may have."""


class BodyFault(NamedTuple):
    """What is wrong with the body as a whole, and the bytes that are no element of it."""

    sentence: str
    rest: bytes


def lines(body: bytes, at_most: int) -> list[bytes]:
    """The lines that are not blank. Raises :class:`TooManyError`."""
    found = [line for line in body.split(b"\n") if line.strip()]
    if len(found) > at_most:
        raise TooManyError
    return found


def elements(body: bytes, at_most: int) -> tuple[list[bytes], BodyFault | None]:
    """The elements of a JSON array as they are written, and what is wrong with the rest. Raises :class:`TooManyError`."""
    text = body.decode("utf-8", _UNDECODED)
    start = _skip(text, 0)
    if not text.startswith("[", start):
        return [], BodyFault("a batch is a JSON array of events, and this is none", body)
    at = _skip(text, start + 1)
    found: list[bytes] = []
    ends = _Ends(text)
    if text.startswith("]", at) and _is_end(text, at):
        return found, None
    while at < len(text):
        whole = ends.of_value(at)
        end = ends.of_broken(at) if whole is None else whole
        found.append(_bytes(text[at:end].rstrip(_WHITE)))
        if len(found) > at_most:
            raise TooManyError
        if text.startswith("]", end) and _is_end(text, end):
            return found, None
        if end == len(text) and whole is None:
            return found, None  # the last one is what is broken, and says so
        at = _skip(text, end + 1 if text.startswith(",", end) else end)
    return found, BodyFault("the array has no end (was it cut?)", b"")


class _Ends:
    """Finds where an element ends: at the comma or bracket behind it, or with the text. However it is broken, not for long."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._patience = PATIENCE * len(text) + PATIENCE_MIN
        self._next_event = -1

    def of_value(self, at: int) -> int | None:
        """The end of a whole element; None where it is broken."""
        try:
            _, end = self._value(at)
        except (ValueError, RecursionError):
            return None
        end = _skip(self._text, end)
        # A forgotten comma between two whole events harms neither.
        return end if self._text[end : end + 1] in (",", "]", "{", "") else None

    def of_broken(self, at: int) -> int:
        """The end of a broken element: where its brackets say, and before the next whole event begins."""
        if self._next_event < at:
            self._next_event = self._find_next_event(at)
        return self._by_brackets(at, self._next_event)

    def _value(self, at: int) -> tuple[Any, int]:
        # Of a piece of the text: an error counts the lines before it.
        value, size = _DECODER.raw_decode(self._text[at : at + WINDOW_CHARS])
        return value, at + size

    def _by_brackets(self, at: int, stop: int) -> int:
        open_: list[str] = []
        # What begins with a bracket that ends nothing is broken from there on.
        for found in _STRUCTURE.finditer(self._text, at + 1 if self._text.startswith("]", at) else at, stop):
            mark = found[0]
            self._patience -= BRACKET_COST + len(mark)
            if self._patience < 0:
                break
            if mark in ("{", "["):
                open_.append(mark)
            elif not open_ and mark in (",", "]"):
                return found.start()
            elif open_ and mark in _CLOSES and open_.pop() != _CLOSES[mark]:
                break
        return stop

    def _find_next_event(self, at: int) -> int:
        for found in _NEXT.finditer(self._text, at):
            if self._patience < 0:
                break
            if self._is_event(found.end()):
                return found.start()
        return len(self._text)

    def _is_event(self, at: int) -> bool:
        self._patience -= ATTEMPT_COST
        try:
            value, end = self._value(at)
        except json.JSONDecodeError as error:
            self._patience -= error.pos
        except (ValueError, RecursionError):
            self._patience -= PATIENCE_MIN // 4
        else:
            self._patience -= end - at
            return isinstance(value, dict) and _ANY_EVENT_HAS in value
        return False


def _skip(text: str, at: int) -> int:
    found = _BLANKS.match(text, at)
    return found.end() if found else at


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", _UNDECODED)


def _is_end(text: str, at: int) -> bool:
    """Whether a bracket is that of the array: where something follows it, it is a part of that, and broken with it."""
    return _skip(text, at + 1) == len(text)
