"""Ways for a disk to fail under a process that runs, and to come right again."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

SMALL_BYTES: Final = 8 * 1024 * 1024
_CHUNK: Final = b"\0" * 65_536

#: Holds the database for as long as its standard input is open.
_LOCKING: Final = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=60)
connection.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.read()
connection.execute("ROLLBACK")
connection.close()
"""


@contextmanager
def small_disk(directory: Path) -> Iterator[Path]:
    """A file system of 8 MiB in memory, mounted on a new directory. Only root may do that."""
    directory.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SMALL_BYTES}", "tmpfs", directory], check=True)
    try:
        yield directory
    finally:
        subprocess.run(["umount", directory], check=True)


@contextmanager
def full(disk: Path) -> Iterator[None]:
    """Nothing more goes on the disk, because something else has filled it."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while file.write(_CHUNK):
                pass
        except OSError:
            """It is full."""
    try:
        yield
    finally:
        filler.unlink()


@contextmanager
def read_only(data: Path) -> Iterator[None]:
    """Every file of the database can be read and not written, by those who have it open either. Only root may do that.

    Save the shared memory beside it: whoever has that mapped would be killed by the kernel.
    """
    files = [str(file) for file in sorted(data.glob("*.db*")) if not file.name.endswith("-shm")]
    subprocess.run(["chattr", "+i", *files], check=True)
    try:
        yield
    finally:
        subprocess.run(["chattr", "-i", *files], check=True)


def may_become_read_only(directory: Path) -> bool:
    """Whether this file system keeps an immutable file from those who have it open already."""
    probe = directory / "probe"
    with probe.open("wb", buffering=0) as file:
        if subprocess.run(["chattr", "+i", probe], capture_output=True).returncode != 0:
            return False
        try:
            file.write(b"x")
        except PermissionError:
            return True
        finally:
            subprocess.run(["chattr", "-i", probe], check=True)
    return False


@contextmanager
def locked(database: Path) -> Iterator[None]:
    """Another process has the database for itself."""
    holding = subprocess.Popen(
        [sys.executable, "-c", _LOCKING, str(database)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holding.stdin is not None, "it waits for its end there"
    assert holding.stdout is not None, "and says here that it has it"
    try:
        assert holding.stdout.readline() == b"locked\n"
        yield
    finally:
        holding.stdin.close()
        try:
            holding.wait(30)
        finally:
            holding.kill()
            holding.wait()
            holding.stdout.close()


def is_root() -> bool:
    """Whether mounting and the like are allowed."""
    return os.geteuid() == 0
