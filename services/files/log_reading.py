"""Reading a whole log from files into the charts, as it was known at an instant."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from events.codec import Logged
from events.dates import Instant, format_instant
from projections.folds.lab_grades import LabGrades
from projections.folds.trial_projection import TrialProjection
from projections.rules.logic.trial_protocol import TrialProtocol
from services.files.event_files import EventFiles
from services.files.intake import FileIntake
from services.terminal.options import Axis
from services.terminal.progress import bytes_read


@dataclass(frozen=True, slots=True)
class ChartsAtInstant:
    """The charts at an instant, and what was refused on the way."""

    protocol: TrialProtocol
    as_of: Instant
    trial: TrialProjection
    intake: FileIntake

    def as_json(self, lab_grades: LabGrades = LabGrades.ABNORMAL) -> dict[str, Any]:
        """``assess``'s JSON (events.md)."""
        with _no_search_for_garbage():
            judged = self.trial.as_json(self.as_of, lab_grades)
        return {
            "as_of": format_instant(self.as_of),
            "protocol": self.protocol.name,
            "protocol_version": self.protocol.version,
            "events": self.trial.events,
            **judged,
            "refused": [refusal.as_json() for refusal in self.intake.refused],
        }


def read_log(paths: list[str], protocol: TrialProtocol, as_of: Instant, axis: Axis) -> ChartsAtInstant:
    """Fold every event of the files that was known at ``as_of``. Memory grows with the records, not with the bytes."""
    trial = TrialProjection(protocol)
    with EventFiles(paths) as files, _no_search_for_garbage():
        intake = FileIntake(protocol, files)
        with bytes_read("reading events", files.bytes_total) as advance:
            for logged in known_at(intake.events(advance), as_of, axis):
                try:
                    trial.fold(logged.event, logged.time, logged.received)
                except Exception as error:  # noqa: BLE001 - a fault of ours costs one subject, and not the whole log
                    intake.refuse_latest(error)
    return ChartsAtInstant(protocol, as_of, trial, intake)


@contextmanager
def _no_search_for_garbage() -> Iterator[None]:
    """While charts only grow there is no garbage in cycles to find, and looking for it costs a third of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def known_at(events: Iterator[Logged], as_of: Instant, axis: Axis) -> Iterator[Logged]:
    """The events that were known at an instant, on the axis asked for."""
    by_receipt = axis is Axis.RECEIVED
    for logged in events:
        if (logged.received if by_receipt else logged.time) <= as_of:
            yield logged
