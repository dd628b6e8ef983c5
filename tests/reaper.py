"""Ends what a test run has started and not ended, also where the run itself was killed and could end nothing.

    python -m tests.reaper MARK

Everything that a test starts inherits a mark in its environment. This program waits until its standard input ends, which it
does when the test run is gone, however that came, and then kills every process that still bears the mark.
"""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

#: The name of the mark in the environment.
MARK: Final = "TOXWATCH_TEST_RUN"


def watch_over_this_run() -> None:
    """Mark what this process starts from now on, and have it ended when this process is gone."""
    mark = f"{os.getpid()}-{Path(f'/proc/{os.getpid()}').stat().st_ctime_ns}"
    unmarked = {name: value for name, value in os.environ.items() if name != MARK}
    command = [sys.executable, __file__, mark]
    # Its end of the pipe is closed when we are gone; a session of its own, lest Ctrl-C end it before us.
    watcher = subprocess.Popen(command, stdin=subprocess.PIPE, env=unmarked, start_new_session=True)
    atexit.register(watcher.communicate)
    os.environ[MARK] = mark


def marked(mark: str) -> Iterator[int]:
    """The processes that bear the mark."""
    for entry in Path("/proc").iterdir():
        with suppress(OSError):  # it has ended, or is somebody else's
            if entry.name.isdecimal() and f"{MARK}={mark}".encode() in (entry / "environ").read_bytes().split(b"\0"):
                yield int(entry.name)


def main() -> None:
    """Wait for the end of the run, and end what it has left."""
    sys.stdin.buffer.read()
    while found := list(marked(sys.argv[1])):
        for process in found:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)


if __name__ == "__main__":
    main()
