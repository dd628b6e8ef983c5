"""``python -m tests.crash.soak``: killed some hundred times under load; not in CI. Says its seed, so that it can be repeated."""

from __future__ import annotations

import argparse
import secrets
import shutil
import sys
import tempfile
from pathlib import Path

from tests.crash.ordeal import ordeal


def main() -> int:
    """Exits with 1 where anything does not hold; then the data stay."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash.soak", description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="how often it is killed (%(default)s)")
    parser.add_argument("--seed", type=int, default=None, help="by default another each time")
    options = parser.parse_args()
    seed = secrets.randbelow(2**31) if options.seed is None else options.seed
    home = Path(tempfile.mkdtemp(prefix="toxwatch-soak-"))
    _say(f"seed {seed}, {options.kills} kills, in {home}")
    came_to = ordeal(home, seed, options.kills, _say)
    _say(str(came_to))
    for fault in came_to.faults:
        _say(f"FAULT {fault}")
    if came_to.faults:
        _say(f"seed {seed}; the data are in {home}")
        return 1
    shutil.rmtree(home)
    return 0


def _say(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")


if __name__ == "__main__":
    sys.exit(main())
