"""Exceptions as they may be logged: what they are and where they arose; their words only where these are known for harmless.

The words of most exceptions quote what they stumbled over: a ``KeyError`` the key, a validation error the value. That may be
a subject's id or a diagnosis.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from traceback import walk_tb
from typing import Final

from events.errors import EventRefused, ToxwatchError

#: Libraries whose exceptions speak of connections and of what a server answered.
SPEAKING_LIBRARIES: Final = frozenset({"aiosmtplib", "httpx2", "httpcore2"})
FRAMES_MAX: Final = 30
CHAIN_MAX: Final = 5
#: How much of a file's path is enough to find it.
PATH_PARTS: Final = 3


def told(exception: BaseException) -> str:
    """The exception on one line: its type, and its words where it may say them."""
    name = type(exception).__name__
    return f"{name}: {exception}" if _may_speak(exception) else name


def frames_of(exception: BaseException) -> list[str]:
    """The exception, the places that it came through (the innermost last), and what caused it."""
    lines: list[str] = []
    for number, link in enumerate(_chain(exception)):
        lines.append(f"{'caused by ' if number else ''}{told(link)}")
        places = [
            f"  {'/'.join(Path(frame.f_code.co_filename).parts[-PATH_PARTS:])}:{line} in {frame.f_code.co_name}"
            for frame, line in walk_tb(link.__traceback__)
        ]
        lines += places[-FRAMES_MAX:]
    return lines


def _may_speak(exception: BaseException) -> bool:
    if isinstance(exception, EventRefused):
        return False
    if isinstance(exception, ToxwatchError | OSError):
        return True
    return type(exception).__module__.partition(".")[0] in SPEAKING_LIBRARIES


def _chain(exception: BaseException) -> Iterator[BaseException]:
    link: BaseException | None = exception
    for _ in range(CHAIN_MAX):
        if link is None:
            return
        yield link
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
