"""What a test starts ends with it, also when the test run is killed."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[1]
#: A test run that starts a process, and a process of that one, and then waits for ever.
RUN: Final = """
import subprocess, sys, time
from tests.reaper import watch_over_this_run
watch_over_this_run()
inner = "import time; time.sleep(600)"
outer = f"import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', {inner!r}]).pid, flush=True); {inner}"
child = subprocess.Popen([sys.executable, "-c", outer], start_new_session=True)
print(child.pid, flush=True)
time.sleep(600)
"""


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="processes are found in /proc")
def test_what_a_killed_run_has_started_is_ended() -> None:
    """The process that it started, and the one that this started, each in a session of its own."""
    with subprocess.Popen([sys.executable, "-c", RUN], cwd=ROOT, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        started = [int(run.stdout.readline()), int(run.stdout.readline())]
        assert all(_is_alive(pid) for pid in started)
        run.kill()
        run.stdout.close()
    until = time.monotonic() + 30
    while any(_is_alive(pid) for pid in started):
        assert time.monotonic() < until, "they are still there"
        time.sleep(0.05)
