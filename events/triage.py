"""What can still be read of a line that was refused.

A refused adverse event or result that says grade 3 or more, serious or fatal is an alert in itself (rules.md §6).
The line may be cut, mistyped or in another encoding, so that everything here reads as leniently as it can and errs
towards severe.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from events.base64_data import MARK, hidden_data, leniently
from events.catalog import CLASS_BY_TYPE
from events.wire import DATA_BASE64

SEVERE_GRADE: Final = 3
ID_CHARS_MAX: Final = 200
BYTES_READ_MAX: Final = 1_048_576

_MAY_BE_SEVERE: Final = frozenset({"toxwatch.ae.reported", "toxwatch.lab.resulted"})
_KNOWN: Final = frozenset(name.rpartition(".v")[0] for name in CLASS_BY_TYPE)
_YES: Final = frozenset({"true", "yes", "y", "1"})

# Possessive throughout (`*+`): a line of nothing but blanks behind a key must not be searched once for each of them.
_STRING: Final = rb'"((?:[^"\\]|\\.)*+)"'
_NUMBER: Final = rb"([0-9]++(?:\.[0-9]*+)?(?:[eE]\+?[0-9]{1,2})?)"
_IS: Final = rb"\s*+:\s*+"
_TYPE: Final = re.compile(rb'"type"' + _IS + _STRING, re.IGNORECASE | re.DOTALL)
_GRADE: Final = re.compile(rb'grade"' + _IS + rb'"?+\s*+\+?+' + _NUMBER, re.IGNORECASE)
_SERIOUS: Final = re.compile(rb'"serious"' + _IS + rb'"?+\s*+(?:true|yes|y|1)\b', re.IGNORECASE)
_SERIOUSNESS: Final = re.compile(rb'"seriousness"' + _IS + rb'(?:\[\s*+[^\]\s]|"\s*+[^"\s])', re.IGNORECASE)
#: No longer than a revision can be.
_REVISION: Final = re.compile(rb'"revision"' + _IS + rb'"?+([0-9]{1,16})(?![0-9])')
_FATAL: Final = re.compile(rb'"outcome"' + _IS + rb'"\s*+fatal\b', re.IGNORECASE)

#: Of what may be severe: which field says which record it is, and of what kind.
_RECORD_FIELDS: Final = {"ae_id": "ae", "lab_id": "lab"}
_TEXTS: Final = {
    name: re.compile(rb'"' + name.encode() + rb'"' + _IS + _STRING, re.DOTALL)
    for name in ("id", "site", "source", "subject", *_RECORD_FIELDS)
}


class ReadableRecord(NamedTuple):
    """Whose record it is, of which kind, and its id; each None where it cannot be read. ``subject`` may be a name."""

    subject: str | None
    kind: str | None
    record_id: str | None


class _Pairs(list[tuple[str, Any]]):
    """A JSON object with every one of its keys, those given twice too."""


def looks_severe(raw: bytes) -> bool:
    """Whether what is readable of a refused line says an adverse event or result of grade 3 or more, serious or fatal.

    A line whose type cannot be read, or is none that is known, is judged by the rest of it.
    """
    parsed = _parsed(raw)
    name = _type_of(raw, parsed)
    base = name.rpartition(".v")[0] or name
    if base in _KNOWN and base not in _MAY_BE_SEVERE:
        return False
    if parsed is not None:
        return any(_severe(key, value) for key, value in _pairs(parsed)) or (MARK in raw and _says_severe(_plain(raw)))
    return _says_severe(_plain(raw))


def _says_severe(text: bytes) -> bool:
    return (
        any(float(found[1]) >= SEVERE_GRADE for found in _GRADE.finditer(text))
        or _SERIOUS.search(text) is not None
        or _SERIOUSNESS.search(text) is not None
        or _FATAL.search(text) is not None
    )


def readable_id(raw: bytes) -> str | None:
    """The event's id, where it can still be read."""
    found = _attribute(raw, _parsed(raw), "id")
    return found[:ID_CHARS_MAX] if found is not None else None


