"""JSON, more exactly than the models' own parser reads it.

The fast parser keeps the last of two equal keys, passes U+0000, and leaves NaN and 1e999 inside ``x`` and in extension
attributes. What it takes is therefore looked at again, but only where a cheap test of the bytes says that there may be
something to find.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any, Final, get_args, get_origin, get_type_hints

from pydantic import BaseModel

from events.catalog import AnyEvent
from events.envelope import LIST_ITEMS_MAX, TEXT_CHARS_MAX, ClinicalDate, DataPart, InstantText
from events.errors import NotJson
from events.faults import Fault, show

NESTING_MAX: Final = 32
#: The data of an event as base64, in place of ``data``: see ``events.base64_data``.
DATA_BASE64: Final = "data_base64"
TWO_DATA: Final = "data is given too; send one of the two"

_BOM: Final = b"\xef\xbb\xbf"
_ESCAPED_NUL: Final = b"\\u0000"
_POSITION: Final = re.compile(r"column (\d+)")


class BrokenJsonError(ValueError):
    """Carries the sentence for the sender."""


def exact(raw: bytes) -> Any:
    """The JSON value, refusing what JSON allows only by accident. Raises :class:`BrokenJsonError`."""
    if raw.startswith(_BOM):
        raise BrokenJsonError("the line begins with a byte order mark; save the file as UTF-8 without it")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BrokenJsonError(f"byte {error.start + 1} is not UTF-8") from None
    if not text.strip():
        raise BrokenJsonError("the line is empty")
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_constant, parse_float=_float)
    except BrokenJsonError:
        raise
    except RecursionError:
        raise BrokenJsonError(f"nested too deeply; at most {NESTING_MAX} levels are taken") from None
    except json.JSONDecodeError as error:
        raise BrokenJsonError(_in_words(error, text)) from None
    except ValueError:
        raise BrokenJsonError("a number has too many digits") from None


def complaint(message: str) -> str:
    """The models' parser found the JSON broken where the exact one did not: its message, in our words."""
    found = _POSITION.search(message)
    where = f" at character {found[1]}" if found else ""
    if "recursion" in message:
        return f"nested too deeply; at most {NESTING_MAX} levels are taken"
    if "surrogate" in message or "hex escape" in message or "unicode" in message:
        return f"half a character (an unpaired surrogate){where}"
    if "number out of range" in message:
        return f"a number has too many digits{where}"
    return f"not valid JSON{where}"


def leftovers(raw: bytes, event: AnyEvent) -> list[Fault]:
    """What the models have let through: U+0000, a key given twice, and whatever is inside ``x`` and extensions."""
    faults: list[Fault] = []
    if event.data.x is not None:
        faults.extend(_free(event.data.x, "data.x", 1))
    for name, value in (event.__pydantic_extra__ or {}).items():
        if name == DATA_BASE64:
            faults.append(Fault(DATA_BASE64, TWO_DATA))
        faults.extend(_free(name, "an extension attribute's name", 1))
        faults.extend(_free(value, name[:60], 1))
    if _ESCAPED_NUL in raw or _may_repeat_a_key(raw, event):
        try:
            value = exact(raw)
        except BrokenJsonError as error:
            faults.append(Fault("", str(error), NotJson))
        else:
            faults.extend(_nul(value, ""))
    return faults


def nothing_left(raw: bytes, event: AnyEvent) -> bool:
    """Whether it is certain, at the price of counting colons, that :func:`leftovers` would find nothing.

    Every key that is written has its colon, and the texts looked at here have those that are counted in them, none that
    is assumed. Where the line has no colon more than the keys that the event has kept and those texts, no key was written
    twice. Colons in other texts make the answer no. It takes 2.3 µs of an event's 9; a second parser that refuses duplicates
    (jiter; pydantic's validator cannot be told to) takes 4.4. Held against the exact parser in
    ``tests/events/test_doubled_keys.py``.
    """
    data = event.data
    if data.x is not None or event.__pydantic_extra__ or b"\\" in raw:
        return False
    colons = len(event.__pydantic_fields_set__) + event.source.count(":") + event.time.count(":") + _colons_in(data)
    if event.receivedtime is not None:
        colons += event.receivedtime.count(":")
    return raw.count(b":") == colons


