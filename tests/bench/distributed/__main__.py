"""Run them: ``python -m tests.bench.distributed [--only NAME …] [--events N] [--rounds N] [--seconds N] [--long]``."""

from __future__ import annotations

import argparse
import os
import platform
from pathlib import Path
from typing import Final

from tests.bench.distributed import latency, long_run, race, unit_costs, where, workers
from tests.bench.distributed.ground import ground, portfolio

#: How many workers run side by side.
WORKERS: Final = (1, 2, 3)
SECTIONS: Final = ("race", "workers", "where", "sizes", "latency", "long")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.distributed", description=__doc__)
    parser.add_argument(
        "--only", nargs="+", choices=SECTIONS, default=SECTIONS[:-1], help="default: all but the long one"
    )
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=20, help="how long delays are measured")
    parser.add_argument("--long", action="store_true", help="a worker's memory over an outage, and a rebuild, too")
    parser.add_argument("--long-events", type=int, default=1_000_000)
    parser.add_argument("--outage", type=float, default=60, help="seconds")
    parser.add_argument("--peers", type=Path, default=Path(".venv-bench/bin/python"), help="the others' interpreter")
    return parser.parse_args()


def main() -> None:
    options = _options()
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, load average before: {load}", flush=True)
    with ground() as made:
        made.fill(portfolio(options.events))
        sections = {
            "race": lambda: race.run(made, options.peers.absolute(), options.rounds),
            "workers": lambda: workers.run(made, options.rounds, WORKERS),
            "where": lambda: where.run(made),
            "sizes": lambda: unit_costs.run(made),
            "latency": lambda: latency.run(made, options.seconds),
            "long": lambda: long_run.run(made, options.long_events, options.outage),
        }
        for name, section in sections.items():
            if name in options.only or (name == "long" and options.long):
                section()


if __name__ == "__main__":
    main()
