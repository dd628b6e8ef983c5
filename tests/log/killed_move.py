"""``toxwatch migrate-log`` that kills itself as it passes a step for the N-th time; production has no such switch.

``python -m tests.log.killed_move STEP:N migrate-log --from-data …``
"""

from __future__ import annotations

import sys
from functools import partial

import services.cli.main
import services.maintenance.relocation.entries
import services.maintenance.relocation.moving
from services.maintenance.relocation.moving import move_deployment
from tests.crash.killed_run import Assassin

PAGE = 100


def main() -> None:
    """Run the command line, with the switch taken off it; so few entries at a time that there are many pages."""
    step, _, times = sys.argv.pop(1).partition(":")
    vars(services.maintenance.relocation.entries)["PAGE"] = PAGE
    vars(services.maintenance.relocation.moving)["move_deployment"] = partial(
        move_deployment, fail_point=Assassin(step, int(times))
    )
    services.cli.main.main()


if __name__ == "__main__":
    main()
