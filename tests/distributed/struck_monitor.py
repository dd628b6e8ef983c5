"""``python -m tests.distributed.struck_monitor monitor``: the service as it is, save that it can be made to stall.

It stalls, for longer than a rebalance takes, with a batch in its hands and its heart beating, once for each time that the file
exists which the environment names. With ``TOOTHLESS`` it does without a safeguard, too.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from events.dates import Instant
from projections.store.write.batch import BatchOutcome
from services.log.port import Entry
from services.monitor.monitor import Monitor
from tests.distributed.toothless import SAFEGUARDS, VARIABLE

PROGRAM: Final = ("tests.distributed.struck_monitor", "monitor")
STALL_FILE: Final = "STALL_FILE"
STALL_SECONDS: Final = 10.0


def stall_while(told: Path) -> None:
    """From now on a batch waits, before its transaction begins, where the file is there; and takes the file away."""
    process = Monitor.process

    def stalling(self: Monitor, entries: Sequence[Entry], now: Instant) -> BatchOutcome:
        if told.exists():
            told.unlink()
            time.sleep(STALL_SECONDS)
        return process(self, entries, now)

    setattr(Monitor, "process", stalling)  # noqa: B010 - a method, which mypy lets nobody assign


if __name__ == "__main__":
    from services.cli.main import main

    if VARIABLE in os.environ:
        SAFEGUARDS[os.environ[VARIABLE]](setattr)
    stall_while(Path(os.environ[STALL_FILE]))
    main()
