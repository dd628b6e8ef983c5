"""Case names of analytes: a ruling may name one by any of its codes (rules.md §4)."""

from __future__ import annotations

from projections.ctcae.analytes import analyte
from projections.rules.facts.lab_results import LAB


def canonical_case(case: str) -> str:
    """A case name with its analyte's own name, so that a ruling on ``lab:ANC`` finds ``lab:NEUT``."""
    if case.startswith(LAB):
        return LAB + analyte(case.removeprefix(LAB))
    return case
