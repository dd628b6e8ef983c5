"""From the table of dead letters to their topic: each letter at least once, under an id by which a reader tells it again.

Parking writes the table in its own transaction and nothing else, so a letter is in the topic only if it is in the table.
What is erased before it was carried is carried without its bytes; what was carried before that ends with the topic's retention.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import Row, bindparam, select, update

from events.dates import format_instant
from events.identity import derived_id
from projections.store.engine.database import Database
from projections.store.engine.tables import IS_UNSENT, dead_letters
from services.log.dead_letter_topic import PARTITION, DeadLetterTopic
from services.log.kafka import ATTRIBUTE
from services.log.topic_writer import Record

#: A letter may have the size of a whole request, and all of these are held at a time.
CARRIED_AT_ONCE_MAX: Final = 20
#: What we say of a letter, beside the attributes (``ce_``) that it came with.
OURS: Final = "toxwatch_"


class DeadLetterRelay:
    """Carries what waits. ``source`` is the deployment's. Several may run: each claims letters that no other has."""

    def __init__(self, database: Database, topic: DeadLetterTopic, source: str) -> None:
        self._database = database
        self._topic = topic
        self._source = source

    def relay(self) -> int:
        """Append what waits, at most so many at once, then mark it; say how many. Raises ``StoreUnavailable``.

        By state, and not by number: a letter of a lower number may become visible after one of a higher.
        """
        c = dead_letters.c
        with self._database.reading() as connection:
            # Nearly always nothing waits, and nobody should be kept from a lock to find that out.
            if connection.scalar(select(c.id).where(IS_UNSENT).limit(1)) is None:
                return 0
        with self._database.writing() as connection:
            # Locked until it is marked: who erases it, or parks it again, does so before it is carried or after.
            claimed = select(dead_letters).where(IS_UNSENT).order_by(c.id).limit(CARRIED_AT_ONCE_MAX)
            letters = connection.execute(claimed.with_for_update(skip_locked=True)).all()
            if not letters:
                return 0
            offsets = self._topic.append([record_of(letter, self._source) for letter in letters])
            marked = update(dead_letters).where(c.id == bindparam("number")).values(sent_offset=bindparam("at_offset"))
            connection.execute(
                marked,
                [{"number": letter.id, "at_offset": offset} for letter, offset in zip(letters, offsets, strict=True)],
            )
        return len(letters)


def record_of(letter: Row[Any], source: str) -> Record:
    """A letter with its bytes as they came. One that was closed and parked again has another key."""
    received = format_instant(letter.received_at)
    key = derived_id(source, f"dead-letter:{letter.id}", received)
    said = {
        "letter": str(letter.id),
        "origin": letter.origin,
        "reason": letter.reason,
        "error": letter.error,
        "sender": letter.sender,
        "position": f"{letter.partition}/{letter.offset}" if letter.offset is not None else None,
        "received": received,
    }
    ours = [(OURS + name, text.encode()) for name, text in said.items() if text is not None]
    return Record(PARTITION, key, letter.raw, [*ours, *_attributes(letter.headers)])


def _attributes(headers: str | None) -> Iterator[tuple[str, bytes]]:
    """What came beside the bytes, as the Kafka binding writes it in binary mode."""
    for name, text in json.loads(headers) if headers is not None else ():
        yield ATTRIBUTE + name, text.encode("utf-8", "surrogateescape")
