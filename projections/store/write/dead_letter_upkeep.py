"""Parked input by the many: which letters are meant, how many bytes they hold, and erasing what is old."""

from __future__ import annotations

from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, case, func, or_, select, update

from events.acceptance import OWN_SOURCES
from events.dates import Instant
from projections.folds.trial import Trial
from projections.store.engine.tables import dead_letters
from projections.store.write.dead_letter_store import DELETED, GATEWAY, PARKED, delete

#: How many are erased in one transaction: on a full disk a small one may still find room.
ERASED_AT_ONCE: Final = 20

_c = dead_letters.c


class Where(NamedTuple):
    """Which letters: all that is said must be so. ``before``: last seen before that."""

    reason: str | None = None
    site: str | None = None
    key: str | None = None
    before: Instant | None = None

    @property
    def condition(self) -> ColumnElement[bool]:
        """For those that the gateway has parked, and that were not deleted before.

        What the monitor has parked are events of the log that a subject waits for: those are replayed, or deleted one by one.
        """
        said = [_c.state != DELETED, _c.origin == GATEWAY]
        for column, value in ((_c.reason, self.reason), (_c.site, self.site), (_c.sender, self.key)):
            if value is not None:
                said.append(column == value)
        if self.before is not None:
            said.append(_c.last_seen_at < self.before)
        # Which are refused to be deleted: they hold nobody's text.
        said.append(or_(_c.source.is_(None), _c.source.not_like(f"{OWN_SOURCES}%")))
        return and_(*said)


class Meant(NamedTuple):
    """How many letters are meant, the bytes that they hold, and how many are severe and open: alerts stand for those."""

    letters: int
    bytes: int
    severe: int


def meant_by(connection: Connection, where: Where) -> Meant:
    """What would be erased."""
    severe = func.sum(case((and_(_c.is_severe, _c.state == PARKED), 1), else_=0))
    wanted = select(func.count(), func.sum(func.length(_c.raw)), severe).where(where.condition)
    letters, size, open_ones = connection.execute(wanted).one()
    return Meant(letters, int(size or 0), int(open_ones or 0))


def erase(
    connection: Connection,
    trial: Trial,
    where: Where,
    by: str,
    why: str,
    now: Instant,
    at_once: int = ERASED_AT_ONCE,
) -> int:
    """Erase some of those that are meant, the newest first, and say how many; 0 once there are none left.

    The newest stand at the end of the file: where that is cut off, nothing has to be moved, for which a full disk has no room.
    """
    found = connection.scalars(select(_c.id).where(where.condition).order_by(_c.id.desc()).limit(at_once)).all()
    for number in found:
        delete(connection, trial, number, by, why, now)
    return len(found)


def expire(connection: Connection, trial: Trial, before: Instant, now: Instant) -> int:
    """Erase some of what was last seen before an instant, save what is severe and open; say how many."""
    is_over = or_(_c.state != PARKED, ~_c.is_severe)
    old = select(_c.id, _c.state).where(_c.raw.is_not(None), _c.origin == GATEWAY, _c.last_seen_at < before, is_over)
    rows = connection.execute(old.order_by(_c.id).limit(ERASED_AT_ONCE)).all()
    for row in rows:
        if row.state == PARKED:
            delete(connection, trial, row.id, "retention", "kept as long as is configured", now)
        else:
            erased = {"raw": None, "headers": None, "error": "(erased)", "event_id": None, "record_id": None}
            connection.execute(update(dead_letters).where(_c.id == row.id).values(**erased))
    return len(rows)


def dead_letter_bytes(connection: Connection) -> int:
    """How many bytes of parked input are kept."""
    return int(connection.scalar(select(func.sum(func.length(_c.raw)))) or 0)
