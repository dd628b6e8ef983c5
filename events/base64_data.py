"""``data_base64``: the data of an event as base64, which CloudEvents allows where a sender's library was given bytes.

The official Python SDK sends JSON so. What is meant is an event with ``data``, and everything behind this module sees one.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import Any, Final

from events.wire import DATA_BASE64, TWO_DATA, BrokenJsonError, exact

MARK: Final = DATA_BASE64.encode()

_DATA: Final = "data"
_ANY: Final = re.compile(rb'"data_base64"\s*+:\s*+"([A-Za-z0-9+/=_\\-]*+)')


class BadBase64(ValueError):  # noqa: N818 - reads better where it is caught
    """Carries the sentence for the sender; the field is ``data_base64``."""


def with_plain_data(raw: bytes) -> bytes:
    """The event with ``data`` in place of ``data_base64``, whose JSON stays as its sender wrote it.

    Any other line is given back as it is, a broken one too: the reader says what is wrong with it. Raises
    :class:`BadBase64`.
    """
    if MARK not in raw:
        return raw
    try:
        parsed = exact(raw)
    except BrokenJsonError:
        return raw
    if not isinstance(parsed, dict) or DATA_BASE64 not in parsed:
        return raw
    if _DATA in parsed:
        raise BadBase64(TWO_DATA)
    data = _decoded(parsed.pop(DATA_BASE64))
    members = "".join(
        f"{json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}, " for name, value in parsed.items()
    )
    return b"{" + members.encode("utf-8", "surrogatepass") + b'"data": ' + data + b"}"


def leniently(text: str | bytes) -> bytes:
    """What base64 that may be broken or cut encodes, as far as it can be read."""
    letters = text.encode("ascii", "ignore") if isinstance(text, str) else text
    letters = re.sub(rb"[^A-Za-z0-9+/]", b"", letters.replace(b"-", b"+").replace(b"_", b"/"))
    return base64.b64decode(letters[: len(letters) // 4 * 4] + _rest(letters))


def hidden_data(raw: bytes) -> bytes:
    """What every ``data_base64`` of a line that cannot be parsed encodes, one after the other."""
    return b"\n".join(leniently(found[1]) for found in _ANY.finditer(raw))


def _rest(letters: bytes) -> bytes:
    """The last letters of a cut text, filled up; one letter alone says nothing."""
    rest = letters[len(letters) // 4 * 4 :]
    return rest + b"=" * (4 - len(rest)) if len(rest) > 1 else b""


def _decoded(text: Any) -> bytes:
    if not isinstance(text, str):
        raise BadBase64("not text; the data of an event is given as base64, or as data")
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True).strip(b" \t\r\n")
    except (binascii.Error, UnicodeEncodeError):
        raise BadBase64("not base64") from None
    try:
        exact(data)
    except BrokenJsonError as error:
        raise BadBase64(f"what it encodes is not JSON: {error}") from None
    return data
