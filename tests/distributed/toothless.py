"""The safeguards of a monitor, and how each is taken out, to see who notices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final

from sqlalchemy import Connection, select, update

from events.catalog import AnyEvent
from projections.folds.cohort_board import CohortKey
from projections.store.engine.tables import cohorts, positions
from projections.store.write import cohort_counts
from projections.store.write.batch import BatchWriter, LogEntry
from projections.store.write.cohort_counts import CohortCounts
from services.monitor import monitor as monitor_module
from services.monitor.clinical_reader import ClinicalReader

#: Names the safeguard that is taken out.
VARIABLE: Final = "TOOTHLESS"
#: ``setattr``, or that of a test which puts everything back.
Patch = Callable[[Any, str, Any], None]


def without_fence(patch: Patch) -> None:
    """A monitor moves the position wherever it stands."""

    def moved(connection: Connection, consumer: str, partition: int, _expected: int, to: int) -> bool:
        here = (positions.c.consumer == consumer, positions.c.partition == partition)
        connection.execute(update(positions).where(*here).values(next_offset=to))
        return True

    patch(monitor_module, "move_position", moved)


def without_ids(patch: Patch) -> None:
    """A monitor takes every entry about a subject for a new one."""
    knowing = BatchWriter._is_new

    def is_new(self: BatchWriter, entry: LogEntry, event: AnyEvent, subject: str) -> bool:
        # The rules in force stand in every partition: with them, nothing would ever begin.
        return bool(subject) or knowing(self, entry, event, subject)

    patch(BatchWriter, "_is_new", is_new)


def without_offsets(patch: Patch) -> None:
    """A monitor takes what it is given for what follows."""

    def following(_self: ClinicalReader, records: Sequence[Any], _offset: int) -> Sequence[Any]:
        return records

    patch(ClinicalReader, "_following", following)


def without_cohort_lock(patch: Patch) -> None:
    """A monitor counts a dose level from what stands there, whoever else is about to change it."""

    def unlocked(self: CohortCounts, key: CohortKey) -> Counter[str]:
        if key not in self._counts:
            names = cohort_counts._COUNTED
            wanted = select(*(cohorts.c[name] for name in names)).where(
                *(cohorts.c[name] == value for name, value in self._key(key).items())
            )
            row = self._connection.execute(wanted).one_or_none()
            self._counts[key] = Counter(dict(zip(names, row or (0, 0, 0, 0), strict=True)))
        return self._counts[key]

    patch(CohortCounts, "_locked", unlocked)


SAFEGUARDS: Final[dict[str, Callable[[Patch], None]]] = {
    "fence": without_fence,
    "ids": without_ids,
    "offsets": without_offsets,
    "cohort-lock": without_cohort_lock,
}
