"""Dose-escalation designs as tables: what a dose level's counts decide (rules.md §5).

A design is a list of rows, read from the top; the first that fits decides. 3+3 is one; further designs are further tables of
the same kind.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

DesignDecision = Literal["pending", "escalate", "expand", "stop", "stay", "de-escalate", "eliminate"]


@dataclass(frozen=True, slots=True)
class DesignRow:
    """``decision`` holds when the counts lie within the bounds, all inclusive; None is no bound."""

    decision: DesignDecision
    dlts_min: int = 0
    dlts_max: int | None = None
    evaluable_min: int = 0
    evaluable_max: int | None = None
    pending_min: int = 0
    hold: bool = False

    def fits(self, evaluable: int, dlts: int, pending: int) -> bool:
        """Whether the counts of a dose level fall in this row."""
        return (
            self.dlts_min <= dlts
            and (self.dlts_max is None or dlts <= self.dlts_max)
            and self.evaluable_min <= evaluable
            and (self.evaluable_max is None or evaluable <= self.evaluable_max)
            and pending >= self.pending_min
        )


@dataclass(frozen=True, slots=True)
class CohortDesign:
    """A named table of decisions. The last row fits everything."""

    name: str
    rows: tuple[DesignRow, ...]

    def row(self, evaluable: int, dlts: int, pending: int) -> DesignRow:
        """The row that decides, for counts of subjects."""
        return next(row for row in self.rows if row.fits(evaluable, dlts, pending))

    def decision(self, evaluable: int, dlts: int, pending: int) -> DesignDecision:
        """What to do with the dose level."""
        return self.row(evaluable, dlts, pending).decision

    def hold(self, dlts: int) -> bool:
        """Whether so many subjects with a dose-limiting toxicity put the level on hold, whatever else is known."""
        return any(row.hold and row.dlts_min <= dlts for row in self.rows)

    def best_case(self, evaluable: int, dlts: int, pending: int) -> DesignDecision:
        """The decision if every pending subject turned out without a dose-limiting toxicity."""
        return self.decision(evaluable + pending, dlts, 0)

    def worst_case(self, evaluable: int, dlts: int, pending: int) -> DesignDecision:
        """The decision if every pending subject turned out with one."""
        return self.decision(evaluable + pending, dlts + pending, 0)


THREE_PLUS_THREE: Final = CohortDesign(
    "3+3",
    (
        DesignRow("stop", dlts_min=2, hold=True),
        DesignRow("pending", pending_min=1),
        DesignRow("pending", evaluable_max=2),
        DesignRow("escalate", dlts_max=0),
        DesignRow("expand", evaluable_max=5),
        DesignRow("escalate"),
    ),
)

DESIGNS: Final = {design.name: design for design in (THREE_PLUS_THREE,)}
