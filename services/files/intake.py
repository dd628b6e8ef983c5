"""The checks that an event passes before it counts: valid by itself, not seen before, and from the record's own source."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from events.catalog import subject_of
from events.codec import Codec, Logged, looks_severe, readable_id
from events.errors import EventRefused
from projections.folds.event_ledger import EventLedger, id_conflict, owner_conflict, repeats
from projections.rules.logic.trial_protocol import TrialProtocol
from services.files.event_files import EventFiles, EventLine


@dataclass(frozen=True, slots=True)
class Refusal:
    """One refused line, and whether what is readable of it calls for attention at once (rules.md §6)."""

    file: str
    line: int
    id: str | None
    error: str
    urgent: bool

    def as_json(self) -> dict[str, Any]:
        """The entry in ``assess``'s JSON."""
        return {"file": self.file, "line": self.line, "id": self.id, "error": self.error, "urgent": self.urgent}


@dataclass(slots=True)
class FileIntake:
    """Reads files of events, line by line. ``refused`` and ``duplicates`` grow as :meth:`events` is consumed."""

    protocol: TrialProtocol
    files: EventFiles
    refused: list[Refusal] = field(default_factory=list)
    duplicates: int = 0
    _latest: EventLine | None = None

    def events(self, advance: Callable[[int], None] = lambda _: None) -> Iterator[Logged]:
        """Every event that counts, once, in the order of the lines."""
        codec = Codec(self.protocol.contract)
        ledger = EventLedger(self.protocol)
        for line in self.files.lines(advance):
            self._latest = line
            try:
                logged = codec.decode(line.raw, line.size)
                if self._is_new(logged, line, ledger):
                    yield logged
                else:
                    self.duplicates += 1
            except EventRefused as refusal:
                self.refused.append(
                    Refusal(line.file, line.number, refusal.event_id, refusal.error, looks_severe(line.raw))
                )
            except Exception as error:  # noqa: BLE001 - a fault of ours costs one line, and not the whole log
                self.refuse_latest(error)

    def refuse_latest(self, error: Exception) -> None:
        """The line that was read last met a fault of ours: it is listed, and urgent where what is readable of it says so."""
        line = self._latest
        assert line is not None, "one was read"
        why = f"taking it raised {type(error).__name__}, which is a fault of Toxwatch: judge its subject by hand"
        self.refused.append(Refusal(line.file, line.number, readable_id(line.raw), why, looks_severe(line.raw)))

    def _is_new(self, logged: Logged, line: EventLine, ledger: EventLedger) -> bool:
        event = logged.event
        subject = subject_of(event)
        first = ledger.first_position(subject, event)
        if first is not None:
            if repeats(event, line.raw, self.files.again(first)):
                return False
            raise id_conflict(event)
        owner = ledger.foreign_owner(subject, event)
        if owner is not None:
            raise owner_conflict(event, owner)
        ledger.take(subject, event, line.position)
        return True
