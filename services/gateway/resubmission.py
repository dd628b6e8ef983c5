"""Taking up again what the gateway refused, once its cause is mended: with its sender's authority, and no more."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Row, select

from events.dates import Instant
from events.errors import ToxwatchError, Unreadable
from projections.folds.trial import Trial
from projections.store.engine.database import Database
from projections.store.engine.tables import api_keys, dead_letters
from projections.store.write import dead_letter_store
from projections.store.write.dead_letter_quota import is_whole
from services.gateway.intake import REFUSED, Intake, IntakeResult, Submission
from services.gateway.intake_topics import IntakeTopic
from services.gateway.keys import caller_of_row
from services.gateway.messages import ReceivedMessage, message_again


class ResubmissionRefused(ToxwatchError):  # noqa: N818 - reads better where it is caught
    """It cannot be taken yet; it stays parked."""


class Resubmission:
    """Sends parked input through the intake again. ``topics`` are those that outside producers write to now."""

    def __init__(
        self,
        database: Database,
        intake: Intake,
        trial: Trial,
        topics: Iterable[IntakeTopic] = (),
    ) -> None:
        self._topics = {topic.sender: topic for topic in topics}
        self._database = database
        self._intake = intake
        self._trial = trial

    def replay(self, letter_id: int, by: str, now: Instant) -> IntakeResult:
        """Take a letter's event, or find that it was taken since.

        Raises ``LetterError`` where there is none, :class:`ResubmissionRefused`, with why, where it stays parked.
        """
        with self._database.reading() as connection:
            letter = connection.execute(select(dead_letters).where(dead_letters.c.id == letter_id)).one_or_none()
            if letter is None or letter.state != dead_letter_store.PARKED or letter.origin != dead_letter_store.GATEWAY:
                raise dead_letter_store.DeadLetterError(f"dead letter {letter_id} is none that the gateway has parked")
            if letter.reason == Unreadable.reason:
                raise ResubmissionRefused(f"it holds no event: {letter.error}")
            if not is_whole(letter.raw):
                raise ResubmissionRefused("not all of its bytes were kept: its sender must send it again")
            submission = self._submission(connection, letter, now)
        result = self._intake.take([submission]).results[0][0]
        if result.status == REFUSED:
            raise ResubmissionRefused(f"it is refused again: {result.error}")
        with self._database.writing() as connection:
            dead_letter_store.close_replayed(connection, self._trial, [letter_id], by, now)
        return result

    def _submission(self, connection: Connection, letter: Row[Any], now: Instant) -> Submission:
        message = _message(letter)
        topic = self._topics.get(letter.sender)
        if topic is not None:
            return Submission(topic.caller(message), [topic.checked(message)])
        key = connection.execute(select(api_keys).where(api_keys.c.id == letter.sender)).one_or_none()
        if key is None:
            raise ResubmissionRefused(f"the key or topic {letter.sender!r} that it came with is not known here")
        if key.revoked_at is not None or (key.expires_at is not None and key.expires_at <= now):
            raise ResubmissionRefused(f"the key {letter.sender!r} that it came with was revoked, or has expired")
        return Submission(caller_of_row(key), [message])


def _message(letter: Row[Any]) -> ReceivedMessage:
    headers = json.loads(letter.headers) if letter.headers is not None else None
    return message_again(letter.raw, headers)
