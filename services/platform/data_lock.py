"""One process at a time on a data directory."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from events.errors import ToxwatchError

LOCK_FILE: Final = "toxwatch.lock"


class AlreadyRunning(ToxwatchError):  # noqa: N818 - reads better where it is caught
    """Another process runs on the same data."""


@contextmanager
def alone_on(data: Path | None) -> Iterator[None]:
    """Hold the directory for this process; made when missing, None where the data are elsewhere.

    Raises :class:`AlreadyRunning`.
    """
    if data is None:
        yield
        return
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (data / LOCK_FILE).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(f"another toxwatch is running on {data}") from None
        yield
