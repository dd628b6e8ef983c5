"""What the models find wrong with an event, in a data manager's words.

The models speak pydantic: a list of error types, each with a location. Nothing of that reaches a sender. This module is
entered only for an event that is being refused, so it may take its time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Any, Final, get_args

from pydantic import BaseModel, ValidationError

from events.catalog import CLASS_BY_TYPE
from events.dates import DATE_PATTERN, INSTANT_PATTERN, YEAR_FIRST, YEAR_LAST
from events.envelope import REVISION_MAX, SUBJECT_PATTERN, DataPart, Envelope
from events.errors import ForeignSubject, NotJson, UnknownField, UnknownType
from events.faults import Fault, masked, show

Details = Mapping[str, Any]
Path = tuple[str | int, ...]

_BOUNDS: Final[dict[str, str]] = {
    "grade": "a CTCAE grade 1-5",
    "revision": f"a revision, a whole number 1-{REVISION_MAX}",
    "lesions": "a number of lesions 1-5",
    "ecog": "an ECOG performance status 0-5",
    "dose_level": "a dose level, a whole number from 1",
    "birth_year": f"a year {YEAR_FIRST}-{YEAR_LAST}",
}
_BARE_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?$")
_INSTANT_SAMPLE: Final = "such as 2017-03-05T08:30:00+01:00"
_NEAREST_CUTOFF: Final = 0.4


def faults_of(error: ValidationError, parsed: object) -> list[Fault]:
    """Every shape error of one event as a fault. ``parsed`` is the event as plain JSON values."""
    details = error.errors(include_url=False)
    return [_fault(each, parsed) for each in details]


def whole_floats(error: ValidationError) -> list[tuple[Path, int]]:
    """Where a whole number is meant and was written as one with a fraction of nothing, such as ``3.0``."""
    return [
        (tuple(each["loc"][1:]), int(each["input"]))
        for each in error.errors(include_url=False)
        if each["type"] == "int_type" and isinstance(each["input"], float) and each["input"].is_integer()
    ]


def path_text(path: Iterable[str | int]) -> str:
    """``data.grades[2].from``, as the field is written in messages."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _fault(error: Details, parsed: object) -> Fault:
    kind = error["type"]
    loc: Path = error["loc"]
    if kind.startswith("union_tag"):
        return _type_fault(parsed)
    if not loc or not isinstance(parsed, dict):
        return Fault("", "the line is not a JSON object", NotJson)
    tag, path = str(loc[0]), loc[1:]
    if path and path[-1] == "[key]":
        return Fault(path_text(path[:-2]), "a name in it is empty or too long" + _too_long_rule(error))
    field = path_text(path)
    if kind == "missing":
        return Fault(field, f"missing; {tag} requires it")
    if kind == "extra_forbidden":
        return _unknown_field(tag, path)
    if kind == "string_pattern_mismatch" and error["ctx"]["pattern"] == SUBJECT_PATTERN:
        return Fault(field, f"{masked(error['input'])} is not a subject id of this trial", ForeignSubject)
    if field == "subject":
        return Fault(field, f"{masked(error['input'])} is not a subject id", ForeignSubject)
    if kind in _WORKED_OUT:
        return Fault(field, _WORKED_OUT[kind](error))
    return Fault(field, _SENTENCES.get(kind, _OTHER).format(value=show(error["input"])))


def _name(error: Details) -> str:
    """The field itself, where the error is about an item of a list."""
    return next(part for part in reversed(error["loc"]) if isinstance(part, str))


def _too_long_rule(error: Details) -> str:
    limit = error.get("ctx", {}).get("max_length")
    return f"; at most {limit} characters" if limit else ""


def _type_fault(parsed: object) -> Fault:
    if not isinstance(parsed, dict):
        return Fault("", "the line is not a JSON object", NotJson)
    if "type" not in parsed:
        return Fault("type", "missing; every event names its type", UnknownType)
    name = parsed["type"]
    if not isinstance(name, str):
        return Fault("type", f"{show(name)} is not an event type", UnknownType)
    base, _, version = name.rpartition(".v")
    same = [known for known in CLASS_BY_TYPE if base and known.rpartition(".v")[0] == base]
    if same:
        rule = f"{show(name)} is a version that is not known here; the version known is {same[0]}"
        return Fault("type", rule if version.isdigit() else f"{show(name)} is unknown; use {same[0]}", UnknownType)
    if name.rpartition(".v")[0] == "" and f"{name}.v1" in CLASS_BY_TYPE:
        return Fault("type", f"{show(name)} lacks its version; use {name}.v1", UnknownType)
    nearest = get_close_matches(name[:200], CLASS_BY_TYPE, n=1, cutoff=_NEAREST_CUTOFF)
    hint = f"; the nearest known type is {nearest[0]}" if nearest else ""
    return Fault("type", f"{show(name)} is not a known event type{hint}", UnknownType)


