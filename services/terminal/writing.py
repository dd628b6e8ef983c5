"""One JSON document on standard output."""

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
