"""Text that others have written, on one line: ids and file names may hold line breaks, half characters or terminal codes."""

from __future__ import annotations


def printable(text: str) -> str:
    """The text on one line, with escapes for whatever cannot be shown or would steer a terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)
