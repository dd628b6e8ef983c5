"""Every version of one record, and which one is in effect.

The highest revision replaces the others; under one revision the later ``time`` wins, ties by the greater id (rules.md §6). A
retraction is a version like any other. What arrives in which order does not matter.

A history is a plain tuple of versions, ascending and never empty: most records have one version, and a trial has a million
records.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Any, NamedTuple

from events.dates import Instant
from projections.rules.logic.truth import EventKey


class RecordVersion(NamedTuple):
    """One event as a version of its record. The first four fields decide which is in effect; ``event`` never does.

    ``received`` is the gateway's stamp, or its ``time`` where nobody has stamped it.
    """

    revision: int
    time: Instant
    id: str
    source: str
    retracts: bool
    event: Any
    received: Instant

    @property
    def reference(self) -> EventKey:
        """The event, as evidence."""
        return EventKey(self.source, self.id)


RecordHistory = tuple[RecordVersion, ...]


def with_version(history: RecordHistory, version: RecordVersion) -> RecordHistory:
    """The history with one more version; the same object where it was known already."""
    if history[-1][:4] < version[:4]:
        return (*history, version)
    at = bisect_left(history, version[:4], key=_order)
    if history[at][:4] == version[:4]:
        return history
    return (*history[:at], version, *history[at:])


def effective(history: RecordHistory) -> RecordVersion | None:
    """The version in effect, None where the record is retracted."""
    return None if history[-1].retracts else history[-1]


def conflicting_revisions(history: RecordHistory) -> list[int]:
    """Revisions under which more than one version came: a data query each."""
    revisions = [version.revision for version in history]
    return sorted({revision for revision in revisions if revisions.count(revision) > 1})


def ignored_retractions(history: RecordHistory) -> list[RecordVersion]:
    """Retractions of a revision lower than any that was reported: ignored, with a query."""
    if effective(history) is None:
        return []
    earliest = min(version.revision for version in history if not version.retracts)
    return [version for version in history if version.retracts and version.revision < earliest]


def superseded_reports(history: RecordHistory) -> list[RecordVersion]:
    """Reports that came later than the version in effect, under a lower revision: not used, with a query (rules.md §6).

    A version that arrives late, recorded and received before the one in effect, is only an older one.
    """
    newest = history[-1]
    return [version for version in history[:-1] if not version.retracts and is_superseded(version, newest)]


def is_superseded(version: RecordVersion, newest: RecordVersion) -> bool:
    """Whether a version came later than the newest revision of its record, under a lower one."""
    if version.revision >= newest.revision:
        return False
    return version.time > newest.time or version.received > newest.received


def _order(version: RecordVersion) -> tuple[int, Instant, str, str]:
    return version[:4]
