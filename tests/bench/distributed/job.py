"""What a contestant is told, as JSON on its command line."""

from __future__ import annotations

import json
import sys
from typing import NamedTuple


class Job(NamedTuple):
    """Read ``events`` entries of ``topic`` from its beginning, as ``group``, at most ``batch`` at once; ``home`` is for files.

    ``is_live``: they are still being written, and how long each took until it was committed is to be told.
    """

    broker: str
    topic: str
    group: str
    database: str
    events: int
    batch: int
    home: str
    is_live: bool = False

    def as_text(self) -> str:
        """For the command line."""
        return json.dumps(self._asdict())


def job_of_command_line() -> Job:
    """The job that this process is to do."""
    return Job(**json.loads(sys.argv.pop(1)))
