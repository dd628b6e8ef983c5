"""Run the benchmarks: ``python -m tests.bench [--events N] [--subjects N] [--rounds N] [--profile]``."""

from __future__ import annotations

import argparse
import os
import platform
import sys

from tests.bench import assess_rate, event_cost, grade_rate, live, monitor_rate


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--subjects", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--profile", action="store_true", help="show where the time goes, function by function")
    options = parser.parse_args()
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    print(f"Python {platform.python_version()}, one core, medians of {options.rounds} rounds")
    fast = assess_rate.run(options.events, options.subjects, options.rounds, profile=options.profile)
    flat = event_cost.run()
    graded = grade_rate.run(options.events)
    monitor_rate.run(options.events, options.rounds)
    os.sched_setaffinity(0, cores)
    live.run(options.events // 4)
    sys.exit(0 if fast and flat and graded else 1)


if __name__ == "__main__":
    main()
