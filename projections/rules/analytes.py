"""One name for each analyte: the CDISC LBTESTCD, and the synonyms that are accepted for it (RULES 4)."""

from __future__ import annotations

from typing import Final

from projections.rules.assess import LAB

SYNONYMS: Final = {"ANC": "NEUT", "LYMPH": "LYM", "PLT": "PLAT", "NA": "SODIUM"}


def analyte(test: str) -> str:
    """The LBTESTCD of a test code."""
    return SYNONYMS.get(test, test)


def canonical_case(case: str) -> str:
    """A case name with its analyte's own name, so that a ruling on ``lab:ANC`` finds ``lab:NEUT``."""
    if case.startswith(LAB):
        return LAB + analyte(case.removeprefix(LAB))
    return case
