"""Run them: ``python -m tests.bench.distributed [--events N] [--rounds N] [--only NAME …] [--long]``."""

from __future__ import annotations

import argparse
import os
import platform
from pathlib import Path
from typing import Final

from tests.bench.distributed import latency, race, where, workers
from tests.bench.distributed.ground import ground, portfolio

SECTIONS: Final = ("race", "workers", "where", "latency")
#: How many run side by side.
WORKERS: Final = (1, 2, 3)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.distributed", description=__doc__)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=20, help="how long delays are measured")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=SECTIONS)
    parser.add_argument("--peers", type=Path, default=Path(".venv-bench/bin/python"), help="the others' interpreter")
    options = parser.parse_args()
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, load before {load}")
    with ground() as made:
        made.fill(portfolio(options.events))
        if "race" in options.only:
            race.run(made, options.peers.absolute(), options.rounds)
        if "workers" in options.only:
            workers.run(made, options.rounds, WORKERS)
        if "where" in options.only:
            where.run(made)
        if "latency" in options.only:
            latency.run(made, options.seconds)


if __name__ == "__main__":
    main()