def readable_source(raw: bytes) -> str | None:
    """The event's source, where it can still be read."""
    return _attribute(raw, _parsed(raw), "source")


def readable_site(raw: bytes) -> str | None:
    """The site that the event names, where it can still be read."""
    return _attribute(raw, _parsed(raw), "site")


def readable_revision(raw: bytes) -> int | None:
    """The revision that an event, or its data alone, states, where it can still be read."""
    found = _REVISION.search(_plain(raw))
    return int(found[1]) if found else None


def readable_record(raw: bytes) -> ReadableRecord:
    """Which adverse event or result a refused line is about, where that can still be read."""
    parsed = _parsed(raw)
    subject = _attribute(raw, parsed, "subject")
    if parsed is not None:
        texts = {key: value for key, value in _pairs(parsed) if key in _RECORD_FIELDS and isinstance(value, str)}
    else:
        texts = {name: text for name in _RECORD_FIELDS if (text := _searched(raw, name)) is not None}
    named = next(((kind, texts[name]) for name, kind in _RECORD_FIELDS.items() if name in texts), (None, None))
    return ReadableRecord(subject, *named)


def _attribute(raw: bytes, parsed: Any, name: str) -> str | None:
    """A text of the envelope: of the JSON, or, where it is broken, the first that looks like it."""
    if isinstance(parsed, _Pairs):
        value = next((value for key, value in parsed if key == name), None)
        return value if isinstance(value, str) else None
    return None if parsed is not None else _searched(raw, name)


def _searched(raw: bytes, name: str) -> str | None:
    found = _TEXTS[name].search(_plain(raw))
    return _decoded(found[1]) if found else None


def _plain(raw: bytes) -> bytes:
    """The bytes to search: a file in UTF-16 reads as ASCII with zero bytes between; data in base64 comes behind the rest."""
    raw = raw[:BYTES_READ_MAX]
    raw = raw.replace(b"\0", b"") if b"\0" in raw else raw
    return raw + b"\n" + hidden_data(raw) if MARK in raw else raw


def _parsed(raw: bytes) -> Any:
    """The JSON value, objects as :class:`_Pairs`; None where it cannot be read."""
    if len(raw) > BYTES_READ_MAX:
        return None
    try:
        return json.loads(raw.decode("utf-8-sig"), object_pairs_hook=_Pairs)
    except (ValueError, RecursionError):
        return None


def _type_of(raw: bytes, parsed: Any) -> str:
    if isinstance(parsed, _Pairs):
        value = next((value for key, value in parsed if key == "type"), "")
        return value if isinstance(value, str) else ""
    found = _TYPE.search(_plain(raw))
    return _decoded(found[1]) if found else ""


def _decoded(text: bytes) -> str:
    readable = text.decode("utf-8", "replace")
    try:
        return str(json.loads(f'"{readable}"', strict=False))
    except ValueError:
        return readable


def _pairs(value: Any) -> Iterator[tuple[str, Any]]:
    """Every key and value at any depth, save inside ``x``, which is the sender's own."""
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, _Pairs):
            for key, inner in item:
                if key == DATA_BASE64 and isinstance(inner, str):
                    stack.append(_parsed(leniently(inner)))
                elif key != "x":
                    yield key.lower(), inner
                    stack.append(inner)
        elif isinstance(item, list):
            stack.extend(item)


def _severe(key: str, value: Any) -> bool:
    if key.endswith("grade"):
        number = _number(value)
        return number is not None and number >= SEVERE_GRADE
    if key == "serious":
        return value is True or value == 1 or (isinstance(value, str) and value.strip().lower() in _YES)
    if key == "seriousness":
        return isinstance(value, str | list) and len(value) > 0
    return key == "outcome" and isinstance(value, str) and value.strip().lower() == "fatal"


def _number(value: Any) -> float | None:
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(min(value, 1_000_000))
