"""The file system that an embedded database is on: how much is free, and a reserve for the day when nothing is.

On a full disk SQLite cannot even erase: what it overwrites goes to its write-ahead log first. So a file of zeros is kept beside
the database, and given up by the commands that make room.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from sqlalchemy.engine import make_url

from projections.folds.system_alerts import DISK
from projections.store.engine.database import Database
from services.platform.condition_alert import Condition

RESERVE_FILE: Final = "toxwatch.reserve"
MODE: Final = 0o600
MIB: Final = 1024 * 1024
#: Low is less than this, or than a twentieth of a small disk.
LOW_BYTES: Final = 512 * MIB
LOW_PART: Final = 20
#: The reserve is enough for what SQLite has in its write-ahead log; on a small disk, an eighth of it.
RESERVE_BYTES_MAX: Final = 16 * MIB
RESERVE_PART: Final = 8


class Disk:
    """Where an embedded database is."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._reserve = directory / RESERVE_FILE
        self._was_low = False

    def free(self) -> int:
        """How many bytes are free for us."""
        return shutil.disk_usage(self._directory).free

    def low(self) -> int:
        """With less than so many bytes free, somebody has to act."""
        return min(LOW_BYTES, shutil.disk_usage(self._directory).total // LOW_PART)

    def trouble(self) -> str | None:
        """That little is free, in a sentence; None while there is enough."""
        free, low = self.free(), self.low()
        # Once low, low until there is clearly more: or it would come and go with every checkpoint.
        self._was_low = free < (low * 5 // 4 if self._was_low else low)
        if not self._was_low:
            return None
        return (
            f"the disk of the database is nearly full: {free // 1024} KiB free in {self._directory}, fewer than {low // 1024}."
            " When it is full, no event is taken. Make room: enlarge the disk, or erase parked input (`toxwatch dead-letters"
            " delete --where`, then `toxwatch compact`)"
        )

    def keep_reserve(self) -> None:
        """Have the reserve, where that leaves enough."""
        size = min(RESERVE_BYTES_MAX, shutil.disk_usage(self._directory).total // RESERVE_PART)
        if self._reserve.exists() or self.free() - size < self.low():
            return
        part = self._reserve.with_suffix(".unfinished")
        try:
            with os.fdopen(os.open(part, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, MODE), "wb") as file:
                os.posix_fallocate(file.fileno(), 0, size)
            part.rename(self._reserve)
        except OSError:
            part.unlink(missing_ok=True)

    @contextmanager
    def reserve_given_up(self) -> Iterator[None]:
        """Make room for a command that makes more; what runs keeps a new reserve once there is enough again."""
        if self.free() < self.low():
            with suppress(OSError):
                self._reserve.unlink(missing_ok=True)
        yield
        with suppress(OSError):
            self.keep_reserve()


def disk_of(database: Database) -> Disk | None:
    """The disk of an embedded database; None where a server has its own."""
    path = make_url(database.url).database
    return Disk(Path(path).absolute().parent) if database.is_sqlite and path else None


def disk_is_low(database: Database) -> Condition:
    """Before it is full."""
    advice = (
        "Make room on the disk of the database before it is full: then no event is taken, and nobody is alerted of any."
    )
    return Condition(f"{DISK}database", disk_check(database), advice)


@contextmanager
def room_on(database: Database) -> Iterator[None]:
    """With the reserve given up where the disk is nearly full."""
    disk = disk_of(database)
    if disk is None:
        yield
        return
    with disk.reserve_given_up():
        yield


def disk_check(database: Database) -> Callable[[], str | None]:
    """The check that there is room."""
    disk = disk_of(database)
    return disk.trouble if disk is not None else lambda: None
