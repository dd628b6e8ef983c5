"""Taking events into the log: everything about one batch in one transaction, so that nothing is ever taken by half.

What was accepted stands in the log with its identity, its record's owner and its source's site; what was refused is parked, and
is an alert where it is severe. Once :meth:`Intake.take` returns, all of it is durable; where it raises, none of it has happened.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

import structlog
from sqlalchemy import Connection

from events.catalog import subject_of
from events.codec import Codec, Logged, readable_id
from events.dates import FAR_FUTURE, Instant
from events.envelope import SubjectEvent
from events.errors import EventRefused, ToxwatchError
from events.stamp import stamped
from projections.folds.trial import Trial
from projections.rules.logic.trial_protocol import TrialProtocol
from projections.store.engine.database import Database
from projections.store.write import dead_letter_store
from projections.store.write.assignments import assigned
from projections.store.write.dead_letter_quota import DEFAULT, DeadLetterQuota, Quota
from projections.store.write.dead_letter_store import ArrivedEvent, NewDeadLetter
from services.gateway.authority import Authority, OutsideAuthority
from services.gateway.dead_letters import DeadLetterWriter
from services.gateway.halving import IntakeResult, NotTaken, Submission, Taking, halves, messages_in, together
from services.gateway.ledger import IntakeLedger, Taken
from services.gateway.messages import ReceivedMessage
from services.http.caller import Caller
from services.log.port import EventLog, NewEntry, Position
from services.platform.fail_points import nothing
from services.platform.metrics import Outcome, TrialMetrics, unmeasured
from services.platform.time_source import Clock

__all__ = [
    "ACCEPTED",
    "DUPLICATE",
    "REFUSED",
    "Heard",
    "Intake",
    "IntakeResult",
    "Submission",
    "Taking",
    "nobody_listens",
]

ACCEPTED: Final[Outcome] = "accepted"
DUPLICATE: Final[Outcome] = "duplicate"
REFUSED: Final[Outcome] = "refused"
UNKNOWN: Final = "unknown"

#: Is told the times that events from outside bear, in the transaction that takes them.
Heard = Callable[[Connection, Sequence[Instant]], None]


def nobody_listens(_connection: Connection, _times: Sequence[Instant]) -> None:
    """Where the clock needs no confirmation."""


class _Candidate(NamedTuple):
    """One event on its way: read as far as it could be."""

    caller: Caller
    message: ReceivedMessage
    read: Logged | EventRefused


class _Verdicts(NamedTuple):
    """What was decided of each candidate."""

    taken: list[tuple[bool, Taken] | EventRefused]
    new: list[_Candidate]


class Intake:
    """Reads, checks, stamps and appends events, and parks those that are refused. One thread at a time.

    ``source`` is the deployment's, under which it tells of alerts.
    """

    def __init__(
        self,
        database: Database,
        log: EventLog,
        trial: Trial,
        clock: Clock,
        metrics: TrialMetrics | None = None,
        fail_point: Callable[[str], None] = nothing,
        heard: Heard = nobody_listens,
        quota: Quota = DEFAULT,
    ) -> None:
        self._database = database
        self._log = log
        self._trial = trial
        self._clock = clock
        self._metrics = metrics or unmeasured(trial.id)
        self._fail_point = fail_point
        self._heard = heard
        self._quota = DeadLetterQuota(quota)
        self._codec = Codec(trial.protocol.contract)
        self._authority = Authority(trial)
        self._letters = DeadLetterWriter(trial.protocol)

    def take(self, batch: Sequence[Submission]) -> Taking:
        """Take the events of several requests, in order. Raises ``StoreUnavailable`` where the store is away.

        An event that makes taking fail in any other way is refused alone and kept; whatever else came with it is taken.
        """
        try:
            return self._take(batch)
        except ToxwatchError:
            raise
        except Exception as error:
            structlog.get_logger().error("intake_failed", count=messages_in(batch), exc_info=error)
            if messages_in(batch) > 1:
                first, second = halves(batch)
                return together(self.take(first), self.take(second))
            faulty = NotTaken(error)
            if any(isinstance(message.fault, NotTaken) for one in batch for message in one.messages):
                raise
            return self.take([one._replace(messages=[m._replace(fault=faulty) for m in one.messages]) for one in batch])

    def _take(self, batch: Sequence[Submission]) -> Taking:
        # A doubted clock refuses nobody: what is ahead of it may be right.
        now = self._clock.now() if self._clock.doubt() is None else FAR_FUTURE
        with self._database.reading() as connection:
            self._authority.assigned = assigned(connection)
        candidates = [
            _Candidate(submission.caller, message, self._read(submission.caller, message, now))
            for submission in batch
            for message in submission.messages
        ]
        # What is refused already is made a letter of before the transaction, which nobody else can write beside.
        letters = {
            number: self._letters.letter(one.caller, one.message, one.read)
            for number, one in enumerate(candidates)
            if isinstance(one.read, EventRefused)
        }
        with self._database.writing() as connection:
            self._fail_point("intake.begun")
            self._heard(connection, [one.read.time for one in candidates if isinstance(one.read, Logged)])
            received = self._log.stamp(self._clock.now(), connection)
            ledger = IntakeLedger(connection, self._log, self._trial.protocol, self._authority.subject_names_site)
            verdicts = self._decide(ledger, candidates)
            for number, verdict in enumerate(verdicts.taken):
                if isinstance(verdict, EventRefused) and number not in letters:
                    letters[number] = self._letters.letter(*candidates[number][:2], verdict)
            positions = self._log.append(
                [_entry(self._trial.protocol, one, received) for one in verdicts.new], connection
            )
            self._fail_point("intake.appended")
            ledger.write(positions, received)
            told = self._park(connection, candidates, verdicts, letters, received)
            self._fail_point("intake.parked")
        self._fail_point("intake.committed")
        results = [_result(verdict, one, positions) for verdict, one in zip(verdicts.taken, candidates, strict=True)]
        self._report(candidates, verdicts, results)
        rest = iter(results)
        return Taking([[next(rest) for _ in one.messages] for one in batch], len(verdicts.new), told)

    def _read(self, caller: Caller, message: ReceivedMessage, now: Instant) -> Logged | EventRefused:
        try:
            self._authority.check_role(caller)
        except OutsideAuthority as refusal:
            # Nothing of it is judged, but its sender should know which is meant.
            refusal.event_id = readable_id(message.event)
            return refusal
        try:
            if message.fault is not None:
                return message.fault
            logged = self._codec.decode(message.event)
            self._authority.check(caller, logged, now)
        except EventRefused as refusal:
            return refusal
        return logged

    def _decide(self, ledger: IntakeLedger, candidates: Sequence[_Candidate]) -> _Verdicts:
        ledger.load([one.read.event for one in candidates if isinstance(one.read, Logged)])
        verdicts = _Verdicts([], [])
        for one in candidates:
            if isinstance(one.read, EventRefused):
                verdicts.taken.append(one.read)
                continue
            try:
                is_new, taken = ledger.take(one.caller, one.read.event, one.message.event)
            except EventRefused as refusal:
                verdicts.taken.append(refusal)
                continue
            verdicts.taken.append((is_new, taken))
            if is_new:
                verdicts.new.append(one)
        return verdicts

    def _park(
        self,
        connection: Connection,
        candidates: Sequence[_Candidate],
        verdicts: _Verdicts,
        letters: dict[int, NewDeadLetter],
        received: Instant,
    ) -> int:
        """Settle what the new events settle, and park what was refused: how many alert events that came to.

        An event settles what was parked before it: in earlier batches, and earlier in this one.
        """
        at = (connection, self._trial)
        # Whatever is parked in the table by now came earlier, though the clock may not have moved since.
        after = received + 1
        arrivals = {
            number: _arrival(one.read, after)
            for number, (one, verdict) in enumerate(zip(candidates, verdicts.taken, strict=True))
            if isinstance(one.read, Logged) and not isinstance(verdict, EventRefused) and _counts(*verdict)
        }
        told = dead_letter_store.settle(*at, list(arrivals.values()), received)
        if letters:
            kept = self._quota.within(connection, [letters[number] for number in sorted(letters)])
            told += dead_letter_store.park(*at, kept, received)
            told += dead_letter_store.settle(*at, list(_behind_letters(arrivals, letters)), received)
        return told

    def _report(self, candidates: Sequence[_Candidate], verdicts: _Verdicts, results: Sequence[IntakeResult]) -> None:
        kinds = (one.read.event.type if isinstance(one.read, Logged) else UNKNOWN for one in candidates)
        for (kind, outcome), count in Counter(zip(kinds, (result.status for result in results), strict=True)).items():
            self._metrics.events_total(kind, outcome, count)
        outcomes = Counter(result.status for result in results)
        reasons = Counter(verdict.reason for verdict in verdicts.taken if isinstance(verdict, EventRefused))
        log = structlog.get_logger()
        last = next((str(result.position) for result in reversed(results) if result.position is not None), None)
        log.info("events_taken", **dict(outcomes), last=last)
        if reasons:
            log.warning("events_refused", reasons=dict(reasons), keys=sorted({one.caller.key_id for one in candidates}))


def _entry(protocol: TrialProtocol, one: _Candidate, received: Instant) -> NewEntry:
    assert isinstance(one.read, Logged)
    event = one.read.event
    subject = subject_of(event) or ""
    key = f"{protocol.trial}/{subject}"
    return NewEntry(key, subject, event.source, event.id, stamped(one.message.event, received))


def _result(verdict: tuple[bool, Taken] | EventRefused, one: _Candidate, positions: Sequence[Position]) -> IntakeResult:
    if isinstance(verdict, EventRefused):
        return IntakeResult(
            verdict.event_id, REFUSED, error=verdict.error, is_outside=isinstance(verdict, OutsideAuthority)
        )
    assert isinstance(one.read, Logged)
    is_new, taken = verdict
    position = taken.position if taken.position is not None else positions[taken.new]
    status = ACCEPTED if is_new else DUPLICATE
    return IntakeResult(one.read.event.id, status, position, superseded_by=taken.superseded_by)


def _counts(is_new: bool, taken: Taken) -> bool:
    """Whether an event says something that was not known: it settles nothing otherwise."""
    return is_new and taken.superseded_by is None


def _arrival(logged: Logged, received: Instant) -> ArrivedEvent:
    event = logged.event
    assert isinstance(event, SubjectEvent), "the gateway takes nothing else"
    record = (event.subject, event.record_kind, event.record_id)
    return ArrivedEvent(*record, event.source, event.id, received, revision=event.data.revision)


def _behind_letters(arrivals: dict[int, ArrivedEvent], letters: dict[int, NewDeadLetter]) -> Iterator[ArrivedEvent]:
    """The arrivals that came behind a severe letter which they settle, in the same batch."""
    first: dict[tuple[str | None, ...], int] = {}
    for number, letter in sorted(letters.items()):
        if letter.is_severe:
            first.setdefault((letter.subject, letter.record_kind, letter.record_id), number)
            first.setdefault((letter.source, letter.event_id), number)
    for number, one in arrivals.items():
        for key in ((one.subject, one.kind, one.record_id), (one.source, one.event_id)):
            if first.get(key, number) < number:
                yield one
                break
