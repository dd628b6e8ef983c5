"""Writing what others have written: ids and file names with line breaks, half characters or terminal codes in them."""

from __future__ import annotations

import json
from typing import Any

import typer


def write_json(value: Any) -> None:
    """One JSON document on standard output, readable; escaped where UTF-8 has no way to write a character of it."""
    text = json.dumps(value, ensure_ascii=False, indent=1)
    try:
        text.encode()
    except UnicodeEncodeError:
        text = json.dumps(value, indent=1)
    typer.echo(text)


def printable(text: str) -> str:
    """The text on one line, with escapes for whatever cannot be shown or would steer a terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)
