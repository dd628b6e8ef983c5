"""``python -m tests.distributed.soak``: struck some hundred times under load; not in CI. Says its seed, to be repeated with."""

from __future__ import annotations

import argparse
import logging
import secrets
import shutil
import sys
import tempfile
from pathlib import Path

from tests.distributed.ordeal import ordeal
from tests.distributed.toothless import SAFEGUARDS


def main() -> int:
    """Exits with 1 where anything does not hold; then what the processes have logged stays."""
    parser = argparse.ArgumentParser(prog="python -m tests.distributed.soak", description=__doc__)
    parser.add_argument("--faults", type=int, default=200, help="how often something is struck (%(default)s)")
    parser.add_argument("--seed", type=int, default=None, help="by default another each time")
    parser.add_argument(
        "--without", choices=SAFEGUARDS, help="take a safeguard out of the monitors: this must be found"
    )
    options = parser.parse_args()
    seed = secrets.randbelow(2**31) if options.seed is None else options.seed
    # aiosmtpd says at every login that one of its own attributes will go.
    logging.getLogger("mail.log").setLevel(logging.ERROR)
    home = Path(tempfile.mkdtemp(prefix="toxwatch-soak-"))
    _say(f"seed {seed}, {options.faults} faults, in {home}")
    came_to = ordeal(home, seed, options.faults, _say, options.without)
    _say(str(came_to))
    for fault in came_to.faults:
        _say(f"FAULT {fault}")
    if came_to.faults:
        _say(f"seed {seed}; the logs are in {home}")
        return 1
    shutil.rmtree(home)
    return 0


def _say(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")


if __name__ == "__main__":
    sys.exit(main())
