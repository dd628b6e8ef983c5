"""Taking up again what the monitor has put aside, once its cause is mended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, delete, select
from sqlalchemy.exc import DBAPIError

from events.codec import Codec
from events.dates import Instant
from events.errors import EventRefused, ToxwatchError, Unreadable
from projections.folds.alert_transition import alert_id_of
from projections.folds.system_alerts import UNWATCHED, unwatched_transition
from projections.folds.trial import Trial
from projections.rules.logic.truth import EventKey
from projections.store.engine.database import Database, is_transient
from projections.store.engine.generation import current_generation, hold_positions
from projections.store.engine.tables import dead_letters, parked_subjects
from projections.store.rows.charts import parked_now
from projections.store.rows.outbox import publish, published_states
from projections.store.write import dead_letter_store
from projections.store.write.batch import BatchOutcome, BatchWriter, EventFailed, LogEntry, expected_key
from projections.store.write.parked_entries import put_aside
from services.monitor.monitor import CONSUMER
from services.trials.rules_version import configuration_hash


class ReplayFailed(ToxwatchError):  # noqa: N818 - reads better where it is caught
    """It cannot be taken yet; nothing was changed."""


class Replay:
    """Replays letters that the monitor has parked. A monitor that runs meanwhile sees each replay as a whole, or not at all."""

    def __init__(self, database: Database, trial: Trial) -> None:
        self._database = database
        self._trial = trial
        self._rules = configuration_hash(trial.protocol)
        self._codec = Codec(trial.protocol.contract)

    def replay(self, letter_id: int, by: str, now: Instant) -> BatchOutcome:
        """Take one refused entry; or, where it is of a subject that is not watched, all that subject's, in their order.

        Raises :class:`ReplayFailed`, with why.
        """
        with self._database.writing() as connection:
            hold_positions(connection, CONSUMER)
            letter = connection.execute(select(dead_letters).where(dead_letters.c.id == letter_id)).one_or_none()
            if letter is None or letter.state != dead_letter_store.PARKED or letter.origin != dead_letter_store.MONITOR:
                raise ReplayFailed(f"dead letter {letter_id} is none that the monitor has parked")
            if letter.reason == dead_letter_store.LOWER_REVISION:
                raise ReplayFailed(
                    f"dead letter {letter_id} is in the log already, and a higher revision of its record is in effect: have "
                    "its sender send what holds under a higher revision, or delete the letter with a reason"
                )
            if letter.reason == Unreadable.reason:
                raise ReplayFailed(f"it holds no event: {letter.error}")
            if letter.reason == dead_letter_store.NOT_WATCHED:
                return self._subject(connection, letter.subject, by, now)
            outcome = self._apply(connection, [letter], now)
            if outcome.refused:
                raise ReplayFailed(f"it is refused again: {outcome.refused[0][1].error}")
            if outcome.behind:
                raise ReplayFailed(f"{letter.subject} is not being watched: replay what this subject has waiting first")
            dead_letter_store.close_replayed(connection, self._trial, [letter.id], by, now)
            return outcome

    def replay_subject(self, subject: str, by: str, now: Instant) -> BatchOutcome:
        """Watch a subject again, and take everything of it that waits, in its order; there may be nothing left of it.

        Raises :class:`ReplayFailed`, with why.
        """
        with self._database.writing() as connection:
            hold_positions(connection, CONSUMER)
            if subject not in parked_now(connection):
                raise ReplayFailed(f"{subject!r} is not parked")
            return self._subject(connection, subject, by, now)

    def _subject(self, connection: Connection, subject: str, by: str, now: Instant) -> BatchOutcome:
        c = dead_letters.c
        wanted = select(dead_letters).where(
            c.subject == subject,
            c.state == dead_letter_store.PARKED,
            c.origin == dead_letter_store.MONITOR,
            c.reason == dead_letter_store.NOT_WATCHED,
        )
        letters = connection.execute(wanted.order_by(c.partition, c.offset)).all()
        connection.execute(delete(parked_subjects).where(parked_subjects.c.subject == subject))
        outcome = self._apply(connection, letters, now)
        dead_letter_store.close_replayed(connection, self._trial, [letter.id for letter in letters], by, now)
        alert_id = alert_id_of(self._trial.protocol, UNWATCHED + subject)
        told = published_states(connection, [alert_id]).get(alert_id)
        cause = EventKey(self._trial.source, f"replay:{subject}")
        step = unwatched_transition(self._trial.protocol, subject, told, cause, now, is_parked=False)
        publish(connection, self._trial, [step] if step is not None else [])
        return outcome

    def _apply(self, connection: Connection, letters: Sequence[Row[Any]], now: Instant) -> BatchOutcome:
        generation, parked = current_generation(connection), parked_now(connection)
        step = BatchWriter(connection, self._trial.protocol, self._rules, generation, {}, now, parked)
        try:
            step.apply([self._entry(letter) for letter in letters])
        except EventFailed as failed:
            raise ReplayFailed(f"{failed.subject}: {failed} again ({failed.__cause__!r})") from failed
        try:
            step.write()
            publish(connection, self._trial, step.outcome.transitions)
            put_aside(connection, self._trial, step.outcome, now)
        except DBAPIError as error:
            if is_transient(error):
                raise
            raise ReplayFailed(_cannot_be_stored(letters, error.orig)) from error
        except (OverflowError, ValueError, TypeError) as error:
            raise ReplayFailed(_cannot_be_stored(letters, error)) from error
        return step.outcome

    def _entry(self, letter: Row[Any]) -> LogEntry:
        decoded = self._codec.read(letter.raw)
        key = "" if isinstance(decoded, EventRefused) else expected_key(self._trial.protocol, decoded.event)
        return LogEntry(letter.partition, letter.offset, key, letter.raw, decoded)


def _cannot_be_stored(letters: Sequence[Row[Any]], error: BaseException | None) -> str:
    """By the kind of what was raised: its words may quote what a site wrote."""
    about = letters[0].subject if letters else "it"
    return f"{about}: what was found cannot be stored ({type(error).__name__}); nothing was changed"
