"""The cohort board: subjects of the parts that count, by dose level, and what their counts decide (rules.md §5).

Each subject contributes one standing; changing it touches its cohort's counts and nothing else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple

from events.dates import DAY
from projections.folds.subject_chart import SubjectChart
from projections.rules.cases.finding import Finding
from projections.rules.escalation.cohort_designs import DESIGNS, CohortDesign
from projections.rules.facts.ending import STUDY
from projections.rules.facts.window import window_end
from projections.rules.logic.trial_protocol import TrialProtocol


class MembershipStatus(Enum):
    """How a treated subject counts in its cohort."""

    EVALUABLE = "evaluable"
    PENDING = "pending"
    REPLACEABLE = "replaceable"


class CohortKey(NamedTuple):
    """A part and a dose level, None where the level is not on record."""

    part: str
    dose_level: int | None

    @property
    def case(self) -> str:
        """The case of the alert that puts the level on hold (events.md)."""
        return f"cohort:{self.part}/{'unassigned' if self.dose_level is None else self.dose_level}"


class CohortMembership(NamedTuple):
    """What one subject contributes."""

    cohort: CohortKey
    status: MembershipStatus
    has_dlt: bool
    pending_reason: str | None


@dataclass(frozen=True, slots=True)
class CohortRow:
    """One dose level's counts, of subjects, and what they decide. Without a dose level there is no decision."""

    key: CohortKey
    evaluable: int
    pending: int
    replaceable: int
    dlts: int
    design: CohortDesign

    @property
    def treated(self) -> int:
        """Subjects with at least one administration."""
        return self.evaluable + self.pending + self.replaceable

    @property
    def hold(self) -> bool:
        """Whether the level is on hold."""
        return self.design.hold(self.dlts)

    def as_json(self, pending_reasons: dict[str, str]) -> dict[str, Any]:
        """The entry in ``assess``'s JSON."""
        decided = self.key.dose_level is not None
        counts = (self.evaluable, self.dlts, self.pending)
        return {
            "part": self.key.part,
            "dose_level": self.key.dose_level,
            "treated": self.treated,
            "evaluable": self.evaluable,
            "pending": self.pending,
            "replaceable": self.replaceable,
            "dlts": self.dlts,
            "hold": self.hold,
            "decision": self.design.decision(*counts) if decided else None,
            "best_case": self.design.best_case(*counts) if decided else None,
            "worst_case": self.design.worst_case(*counts) if decided else None,
            "pending_reasons": pending_reasons,
        }


class CohortBoard:
    """The standings of all subjects, counted by cohort as they change."""

    def __init__(self, protocol: TrialProtocol) -> None:
        self._design = DESIGNS[protocol.cohort_design]
        self._standings: dict[str, CohortMembership] = {}
        self._counts: dict[CohortKey, Counter[str]] = {}

    def update(self, subject: str, standing: CohortMembership | None) -> set[CohortKey]:
        """Put in a subject's standing, None for one that belongs to no cohort, and name the cohorts that changed."""
        previous = self._standings.pop(subject, None)
        if standing is not None:
            self._standings[subject] = standing
        if previous == standing:
            return set()
        changed: set[CohortKey] = set()
        for one, step in ((previous, -1), (standing, 1)):
            if one is None:
                continue
            counts = self._counts.setdefault(one.cohort, Counter())
            counts[one.status.value] += step
            counts["dlts"] += step if one.has_dlt else 0
            changed.add(one.cohort)
        return changed

    def row(self, key: CohortKey) -> CohortRow | None:
        """One cohort's row; None where nobody is in it any more."""
        counts = self._counts.get(key, Counter())
        row = CohortRow(
            key, counts["evaluable"], counts["pending"], counts["replaceable"], counts["dlts"], self._design
        )
        return row if row.treated else None

    def rows(self) -> list[CohortRow]:
        """Every cohort, by part and dose level, the one without a level last."""
        keys = sorted(self._counts, key=lambda key: (key.part, key.dose_level is None, key.dose_level or 0))
        return [row for key in keys if (row := self.row(key)) is not None]

    def as_json(self) -> list[dict[str, Any]]:
        """The ``cohorts`` of ``assess``'s JSON."""
        reasons: dict[CohortKey, dict[str, str]] = {}
        for subject, standing in sorted(self._standings.items()):
            if standing.pending_reason is not None:
                reasons.setdefault(standing.cohort, {})[subject] = standing.pending_reason
        return [row.as_json(reasons.get(row.key, {})) for row in self.rows()]


def membership_of(chart: SubjectChart, findings: Iterable[Finding]) -> CohortMembership | None:
    """How a subject counts; None for one who belongs to no cohort: a part that does not count, or nothing given yet.

    Where it is not known which version of the protocol judges, nobody's window is over before it is under each of them.
    """
    found = list(findings)
    each = [_standing_under(one, found) for one in (chart, *chart.others)]
    counted = [standing for standing in each if standing is not None]
    return next(
        (standing for standing in counted if standing.status is MembershipStatus.PENDING), next(iter(counted), None)
    )


def _standing_under(chart: SubjectChart, found: list[Finding]) -> CohortMembership | None:
    facts = chart.facts
    protocol = facts.protocol
    if facts.treatment is None or not facts.judged_part.counted:
        return None
    key = CohortKey(facts.judged_part.name, facts.dose_level)
    if any(finding.counts_as_dlt for finding in found):
        return CohortMembership(key, MembershipStatus.EVALUABLE, True, None)
    still_open = _open_cases(chart.protocol, found)
    observed = _observed_beyond_window(chart)
    if observed and not (still_open and protocol.assumptions.open_case_keeps_pending):
        return CohortMembership(key, MembershipStatus.EVALUABLE, False, None)
    if _left_early(chart) and not (still_open and protocol.assumptions.replaceable_only_when_nothing_open):
        return CohortMembership(key, MembershipStatus.REPLACEABLE, False, None)
    reason = "; ".join(still_open) if observed or still_open else _no_data(chart)
    return CohortMembership(key, MembershipStatus.PENDING, False, reason)


def _open_cases(protocol: TrialProtocol, findings: list[Finding]) -> list[str]:
    """Cases, overruled ones aside, with a DLT clause possible or on watch."""
    ids = {clause.id for version in protocol.versions for clause in version.clauses}
    return [
        f"{finding.case} is open: {', '.join(f'{key} {word}' for key, word in finding.clauses.items())}"
        for finding in sorted(findings, key=lambda f: f.case)
        if not finding.overruled
        and any(key in ids and word in ("possible", "watch") for key, word in finding.clauses.items())
    ]


def _observed_beyond_window(chart: SubjectChart) -> bool:
    ends = window_end(chart.facts)
    latest = chart.observed_until
    return ends is not None and latest is not None and chart.facts.zone.to_wall(latest) >= ends[1]


def _left_early(chart: SubjectChart) -> bool:
    ends = window_end(chart.facts)
    known = chart.facts.discontinuations.get(STUDY)
    return ends is not None and known is not None and chart.facts.span(known.event.data.date).wall_hi < ends[0]


def _no_data(chart: SubjectChart) -> str:
    latest, treatment = chart.observed_until, chart.facts.treatment
    if latest is None or treatment is None:
        return "no data"
    day = (chart.facts.zone.day_of(latest) - treatment.day1_lo) // DAY
    return f"no data since day {day + 1 if day >= 0 else day}"