def _colons_in(part: DataPart) -> int:
    """The colons of the keys and dates of a part, and of the parts within it."""
    colons = len(part.__pydantic_fields_set__)
    fields = part.__dict__
    for name in _WITH_COLONS[type(part)]:
        value = fields[name]
        if value is None:
            continue
        kind = type(value)
        if kind is str:
            colons += value.count(":")
        elif kind is dict:
            colons += len(value)
        elif kind is list:
            for item in value:
                colons += _colons_in(item)
        else:
            colons += _colons_in(value)
    return colons


def _may_repeat_a_key(raw: bytes, event: AnyEvent) -> bool:
    """Whether the bytes hold another number of keys than the event.

    Each key is followed by `":`, unless white space precedes the colon. The sequence also occurs inside text, which
    only makes the answer yes too often.
    """
    if raw.count(b'":') != _keys_in(event):
        return True
    return b" :" in raw or b"\t:" in raw or b"\n:" in raw or b"\r:" in raw


def _keys_in(value: Any) -> int:
    if isinstance(value, dict):
        return len(value) + sum(map(_keys_in, value.values()))
    if isinstance(value, list):
        return sum(map(_keys_in, value))
    if isinstance(value, BaseModel):
        extra = value.__pydantic_extra__ or {}
        known = value.__dict__.values()
        return len(value.model_fields_set) + sum(map(_keys_in, known)) + sum(map(_keys_in, extra.values()))
    return 0


def _may_have_colons(hint: Any) -> bool:
    """Dates, and what has keys of its own."""
    if hint in (ClinicalDate, InstantText) or get_origin(hint) is dict:
        return True
    return (isinstance(hint, type) and issubclass(hint, DataPart)) or any(map(_may_have_colons, get_args(hint)))


def _fields_with_colons(part: type[DataPart]) -> tuple[str, ...]:
    hints = get_type_hints(part, include_extras=True)
    return tuple(name for name in part.model_fields if name != "x" and _may_have_colons(hints[name]))


def _parts(base: type[DataPart]) -> Iterator[type[DataPart]]:
    for part in base.__subclasses__():
        yield part
        yield from _parts(part)


# The catalogue is imported above, so every part of every event is known by now.
_WITH_COLONS: Final = {part: _fields_with_colons(part) for part in _parts(DataPart)}


def _free(value: Any, field: str, depth: int) -> Iterator[Fault]:
    """A value that the contract does not describe: bounded all the same. Ends at the first fault."""
    if isinstance(value, str):
        if len(value) > TEXT_CHARS_MAX:
            yield Fault(field, f"{len(value)} characters; at most {TEXT_CHARS_MAX} are taken")
    elif isinstance(value, float):
        if not math.isfinite(value):
            yield Fault(field, f"{show(value)} is not a number that JSON knows")
    elif isinstance(value, list | dict):
        if depth > NESTING_MAX:
            yield Fault(field, f"nested too deeply; at most {NESTING_MAX} levels are taken")
            return
        if len(value) > LIST_ITEMS_MAX:
            yield Fault(field, f"{len(value)} items; at most {LIST_ITEMS_MAX} are taken")
            return
        for item in value if isinstance(value, list) else (*value, *value.values()):
            fault = next(_free(item, field, depth + 1), None)
            if fault is not None:
                yield fault
                return


def _nul(value: Any, path: str) -> Iterator[Fault]:
    if isinstance(value, str):
        if "\0" in value:
            yield Fault(path, "contains the character U+0000, which no text may")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _nul(item, f"{path}[{index}]")
    elif isinstance(value, dict):
        for key, item in value.items():
            if "\0" in key:
                yield Fault(path, "a name in it contains the character U+0000, which no text may")
            else:
                yield from _nul(item, f"{path}.{key[:60]}" if path else key[:60])


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise BrokenJsonError(f"{show(twice)} is given twice in one object")
    return made


def _constant(word: str) -> Any:
    raise BrokenJsonError(f"{word} is not a number that JSON knows")


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise BrokenJsonError(f"{text[:60]} is too large for a number")
    return value


def _in_words(error: json.JSONDecodeError, text: str) -> str:
    at = f"at character {error.pos + 1}"
    if error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated string"):
        return "the JSON breaks off before its end (was the line cut?)"
    if error.msg.startswith("Extra data"):
        return f"something follows the end of the JSON object, {at}; one event a line"
    if error.msg.startswith("Invalid control"):
        return f"a control character inside a text, {at}; JSON writes it as \\n, \\t or \\u…"
    if "property name" in error.msg:
        return f"not valid JSON: a name in double quotes is expected {at}"
    return f"not valid JSON {at}"
