"""A subject on whom the clock ticks: every instant at which time alone changes something arrives as an event."""

from __future__ import annotations

from collections.abc import Iterable

from events.codec import Logged
from events.dates import DAY, Instant, format_instant
from projections.folds.alert_transition import AlertTransition
from projections.folds.findings import SubjectFindings
from projections.protocols.isi_jx import PROTOCOL
from projections.rules.cases.finding import Finding
from tests import builder
from tests.properties.timelines import CLOCK
from tests.rules.scenario import decoded

#: No case changes more often than this without an event; more would be a clock that never stops.
TICKS_MAX = 50


class WatchedSubject:
    """The standing findings of one subject, with a clock that fires whenever one is due, as the live system does."""

    def __init__(self, subject: str = "FR01-001") -> None:
        self.subject = subject
        self.standing = SubjectFindings(PROTOCOL, subject)
        self.known: list[Logged] = []
        self.transitions: list[AlertTransition] = []

    def take(self, logged: Logged) -> list[AlertTransition]:
        """One event arrives."""
        self.known.append(logged)
        transitions = self.standing.take(logged.event, logged.time, logged.received)
        self.transitions += transitions
        return transitions

    def tick(self, until: Instant) -> Iterable[Instant]:
        """Fire every clock that is due until an instant, one by one, and name the instant of each."""
        for _ in range(TICKS_MAX):
            due = self.standing.next_due
            if due is None or due > until:
                return
            case = next(name for name, finding in self.standing.findings.items() if finding.due == due)
            self.take(clock_reached(self.subject, due, case))
            yield due
        raise AssertionError(f"{self.subject}: the clock never stops")


def clock_reached(subject: str, due: Instant, case: str) -> Logged:
    """Time that passed, as an event."""
    at = format_instant(due)
    attributes = {"id": f"clock-{case}-{due}", "time": at, "source": CLOCK, "site": ...}
    (logged,) = decoded([builder.event("clock.reached", {"due": at, "case": case}, subject=subject, **attributes)])
    return logged


def judged(finding: Finding | None) -> object:
    """Everything about a case but its words: what it is, what follows, and when it will change."""
    if finding is None:
        return None
    return (
        finding.verdict,
        finding.clauses,
        finding.counts_as_dlt,
        finding.overruled,
        finding.urgency,
        finding.population,
        finding.basis,
        finding.last_confirmed,
        finding.due,
    )


def all_judged(findings: dict[str, Finding]) -> dict[str, object]:
    """The same of every case."""
    return {case: judged(finding) for case, finding in findings.items()}


LONG = 400 * DAY
