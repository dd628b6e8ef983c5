"""What is shown of an alert's verdict: each clause has its own, and after a withdrawal none looks as if it were in effect."""

from __future__ import annotations

from typing import Final

from events.alert import AlertData, Verdict

NONE: Final = "-"


def shown_verdict(data: AlertData, *, withdrawn: bool) -> str:
    """The verdict of the case. After a withdrawal it may be watched; an overruled case keeps a ``met`` that is not in effect."""
    if withdrawn and data.verdict != "watch":
        return NONE
    return data.verdict or NONE


def shown_clauses(data: AlertData, *, withdrawn: bool) -> dict[str, Verdict]:
    """Each clause with its own verdict; after a withdrawal those alone that are watched."""
    return {clause: verdict for clause, verdict in data.clauses.items() if not withdrawn or verdict == "watch"}


def clause_list(data: AlertData, *, withdrawn: bool) -> str:
    """``DLT-2 met, DLT-3 watch``."""
    shown = shown_clauses(data, withdrawn=withdrawn)
    return ", ".join(f"{clause} {verdict}" for clause, verdict in shown.items())
