"""``toxwatch`` on a machine whose clock is wrong: ``python -m tests.clock.shifted_run FILE run …``.

The file says by how many seconds, and is read each time anybody asks for the time: so the clock can be set while it runs.
"""

from __future__ import annotations

import sys
from pathlib import Path

import services.cli.main
from events.dates import SECOND, Instant
from services.platform import time_source


def main() -> None:
    """Run the command line under that clock."""
    shift, right = Path(sys.argv.pop(1)), time_source.now

    def wrong() -> Instant:
        return right() + int(shift.read_text()) * SECOND

    vars(time_source)["now"] = wrong
    services.cli.main.main()


if __name__ == "__main__":
    main()
