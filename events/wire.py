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
from typing import Any, Final, get_args

from pydantic import BaseModel

from events.catalog import CLASS_BY_TYPE, AnyEvent
from events.envelope import LIST_ITEMS_MAX, TEXT_CHARS_MAX, Part
from events.errors import NotJson
from events.faults import Fault, show

NESTING_MAX: Final = 32

_BOM: Final = b"\xef\xbb\xbf"
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
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
    extensions = event.__pydantic_extra__
    if event.data.x is not None:
        faults.extend(_free(event.data.x, "data.x", 1))
    if extensions:
        for name, value in extensions.items():
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


def _may_repeat_a_key(raw: bytes, event: AnyEvent) -> bool:
    """Whether the bytes hold another number of keys than the event.

    Each key is followed by `":`, unless white space precedes the colon. The sequence also occurs inside text, which
    only makes the answer yes too often.
    """
    found = raw.count(b'":')
    if found != _keys(event):
        return True
    return b" :" in raw or b"\t:" in raw or b"\n:" in raw or b"\r:" in raw


def _keys(event: AnyEvent) -> int:
    data = event.data
    count = len(event.__pydantic_fields_set__) + len(data.__pydantic_fields_set__)
    for name in _NESTING[type(data)]:
        value = getattr(data, name)
        if value is not None:
            count += _keys_in(value)
    if event.__pydantic_extra__:
        count += _keys_in(list(event.__pydantic_extra__.values()))
    return count


def _keys_in(value: Any) -> int:
    if isinstance(value, dict):
        return len(value) + sum(map(_keys_in, value.values()))
    if isinstance(value, list):
        return sum(map(_keys_in, value))
    if isinstance(value, BaseModel):
        return len(value.model_fields_set) + sum(_keys_in(item) for _, item in value)
    return 0


def _nests(annotation: Any) -> bool:
    if isinstance(annotation, type) and issubclass(annotation, Part):
        return True
    return getattr(annotation, "__origin__", None) is dict or any(map(_nests, get_args(annotation)))


def _nesting_fields(data_class: type[BaseModel]) -> tuple[str, ...]:
    return tuple(name for name, field in data_class.model_fields.items() if _nests(field.annotation))


def _data_class(event_class: type[AnyEvent]) -> type[BaseModel]:
    annotation = event_class.model_fields["data"].annotation
    assert isinstance(annotation, type)
    assert issubclass(annotation, BaseModel)
    return annotation


_NESTING: Final = {data: _nesting_fields(data) for data in map(_data_class, CLASS_BY_TYPE.values())}


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
