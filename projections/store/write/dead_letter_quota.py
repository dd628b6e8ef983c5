"""How much is kept of what was refused: what is too large only in part, and of one sender no more than its quota.

Nothing is dropped in silence: what is not kept is counted, and what says grade 3 or more, serious or fatal makes its alert all
the same. In place of bytes that are not kept stand how many there were, and their SHA-256.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

from sqlalchemy import Connection, func, select

from events.codec import LINE_BYTES_MAX
from projections.store.engine.tables import dead_letters
from projections.store.write.dead_letter_store import NewDeadLetter, unknown

#: Of an event that is too large for any log, the beginning.
KEPT_BYTES: Final = 64 * 1024
#: For how many batches of refused events the usage is added up before it is read again: letters are deleted meanwhile.
BATCHES_PER_LOOK: Final = 200
_NOTE: Final = re.compile(rb"\[toxwatch: (\d+ bytes came, SHA-256 [0-9a-f]{64}; |events beyond the quota)[^\]]*\]\Z")


class Quota(NamedTuple):
    """How many letters of one sender are kept, and how many bytes of them in all."""

    letters: int
    bytes: int


@dataclass
class _Usage:
    letters: int = 0
    bytes: int = 0


def is_whole(raw: bytes) -> bool:
    """Whether the bytes of a letter are those that came."""
    return _NOTE.search(raw[-400:]) is None


DEFAULT: Final = Quota(10_000, 256 * 1024 * 1024)


class DeadLetterQuota:
    """Decides what is kept. Used by one thread; where several gateways run, each may add a batch before it sees the others'."""

    def __init__(self, quota: Quota) -> None:
        self._quota = quota
        self._used: dict[str, _Usage] = {}
        self._batches = 0

    def within(self, connection: Connection, letters: Iterable[NewDeadLetter]) -> list[NewDeadLetter]:
        """The letters as they are to be parked. One that is known already takes no more room."""
        cut = [_without_what_is_too_large(letter) for letter in letters]
        if self._batches % BATCHES_PER_LOOK == 0:
            self._used = _read_usage(connection)
        self._batches += 1
        new = {letter.fingerprint for letter in unknown(connection, cut)}
        return [self._within(letter) if letter.fingerprint in new else letter for letter in cut]

    def _within(self, letter: NewDeadLetter) -> NewDeadLetter:
        used = self._used.setdefault(letter.sender or "", _Usage())
        if used.letters >= self._quota.letters or used.bytes + len(letter.raw) > self._quota.bytes:
            # What may be severe keeps whose record it is, so that the event that mends it settles it; to a bound as well.
            if not letter.is_severe or used.letters >= 2 * self._quota.letters:
                return _counted(letter)
            note = _note(letter.raw, "the quota of this sender is used up, and none is kept")
            letter = letter._replace(raw=note, headers=None)
        used.letters += 1
        used.bytes += len(letter.raw)
        return letter


def _without_what_is_too_large(letter: NewDeadLetter) -> NewDeadLetter:
    if len(letter.raw) <= LINE_BYTES_MAX:
        return letter
    note = _note(letter.raw, f"the first {KEPT_BYTES} are kept")
    return letter._replace(raw=letter.raw[:KEPT_BYTES] + b"\n" + note)


def _counted(letter: NewDeadLetter) -> NewDeadLetter:
    """One letter for all of a sender, a reason and a severity, which is counted up."""
    severity = "severe" if letter.is_severe else "not severe"
    return NewDeadLetter(
        origin=letter.origin,
        reason=letter.reason,
        error="more was refused than is kept of one sender: counted, and not kept; delete letters, or raise the quota",
        field="",
        raw=f"[toxwatch: events beyond the quota of this sender, refused as {letter.reason}, {severity}]".encode(),
        is_severe=letter.is_severe,
        sender=letter.sender,
        site=letter.site,
    )


def _note(raw: bytes, why: str) -> bytes:
    return f"[toxwatch: {len(raw)} bytes came, SHA-256 {hashlib.sha256(raw).hexdigest()}; {why}]".encode()


def _read_usage(connection: Connection) -> dict[str, _Usage]:
    c = dead_letters.c
    wanted = select(c.sender, func.count(), func.sum(func.length(c.raw))).where(c.raw.is_not(None)).group_by(c.sender)
    return {sender or "": _Usage(count, int(size or 0)) for sender, count, size in connection.execute(wanted)}
