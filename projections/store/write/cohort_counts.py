"""The dose levels that a batch touches: locked, counted event by event, and written once."""

from __future__ import annotations

from collections import Counter
from typing import Final

from sqlalchemy import Connection, select

from projections.folds.cohort_board import CohortKey, CohortMembership, CohortRow, MembershipStatus
from projections.rules.escalation.cohort_designs import DESIGNS
from projections.rules.logic.trial_protocol import TrialProtocol
from projections.store.engine.database import insert_new, upsert
from projections.store.engine.tables import UNASSIGNED, cohorts, subjects

DLTS: Final = "dlts"
_COUNTED: Final = (
    MembershipStatus.EVALUABLE.value,
    MembershipStatus.PENDING.value,
    MembershipStatus.REPLACEABLE.value,
    DLTS,
)


class CohortCounts:
    """The counts of dose levels in one transaction. A level is locked when it is first touched.

    Without the lock two workers that each see one of two dose-limiting toxicities would both miss the hold.
    """

    def __init__(self, connection: Connection, generation: int, protocol: TrialProtocol) -> None:
        self._connection = connection
        self._generation = generation
        self._design = DESIGNS[protocol.cohort_design]
        self._counts: dict[CohortKey, Counter[str]] = {}
        self._moved: dict[str, CohortKey | None] = {}

    def move(self, subject: str, before: CohortMembership | None, after: CohortMembership | None) -> list[CohortRow]:
        """Count a subject as ``after`` instead of ``before``, and give the levels whose counts are others now."""
        if (before and before[:3]) == (after and after[:3]):
            # Only why the subject is pending may be another.
            return []
        self._moved[subject] = after.cohort if after is not None and after.has_dlt else None
        touched: dict[CohortKey, Counter[str]] = {}
        for standing, step in ((before, -1), (after, 1)):
            if standing is not None:
                counts = self._locked(standing.cohort)
                touched.setdefault(standing.cohort, Counter(counts))
                counts[standing.status.value] += step
                counts[DLTS] += step if standing.has_dlt else 0
        return [self._row(key) for key, was in touched.items() if was != self._counts[key]]

    def with_dlt(self, key: CohortKey) -> list[str]:
        """The subjects of a level that have a dose-limiting toxicity, those of this transaction included."""
        found = set(
            self._connection.scalars(
                select(subjects.c.subject).where(
                    subjects.c.generation == self._generation,
                    subjects.c.has_dlt,
                    subjects.c.part == key.part,
                    subjects.c.dose_level == (key.dose_level or UNASSIGNED),
                )
            )
        )
        found -= set(self._moved)
        return sorted(found | {subject for subject, cohort in self._moved.items() if cohort == key})

    def write(self) -> None:
        """Put the counts in."""
        rows = [{**self._key(key), **{name: counts[name] for name in _COUNTED}} for key, counts in self._counts.items()]
        upsert(self._connection, cohorts, rows)

    def _row(self, key: CohortKey) -> CohortRow:
        counts = self._counts[key]
        return CohortRow(key, counts["evaluable"], counts["pending"], counts["replaceable"], counts[DLTS], self._design)

    def _locked(self, key: CohortKey) -> Counter[str]:
        if key not in self._counts:
            # A level that has no row yet cannot be locked.
            insert_new(self._connection, cohorts, [{**self._key(key), **dict.fromkeys(_COUNTED, 0)}])
            columns = [cohorts.c[name] for name in _COUNTED]
            wanted = select(*columns).where(*(cohorts.c[name] == value for name, value in self._key(key).items()))
            row = self._connection.execute(wanted.with_for_update()).one()
            self._counts[key] = Counter(dict(zip(_COUNTED, row, strict=True)))
        return self._counts[key]

    def _key(self, key: CohortKey) -> dict[str, object]:
        return {"generation": self._generation, "part": key.part, "dose_level": key.dose_level or UNASSIGNED}