def _unknown_field(tag: str, path: Path) -> Fault:
    name = str(path[-1])
    known = _known_fields(CLASS_BY_TYPE[tag], path[:-1])
    nearest = get_close_matches(name.lower()[:200], known, n=1, cutoff=_NEAREST_CUTOFF)
    hint = f"; the nearest known one is {nearest[0]}" if nearest else ""
    short = (*path[:-1], name if len(name) <= 60 else name[:59] + "…")
    return Fault(path_text(short), f"unknown field{hint}; the place for a field of your own is data.x", UnknownField)


def _known_fields(event_class: type[Envelope], path: Path) -> list[str]:
    part: type[BaseModel] = event_class
    for name in path:
        if isinstance(name, str):
            found = _part_in(part.model_fields[name].annotation)
            if found is None:
                return []
            part = found
    return [field.alias or name for name, field in part.model_fields.items()]


def _part_in(annotation: Any) -> type[DataPart] | None:
    """The model inside ``X | None``, ``list[X]`` and the like."""
    if isinstance(annotation, type) and issubclass(annotation, DataPart):
        return annotation
    return next((found for found in map(_part_in, get_args(annotation)) if found is not None), None)


def _pattern(error: Details) -> str:
    value, pattern = error["input"], error["ctx"]["pattern"]
    if pattern in (DATE_PATTERN, INSTANT_PATTERN) and _BARE_TIME.match(value):
        return f"{show(value)} needs seconds and an offset, {_INSTANT_SAMPLE}"
    if pattern == DATE_PATTERN:
        return f"{show(value)} is not a date: 2017, 2017-03, 2017-03-05 or a date-time with offset, {_INSTANT_SAMPLE}"
    if pattern == INSTANT_PATTERN:
        return f"{show(value)} is not a date-time with seconds and offset, {_INSTANT_SAMPLE}"
    if _name(error) == "datacontenttype":
        return f"{show(value)} is not application/json"
    return f"{show(value)} is not a SHA-256 in 64 lower-case hexadecimal digits"


def _number(error: Details) -> str:
    value = error["input"]
    meant = _BOUNDS.get(_name(error)) or ("a whole number" if error["type"].startswith("int") else "a number")
    if isinstance(value, str):
        return f"{show(value)} is text where a number is meant; write it without quotes"
    return f"{show(value)} is not {meant}"


def _bounds(error: Details) -> str:
    meant = _BOUNDS.get(_name(error))
    if meant:
        return f"{show(error['input'])} is not {meant}"
    context = error["ctx"]
    side = f"less than {context['ge']}" if "ge" in context else f"more than {context['le']}"
    return f"{show(error['input'])} is {side}"


def _choice(error: Details) -> str:
    words = str(error["ctx"]["expected"]).replace("'", "")
    if error["input"] is None:
        return f"null where a value is required: {words}"
    alone = " or " not in words
    return f"{show(error['input'])} is not {words}" if alone else f"{show(error['input'])} is not one of {words}"


def _text(error: Details) -> str:
    value = error["input"]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{show(value)} is a number where text is meant; write it in quotes"
    return f"{show(value)} is not text"


def _long_text(error: Details) -> str:
    return f"{len(error['input'])} characters; at most {error['ctx']['max_length']} are taken"


def _long_list(error: Details) -> str:
    return f"{len(error['input'])} items; at most {error['ctx']['max_length']} are taken"


_OTHER: Final = "{value} is not a value that this field takes"
_SENTENCES: Final[dict[str, str]] = {
    "string_too_short": "empty",
    "bool_type": "{value} is not true or false",
    "dict_type": "{value} is not an object",
    "model_type": "{value} is not an object",
    "model_attributes_type": "{value} is not an object",
    "list_type": "{value} is not a list",
}
_WORKED_OUT: Final[dict[str, Callable[[Details], str]]] = {
    "string_pattern_mismatch": _pattern,
    "string_type": _text,
    "string_too_long": _long_text,
    "too_long": _long_list,
    "int_type": _number,
    "int_from_float": _number,
    "float_type": _number,
    "finite_number": _number,
    "greater_than_equal": _bounds,
    "less_than_equal": _bounds,
    "literal_error": _choice,
}
