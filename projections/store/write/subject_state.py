"""One subject as the monitor keeps it between batches: chart, findings, published alerts, and what of it is not yet written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from events.codec import Logged
from events.dates import FAR_PAST, Instant
from projections.folds.alert_transition import AlertState, AlertTransition
from projections.folds.cohort_board import CohortMembership, membership_of
from projections.folds.findings import SubjectFindings
from projections.rules.cases.finding import Finding
from projections.rules.logic.trial_protocol import TrialProtocol
from projections.rules.logic.truth import EventKey
from projections.store.rows.charts import SubjectRow

#: Under no rules: nothing was judged yet.
NO_RULES: Final = ""


class SubjectState:
    """A subject's standing findings with the row that says how far they have come.

    ``judged_under`` is the hash of the configuration under which every finding was judged last; ``due`` are the deadlines that
    are stored, which may be those of other rules.
    """

    def __init__(
        self,
        protocol: TrialProtocol,
        subject: str,
        row: SubjectRow | None = None,
        known: Iterable[Logged] = (),
        told: Mapping[str, AlertState] | None = None,
        due: Mapping[str, Instant] | None = None,
    ) -> None:
        self.subject: Final = subject
        self.findings: Final = SubjectFindings.restored(protocol, subject, known, told or {})
        self.version = row.version if row else 0
        self.judged_under = row.judged_under if row else NO_RULES
        self.standing: CohortMembership | None = row.standing if row else None
        self._site = row.site if row else None
        self._latest_time = row.latest_time if row else FAR_PAST
        self._latest_received = row.latest_received if row else FAR_PAST
        self._due = dict(due or {})

    def take(self, logged: Logged, detected_at: Instant) -> list[AlertTransition]:
        """Take one event that counts, and say which alerts change. Afterwards ``standing`` is the subject's new one."""
        event, time, received = logged
        transitions = self.findings.take(event, time, detected_at, received)
        self.version += 1
        self._site = getattr(event, "site", None) or self._site
        self._latest_time = max(self._latest_time, time)
        self._latest_received = max(self._latest_received, received)
        self._stand()
        return transitions

    def judge_again(self, rules: str, caused_by: EventKey, detected_at: Instant) -> list[AlertTransition]:
        """Judge every case under other rules, and say which alerts change."""
        transitions = self.findings.judge_again(caused_by, detected_at)
        self.judged_under = rules
        self.version += 1
        self._stand()
        return transitions

    @property
    def row(self) -> SubjectRow:
        """How far the subject's chart has come."""
        return SubjectRow(
            self.subject,
            self._site,
            self.version,
            self.findings.chart.high_water,
            self._latest_time,
            self._latest_received,
            self.findings.next_turn,
            self.judged_under,
            self.standing,
        )

    def drain(self) -> tuple[dict[str, Finding | None], dict[str, Instant | None]]:
        """The findings and the deadlines that are others than those stored, by case; None: there is none."""
        changed = {case: self.findings.findings.get(case) for case in sorted(self.findings.changed)}
        self.findings.changed.clear()
        moved: dict[str, Instant | None] = {}
        for case, finding in changed.items():
            due = finding.due if finding is not None else None
            if due != self._due.get(case):
                moved[case] = due
            if due is None:
                self._due.pop(case, None)
            else:
                self._due[case] = due
        return changed, moved

    def _stand(self) -> None:
        self.standing = membership_of(self.findings.chart, self.findings.findings.values())
