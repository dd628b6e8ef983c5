"""A batch of the log, taken in as few transactions as can be: whole, or, where something fails, without the event to blame.

What fails is sorted by what it is. ``StoreUnavailable`` is ours and passes: it goes to whoever called, who waits and tries again.
A :class:`~projections.store.write.batch.EventFailed` names its event. Anything else failed somewhere in the batch, most often
as it was written, so that nobody knows at which event: the batch is halved until one event is left, and that one is to blame.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from events.catalog import subject_of
from events.errors import EventRefused, ToxwatchError
from events.triage import readable_id, readable_source
from projections.rules.logic.truth import EventKey
from projections.store.engine.failures import DecodingFailed
from projections.store.write.batch import BatchOutcome, EventFailed, LogEntry

#: So many bugs in one piece, and what stands before the next is committed first: or each would have all of it judged again.
BUGS_IN_A_PIECE_MAX: Final = 5

Failing = dict[int, EventFailed]
Attempt = Callable[[Sequence[LogEntry], Failing], BatchOutcome]


class CannotPark(ToxwatchError):  # noqa: N818 - reads better where it is caught
    """An event failed, and cannot be put aside either: no subject is known to be at fault. ``__cause__`` is what was raised."""


def taken_in_pieces(
    entries: Sequence[LogEntry], attempt: Attempt, met: Callable[[EventFailed], None], subject_at: Callable[[str], str]
) -> Iterator[BatchOutcome]:
    """Have ``attempt`` take every entry of one partition, in order; gives what each committed piece came to.

    ``attempt`` is one transaction, which takes the entries and parks the subjects of those at the offsets that it is given.
    ``met`` is told of each bug before anything is parked for it, and may raise. ``subject_at`` gives the subject that the key of
    an entry names, or an empty text.
    """
    failing: Failing = {}
    waiting: list[Sequence[LogEntry]] = [entries]
    while waiting:
        piece = waiting.pop()
        try:
            for entry in piece:
                _note_what_cannot_be_read(entry, failing, met, subject_at)
            outcome = attempt(piece, failing)
        except EventFailed as failed:
            if failed.offset is None or failed.offset in failing:
                raise CannotPark(f"{failed.subject} cannot be parked: {failed}") from failed
            met(failed)
            failing[failed.offset] = failed
            waiting += _cut(piece, failed.offset, failing)
        except ToxwatchError as error:
            if not isinstance(error, EventRefused):
                raise
            waiting += _halved(piece, error, failing, met, subject_at)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the fault of one of these events
            waiting += _halved(piece, error, failing, met, subject_at)
        else:
            yield outcome


def _note_what_cannot_be_read(
    entry: LogEntry, failing: Failing, met: Callable[[EventFailed], None], subject_at: Callable[[str], str]
) -> None:
    """An entry whose reading raised what no refusal is: its subject is parked from there on, where its key names one."""
    if isinstance(entry.decoded, DecodingFailed) and entry.offset not in failing and subject_at(entry.key):
        failed = _blamed(entry, entry.decoded.cause, subject_at)
        met(failed)
        failing[entry.offset] = failed


def _cut(piece: Sequence[LogEntry], offset: int, failing: Failing) -> list[Sequence[LogEntry]]:
    """The pieces to take next, the first of them last."""
    bugs = sum(entry.offset in failing for entry in piece)
    place = next(number for number, entry in enumerate(piece) if entry.offset == offset)
    if bugs <= BUGS_IN_A_PIECE_MAX or place == 0:
        return [piece]
    return [piece[place:], piece[:place]]


def _halved(
    piece: Sequence[LogEntry],
    error: Exception,
    failing: Failing,
    met: Callable[[EventFailed], None],
    subject_at: Callable[[str], str],
) -> list[Sequence[LogEntry]]:
    if len(piece) > 1:
        middle = len(piece) // 2
        return [piece[middle:], piece[:middle]]
    (entry,) = piece
    if entry.offset in failing:
        raise CannotPark(f"the entry at {entry.offset} can be neither taken nor put aside") from error
    failed = _blamed(entry, error, subject_at)
    met(failed)
    failing[entry.offset] = failed
    return [piece]


def _blamed(entry: LogEntry, error: Exception, subject_at: Callable[[str], str]) -> EventFailed:
    if isinstance(entry.decoded, EventRefused):
        subject = subject_at(entry.key) if isinstance(entry.decoded, DecodingFailed) else None
        caused_by = EventKey(readable_source(entry.body) or "", readable_id(entry.body) or "")
        site = None
    else:
        event = entry.decoded.event
        subject, caused_by = subject_of(event), EventKey(event.source, event.id)
        site = getattr(event, "site", None)
    if not subject:
        raise CannotPark(f"the entry at {entry.offset}, about no subject, cannot be taken") from error
    failed = EventFailed(subject, entry.offset, caused_by, error, site)
    failed.__cause__ = error
    return failed
