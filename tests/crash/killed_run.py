"""``toxwatch run`` that kills itself as it passes a step for the N-th time; production has no such switch.

``python -m tests.crash.killed_run STEP:N run --data …``: what follows is the command line of ``toxwatch``, which runs as it is,
save that the system is told whom to call between its steps.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from functools import partial

import services.cli.main
import services.cli.run
from services.runtime.embedded import run_system


class Assassin:
    """Ends the process, as a power failure would, when a step is passed for the N-th time."""

    def __init__(self, step: str, times: int) -> None:
        self._step = step
        self._left = times
        self._lock = threading.Lock()

    def __call__(self, step: str) -> None:
        if step != self._step:
            return
        with self._lock:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Run the command line, with the switch taken off it."""
    step, _, times = sys.argv.pop(1).partition(":")
    vars(services.cli.run)["run_system"] = partial(run_system, fail_point=Assassin(step, int(times)))
    services.cli.main.main()


if __name__ == "__main__":
    main()
