"""Figures beside goals."""

from __future__ import annotations

import sys


def at_least(what: str, value: float, goal: float, unit: str = "x") -> None:
    """Print a figure that should be at least so much."""
    _print(what, f"{value:.2f} {unit}", f">= {goal:g}", value >= goal)


def at_most(what: str, value: float, goal: float, unit: str) -> None:
    """Print a figure that should be at most so much."""
    _print(what, f"{value:.1f} {unit}", f"<= {goal:g}", value <= goal)


def progress(text: str) -> None:
    """What is being done, for whoever waits."""
    if sys.stderr.isatty():
        sys.stderr.write(f"  … {text}\n")


def _print(what: str, value: str, goal: str, is_met: bool) -> None:
    print(f"  {what:52} {value:>12}   goal {goal:9} {'met' if is_met else 'NOT MET'}")
