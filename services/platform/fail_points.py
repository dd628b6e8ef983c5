"""Steps that a service announces as it passes them, so that a test can stop it between any two."""

from __future__ import annotations


def nothing(_step: str) -> None:
    """What happens in earnest as a step is passed."""
