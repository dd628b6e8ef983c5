"""Files that hold keys or clinical data: nobody else on the machine may read them."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO, Final, TextIO

MODE: Final = 0o600


def open_private(path: Path) -> BinaryIO:
    """Open a file to be written anew, closed to others whether it was there before or not."""
    return os.fdopen(_opened(path), "wb")


def open_private_text(path: Path) -> TextIO:
    """The same for text in UTF-8, line ends as they are written; half a character is an escape, rather than an error."""
    return os.fdopen(_opened(path), "w", encoding="utf-8", errors="backslashreplace", newline="")


def keep_private(out: TextIO) -> None:
    """Close to others the file into which the shell has led an output (``> monitor.key``)."""
    try:
        descriptor = out.fileno()
    except (OSError, ValueError):
        return  # It is led nowhere that has a mode.
    _close_to_others(descriptor)


def _opened(path: Path) -> int:
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, MODE)
    _close_to_others(descriptor)
    return descriptor


def _close_to_others(descriptor: int) -> None:
    """A pipe, a terminal or ``/dev/null`` stays as it is, and so does what is somebody else's."""
    found = os.fstat(descriptor)
    if stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid():
        os.fchmod(descriptor, MODE)
