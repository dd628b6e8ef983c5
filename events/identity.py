"""When two events are one, and ids that are derived from what they name."""

from __future__ import annotations

import json
import re
from typing import Any, Final
from uuid import UUID, uuid5

import rfc8785

# What is added on the way; everything else is the sender's.
NOT_CONTENT: Final = ("traceparent", "receivedtime")

#: JSON is in UTF-8, whether that is said or not.
PLAIN_JSON: Final = re.compile(r'application/json(\s*;\s*charset="?utf-8"?)?', re.IGNORECASE)

# Drawn once, and part of every derived id in every log: it can never change.
NAMESPACE: Final = UUID("8c4e9f0a-3f5b-5d0e-9a39-6b1f0e1c7d52")


def derived_id(*parts: str) -> str:
    """An id that is the same whenever the same parts are named, and another for any other parts."""
    # As JSON, because no separator can occur in it unescaped: ("a", "bc") and ("ab", "c") are two names.
    return str(uuid5(NAMESPACE, json.dumps(parts, ensure_ascii=True)))


def same_content(a: bytes, b: bytes) -> bool:
    """Whether two events say the same: canonical JSON (RFC 8785), without what is added on the way."""
    if a == b:
        return True
    try:
        left, right = _content(a), _content(b)
    except (ValueError, RecursionError):
        return False
    try:
        return rfc8785.dumps(left) == rfc8785.dumps(right)
    except (rfc8785.CanonicalizationError, ValueError, RecursionError):
        # Integers beyond 2^53 and the like have no canonical form, and still are equal or not.
        return bool(_comparable(left) == _comparable(right))


def _content(raw: bytes) -> Any:
    value = json.loads(raw)
    if isinstance(value, dict):
        for name in NOT_CONTENT:
            value.pop(name, None)
        media_type = value.get("datacontenttype")
        if isinstance(media_type, str) and PLAIN_JSON.fullmatch(media_type):
            # Its absence means the same (CloudEvents, JSON format), and clients differ by the mode in which they send.
            del value["datacontenttype"]
    return value


def _comparable(value: Any) -> Any:
    """The value in a form in which Python's equality is JSON's: true is not 1, and NaN is itself."""
    if isinstance(value, bool):
        return ("bool", value)
    if isinstance(value, dict):
        return {key: _comparable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_comparable(item) for item in value]
    return "NaN" if value != value else value
