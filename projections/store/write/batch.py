"""One batch of the clinical log, applied in the caller's transaction (design.md, "From an event to an alert, live").

Event by event, in the order of the log: what is new is folded into its subject's chart, the cases that it touches and those
that are due are judged at the subject's high-water instant, and compared with the published alerts. Where batches are cut makes
no difference. The rows are written once, at the end, in bulk.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection

from events.catalog import AnyEvent, subject_of
from events.clock import ClockReached, ProtocolActivated
from events.codec import Logged
from events.dates import Instant
from events.errors import BadField, EventRefused, ToxwatchError
from projections.folds.alert_transition import AlertState, AlertTransition, alert_id_of, state_after
from projections.folds.cohort_board import CohortMembership, CohortRow
from projections.folds.event_ledger import id_conflict, owner_conflict, repeats
from projections.folds.superseded import Superseded, superseded_by_known
from projections.folds.system_alerts import UNWATCHED, hold_transition, unwatched_transition
from projections.rules.cases.finding import Finding
from projections.rules.logic.trial_protocol import TrialProtocol
from projections.rules.logic.truth import EventKey
from projections.store.engine.database import Lock, insert_new, take_lock
from projections.store.engine.tables import NOBODY, parked_subjects
from projections.store.rows import charts
from projections.store.rows.outbox import published_of_subjects, published_states
from projections.store.write.cohort_counts import CohortCounts
from projections.store.write.rules_in_force import put_in_force, require_rules, rules_in_force
from projections.store.write.subject_state import NO_RULES, SubjectState


class LogEntry(NamedTuple):
    """An entry of the clinical log, decoded as far as it could be."""

    partition: int
    offset: int
    key: str
    body: bytes
    decoded: Logged | EventRefused


class EventFailed(ToxwatchError):  # noqa: N818 - reads better where it is caught
    """A bug: taking an event raised, or (``offset`` None) judging under new rules. ``__cause__`` is what was raised.

    ``site`` is the one that the event names.
    """

    def __init__(
        self, subject: str, offset: int | None, caused_by: EventKey, error: Exception, site: str | None = None
    ) -> None:
        super().__init__(f"taking it raised {type(error).__name__}")
        self.subject = subject
        self.offset = offset
        self.caused_by = caused_by
        self.site = site


NOTHING_FAILS: Final[Mapping[int, EventFailed]] = MappingProxyType({})


@dataclass(slots=True)
class BatchOutcome:
    """What a batch came to. ``places`` are the partitions and offsets of what was ``taken``.

    What was ``refused``, or stands ``behind`` a bug, was not folded. ``superseded``, by place: what was taken and changes
    nothing, because a higher revision of its record was known. ``settled`` letters were closed by what was taken.
    """

    transitions: list[AlertTransition] = field(default_factory=list)
    taken: list[Logged] = field(default_factory=list)
    duplicates: list[Logged] = field(default_factory=list)
    places: list[tuple[int, int]] = field(default_factory=list)
    refused: list[tuple[LogEntry, EventRefused]] = field(default_factory=list)
    behind: list[tuple[LogEntry, str]] = field(default_factory=list)
    superseded: dict[tuple[int, int], tuple[LogEntry, Superseded]] = field(default_factory=dict)
    settled: int = 0

    def add(self, later: BatchOutcome) -> None:
        """What was committed after it belongs to the same batch."""
        self.transitions += later.transitions
        self.taken += later.taken
        self.duplicates += later.duplicates
        self.places += later.places
        self.refused += later.refused
        self.behind += later.behind
        self.superseded |= later.superseded
        self.settled += later.settled

    @property
    def may_have_published(self) -> bool:
        """Whether something may wait in the outbox now: of nearly all batches nobody is told anything."""
        return bool(self.transitions or self.refused or self.behind or self.superseded or self.settled)


class BatchWriter:
    """The work of one transaction. ``states`` are the subjects kept between batches; clear them after a rollback.

    ``rules`` is the hash of the configuration that judges: :class:`OtherRules` is raised where others are in force. ``parked``
    are the subjects that are not watched, and grows. ``publishes`` False: what is judged is told to nobody (a rebuild).
    """

    def __init__(
        self,
        connection: Connection,
        protocol: TrialProtocol,
        rules: str,
        generation: int,
        states: MutableMapping[str, SubjectState],
        now: Instant,
        parked: set[str],
        *,
        publishes: bool = True,
    ) -> None:
        self.outcome = BatchOutcome()
        self._connection = connection
        self._protocol = protocol
        self._generation = generation
        self._watches = states
        self._now = now
        self._tells = publishes
        self._rules = require_rules(connection, rules)
        self._broken: dict[str, Exception] = {}
        self._cohorts = CohortCounts(connection, generation, protocol)
        self._told: dict[str, AlertState | None] = {}
        self._parked = parked
        self._known: dict[charts.Identity, bytes] = {}
        self._rows: list[dict[str, Any]] = []
        self._worked_on: dict[str, SubjectState] = {}

    def apply(self, entries: Sequence[LogEntry], failing: Mapping[int, EventFailed] = NOTHING_FAILS) -> None:
        """Take every entry of a batch, in order. Raises :class:`EventFailed` at the first that meets a bug.

        At the offsets that are known to meet one (``failing``) the subject is parked instead.
        """
        decoded = [entry.decoded for entry in entries if isinstance(entry.decoded, tuple)]
        if any(isinstance(one.event, ProtocolActivated) for one in decoded):
            # It stands in every partition: another monitor may be about to count it.
            take_lock(self._connection, Lock.ACTIVATION)
        self._known = charts.bodies_of(self._connection, self._generation, {_identity(one.event) for one in decoded})
        self._load({subject for one in decoded if (subject := subject_of(one.event)) is not None})
        for entry in entries:
            if entry.offset in failing:
                self.park(failing[entry.offset])
                self.outcome.behind.append((entry, failing[entry.offset].subject))
            elif isinstance(entry.decoded, EventRefused):
                self.outcome.refused.append((entry, entry.decoded))
            else:
                self._take(entry, entry.decoded)

    def judge_again(self, wanted: Iterable[str]) -> None:
        """Judge subjects under the rules in force, whatever they were judged under. One that meets a bug is parked."""
        listed = list(wanted)
        self._load(listed)
        for subject in listed:
            try:
                self._under_rules_in_force(subject, None)
            except EventFailed as failed:
                # Half judged, it is neither written nor kept.
                self._worked_on.pop(subject, None)
                self._watches.pop(subject, None)
                self.park(failed)

    def park(self, failed: EventFailed) -> None:
        """From here on the subject is not watched: its events are put aside in sequence, and somebody is told."""
        subject = failed.subject
        self._parked.add(subject)
        if not self._tells:
            return
        # The exception by its kind: its words may quote what a site wrote.
        row = {"subject": subject, "parked_at": self._now, "error": type(failed.__cause__).__name__}
        insert_new(self._connection, parked_subjects, [row])
        told = self._told_of(UNWATCHED + subject)
        self._tell(unwatched_transition(self._protocol, subject, told, failed.caused_by, self._now, is_parked=True))

    def write(self) -> None:
        """Put in everything that the step changed."""
        changed: dict[tuple[str, str], Finding | None] = {}
        moved: dict[tuple[str, str], Instant | None] = {}
        for subject, watch in self._worked_on.items():
            found, due = watch.drain()
            changed.update({(subject, case): finding for case, finding in found.items()})
            moved.update({(subject, case): instant for case, instant in due.items()})
        charts.write_chart_events(self._connection, self._rows)
        charts.write_subjects(self._connection, self._generation, [watch.row for watch in self._worked_on.values()])
        charts.write_findings(self._connection, self._generation, changed)
        charts.write_deadlines(self._connection, self._generation, moved)
        self._cohorts.write()

    @property
    def parked(self) -> set[str]:
        """The subjects that are not watched, those parked in this step included."""
        return self._parked

    @property
    def worked_on(self) -> set[str]:
        """The subjects whose watches were changed."""
        return set(self._worked_on)

    def _load(self, wanted: Iterable[str]) -> None:
        """Have a watch on each subject: the one that is kept, where it is as far as the stored chart, else one from there.

        A stored chart may meet a bug too: then the subject's next event does.
        """
        watched = [subject for subject in wanted if subject not in self._parked]
        rows = charts.subject_rows(self._connection, self._generation, watched)
        stale = []
        for subject in watched:
            kept = self._watches.get(subject)
            if kept is None or kept.version != (rows[subject].version if subject in rows else 0):
                stale.append(subject)
        stored = [subject for subject in stale if subject in rows]
        known = charts.known_events(self._connection, self._generation, stored, self._broken)
        due = charts.stored_deadlines(self._connection, self._generation, stored)
        told = published_of_subjects(self._connection, stale) if self._tells and stale else {}
        for subject in stale:
            self._watches.pop(subject, None)
            if subject in self._broken:
                continue
            at = (rows.get(subject), known.get(subject, ()), told.get(subject), due.get(subject))
            try:
                self._watches[subject] = SubjectState(self._protocol, subject, *at)
            except Exception as error:  # noqa: BLE001 - a bug in the rules parks this subject, and nobody else
                self._broken[subject] = error

    def _watch(self, subject: str, offset: int | None, caused_by: EventKey) -> SubjectState:
        if subject in self._broken:
            error = self._broken[subject]
            raise EventFailed(subject, offset, caused_by, error) from error
        return self._watches[subject]

    def _take(self, entry: LogEntry, logged: Logged) -> None:
        event = logged.event
        subject = subject_of(event) or NOBODY
        if subject in self._parked:
            self.outcome.behind.append((entry, subject))
            return
        try:
            if not self._is_new(entry, event, subject):
                self.outcome.duplicates.append(logged)
                return
        except EventRefused as refusal:
            self.outcome.refused.append((entry, refusal))
            return
        if subject != NOBODY:
            self._judge(entry, logged, subject)
        if isinstance(event, ProtocolActivated):
            self._activate(event, logged.time)
        self._known[_identity(event)] = entry.body
        self._rows.append(self._chart_row(entry, logged, subject))
        self.outcome.taken.append(logged)
        self.outcome.places.append((entry.partition, entry.offset))

    def _is_new(self, entry: LogEntry, event: AnyEvent, subject: str) -> bool:
        """Whether the event counts. Raises ``EventRefused`` where it contradicts one that does (rules.md §6)."""
        first = self._known.get(_identity(event))
        if first is not None:
            if repeats(event, entry.body, first):
                return False
            raise id_conflict(event)
        if entry.key != expected_key(self._protocol, event):
            raise BadField(
                f"key: the entry has the key {entry.key[:60]!r}, which is not its event's",
                field="key",
                event_id=event.id,
                subject=subject or None,
            )
        owner = self._foreign_owner(event, subject)
        if owner is not None:
            raise owner_conflict(event, owner)
        return True

    def _foreign_owner(self, event: AnyEvent, subject: str) -> str | None:
        if subject == NOBODY or isinstance(event, ClockReached):
            return None
        kind, record_id = event.record_kind, event.record_id
        if subject in self._broken:
            return None
        history = self._watches[subject].findings.chart.records.get((kind, record_id), ())
        if history and all(version.source == event.source for version in history):
            return None
        if not history and kind != "response":
            return None
        here = [
            row["source"]
            for row in self._rows
            if (row["subject"], row["kind"], row["record_id"]) == (subject, kind, record_id)
        ]
        owner = charts.first_source(self._connection, self._generation, subject, kind, record_id) or next(
            iter(here), None
        )
        return None if owner is None or self._protocol.same_system(owner, event.source) else owner

    def _judge(self, entry: LogEntry, logged: Logged, subject: str) -> None:
        caused_by = EventKey(logged.event.source, logged.event.id)
        watch = self._watch(subject, entry.offset, caused_by)
        if watch.judged_under != (self._rules.sha256 if self._rules else NO_RULES):
            self._under_rules_in_force(subject, entry.offset)
        before = watch.standing
        self._worked_on[subject] = watch
        try:
            transitions = watch.take(logged, self._now)
        except Exception as error:
            site = getattr(logged.event, "site", None)
            raise EventFailed(subject, entry.offset, caused_by, error, site) from error
        superseded = superseded_by_known(watch.findings.chart, logged.event)
        if superseded is not None:
            self.outcome.superseded[(entry.partition, entry.offset)] = (entry, superseded)
        self._after(watch, before, transitions, caused_by)

    def _under_rules_in_force(self, subject: str, offset: int | None) -> None:
        if self._rules is None:
            return
        watch = self._watch(subject, offset, self._rules.activated_by)
        before = watch.standing
        self._worked_on[subject] = watch
        try:
            transitions = watch.judge_again(self._rules.sha256, self._rules.activated_by, self._now)
        except Exception as error:
            raise EventFailed(subject, offset, self._rules.activated_by, error) from error
        self._after(watch, before, transitions, self._rules.activated_by)

    def _after(
        self,
        watch: SubjectState,
        before: CohortMembership | None,
        transitions: list[AlertTransition],
        caused_by: EventKey,
    ) -> None:
        changed = self._cohorts.move(watch.subject, before, watch.standing)
        if self._tells:
            self.outcome.transitions += transitions
            for row in changed:
                self._tell_of_hold(row, caused_by)

    def _tell_of_hold(self, row: CohortRow, caused_by: EventKey) -> None:
        told = self._told_of(row.key.case)
        if row.hold or told is not None:
            with_dlt = self._cohorts.with_dlt(row.key)
            self._tell(hold_transition(row, with_dlt, told, self._protocol, caused_by, self._now))

    def _told_of(self, case: str) -> AlertState | None:
        """The newest revision of the alert about a case that is no subject's."""
        alert_id = alert_id_of(self._protocol, case)
        if alert_id not in self._told:
            self._told[alert_id] = published_states(self._connection, [alert_id]).get(alert_id)
        return self._told[alert_id]

    def _tell(self, transition: AlertTransition | None) -> None:
        if transition is not None:
            self._told[transition.data.alert_id] = state_after(transition)
            self.outcome.transitions.append(transition)

    def _activate(self, event: ProtocolActivated, time: Instant) -> None:
        if self._tells:
            put_in_force(self._connection, event, time)
            self._rules = rules_in_force(self._connection)

    def _chart_row(self, entry: LogEntry, logged: Logged, subject: str) -> dict[str, Any]:
        event = logged.event
        return {
            "generation": self._generation,
            "subject": subject,
            "source": event.source,
            "event_id": event.id,
            "kind": event.record_kind,
            "record_id": event.record_id,
            "time": logged.time,
            "received": logged.received,
            "partition": entry.partition,
            "offset": entry.offset,
            "body": entry.body,
        }


def expected_key(protocol: TrialProtocol, event: AnyEvent) -> str:
    """The key under which an event stands in the clinical log (distributed.md)."""
    subject = subject_of(event)
    return f"{protocol.trial}/{subject}" if subject is not None else f"{protocol.trial}/@protocol"


def _identity(event: AnyEvent) -> charts.Identity:
    return (subject_of(event) or NOBODY, event.source, event.id)
