"""How long it took from an event's receipt, as its stamp says, until it was committed, as the process that commits sees it."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Final

from tests.bench.distributed.job import Job

#: The file, in the job's home.
DELAYS: Final = "delays.json"
_STAMP: Final = re.compile(rb'"receivedtime": ?"([^"]+)"')


class Delays:
    """Keeps the delays, and writes them down when all events of the job are committed."""

    def __init__(self, job: Job) -> None:
        self._left = job.events
        self._seconds: list[float] = []
        self._written_to = Path(job.home) / DELAYS

    def committed(self, bodies: Iterable[bytes]) -> None:
        """These have just been committed."""
        now = time.time()
        for body in bodies:
            (stamp,) = _STAMP.findall(body)
            self._seconds.append(now - datetime.fromisoformat(stamp.decode()).timestamp())
            self._left -= 1
        if self._left <= 0:
            there = self._written_to.with_suffix(".part")
            there.write_text(json.dumps(self._seconds))
            there.rename(self._written_to)
