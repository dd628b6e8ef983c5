"""What is to be told of every subject, by the pure fold alone: one event of the log after the other, and no store."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from events.alert import AlertData
from events.catalog import subject_of
from events.clock import ProtocolActivated
from events.codec import Codec, Logged
from events.errors import EventRefused
from projections.folds.alert_transition import AlertTransition
from projections.folds.cohort_board import CohortBoard, membership_of
from projections.folds.findings import SubjectFindings
from projections.rules.logic.trial_protocol import TrialProtocol
from projections.rules.logic.truth import EventKey


class Told(NamedTuple):
    """One alert event, without when it was detected."""

    kind: str
    event_id: str
    data: AlertData


class PureHistory:
    """Folds a log. ``told`` is what each subject's alerts go through, in order."""

    def __init__(self, protocols: Iterable[TrialProtocol], codec: Codec) -> None:
        self.told: dict[str, list[Told]] = {}
        self._protocols = {(protocol.name, protocol.version): protocol for protocol in protocols}
        self._codec = codec
        self._protocol: TrialProtocol | None = None
        self._watched: dict[str, SubjectFindings] = {}
        self._known: dict[str, list[Logged]] = {}

    def fold(self, log: Iterable[bytes]) -> PureHistory:
        """Take in a log, in order. Rules that are activated judge every subject again."""
        for body in log:
            logged = self._codec.read(body)
            assert not isinstance(logged, EventRefused), f"refused in the log: {logged.error}"
            if isinstance(logged.event, ProtocolActivated):
                self._activate(logged.event)
            elif (subject := subject_of(logged.event)) is not None:
                self._take(subject, logged)
        return self

    def holds(self) -> dict[str, bool]:
        """Each level with somebody treated, by the case of its alert, and whether it is on hold at the end."""
        assert self._protocol is not None, "no rules were activated"
        board = CohortBoard(self._protocol)
        for subject, watched in self._watched.items():
            board.update(subject, membership_of(watched.chart, watched.findings.values()))
        return {row.key.case: row.hold for row in board.rows()}

    def _activate(self, event: ProtocolActivated) -> None:
        self._protocol = self._protocols[(event.data.protocol, event.data.version)]
        for subject, before in self._watched.items():
            again = SubjectFindings.restored(self._protocol, subject, self._known[subject], before.alerts)
            self._watched[subject] = again
            self._tell(subject, again.judge_again(EventKey(event.source, event.id), 0))

    def _take(self, subject: str, logged: Logged) -> None:
        assert self._protocol is not None, "no rules were activated"
        watched = self._watched.setdefault(subject, SubjectFindings(self._protocol, subject))
        self._known.setdefault(subject, []).append(logged)
        self._tell(subject, watched.take(logged.event, logged.time, 0, logged.received))

    def _tell(self, subject: str, transitions: Iterable[AlertTransition]) -> None:
        self.told.setdefault(subject, []).extend(
            Told(step.kind, step.event_id, step.data.model_copy(update={"detected_at": ""})) for step in transitions
        )
