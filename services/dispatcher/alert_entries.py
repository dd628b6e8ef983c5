"""The alert log as the dispatcher reads it: its position, and what each entry tells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar, Final, NamedTuple

import structlog
from sqlalchemy import Connection, select

from events.alert import AlertEvent
from events.codec import Codec, readable_id
from events.dates import Instant
from events.errors import EventRefused, ToxwatchError
from projections.folds.alert_transition import alert_id_of
from projections.folds.system_alerts import UNDELIVERED, site_of_case, system_transition
from projections.folds.trial import Trial
from projections.rules.logic.truth import EventKey
from projections.store.engine.generation import move_position, next_offset
from projections.store.engine.tables import subject_sites
from projections.store.rows.outbox import publish, published_states
from services.dispatcher.notice import Notice, notice_of
from services.log.port import Entry

CONSUMER: Final = "dispatcher"

log = structlog.get_logger()


class FencedDispatcher(ToxwatchError):  # noqa: N818 - reads better where it is caught
    """Another dispatcher has moved the position: what was read is planned already."""

    retriable: ClassVar[bool] = True


class News(NamedTuple):
    """One alert event, as far as it is told to anybody."""

    event_id: str
    notice: Notice


class AlertEntries:
    """Reads entries. One that cannot be read is an alert itself: nobody knows what it would have said."""

    def __init__(self, trial: Trial) -> None:
        self._trial = trial
        self._codec = Codec(trial.protocol.contract)

    def read(self, entries: Sequence[Entry], connection: Connection, now: Instant) -> list[News]:
        """What the entries tell, in order."""
        return list(self._readable(entries, connection, now))

    def _readable(self, entries: Sequence[Entry], connection: Connection, now: Instant) -> Iterator[News]:
        for entry in entries:
            try:
                event = self._codec.decode(entry.body).event
            except EventRefused as refused:
                self.tell_of(entry, refused.reason, connection, now)
                continue
            if isinstance(event, AlertEvent):
                yield News(event.id, notice_of(event, self._site(event, connection)))
            else:
                self.tell_of(entry, "not-an-alert", connection, now)

    def _site(self, event: AlertEvent, connection: Connection) -> str | None:
        """Whose subject it is about, or whose refused events."""
        if event.subject is None:
            return site_of_case(event.data.case)
        named = (
            event.site
            or self._trial.protocol.site_of(event.subject)
            or self._trial.protocol.site_of_subject(event.subject)
        )
        if named is not None:
            return named
        enrolled = select(subject_sites.c.site).where(subject_sites.c.subject == event.subject)
        return connection.scalar(enrolled)

    def tell_of(self, entry: Entry, why: str, connection: Connection, now: Instant) -> None:
        """Have an alert tell that an entry reaches nobody."""
        position = str(entry.position)
        log.error("alert_event_unreadable", position=position, reason=why)
        case = f"{UNDELIVERED}{position}"
        told = published_states(connection, [alert_id_of(self._trial.protocol, case)])
        cause = EventKey(self._trial.source, readable_id(entry.body) or position)
        reasons = [f"the entry at {position} of the alert log cannot be read ({why}): what it tells reaches nobody"]
        transition = system_transition(self._trial.protocol, case, next(iter(told.values()), None), reasons, cause, now)
        if transition is not None:
            publish(connection, self._trial, [transition])


def position_of(connection: Connection, partition: int) -> int:
    """The offset of the first entry that is not planned yet."""
    return next_offset(connection, CONSUMER, partition)


def move(connection: Connection, entries: Sequence[Entry]) -> None:
    """Move the position from the first entry past the last.

    Raises :class:`FencedDispatcher` where it is not at the first.
    """
    first, last = entries[0].position, entries[-1].position
    if not move_position(connection, CONSUMER, first.partition, first.offset, last.offset + 1):
        raise FencedDispatcher(f"the dispatcher's position is not {first} any more")
